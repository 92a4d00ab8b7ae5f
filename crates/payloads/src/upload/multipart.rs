//! One multipart upload: begun, its parts sent side by side, completed; or given up without a trace.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};
use claimctl_aws::Explain;
use claimctl_core::error::{Error, Result};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;

use super::checksum::Checksum;
use super::chunks::Chunk;
use super::engine::{Object, PUT, arn_pattern};

pub const ABORT: &str = "s3:AbortMultipartUpload";

pub struct Multipart {
    s3: Client,
    bucket: String,
    key: String,
    id: String,
    sending: JoinSet<Result<(CompletedPart, u64)>>,
    sent: Vec<CompletedPart>,
    begun: i32,
    size: u64,
    whole: Checksum,
    /// Whether the store checks the whole besides the parts. One that does confirms it when the upload begins.
    checks_whole: bool,
}

/// What every object of a run carries with it.
pub struct Headers {
    pub content_type: String,
    pub metadata: std::collections::HashMap<String, String>,
}

impl Multipart {
    pub async fn begin(s3: &Client, bucket: &str, key: &str, headers: Headers) -> Result<Multipart> {
        let begun = s3
            .create_multipart_upload()
            .bucket(bucket)
            .key(key)
            .content_type(headers.content_type)
            .set_metadata(Some(headers.metadata))
            .checksum_algorithm(ChecksumAlgorithm::Crc32)
            .checksum_type(ChecksumType::FullObject)
            .send()
            .await
            .or_needs(&format!("begin the upload of {key}"), PUT, &arn_pattern(bucket))?;
        let id = begun.upload_id.ok_or_else(|| Error::unexpected("S3 began an upload and gave it no id"))?;
        Ok(Multipart {
            s3: s3.clone(),
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            id,
            sending: JoinSet::new(),
            sent: Vec::new(),
            begun: 0,
            size: 0,
            whole: Checksum::of(b""),
            checks_whole: begun.checksum_type == Some(ChecksumType::FullObject),
        })
    }

    /// Starts to send the next part, which holds its lane until it has gone.
    pub fn send(&mut self, chunk: Chunk, lane: OwnedSemaphorePermit) {
        self.begun += 1;
        self.size += chunk.bytes.len() as u64;
        self.whole.append(&chunk.checksum);
        let (number, size, checksum) = (self.begun, chunk.bytes.len() as u64, chunk.checksum.encoded());
        let (doing, arn) = (format!("upload part {number} of {}", self.key), arn_pattern(&self.bucket));
        let part = self
            .s3
            .upload_part()
            .bucket(&self.bucket)
            .key(&self.key)
            .upload_id(&self.id)
            .part_number(number)
            .checksum_crc32(&checksum)
            .body(ByteStream::from(chunk.bytes))
            .send();
        self.sending.spawn(async move {
            let answer = part.await.or_needs(&doing, PUT, &arn)?;
            drop(lane);
            let part = CompletedPart::builder().part_number(number).set_e_tag(answer.e_tag).checksum_crc32(checksum);
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
        let checksum = self.whole.encoded();
        let done = self
            .s3
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(&self.key)
            .upload_id(&self.id)
            .set_checksum_type(self.checks_whole.then_some(ChecksumType::FullObject))
            .set_checksum_crc32(self.checks_whole.then(|| checksum.clone()))
            .mpu_object_size(i64::try_from(self.size).unwrap_or(i64::MAX))
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .send()
            .await
            .or_needs(&format!("complete the upload of {}", self.key), PUT, &arn_pattern(&self.bucket))?;
        Ok(Object {
            size: self.size,
            etag: done.e_tag.unwrap_or_default(),
            version_id: done.version_id,
            checksum,
            parts: self.begun.unsigned_abs(),
        })
    }

    /// Leaves nothing behind: lets the parts in flight end, because one that arrives later would stay, and aborts.
    /// Gives back why, together with what could not be tidied up.
    pub async fn give_up(mut self, why: Error) -> Error {
        while self.sending.join_next().await.is_some() {}
        let aborted =
            self.s3.abort_multipart_upload().bucket(&self.bucket).key(&self.key).upload_id(&self.id).send().await;
        match aborted {
            Ok(_) => why,
            // A completion whose answer got lost is the one way to get here.
            Err(error) if claimctl_aws::code(&error) == Some("NoSuchUpload") => {
                why.hint("the upload is gone, so it was perhaps completed: look at the object before you go on")
            }
            Err(_) => why.hint(format!(
                "its parts are still there: aws s3api abort-multipart-upload --bucket {} --key '{}' --upload-id {}",
                self.bucket, self.key, self.id
            )),
        }
    }
}

fn crashed(error: tokio::task::JoinError) -> Error {
    Error::unexpected("sending a part ended early").caused_by(error)
}
