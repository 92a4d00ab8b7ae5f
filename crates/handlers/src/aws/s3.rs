//! Looking at, tagging and deleting one S3 object.

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::types::{Tag, Tagging};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::{Aws, Deadline, Failure};

/// Tags that an object can have (Amazon S3 User Guide, "Categorizing your objects using tags").
const MOST_TAGS: usize = 10;

/// An object as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    /// Without quotes.
    pub etag: Option<String>,
    pub size: Option<u64>,
    pub version_id: Option<String>,
}

/// What became of a conditional delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// The object is gone, by this request or before it.
    Gone,
    /// There is another object under the key by now; it was left alone.
    Replaced,
    /// S3 refuses for a reason that stays, which this is.
    Never(String),
}

/// What became of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tagged {
    Done,
    /// There is no object to tag any more.
    Gone,
    /// S3 refuses for a reason that stays, which this is.
    Never(String),
}

impl Aws {
    /// `HeadObject`: the current object, or `None`. Without `s3:ListBucket` a missing object is a 403 instead.
    pub async fn head_object(&self, bucket: &str, key: &str, deadline: Deadline) -> Result<Option<Object>, Failure> {
        let call = self.s3().head_object().bucket(bucket).key(key);
        match deadline.bound(call.send()).await? {
            Ok(head) => Ok(Some(Object {
                etag: head.e_tag().map(|etag| etag.trim_matches('"').to_owned()),
                size: head.content_length().and_then(|length| length.try_into().ok()),
                version_id: head.version_id,
            })),
            Err(error) if status(&error) == Some(404) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// `DeleteObject`, only while the object still has this ETag. In a bucket with versions it leaves a delete marker.
    pub async fn delete_object(
        &self,
        bucket: &str,
        key: &str,
        etag: &str,
        deadline: Deadline,
    ) -> Result<Deleted, Failure> {
        let call = self.s3().delete_object().bucket(bucket).key(key).if_match(format!("\"{etag}\""));
        match deadline.bound(call.send()).await? {
            Ok(_) => Ok(Deleted::Gone),
            Err(error) if error.code() == Some("NoSuchKey") => Ok(Deleted::Gone),
            Err(error) if status(&error) == Some(412) => Ok(Deleted::Replaced),
            Err(error) => stays(&error).map_or_else(|| Err(error.into()), |why| Ok(Deleted::Never(why))),
        }
    }

    /// Adds one tag to those that the object has: `PutObjectTagging` knows only all of them at once.
    pub async fn tag_object(
        &self,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
        (name, value): (&str, &str),
        deadline: Deadline,
    ) -> Result<Tagged, Failure> {
        let version_id = version_id.map(str::to_owned);
        let call = self.s3().get_object_tagging().bucket(bucket).key(key).set_version_id(version_id.clone());
        let mut tags = match deadline.bound(call.send()).await? {
            Ok(answer) => answer.tag_set,
            Err(error) => return not_tagged(error),
        };
        tags.retain(|tag| tag.key() != name);
        if tags.len() >= MOST_TAGS {
            return Ok(Tagged::Never(format!("the object has {} tags, and S3 allows no more", tags.len())));
        }
        tags.push(Tag::builder().key(name).value(value).build()?);
        let tagging = Tagging::builder().set_tag_set(Some(tags)).build()?;
        let call = self.s3().put_object_tagging().bucket(bucket).key(key).set_version_id(version_id).tagging(tagging);
        match deadline.bound(call.send()).await? {
            Ok(_) => Ok(Tagged::Done),
            Err(error) => not_tagged(error),
        }
    }
}

fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|answer| answer.status().as_u16())
}

fn not_tagged<E>(error: SdkError<E>) -> Result<Tagged, Failure>
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    match error.code() {
        // A delete marker is answered with "method not allowed".
        Some("NoSuchKey" | "NoSuchVersion" | "MethodNotAllowed") => Ok(Tagged::Gone),
        _ => stays(&error).map_or_else(|| Err(error.into()), |why| Ok(Tagged::Never(why))),
    }
}

/// Why S3 refuses, where no permission, no quota and no time will change it: what is asked cannot be done to this object,
/// or not by this store (Amazon S3 API Reference, PutObjectTagging and "Error responses").
fn stays<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Option<String> {
    let code = error.code().filter(|code| ["InvalidTag", "BadRequest", "NotImplemented"].contains(code))?;
    Some(format!("S3 refuses it: {}", error.message().filter(|text| !text.is_empty()).unwrap_or(code)))
}
