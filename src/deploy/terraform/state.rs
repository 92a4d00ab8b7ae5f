//! A look at where the state is kept, before Terraform is started: a wrong place is told by us, and at once.

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::root::Root;
use crate::aws::{Explain, code};
use crate::deploy::state::no_bucket;
use crate::error::{Kind, Result};
use crate::policy::bucket_arn;
use crate::target::Target;

const LIST: &str = "s3:ListBucket";

/// Whether there is a state.
pub async fn is_there(target: &Target, root: &Root) -> Result<bool> {
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
    Ok(found.contents().iter().any(|object| object.key() == Some(&root.state.key)))
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
