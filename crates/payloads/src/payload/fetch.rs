//! Asks S3 for the object that a claim names, and compares the two before a byte is read.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::{ByteStream, DateTimeFormat};
use aws_sdk_s3::types::ChecksumMode;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use claimctl_aws::Explain;
use claimctl_claim::Claim;
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use serde::Serialize;

pub const GET: &str = "s3:GetObject";
pub const GET_VERSION: &str = "s3:GetObjectVersion";

/// An object as S3 describes it.
#[derive(Debug, Clone, Serialize)]
pub struct Object {
    pub bucket: String,
    pub key: String,
    pub version_id: Option<String>,
    /// Without the quotes that HTTP puts around it.
    pub etag: Option<String>,
    /// Bytes.
    pub size: u64,
    pub content_type: Option<String>,
    /// RFC 3339, UTC.
    pub last_modified: Option<String>,
    /// In what it is not what the claim says; only with `any_version`.
    pub differs: Vec<String>,
}

/// An object whose bytes are yet to be read. They are checked against its checksum, where S3 has one of the whole.
#[derive(Debug)]
pub struct Opened {
    pub object: Object,
    pub body: ByteStream,
}

/// Opens the version that the claim names, and refuses an object that is not what the claim says.
///
/// With `any_version` the object of today, whatever the claim says.
pub async fn open(s3: &aws_sdk_s3::Client, claim: &Claim, any_version: bool) -> Result<Opened> {
    let version = claim.version_id.as_deref().filter(|_| !any_version);
    let call = s3.get_object().bucket(&claim.bucket).key(&claim.key).checksum_mode(ChecksumMode::Enabled);
    let answer = match call.set_version_id(version.map(str::to_owned)).send().await {
        Ok(answer) => answer,
        Err(error) => return Err(not_given(error, claim, version)),
    };
    let mut object = Object {
        bucket: claim.bucket.clone(),
        key: claim.key.clone(),
        version_id: answer.version_id,
        etag: answer.e_tag.map(|etag| etag.trim_matches('"').to_owned()),
        size: answer.content_length.and_then(|length| length.try_into().ok()).unwrap_or_default(),
        content_type: answer.content_type,
        last_modified: answer.last_modified.and_then(|at| at.fmt(DateTimeFormat::DateTime).ok()),
        differs: Vec::new(),
    };
    object.differs = differences(claim, &object);
    if !any_version && !object.differs.is_empty() {
        return Err(Error::refused(format!("{} has changed since the claim was made", place(claim)))
            .details(object.differs)
            .next("take the object as it is now", as_it_is_now()));
    }
    Ok(Opened { object, body: answer.body })
}

fn differences(claim: &Claim, object: &Object) -> Vec<String> {
    let differs = |what: &str, claimed: Option<String>, now: Option<String>| {
        let now = now.unwrap_or_else(|| "unknown".to_owned());
        claimed.filter(|claimed| *claimed != now).map(|claimed| format!("{what} {now}, and {claimed} in the claim"))
    };
    let size = |size: u64| format!("{size} bytes");
    [
        differs("etag", claim.etag.clone(), object.etag.clone()),
        differs("size", claim.size.map(size), Some(size(object.size))),
        differs("version", claim.version_id.clone(), object.version_id.clone().or_else(|| claim.version_id.clone())),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Why there is no object, with what each of S3's answers means for a claim.
fn not_given(error: SdkError<GetObjectError, HttpResponse>, claim: &Claim, version: Option<&str>) -> Error {
    let at = place(claim);
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    let header = |name: &str| error.raw_response().and_then(|response| response.headers().get(name)).map(str::to_owned);
    let is_elsewhere = claimctl_aws::elsewhere(&error).is_some();
    let is_marked = header("x-amz-delete-marker").is_some();
    let about_key =
        error.as_service_error().and_then(|error| error.message()).is_some_and(|said| said.contains("kms:"));
    match claimctl_aws::code(&error) {
        Some("NoSuchVersion") => {
            Error::not_found(format!("{at} no longer has version {}", version.unwrap_or_default()))
                .next("its payload is gone; take the object as it is now", as_it_is_now())
        }
        Some("NoSuchKey") if is_marked => {
            Error::not_found(format!("{at} was deleted: its newest version is a delete marker"))
                .hint("the versions below it may still be there: aws s3api list-object-versions")
        }
        Some("NoSuchKey") => Error::not_found(format!("{at} does not exist: the payload is gone"))
            .next("which other claims of the flow lead nowhere", Next::verb("verify")),
        Some("NoSuchBucket") => Error::not_found(format!("there is no bucket {}", claim.bucket))
            .hint("is it another environment's? the claim may lead there"),
        Some("InvalidObjectState") => {
            Error::refused(format!("{at} is archived, and cannot be read before it is restored"))
                .caused_by(error)
                .hint("restore it: aws s3api restore-object")
        }
        _ => {
            let arn = format!("arn:*:s3:::{}/{}", claim.bucket, claim.key);
            let doing = format!("get {at}");
            let explained =
                match Err::<(), _>(error).or_needs(&doing, if version.is_some() { GET_VERSION } else { GET }, &arn) {
                    Ok(()) => return Error::unexpected(format!("cannot {doing}")),
                    Err(explained) => explained,
                };
            match (status, about_key) {
                _ if is_elsewhere => explained,
                (403, true) => {
                    explained.hint("the object is encrypted with a KMS key: kms:Decrypt is needed on that key too")
                }
                (403, false) => explained
                    .hint("without s3:ListBucket on the bucket, S3 says this of an object that is not there, too"),
                _ => explained,
            }
        }
    }
}

pub fn place(claim: &Claim) -> String {
    format!("s3://{}/{}", claim.bucket, claim.key)
}

/// What was typed, without comparing the object with the claim.
fn as_it_is_now() -> Next {
    Next::again().word("--any-version")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_differs_in_what_the_claim_says_and_in_nothing_else() {
        let object = |etag: &str, size, version: Option<&str>| Object {
            bucket: "b".into(),
            key: "k".into(),
            version_id: version.map(str::to_owned),
            etag: Some(etag.into()),
            size,
            content_type: None,
            last_modified: None,
            differs: Vec::new(),
        };
        let claim = Claim { etag: Some("e".into()), size: Some(5), ..Claim::pointer("b", "k") };
        assert_eq!(differences(&claim, &object("e", 5, Some("v"))), Vec::<String>::new());
        assert_eq!(
            differences(&claim, &object("f", 6, None)),
            ["etag f, and e in the claim", "size 6 bytes, and 5 bytes in the claim"]
        );
        assert!(differences(&Claim::pointer("b", "k"), &object("f", 6, None)).is_empty());
        let versioned = Claim { version_id: Some("v".into()), ..claim };
        assert!(differences(&versioned, &object("e", 5, None)).is_empty());
        assert_eq!(differences(&versioned, &object("e", 5, Some("w"))), ["version w, and v in the claim"]);
    }
}
