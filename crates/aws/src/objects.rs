//! The objects of a bucket, in the order of their keys.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::EncodingType;
use claimctl_claim::key;
use claimctl_core::error::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::Explain;
use crate::policy::{ArnBuilder, Statement};
use crate::sinks::record::RecordEntry;

/// Also what makes S3 tell an object that is not there from one that may not be seen.
pub const LIST: &str = "s3:ListBucket";
/// Of HeadObject.
pub const HEAD: &str = "s3:GetObject";
/// Of HeadObject with a version id.
pub const HEAD_VERSION: &str = "s3:GetObjectVersion";

/// What IAM has to allow to list a bucket, and to look again at objects whose key begins with `prefix`.
pub fn permissions(arns: &ArnBuilder, bucket: &str, prefix: &str) -> Vec<Statement> {
    vec![
        Statement::allow("ListObjects", &[LIST], [arns.bucket(bucket)]),
        Statement::allow("LookAtObjects", &[HEAD], [arns.objects(bucket, prefix)]),
    ]
}

/// What a comparison needs to know of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectEntry {
    pub key: String,
    /// Without quotes.
    pub etag: String,
    pub size: u64,
    /// Epoch seconds.
    pub modified: i64,
}

/// Whether a record tells of this very content. A record without an etag can only be held against the size.
pub fn agree(object: &ObjectEntry, record: &RecordEntry) -> bool {
    let same_size = record.size.is_none_or(|size| size == object.size);
    let same_etag = match &record.etag {
        Some(etag) => *etag == object.etag,
        None => record.size.is_some(),
    };
    !record.is_removed() && same_size && same_etag
}

/// A key that the store lists in a way that cannot be read: its object is there, and cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unnamed {
    /// As it is listed.
    pub key: String,
    pub why: String,
}

/// Some objects of a listing.
#[derive(Debug, Default)]
pub struct ObjectPage {
    pub objects: Vec<ObjectEntry>,
    pub unnamed: Vec<Unnamed>,
}

/// Pages through a bucket (Amazon S3 API Reference, ListObjectsV2: keys come in UTF-8 binary order).
pub struct Listing {
    pages: aws_smithy_async::future::pagination_stream::PaginationStream<
        Result<
            aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output,
            aws_sdk_s3::error::SdkError<aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Error>,
        >,
    >,
    bucket: String,
    last: Option<String>,
}

impl Listing {
    pub fn start(s3: &Client, bucket: &str, prefix: &str) -> Listing {
        let pages = s3
            .list_objects_v2()
            .bucket(bucket)
            .set_prefix(Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty()))
            // Keys may hold characters that XML cannot.
            .encoding_type(EncodingType::Url)
            .into_paginator()
            .send();
        Listing { pages, bucket: bucket.to_owned(), last: None }
    }

    pub async fn page(&mut self) -> Result<Option<ObjectPage>> {
        let Some(page) = self.pages.next().await else { return Ok(None) };
        let page =
            page.or_needs(&format!("list bucket {}", self.bucket), LIST, &format!("arn:*:s3:::{}", self.bucket))?;
        let mut read = ObjectPage::default();
        for object in page.contents() {
            let encoded = object.key().unwrap_or_default();
            let key = match key::decode_form(encoded) {
                Ok(key) if !key.is_empty() => key,
                decoded => {
                    // One object may not keep all the others from being looked at.
                    let why = decoded.map_or_else(|bad| bad.to_string(), |_| "is listed as empty".to_owned());
                    read.unnamed.push(Unnamed { key: encoded.to_owned(), why: format!("its key {why}") });
                    continue;
                }
            };
            if self.last.as_ref().is_some_and(|last| *last >= key) {
                return Err(Error::unexpected(format!("bucket {} does not list its keys in order", self.bucket))
                    .hint("verify needs S3's order of keys; directory buckets and some other stores lack it"));
            }
            self.last = Some(key.clone());
            read.objects.push(ObjectEntry {
                key,
                etag: object.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
                size: object.size().and_then(|size| size.try_into().ok()).unwrap_or(0),
                modified: object.last_modified().map_or(0, |time| time.secs()),
            });
        }
        Ok(Some(read))
    }
}

/// The object as it is now, or one version of it; none where there is none (Amazon S3 API Reference, HeadObject).
pub async fn head(s3: &Client, bucket: &str, key: &str, version_id: Option<&str>) -> Result<Option<ObjectEntry>> {
    if key.trim().is_empty() && version_id.is_none() {
        return listed(s3, bucket, key).await;
    }
    let call = s3.head_object().bucket(bucket).key(key).set_version_id(version_id.map(str::to_owned));
    match call.send().await {
        Ok(head) => Ok(Some(ObjectEntry {
            key: key.to_owned(),
            etag: head.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
            size: head.content_length().and_then(|size| size.try_into().ok()).unwrap_or(0),
            modified: head.last_modified().map_or(0, |time| time.secs()),
        })),
        // A version that is a delete marker is answered with 405.
        Err(error) if error.raw_response().is_some_and(|answer| [404, 405].contains(&answer.status().as_u16())) => {
            Ok(None)
        }
        Err(error) => {
            let needed = if version_id.is_some() { HEAD_VERSION } else { HEAD };
            Err(error).or_needs(&format!("look at object {key}"), needed, &format!("arn:*:s3:::{bucket}/*"))
        }
    }
}

/// The object as the bucket lists it. A key of nothing but blanks is one to S3, and to the SDK one that was not given: it
/// sends no HeadObject for it.
async fn listed(s3: &Client, bucket: &str, key: &str) -> Result<Option<ObjectEntry>> {
    // Of the keys that begin so, the key itself comes first.
    let first = Listing::start(s3, bucket, key).page().await?.unwrap_or_default();
    Ok(first.objects.into_iter().next().filter(|object| object.key == key))
}
