//! Multipart uploads that were begun and neither completed nor aborted: S3 keeps their parts, and charges for them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use claimctl_aws::Explain;
use claimctl_core::error::Result;
use jiff::Timestamp;

use super::checksum::{Algorithm, Value};
use super::engine::arn_pattern;

pub const LIST: &str = "s3:ListBucketMultipartUploads";
pub const LIST_PARTS: &str = "s3:ListMultipartUploadParts";

/// An upload that is not complete.
#[derive(Debug, Clone)]
pub struct Incomplete {
    pub key: String,
    pub id: String,
    pub initiated: Option<Timestamp>,
    /// Who began it, as S3 names them.
    pub initiator: Option<String>,
}

/// A part that is there.
#[derive(Debug, Clone)]
pub struct Part {
    pub size: u64,
    pub etag: String,
    pub checksum: Option<Value>,
}

/// Goes through the uploads of a bucket whose keys begin so, by key, until `each` says that it has seen enough.
pub async fn list(
    s3: &Client,
    bucket: &str,
    prefix: &str,
    mut each: impl FnMut(Incomplete) -> Result<bool>,
) -> Result<()> {
    let (mut key, mut id) = (None, None);
    loop {
        let page = s3.list_multipart_uploads().bucket(bucket).prefix(prefix);
        let page = page.set_key_marker(key).set_upload_id_marker(id).send().await;
        let page = page.or_needs("list incomplete uploads", LIST, &format!("arn:*:s3:::{bucket}"))?;
        for upload in page.uploads() {
            let incomplete = Incomplete {
                key: upload.key().unwrap_or_default().to_owned(),
                id: upload.upload_id().unwrap_or_default().to_owned(),
                initiated: upload.initiated().and_then(|at| Timestamp::new(at.secs(), 0).ok()),
                initiator: upload.initiator().and_then(|by| by.id().or(by.display_name())).map(str::to_owned),
            };
            if !each(incomplete)? {
                return Ok(());
            }
        }
        if !page.is_truncated().unwrap_or_default() {
            return Ok(());
        }
        (key, id) = (page.next_key_marker, page.next_upload_id_marker);
    }
}

/// The uploads of exactly this key, newest first.
pub async fn of_key(s3: &Client, bucket: &str, key: &str) -> Result<Vec<Incomplete>> {
    let mut found = Vec::new();
    list(s3, bucket, key, |upload| {
        // The key itself stands before all that only begin like it.
        let is_it = upload.key == key;
        found.extend(is_it.then_some(upload));
        Ok(is_it)
    })
    .await?;
    found.sort_by_key(|upload| Reverse(upload.initiated));
    Ok(found)
}

/// The parts of an upload, by number, and the checksums that it was begun with.
pub async fn parts(s3: &Client, bucket: &str, key: &str, id: &str) -> Result<(BTreeMap<i32, Part>, Option<Algorithm>)> {
    let (mut found, mut algorithm, mut after) = (BTreeMap::new(), None, None);
    loop {
        let page = s3.list_parts().bucket(bucket).key(key).upload_id(id).set_part_number_marker(after).send().await;
        let page = page.or_needs(&format!("list the parts of {key}"), LIST_PARTS, &arn_pattern(bucket))?;
        let named = page.checksum_algorithm();
        algorithm = algorithm.or(Algorithm::ALL.into_iter().find(|known| Some(&known.in_api()) == named));
        for part in page.parts() {
            let checksum = Value::told(part.checksum_crc32(), part.checksum_crc32_c(), part.checksum_crc64_nvme());
            algorithm = algorithm.or(checksum.as_ref().map(|checksum| checksum.algorithm));
            let number = part.part_number().unwrap_or_default();
            let size = part.size().and_then(|size| size.try_into().ok()).unwrap_or_default();
            found.insert(number, Part { size, etag: part.e_tag().unwrap_or_default().to_owned(), checksum });
        }
        if !page.is_truncated().unwrap_or_default() {
            return Ok((found, algorithm));
        }
        after = page.next_part_number_marker;
    }
}
