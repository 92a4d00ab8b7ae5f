//! What every object of a run carries with it besides its content.

use std::collections::HashMap;

use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::{ServerSideEncryption, StorageClass};
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_claim::key;

#[derive(Debug, Clone, Default)]
pub struct Headers {
    pub metadata: HashMap<String, String>,
    /// Guessed from the key where none is given.
    pub content_type: Option<String>,
    /// None: the bucket's own choice, as of all that follows.
    pub storage_class: Option<StorageClass>,
    /// The id, ARN or alias of a KMS key.
    pub kms_key: Option<String>,
    pub tags: Vec<(String, String)>,
}

const PUT_TAGS: &str = "s3:PutObjectTagging";

impl Headers {
    /// What IAM has to allow besides, for objects of this ARN.
    pub fn permissions(&self, arns: &ArnBuilder, objects: &str) -> Vec<Statement> {
        let tags = (!self.tags.is_empty()).then(|| Statement::allow("Tag", &[PUT_TAGS], [objects.to_owned()]));
        // Parts of one object are put together after they were decrypted.
        let encrypt = |key: &String| {
            let key = if key.starts_with("arn:") { key.clone() } else { arns.arn("kms", "key/*") };
            Statement::allow("Encrypt", &["kms:GenerateDataKey", "kms:Decrypt"], [key])
        };
        tags.into_iter().chain(self.kms_key.as_ref().map(encrypt)).collect()
    }

    pub(super) fn content_type(&self, key: &str) -> String {
        let guessed = || mime_guess::from_path(key).first_or_octet_stream().essence_str().to_owned();
        self.content_type.clone().unwrap_or_else(guessed)
    }

    pub(super) fn tagging(&self) -> Option<String> {
        let pairs = self.tags.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        (!self.tags.is_empty()).then(|| key::encode_tags(pairs))
    }

    pub(super) fn encryption(&self) -> Option<ServerSideEncryption> {
        self.kms_key.as_ref().map(|_| ServerSideEncryption::AwsKms)
    }

    /// How the headers of an object are others than these, in words: its upload may have been begun by another program.
    pub(super) fn differ(&self, key: &str, head: &HeadObjectOutput) -> Option<String> {
        let content_type = self.content_type(key);
        let metadata = head.metadata().cloned().unwrap_or_default();
        let class = head.storage_class().cloned().unwrap_or(StorageClass::Standard);
        if head.content_type().is_some_and(|there| there != content_type) {
            let there = head.content_type().unwrap_or_default();
            return Some(format!("its content type is {there:?} and not {content_type:?}"));
        }
        if metadata != self.metadata {
            return Some("it has other metadata".to_owned());
        }
        if class != self.storage_class.clone().unwrap_or(StorageClass::Standard) {
            return Some(format!("its storage class is {class}"));
        }
        if let Some(key) = &self.kms_key {
            // An alias is told as the key that it names.
            let is_it = |there: &str| key.contains("alias/") || there.ends_with(key.as_str());
            if !head.ssekms_key_id().is_some_and(is_it) {
                return Some("it is encrypted by another key".to_owned());
            }
        }
        if head.tag_count().is_some_and(|tags| usize::try_from(tags).is_ok_and(|tags| tags != self.tags.len())) {
            return Some("it has other tags".to_owned());
        }
        None
    }
}
