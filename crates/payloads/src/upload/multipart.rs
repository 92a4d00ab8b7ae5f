//! One multipart upload: begun, or gone on with; its parts sent side by side, completed, or given up.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumType, CompletedMultipartUpload, CompletedPart, CopyPartResult};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use claimctl_aws::Explain;
use claimctl_claim::key;
use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::next::Next;
use tokio::task::JoinSet;

use super::checksum::{Algorithm, Checksum, Value};
use super::chunks::Chunk;
use super::engine::{Object, PUT, arn_pattern};
use super::headers::Headers;
use super::incomplete::{self, Part};
use super::lanes::Lane;
use super::plan::SourceObject;
use super::store::Store;

pub const ABORT: &str = "s3:AbortMultipartUpload";

pub(super) struct Multipart {
    store: Arc<Store>,
    key: String,
    id: String,
    sending: JoinSet<Result<(CompletedPart, u64), Failed>>,
    sent: Vec<CompletedPart>,
    /// Parts of an earlier run, by number.
    there: BTreeMap<i32, Part>,
    kept: u32,
    begun: i32,
    size: u64,
    /// None of a copy: its bytes are not seen here.
    whole: Option<Checksum>,
    /// Whether the store checks the whole besides the parts. One that does confirms it when the upload begins.
    checks_whole: bool,
    /// Whether an object that is there stays.
    only_new: bool,
    /// Whether it was asked to make the object, and may have.
    completing: bool,
    completed: bool,
}

/// Why an upload came to nothing.
pub(super) enum Failed {
    /// Another run has completed it, or a part of it is not what it was: what is there has to be looked at again.
    Gone(Error),
    /// A delete of the same key was on its way: it has to begin anew.
    Conflict(Error),
    /// Under the key is an object that has to stay.
    Exists(Error),
    Other(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed::Other(error)
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Error {
        match failed {
            Failed::Gone(error) | Failed::Conflict(error) | Failed::Exists(error) | Failed::Other(error) => error,
        }
    }
}

impl Failed {
    /// Amazon S3 API Reference, "Error responses" and CompleteMultipartUpload.
    pub fn of<E>(error: SdkError<E, HttpResponse>, doing: &str, bucket: &str) -> Failed
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let code = claimctl_aws::code(&error).map(str::to_owned);
        let told = Err::<(), _>(error).or_needs(doing, PUT, &arn_pattern(bucket)).err();
        let told = told.unwrap_or_else(|| Error::unexpected(doing));
        match code.as_deref() {
            Some("NoSuchUpload" | "InvalidPart") => Failed::Gone(told),
            Some("ConditionalRequestConflict") => Failed::Conflict(told),
            Some("PreconditionFailed") => Failed::Exists(told),
            _ => Failed::Other(told),
        }
    }
}

impl Multipart {
    pub async fn begin(store: &Arc<Store>, key: &str, headers: &Headers, only_new: bool) -> Result<Multipart> {
        let begin = |s3: &Client, checks: Option<Algorithm>| {
            s3.create_multipart_upload()
                .bucket(&store.bucket)
                .key(key)
                .content_type(headers.content_type(key))
                .set_metadata(Some(headers.metadata.clone()))
                .set_storage_class(headers.storage_class.clone())
                .set_server_side_encryption(headers.encryption())
                .set_ssekms_key_id(headers.kms_key.clone())
                .set_tagging(headers.tagging())
                .set_checksum_algorithm(checks.map(Algorithm::in_api))
                .set_checksum_type(checks.map(|_| ChecksumType::FullObject))
                .send()
        };
        let (begun, _) = store.call(begin).await.or_needs(
            &format!("begin the upload of {key}"),
            PUT,
            &arn_pattern(&store.bucket),
        )?;
        Ok(Multipart {
            whole: Some(Checksum::of(store.algorithm(), b"")),
            checks_whole: begun.checksum_type == Some(ChecksumType::FullObject),
            only_new,
            ..Multipart::of_copies(store, key, begun.upload_id)?
        })
    }

    /// One that was begun before for a file of this size, in parts of this size, which can be compared.
    pub async fn go_on(
        store: &Arc<Store>,
        key: &str,
        (size, part_size): (u64, u64),
        only_new: bool,
    ) -> Result<Option<Multipart>> {
        for upload in incomplete::of_key(store.client(), &store.bucket, key).await? {
            let parts = incomplete::parts(store.client(), &store.bucket, key, &upload.id).await;
            let (there, algorithm) = match parts {
                // It was completed or given up meanwhile.
                Err(error) if error.kind() == Kind::NotFound => continue,
                parts => parts?,
            };
            if algorithm == Some(store.algorithm()) && fit(&there, size, part_size) {
                return Ok(Some(Multipart {
                    whole: Some(Checksum::of(store.algorithm(), b"")),
                    there,
                    only_new,
                    ..Multipart::of_copies(store, key, Some(upload.id))?
                }));
            }
        }
        Ok(None)
    }

    /// One that S3 has begun, to be filled with copies.
    pub fn of_copies(store: &Arc<Store>, key: &str, id: Option<String>) -> Result<Multipart> {
        Ok(Multipart {
            store: store.clone(),
            key: key.to_owned(),
            id: id.ok_or_else(|| Error::unexpected("S3 began an upload and gave it no id"))?,
            sending: JoinSet::new(),
            sent: Vec::new(),
            there: BTreeMap::new(),
            kept: 0,
            begun: 0,
            size: 0,
            whole: None,
            checks_whole: false,
            only_new: false,
            completing: false,
            completed: false,
        })
    }

    /// Whether it was there before, begun by whomever.
    pub fn is_old(&self) -> bool {
        !self.there.is_empty()
    }

    /// Parts that were there, and were not what the file holds now.
    pub fn is_of_another_content(&self) -> bool {
        self.there.keys().any(|number| *number <= self.begun) && self.kept == 0
    }

    /// Starts to send the next part, which holds its lane until it has gone. Gives the bytes that need not be sent,
    /// because the part is there.
    pub fn send(&mut self, chunk: Chunk, mut lane: Lane) -> u64 {
        self.begun += 1;
        self.size += chunk.bytes.len() as u64;
        if let Some(whole) = &mut self.whole {
            whole.append(&chunk.checksum);
        }
        let (number, size, checksum) = (self.begun, chunk.bytes.len() as u64, chunk.checksum.value());
        let there = self.there.get(&number);
        if let Some(part) = there.filter(|part| part.size == size && part.checksum.as_ref() == Some(&checksum)) {
            self.sent.push(completed(number, Some(part.etag.clone()), Some(&checksum)));
            self.kept += 1;
            return size;
        }
        let doing = format!("upload part {number} of {}", self.key);
        let (store, key, id) = (self.store.clone(), self.key.clone(), self.id.clone());
        self.sending.spawn(async move {
            let part = |s3: &Client, checks: Option<Algorithm>| {
                let part = s3.upload_part().bucket(&store.bucket).key(&key).upload_id(&id).part_number(number);
                let sent = checks.map(|_| &checksum);
                part.set_checksum_crc32(sent.and_then(|sent| sent.only(Algorithm::Crc32)))
                    .set_checksum_crc32_c(sent.and_then(|sent| sent.only(Algorithm::Crc32c)))
                    .set_checksum_crc64_nvme(sent.and_then(|sent| sent.only(Algorithm::Crc64Nvme)))
                    .body(ByteStream::from(chunk.bytes.clone()))
                    .send()
            };
            let (answer, checked) =
                lane.run(store.call(part)).await.map_err(|error| Failed::of(error, &doing, &store.bucket))?;
            drop(lane);
            let told = Value::told(answer.checksum_crc32(), answer.checksum_crc32_c(), answer.checksum_crc64_nvme());
            kept_as_sent(&format!("part {number} of {key}"), &checksum, told)?;
            Ok((completed(number, answer.e_tag, checked.then_some(&checksum)), size))
        });
        0
    }

    /// Size and checksum of what was sent.
    pub fn content(&self) -> (u64, Value) {
        let nothing = || Checksum::of(self.store.algorithm(), b"");
        (self.size, self.whole.clone().unwrap_or_else(nothing).value())
    }

    /// Starts to copy the next part from another object.
    pub fn copy(&mut self, from: &SourceObject, bytes: Range<u64>, mut lane: Lane) {
        self.begun += 1;
        let (number, size) = (self.begun, bytes.end - bytes.start);
        self.size += size;
        let call = self.store.client().upload_part_copy().bucket(&self.store.bucket).key(&self.key).upload_id(&self.id);
        let call = call
            .part_number(number)
            .copy_source(key::copy_source(&from.bucket, &from.key))
            .copy_source_if_match(&from.etag)
            .copy_source_range(format!("bytes={}-{}", bytes.start, bytes.end - 1));
        let (doing, bucket) = (format!("copy part {number} of {}", self.key), self.store.bucket.clone());
        self.sending.spawn(async move {
            let answer = lane.run(call.send()).await.map_err(|error| Failed::of(error, &doing, &bucket))?;
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
    pub fn arrived(&mut self) -> Result<u64, Failed> {
        let mut bytes = 0;
        while let Some(ended) = self.sending.try_join_next() {
            bytes += self.note(ended.map_err(crashed)?)?;
        }
        Ok(bytes)
    }

    /// Waits for one more part; None when all have arrived.
    pub async fn next_arrival(&mut self) -> Result<Option<u64>, Failed> {
        match self.sending.join_next().await {
            None => Ok(None),
            Some(ended) => self.note(ended.map_err(crashed)?).map(Some),
        }
    }

    fn note(&mut self, part: Result<(CompletedPart, u64), Failed>) -> Result<u64, Failed> {
        let (part, size) = part?;
        self.sent.push(part);
        Ok(size)
    }

    /// Makes the object. All parts must have arrived.
    pub async fn complete(&mut self) -> Result<Object, Failed> {
        let mut parts = self.sent.clone();
        parts.sort_by_key(|part| part.part_number);
        let checksum = self.whole.as_ref().map(Checksum::value);
        let wanted = Object {
            size: self.size,
            etag: String::new(),
            version_id: None,
            checksum: checksum.clone(),
            parts: self.begun.unsigned_abs(),
            kept_parts: self.kept,
        };
        let (size, checks_whole) = (i64::try_from(self.size).unwrap_or(i64::MAX), self.checks_whole);
        let told = checksum.as_ref().filter(|_| checks_whole);
        let complete = |s3: &Client, checks: Option<Algorithm>| {
            s3.complete_multipart_upload()
                .bucket(&self.store.bucket)
                .key(&self.key)
                .upload_id(&self.id)
                .set_if_none_match(self.only_new.then(|| "*".to_owned()))
                .set_checksum_type(told.map(|_| ChecksumType::FullObject))
                .set_checksum_crc32(told.and_then(|told| told.only(Algorithm::Crc32)))
                .set_checksum_crc32_c(told.and_then(|told| told.only(Algorithm::Crc32c)))
                .set_checksum_crc64_nvme(told.and_then(|told| told.only(Algorithm::Crc64Nvme)))
                .set_mpu_object_size(checks.map(|_| size))
                .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts.clone())).build())
                .send()
        };
        self.completing = true;
        match self.store.call(complete).await {
            Ok((done, _)) => {
                self.completed = true;
                let told = Value::told(done.checksum_crc32(), done.checksum_crc32_c(), done.checksum_crc64_nvme());
                if let Some(checksum) = &checksum {
                    kept_as_sent(&self.key, checksum, told)?;
                }
                Ok(Object { etag: done.e_tag.unwrap_or_default(), version_id: done.version_id, ..wanted })
            }
            Err(error) => {
                // The client asks again where an answer is lost, and an upload that was completed is no more.
                let may_be_made =
                    claimctl_aws::code(&error) == Some("NoSuchUpload") || claimctl_aws::may_have_arrived(&error);
                let made = if may_be_made { self.store.made(&self.key, wanted).await } else { None };
                let doing = format!("complete the upload of {}", self.key);
                made.ok_or_else(|| Failed::of(error, &doing, &self.store.bucket))
            }
        }
    }

    /// Lets the parts in flight end, because one that arrives later would stay; then aborts, unless what arrived is worth
    /// to go on with. Gives back why, together with what is left.
    pub async fn give_up(mut self, why: Error, keep: bool) -> Error {
        while let Some(ended) = self.sending.join_next().await {
            self.sent.extend(ended.ok().and_then(Result::ok).map(|(part, _)| part));
        }
        if self.completed {
            return why;
        }
        let abort = Next::verb("uploads abort").word(format!("s3://{}/{}", self.store.bucket, self.key));
        if self.is_old() && !keep {
            return why.next("parts of an earlier run are still there; to remove them", abort);
        }
        if keep && (!self.sent.is_empty() || self.is_old()) {
            let parts = claimctl_core::units::count(self.sent.len().max(self.there.len()) as u64, "part");
            return why
                .hint(format!("{parts} of {} arrived and are kept: the same command again goes on with them", self.key))
                .next("to remove them instead", abort);
        }
        let call = self.store.client().abort_multipart_upload();
        match call.bucket(&self.store.bucket).key(&self.key).upload_id(&self.id).send().await {
            Ok(_) => why,
            // The client asks again where an answer is lost: it was given up, unless it was completed.
            Err(error) if claimctl_aws::code(&error) == Some("NoSuchUpload") && !self.completing => why,
            Err(error) if claimctl_aws::code(&error) == Some("NoSuchUpload") => {
                why.hint("the upload is gone, so it was perhaps completed: look at the object before you go on")
            }
            Err(_) => why.next("its parts are still there; to remove them", abort),
        }
    }
}

/// Whether these are parts of a file of this size in parts of this size.
fn fit(parts: &BTreeMap<i32, Part>, size: u64, part_size: u64) -> bool {
    !parts.is_empty()
        && parts.iter().all(|(number, part)| {
            let begin = u64::from(number.unsigned_abs() - 1) * part_size;
            begin < size && part.size == (size - begin).min(part_size)
        })
}

fn completed(number: i32, etag: Option<String>, checksum: Option<&Value>) -> CompletedPart {
    CompletedPart::builder()
        .part_number(number)
        .set_e_tag(etag)
        .set_checksum_crc32(checksum.and_then(|checksum| checksum.only(Algorithm::Crc32)))
        .set_checksum_crc32_c(checksum.and_then(|checksum| checksum.only(Algorithm::Crc32c)))
        .set_checksum_crc64_nvme(checksum.and_then(|checksum| checksum.only(Algorithm::Crc64Nvme)))
        .build()
}

/// Compares what the store says that it keeps; some say nothing, or keep another checksum.
pub(super) fn kept_as_sent(what: &str, sent: &Value, told: Option<Value>) -> Result<()> {
    match told.filter(|told| told.algorithm == sent.algorithm && told != sent) {
        None => Ok(()),
        Some(told) => Err(Error::unexpected(format!(
            "{what} was sent with {sent}, and the store keeps it with {told}"
        ))
        .hint(
            "what lies there is not what was sent: do not rely on it, and see what stands between here and the store",
        )),
    }
}

fn crashed(error: tokio::task::JoinError) -> Failed {
    Failed::Other(Error::unexpected("sending a part ended early").caused_by(error))
}
