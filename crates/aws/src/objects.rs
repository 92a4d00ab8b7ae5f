//! The objects of a bucket, in the order of their keys.

mod guess;
mod in_order;

use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::EncodingType;
use claimctl_claim::key;
use claimctl_core::error::{Error, Result};
use serde::{Deserialize, Serialize};

use self::in_order::{Begin, InOrder, Listed, Pages};
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
        // Of an item that a mapping found, what it does not hold is not asked for.
        None => record.size.is_some() || record.item.is_some(),
    };
    !record.is_removed() && same_size && same_etag
}

/// A key that the store lists in a way that cannot be read: its object is there, and cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unnamed {
    /// As it is listed.
    pub key: String,
    pub why: String,
    /// So many objects of the page come before it.
    behind: usize,
}

/// Some objects of a listing.
#[derive(Debug, Default)]
pub struct ObjectPage {
    pub objects: Vec<ObjectEntry>,
    pub unnamed: Vec<Unnamed>,
}

/// Pages through a bucket (Amazon S3 API Reference, ListObjectsV2: keys come in UTF-8 binary order).
pub struct Listing {
    pages: InOrder<BucketPages>,
    last: Option<String>,
    /// At the end of the last page: the next one may have them again, where it was cut off behind them.
    last_unnamed: Vec<String>,
}

impl Listing {
    pub fn start(s3: &Client, bucket: &str, prefix: &str) -> Listing {
        Listing { pages: InOrder::start(BucketPages::of(s3, bucket, prefix)), last: None, last_unnamed: Vec::new() }
    }

    pub async fn page(&mut self) -> Result<Option<ObjectPage>> {
        let Some(mut page) = self.pages.next().await? else { return Ok(None) };
        let first = page.objects.first();
        if self.last.as_ref().is_some_and(|last| first.is_some_and(|first| first.key <= *last)) {
            return Err(out_of_order(&self.pages.of().bucket));
        }
        page.unnamed.retain(|unnamed| !self.last_unnamed.contains(&unnamed.key));
        if let Some(object) = page.objects.last() {
            self.last = Some(object.key.clone());
            self.last_unnamed.clear();
        }
        self.last_unnamed.extend(page.unnamed.iter().map(|unnamed| unnamed.key.clone()));
        Ok(Some(page))
    }
}

fn out_of_order(bucket: &str) -> Error {
    Error::unexpected(format!("bucket {bucket} does not list its keys in order"))
        .hint("verify needs S3's order of keys; directory buckets and some other stores lack it")
}

#[derive(Clone)]
struct BucketPages {
    s3: Client,
    bucket: Arc<str>,
    prefix: Arc<str>,
}

impl BucketPages {
    fn of(s3: &Client, bucket: &str, prefix: &str) -> BucketPages {
        BucketPages { s3: s3.clone(), bucket: bucket.into(), prefix: prefix.into() }
    }
}

impl Pages for BucketPages {
    type Page = ObjectPage;

    async fn page(&self, begin: Begin) -> Result<Listed<ObjectPage>> {
        let bucket = &*self.bucket;
        let call = self
            .s3
            .list_objects_v2()
            .bucket(bucket)
            .set_prefix(Some(self.prefix.to_string()).filter(|prefix| !prefix.is_empty()))
            // Keys may hold characters that XML cannot.
            .encoding_type(EncodingType::Url);
        let call = match begin {
            Begin::Beginning => call,
            Begin::Key(key) => call.start_after(key),
            Begin::Token(token) => call.continuation_token(token),
        };
        let answer =
            call.send().await.or_needs(&format!("list bucket {bucket}"), LIST, &format!("arn:*:s3:::{bucket}"))?;
        let mut page = ObjectPage::default();
        for object in answer.contents() {
            let encoded = object.key().unwrap_or_default();
            let key = match key::decode_form(encoded) {
                Ok(key) if !key.is_empty() => key,
                decoded => {
                    // One object may not keep all the others from being looked at.
                    let why = decoded.map_or_else(|bad| bad.to_string(), |_| "is listed as empty".to_owned());
                    let behind = page.objects.len();
                    page.unnamed.push(Unnamed { key: encoded.to_owned(), why: format!("its key {why}"), behind });
                    continue;
                }
            };
            if page.objects.last().is_some_and(|last| last.key >= key) {
                return Err(out_of_order(bucket));
            }
            page.objects.push(ObjectEntry {
                key,
                etag: object.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
                size: object.size().and_then(|size| size.try_into().ok()).unwrap_or(0),
                modified: object.last_modified().map_or(0, |time| time.secs()),
            });
        }
        // As the SDK's paginator does: a token that is empty is none.
        let next = answer.next_continuation_token.filter(|token| !token.is_empty());
        Ok(Listed { page, next })
    }

    fn keys(page: &ObjectPage) -> Vec<&str> {
        page.objects.iter().map(|object| object.key.as_str()).collect()
    }

    fn up_to(mut page: ObjectPage, end: &str) -> ObjectPage {
        let within = page.objects.partition_point(|object| object.key.as_str() <= end);
        if within < page.objects.len() {
            page.objects.truncate(within);
            page.unnamed.retain(|unnamed| unnamed.behind <= within);
        }
        page
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
    let first = BucketPages::of(s3, bucket, key).page(Begin::Beginning).await?.page;
    Ok(first.objects.into_iter().next().filter(|object| object.key == key))
}
