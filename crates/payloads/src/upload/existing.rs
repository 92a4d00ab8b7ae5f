//! What is under the key already, and whether it is what would be uploaded.

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::ChecksumMode;
use claimctl_aws::Explain;
use claimctl_aws::objects::HEAD;
use claimctl_core::error::{Error, Result};

use super::checksum::{Algorithm, Value};
use super::engine::{Object, arn_pattern};
use super::store::Store;

/// What is to become of an object that is there already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Existing {
    /// It is not looked at.
    #[default]
    Overwrite,
    /// It stays. One with another content is an error of the file.
    Keep,
    /// It is replaced if its size or its checksum differs.
    ReplaceIfChanged,
}

/// An object that was there before.
#[derive(Debug)]
pub struct There {
    size: u64,
    /// None: S3 keeps none that could be compared.
    checksum: Option<Value>,
    etag: String,
    version_id: Option<String>,
}

impl There {
    pub(super) async fn look(store: &Store, key: &str) -> Result<Option<There>> {
        let head = store.client().head_object().bucket(&store.bucket).key(key);
        match head.checksum_mode(ChecksumMode::Enabled).send().await {
            Ok(head) => Ok(Some(There::of(head))),
            // The answer to a HEAD has no body, hence no code.
            Err(error) if error.raw_response().is_some_and(|answer| answer.status().as_u16() == 404) => Ok(None),
            Err(error) => {
                Err(error).or_needs(&format!("look whether {key} is there"), HEAD, &arn_pattern(&store.bucket))
            }
        }
    }

    fn of(head: HeadObjectOutput) -> There {
        There {
            size: head.content_length().and_then(|size| size.try_into().ok()).unwrap_or_default(),
            checksum: Value::of_head(&head),
            etag: head.e_tag.unwrap_or_default(),
            version_id: head.version_id,
        }
    }

    /// By what a content of this size has to be compared. None: it is another, or nobody can tell.
    pub fn comparable(&self, size: u64) -> Option<Algorithm> {
        self.checksum.as_ref().filter(|_| self.size == size).map(|checksum| checksum.algorithm)
    }

    pub fn has(&self, size: u64, checksum: &Value) -> bool {
        self.size == size && self.checksum.as_ref() == Some(checksum)
    }

    /// Where it is what would have been uploaded.
    pub fn into_object(self) -> Object {
        let There { size, checksum, etag, version_id } = self;
        Object { size, etag, version_id, checksum, parts: 0, kept_parts: 0 }
    }

    /// Where it is not, and has to stay.
    pub fn stays(&self, key: &str, size: Option<u64>) -> Error {
        let error = match self.checksum {
            None if size == Some(self.size) => {
                format!("an object {key:?} of the same size is there, without a checksum to compare it by")
            }
            _ => format!("another object {key:?} is there, of {} bytes", self.size),
        };
        Error::refused(error).hint("leave out --no-overwrite to replace it, or give the file another key")
    }
}
