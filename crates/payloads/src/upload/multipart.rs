//! One multipart upload: begun, its parts sent side by side, completed; or given up without a trace.

use std::ops::Range;
use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart, CopyPartResult};
use claimctl_aws::Explain;
use claimctl_claim::key;
use claimctl_core::error::{Error, Result};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;

use super::checksum::Checksum;
use super::chunks::Chunk;
use super::engine::{Object, PUT, arn_pattern};
use super::plan::SourceObject;
use super::store::Store;

pub const ABORT: &str = "s3:AbortMultipartUpload";

pub(super) struct Multipart {
    store: Arc<Store>,
    key: String,
    id: String,
    sending: JoinSet<Result<(CompletedPart, u64)>>,
    sent: Vec<CompletedPart>,
    begun: i32,
    size: u64,
    /// None of a copy: its bytes are not seen here.
    whole: Option<Checksum>,
    /// Whether the store checks the whole besides the parts. One that does confirms it when the upload begins.
    checks_whole: bool,
    /// Whether it was asked to make the object, and may have.
    completing: bool,
}

/// What every object of a run carries with it.
pub struct Headers {
    pub content_type: String,
    pub metadata: std::collections::HashMap<String, String>,
}

impl Multipart {
    pub async fn begin(store: &Arc<Store>, key: &str, headers: Headers) -> Result<Multipart> {
        let begin = |s3: &Client, checks: bool| {
            s3.create_multipart_upload()
                .bucket(&store.bucket)
                .key(key)
                .content_type(&headers.content_type)
                .set_metadata(Some(headers.metadata.clone()))
                .set_checksum_algorithm(checks.then_some(ChecksumAlgorithm::Crc32))
                .set_checksum_type(checks.then_some(ChecksumType::FullObject))
                .send()
        };
        let (begun, _) = store.call(begin).await.or_needs(
            &format!("begin the upload of {key}"),
            PUT,
            &arn_pattern(&store.bucket),
        )?;
        Ok(Multipart {
            whole: Some(Checksum::of(b"")),
            checks_whole: begun.checksum_type == Some(ChecksumType::FullObject),
            ..Multipart::begun(store, key, begun.upload_id)?
        })
    }

    /// One that S3 has begun, to be filled with copies.
    pub fn begun(store: &Arc<Store>, key: &str, id: Option<String>) -> Result<Multipart> {
        Ok(Multipart {
            store: store.clone(),
            key: key.to_owned(),
            id: id.ok_or_else(|| Error::unexpected("S3 began an upload and gave it no id"))?,
            sending: JoinSet::new(),
            sent: Vec::new(),
            begun: 0,
            size: 0,
            whole: None,
            checks_whole: false,
            completing: false,
        })
    }

    /// Starts to send the next part, which holds its lane until it has gone.
    pub fn send(&mut self, chunk: Chunk, lane: OwnedSemaphorePermit) {
        self.begun += 1;
        self.size += chunk.bytes.len() as u64;
        if let Some(whole) = &mut self.whole {
            whole.append(&chunk.checksum);
        }
        let (number, size, checksum) = (self.begun, chunk.bytes.len() as u64, chunk.checksum.encoded());
        let (doing, arn) = (format!("upload part {number} of {}", self.key), arn_pattern(&self.store.bucket));
        let (store, key, id) = (self.store.clone(), self.key.clone(), self.id.clone());
        self.sending.spawn(async move {
            let part = |s3: &Client, checks: bool| {
                let part = s3.upload_part().bucket(&store.bucket).key(&key).upload_id(&id).part_number(number);
                part.set_checksum_crc32(checks.then(|| checksum.clone()))
                    .body(ByteStream::from(chunk.bytes.clone()))
                    .send()
            };
            let (answer, checked) = store.call(part).await.or_needs(&doing, PUT, &arn)?;
            drop(lane);
            let part = CompletedPart::builder().part_number(number).set_e_tag(answer.e_tag);
            Ok((part.set_checksum_crc32(checked.then_some(checksum)).build(), size))
        });
    }

    /// Starts to copy the next part from another object.
    pub fn copy(&mut self, from: &SourceObject, bytes: Range<u64>, lane: OwnedSemaphorePermit) {
        self.begun += 1;
        let (number, size) = (self.begun, bytes.end - bytes.start);
        self.size += size;
        let call = self.store.client().upload_part_copy().bucket(&self.store.bucket).key(&self.key).upload_id(&self.id);
        let call = call
            .part_number(number)
            .copy_source(key::copy_source(&from.bucket, &from.key))
            .copy_source_if_match(&from.etag)
            .copy_source_range(format!("bytes={}-{}", bytes.start, bytes.end - 1));
        let (doing, arn) = (format!("copy part {number} of {}", self.key), arn_pattern(&self.store.bucket));
        self.sending.spawn(async move {
            let answer = call.send().await.or_needs(&doing, PUT, &arn)?;
            drop(lane);
            let copied = answer.copy_part_result.unwrap_or_else(|| CopyPartResult::builder().build());
            let part = CompletedPart::builder()
                .part_number(number)
                .set_e_tag(copied.e_tag)
                .set_checksum_crc32(copied.checksum_crc32)
                .set_checksum_crc32_c(copied.checksum_crc32_c)
                .set_checksum_crc64_nvme(copied.checksum_crc64_nvme)
                .set_checksum_sha1(copied.checksum_sha1)
                .set_checksum_sha256(copied.checksum_sha256);
            Ok((part.build(), size))
        });
    }

    /// Bytes whose parts arrived since this was last asked. The first part that failed is an error.
    pub fn arrived(&mut self) -> Result<u64> {
        let mut bytes = 0;
        while let Some(ended) = self.sending.try_join_next() {
            bytes += self.note(ended.map_err(crashed)?)?;
        }
        Ok(bytes)
    }

    /// Waits for one more part; None when all have arrived.
    pub async fn next_arrival(&mut self) -> Result<Option<u64>> {
        match self.sending.join_next().await {
            None => Ok(None),
            Some(ended) => self.note(ended.map_err(crashed)?).map(Some),
        }
    }

    fn note(&mut self, part: Result<(CompletedPart, u64)>) -> Result<u64> {
        let (part, size) = part?;
        self.sent.push(part);
        Ok(size)
    }

    /// Makes the object. All parts must have arrived.
    pub async fn complete(&mut self) -> Result<Object> {
        let mut parts = std::mem::take(&mut self.sent);
        parts.sort_by_key(|part| part.part_number);
        let checksum = self.whole.as_ref().map(Checksum::encoded);
        let wanted = Object {
            size: self.size,
            etag: String::new(),
            version_id: None,
            checksum: checksum.clone(),
            parts: self.begun.unsigned_abs(),
        };
        let (size, checks_whole) = (i64::try_from(self.size).unwrap_or(i64::MAX), self.checks_whole);
        let complete = |s3: &Client, checks: bool| {
            s3.complete_multipart_upload()
                .bucket(&self.store.bucket)
                .key(&self.key)
                .upload_id(&self.id)
                .set_checksum_type(checks_whole.then_some(ChecksumType::FullObject))
                .set_checksum_crc32(checksum.clone().filter(|_| checks_whole))
                .set_mpu_object_size(checks.then_some(size))
                .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts.clone())).build())
                .send()
        };
        self.completing = true;
        match self.store.call(complete).await {
            Ok((done, _)) => Ok(Object { etag: done.e_tag.unwrap_or_default(), version_id: done.version_id, ..wanted }),
            Err(error) => {
                // The client asks again where an answer is lost, and an upload that was completed is no more.
                let may_be_made =
                    claimctl_aws::code(&error) == Some("NoSuchUpload") || claimctl_aws::may_have_arrived(&error);
                let made = if may_be_made { self.store.made(&self.key, wanted).await } else { None };
                let doing = format!("complete the upload of {}", self.key);
                made.map_or_else(|| Err(error).or_needs(&doing, PUT, &arn_pattern(&self.store.bucket)), Ok)
            }
        }
    }

    /// Leaves nothing behind: lets the parts in flight end, because one that arrives later would stay, and aborts.
    /// Gives back why, together with what could not be tidied up.
    pub async fn give_up(mut self, why: Error) -> Error {
        while self.sending.join_next().await.is_some() {}
        let abort = self.store.client().abort_multipart_upload();
        match abort.bucket(&self.store.bucket).key(&self.key).upload_id(&self.id).send().await {
            Ok(_) => why,
            // The client asks again where an answer is lost: it was given up, unless it was completed.
            Err(error) if claimctl_aws::code(&error) == Some("NoSuchUpload") && !self.completing => why,
            Err(error) if claimctl_aws::code(&error) == Some("NoSuchUpload") => {
                why.hint("the upload is gone, so it was perhaps completed: look at the object before you go on")
            }
            Err(_) => why.hint(format!(
                "its parts are still there: aws s3api abort-multipart-upload --bucket {} --key '{}' --upload-id {}",
                self.store.bucket, self.key, self.id
            )),
        }
    }
}

fn crashed(error: tokio::task::JoinError) -> Error {
    Error::unexpected("sending a part ended early").caused_by(error)
}
