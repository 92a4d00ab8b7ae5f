//! Looks at the state where it is kept, without Terraform: a wrong place is told by us, and at once.

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use claimctl_aws::policy::bucket_arn;
use claimctl_aws::target::Target;
use claimctl_aws::{Explain, code};
use claimctl_core::error::{Error, Kind, Result};

use crate::state::{Content, Header, no_bucket};
use crate::surfaces::surface_key;
use crate::terraform::root::Root;

const LIST: &str = "s3:ListBucket";
const GET: &str = "s3:GetObject";

/// So much of a state is read: one that is empty is shorter.
const FIRST_BYTES: u64 = 1024;

/// An object in the place of a state.
pub struct Found {
    /// Whether it has no byte at all. Terraform takes that for no state (its S3 backend, client.go), and none is what it
    /// writes: whatever was there is lost.
    pub is_blank: bool,
    /// None: it is not what claimctl reads, or may not be read, which Terraform will tell.
    pub header: Option<Header>,
    /// Whether it lists nothing at all.
    pub is_empty: bool,
}

/// None: there is no state.
pub async fn look(target: &Target, root: &Root) -> Result<Option<Found>> {
    let (bytes, found) = tokio::join!(size(target, root), beginning(target, root));
    Ok(bytes?.map(|bytes| Found { is_blank: bytes == 0, ..found }))
}

async fn beginning(target: &Target, root: &Root) -> Found {
    let get = target.s3().get_object().bucket(&root.state.bucket).key(&root.state.key);
    let get = get.range(format!("bytes=0-{}", FIRST_BYTES - 1));
    let get = get.set_expected_bucket_owner(target.expected_account().map(str::to_owned));
    let read = async { Some(get.send().await.ok()?.body.collect().await.ok()?.into_bytes().to_vec()) };
    let bytes = read.await.unwrap_or_default();
    let header = Header::read(&bytes);
    let is_whole = (bytes.len() as u64) < FIRST_BYTES;
    let is_empty = is_whole && Content::parse(bytes, &root.state.key).is_ok_and(|content| content.is_empty());
    Found { is_blank: false, header, is_empty }
}

/// As it is listed. None where it is not.
async fn size(target: &Target, root: &Root) -> Result<Option<i64>> {
    let bucket = &root.state.bucket;
    let list = target.s3().list_objects_v2().bucket(bucket).prefix(&root.state.key).max_keys(2);
    let answer = list.set_expected_bucket_owner(target.expected_account().map(str::to_owned)).send().await;
    let is_missing = answer.as_ref().err().and_then(code) == Some("NoSuchBucket");
    if is_missing {
        return Err(no_bucket(bucket, &root.environment, Some(&root.backend.path)));
    }
    let found = answer.or_needs(&format!("look for the state in {bucket}"), LIST, &bucket_arn(&target.region, bucket));
    let found = found.map_err(|error| match error.kind() {
        Kind::Denied => error.hint(format!(
            "or the bucket is of another account, of which S3 says the same: it is named in {}",
            root.backend.path.display()
        )),
        _ => error,
    })?;
    let object = found.contents().iter().find(|object| object.key() == Some(&root.state.key));
    // A store that lists no sizes says nothing against it.
    Ok(object.map(|object| object.size().unwrap_or(i64::MAX)))
}

/// As it is now.
pub async fn read(target: &Target, root: &Root) -> Result<Vec<u8>> {
    let (bucket, key) = (&root.state.bucket, &root.state.key);
    let get = target.s3().get_object().bucket(bucket).key(key);
    let get = get.set_expected_bucket_owner(target.expected_account().map(str::to_owned)).send().await;
    let object = get.or_needs(
        &format!("read the state of {}", root.name()),
        GET,
        &format!("{}/{key}", bucket_arn(&target.region, bucket)),
    )?;
    let broken = |error| Error::new(Kind::Unreachable, "the state broke off while it was read").caused_by(error);
    Ok(object.body.collect().await.map_err(broken)?.to_vec())
}

/// Whether it lists nothing, however long it is: a mere plan leaves such a state, and so does destroying. One that is
/// not what claimctl reads, as where OpenTofu encrypts it, lists something.
pub async fn is_empty(target: &Target, root: &Root) -> Result<bool> {
    let state = read(target, root).await?;
    Ok(Content::parse(state, &root.state.key).is_ok_and(|content| content.is_empty()))
}

/// Whether the stack has written its surface there, as far as S3 tells. The surface is part of the stack, and goes with
/// it.
pub async fn has_surface(target: &Target, root: &Root) -> bool {
    let key = surface_key(&root.environment, &root.stack);
    let head = target.s3().head_object().bucket(&root.state.bucket).key(key);
    head.set_expected_bucket_owner(target.expected_account().map(str::to_owned)).send().await.is_ok()
}

/// Whether there was one and it was deleted, as far as S3 tells (Amazon S3 User Guide, "Working with delete markers").
pub async fn was_deleted(target: &Target, root: &Root) -> bool {
    let head = target.s3().head_object().bucket(&root.state.bucket).key(&root.state.key);
    let answer = head.set_expected_bucket_owner(target.expected_account().map(str::to_owned)).send().await;
    let marked = |error: SdkError<HeadObjectError, HttpResponse>| {
        error.raw_response().is_some_and(|response| response.headers().get("x-amz-delete-marker") == Some("true"))
    };
    answer.err().is_some_and(marked)
}
