//! The engine: sends a plan, several objects and parts at a time, in bounded memory.

mod copies;
mod in_parts;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use claimctl_aws::objects::HEAD;
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::target::{Change, Target};
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Result};
use claimctl_core::progress::{Progress, Unit};
use futures_util::{StreamExt, stream};

use super::buffers::Buffers;
use super::checksum::{Algorithm, Value};
use super::chunks::{self, Chunk, Chunks};
use super::destination::{self, Destination};
use super::existing::{Existing, There};
use super::headers::Headers;
use super::incomplete;
use super::lanes::{Lane, Lanes, MOST_AT_ONCE};
use super::limits;
use super::manifest::Manifest;
use super::multipart::{self, Failed, kept_as_sent};
use super::plan::{Input, Naming, Plan, Upload};
use super::report::{Summary, UploadReport};
use super::store::Store;

/// The answer to a part comes after its last byte: 8 MiB in each of several lanes need a while on a thin line.
pub(super) const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// How often an upload is begun again that another run completes, or whose parts are not what they were.
const TRIES: u32 = 3;

pub struct Settings {
    pub headers: Headers,
    pub existing: Existing,
    /// None: the best that the store is known to take.
    pub algorithm: Option<Algorithm>,
    /// Calls in flight. None: as many as help.
    pub concurrency: Option<u16>,
    /// Bytes. Longer files go in several parts.
    pub part_size: u64,
    /// Bytes. Longer objects are copied in several parts of this size.
    pub copy_part_size: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            headers: Headers::default(),
            existing: Existing::Overwrite,
            algorithm: None,
            concurrency: None,
            part_size: 8 << 20,
            copy_part_size: limits::LARGEST_COPY,
        }
    }
}

/// An object that is in the bucket now.
#[derive(Debug)]
pub struct Object {
    pub size: u64,
    pub etag: String,
    /// None where the bucket keeps no versions.
    pub version_id: Option<String>,
    /// Of the whole content. None of a copy, where S3 has another.
    pub checksum: Option<Value>,
    /// 1 for an object that went in one request, 0 for one that was there.
    pub parts: u32,
    /// Those that were there from an earlier run.
    pub kept_parts: u32,
}

/// What became of an upload.
#[derive(Debug)]
pub(super) enum Done {
    Uploaded(Object),
    /// It was there already, byte for byte.
    Unchanged(Object),
    /// An earlier run has sent it, as its manifest says.
    Sent,
    /// A dry run: it would be uploaded.
    Planned,
}

/// Of PutObject, and of every step of a multipart upload but giving it up.
pub const PUT: &str = "s3:PutObject";

/// What IAM has to allow to upload.
pub fn permissions(arns: &ArnBuilder, to: &Destination, naming: &Naming, settings: &Settings) -> Vec<Statement> {
    let objects = objects(arns, to, naming);
    let mut statements = vec![
        Statement::allow("FindBucket", &[destination::PROBE], [arns.bucket(&to.bucket)]),
        Statement::allow("FindUploads", &[incomplete::LIST], [arns.bucket(&to.bucket)]),
        Statement::allow("Upload", &[PUT, multipart::ABORT, incomplete::LIST_PARTS], [objects.clone()]),
    ];
    if settings.existing != Existing::Overwrite {
        statements.push(Statement::allow("LookFirst", &[HEAD], [objects.clone()]));
    }
    statements.extend(settings.headers.permissions(arns, &objects));
    statements
}

/// The ARN of what may be written.
pub(super) fn objects(arns: &ArnBuilder, to: &Destination, naming: &Naming) -> String {
    match naming {
        Naming::Prefix(prefix) => arns.objects(&to.bucket, prefix),
        Naming::Key(key) => arns.object(&to.bucket, key),
    }
}

/// For a statement that allows what was denied.
pub fn arn_pattern(bucket: &str) -> String {
    format!("arn:*:s3:::{bucket}/*")
}

/// Who is asked to stop, and told how far it is.
#[derive(Clone, Copy)]
pub struct Watched<'a> {
    pub cancel: &'a Cancel,
    pub progress: &'a dyn Progress,
}

/// What would be sent, without sending it.
pub async fn rehearse(
    target: &Target,
    to: &Destination,
    plan: Plan,
    settings: &Settings,
    manifest: Option<&mut Manifest>,
    watched: Watched<'_>,
) -> Result<UploadReport> {
    Engine::of(target, to, settings, watched, true).all(to, plan, manifest).await
}

/// Sends every upload of the plan. One that fails does not stop the others; after an interrupt no new one is begun.
pub async fn send(
    target: &Target,
    to: &Destination,
    plan: Plan,
    settings: &Settings,
    manifest: Option<&mut Manifest>,
    _change: &Change,
    watched: Watched<'_>,
) -> Result<UploadReport> {
    watched.progress.start("uploading", plan.bytes, Unit::Bytes);
    let engine = Engine::of(target, to, settings, watched, false);
    let report = engine.all(to, plan, manifest).await;
    watched.progress.finish();
    if engine.store.knows_no_checksums() {
        watched
            .progress
            .note("note: this store takes no checksums, so that what it keeps is held against what was sent by nobody");
    }
    report
}

struct Engine<'a> {
    store: Arc<Store>,
    settings: &'a Settings,
    /// A chunk is read only once it has a lane, and keeps it until it is sent.
    lanes: Lanes,
    buffers: Buffers,
    watched: Watched<'a>,
    is_dry: bool,
    said_anew: AtomicBool,
}

impl<'a> Engine<'a> {
    fn of(target: &Target, to: &Destination, settings: &'a Settings, watched: Watched<'a>, is_dry: bool) -> Engine<'a> {
        let store = Arc::new(Store::of(target, &to.bucket, settings.algorithm));
        Engine {
            store,
            settings,
            lanes: Lanes::new(settings.concurrency),
            buffers: Buffers::default(),
            watched,
            is_dry,
            said_anew: AtomicBool::new(false),
        }
    }

    async fn all(&self, to: &Destination, plan: Plan, mut manifest: Option<&mut Manifest>) -> Result<UploadReport> {
        let started = Instant::now();
        let mut summary = Summary::of(to, &plan, self.is_dry)?;
        let mut unwritten = None;
        let sends_only_the_rest = manifest.is_some() || self.settings.existing != Existing::Overwrite;
        let at_once = self.settings.concurrency.map_or(MOST_AT_ONCE, usize::from);
        let before = manifest.as_ref().map(|manifest| manifest.before());
        let before = &before;
        let mut ended = stream::iter(plan.uploads.drain())
            .map(|upload| async move {
                let upload = upload?;
                let is_sent = before.as_ref().is_some_and(|before| before.has(&to.bucket, &upload));
                let done = if is_sent { Ok(Done::Sent) } else { self.one(&upload).await };
                Ok::<_, Error>((upload, done))
            })
            .buffer_unordered(at_once);
        while let Some(outcome) = ended.next().await {
            let (upload, done) = outcome?;
            if let (Some(manifest), Ok(Done::Uploaded(object) | Done::Unchanged(object))) = (&mut manifest, &done)
                && let Err(error) = manifest.add(&to.bucket, &upload, object)
            {
                // What was sent is told all the same.
                unwritten.get_or_insert(error);
            }
            if let Some(said) = summary.ended(upload, done)? {
                self.watched.progress.note(&said);
            }
        }
        if let Some(Err(error)) = manifest.map(Manifest::sync) {
            unwritten.get_or_insert(error);
        }
        let mut report = summary.finish(plan.excluded, started.elapsed())?;
        report.sends_only_the_rest = sends_only_the_rest;
        if let Some(error) = unwritten {
            report.run.fail(&error);
        }
        Ok(report)
    }

    async fn one(&self, upload: &Upload) -> Result<Done> {
        self.go_on()?;
        if let Input::Object(from) = &upload.input {
            return self.copy(from, upload).await;
        }
        let there = self.there(&upload.key).await?;
        if self.is_dry && there.is_none() {
            return Ok(Done::Planned);
        }
        // The file is opened once it can be read: what waits in a queue does not age, and takes no descriptor.
        let part_size = self.settings.part_size;
        let lane = self.lane(upload.size.map_or(part_size, |size| (size + 1).min(part_size))).await?;
        let mut chunks = self.open(upload)?;
        let first = self.read(&mut chunks).await?;
        if let Some(there) = there {
            if let Some((size, checksum)) = self.same(&there, upload, &first).await? {
                self.watched.progress.advance(size);
                return Ok(Done::Unchanged(Object { checksum: Some(checksum), ..there.into_object() }));
            }
            if self.settings.existing == Existing::Keep {
                return Err(there.stays(&upload.key, upload.size));
            }
        }
        if self.is_dry {
            return Ok(Done::Planned);
        }
        if first.last {
            return self.put(&upload.key, first, lane).await;
        }
        self.in_parts(upload, chunks, first, lane).await
    }

    fn open(&self, upload: &Upload) -> Result<Chunks> {
        let (part_size, algorithm) = (self.settings.part_size, self.store.algorithm());
        let chunks = match &upload.input {
            Input::File(path) => Chunks::of_file(path, part_size, algorithm)?,
            _ => Chunks::of_stream(std::io::stdin(), "stdin", part_size, algorithm),
        };
        Ok(chunks.with(self.buffers.clone()))
    }

    /// What is under the key, where that matters.
    async fn there(&self, key: &str) -> Result<Option<There>> {
        match self.settings.existing {
            Existing::Overwrite => Ok(None),
            Existing::Keep | Existing::ReplaceIfChanged => self.lanes.look(There::look(&self.store, key)).await,
        }
    }

    /// Size and checksum of what would be sent, if what is there is the same.
    async fn same(&self, there: &There, upload: &Upload, first: &Chunk) -> Result<Option<(u64, Value)>> {
        if first.last {
            let size = first.bytes.len() as u64;
            let checksum = there.comparable(size).map(|algorithm| first.checksum_by(algorithm));
            return Ok(checksum.filter(|checksum| there.has(size, checksum)).map(|checksum| (size, checksum)));
        }
        let (Input::File(path), Some(size)) = (&upload.input, upload.size) else { return Ok(None) };
        let Some(algorithm) = there.comparable(size) else { return Ok(None) };
        let (checksum, size) = chunks::checksum_of(Path::new(path), algorithm, self.watched.cancel).await?;
        Ok(there.has(size, &checksum).then_some((size, checksum)))
    }

    async fn put(&self, key: &str, chunk: Chunk, mut lane: Lane) -> Result<Done> {
        let (size, checksum) = (chunk.bytes.len() as u64, chunk.checksum.value());
        let (headers, store, named) = (self.settings.headers.clone(), self.store.clone(), key.to_owned());
        let only_new = self.settings.existing == Existing::Keep;
        let sent = checksum.clone();
        let put = async move {
            let put = |s3: &Client, checks: Option<Algorithm>| {
                let sent = checks.map(|_| &sent);
                s3.put_object()
                    .bucket(&store.bucket)
                    .key(&named)
                    .content_type(headers.content_type(&named))
                    .set_metadata(Some(headers.metadata.clone()))
                    .set_storage_class(headers.storage_class.clone())
                    .set_server_side_encryption(headers.encryption())
                    .set_ssekms_key_id(headers.kms_key.clone())
                    .set_tagging(headers.tagging())
                    .set_if_none_match(only_new.then(|| "*".to_owned()))
                    .set_checksum_crc32(sent.and_then(|sent| sent.only(Algorithm::Crc32)))
                    .set_checksum_crc32_c(sent.and_then(|sent| sent.only(Algorithm::Crc32c)))
                    .set_checksum_crc64_nvme(sent.and_then(|sent| sent.only(Algorithm::Crc64Nvme)))
                    .body(ByteStream::from(chunk.bytes.clone()))
                    .send()
            };
            let mut tries = 0;
            loop {
                tries += 1;
                match lane.run(store.call(put)).await {
                    // A delete of the same key was on its way.
                    Err(error) if claimctl_aws::code(&error) == Some("ConditionalRequestConflict") && tries < TRIES => {
                    }
                    answer => return answer,
                }
            }
        };
        // A task of its own, so that signing and sending use every core.
        let answer =
            tokio::spawn(put).await.map_err(|error| Error::unexpected("a request ended early").caused_by(error))?;
        let wanted = Object {
            size,
            etag: String::new(),
            version_id: None,
            checksum: Some(checksum.clone()),
            parts: 1,
            kept_parts: 0,
        };
        let object = match answer {
            Ok((answer, _)) => {
                let told =
                    Value::told(answer.checksum_crc32(), answer.checksum_crc32_c(), answer.checksum_crc64_nvme());
                kept_as_sent(key, &checksum, told)?;
                Object { etag: answer.e_tag.unwrap_or_default(), version_id: answer.version_id, ..wanted }
            }
            Err(error) => {
                let made = match claimctl_aws::may_have_arrived(&error) {
                    true => self.store.made(key, wanted).await,
                    false => None,
                };
                match (made, Failed::of(error, &format!("upload {key}"), &self.store.bucket)) {
                    (Some(made), _) => made,
                    (None, Failed::Exists(error)) => return self.exists(key, size, &checksum, error).await,
                    (None, failed) => return Err(failed.into()),
                }
            }
        };
        self.watched.progress.advance(size);
        Ok(Done::Uploaded(object))
    }

    /// An object appeared since it was looked: fine where it is the same, which it also is when an answer got lost.
    async fn exists(&self, key: &str, size: u64, checksum: &Value, error: Error) -> Result<Done> {
        match There::look(&self.store, key).await? {
            Some(there) if there.has(size, checksum) => Ok(Done::Unchanged(there.into_object())),
            Some(there) => Err(there.stays(key, Some(size))),
            None => Err(error),
        }
    }

    /// The next chunk, with the lane that it needs.
    async fn next(&self, chunks: &mut Chunks) -> Result<(Chunk, Lane)> {
        let lane = self.lane(chunks.next_size()).await?;
        Ok((self.read(chunks).await?, lane))
    }

    async fn read(&self, chunks: &mut Chunks) -> Result<Chunk> {
        tokio::select! {
            biased;
            chunk = chunks.next() => chunk,
            // A pipe may give nothing for hours.
            () = self.watched.cancel.cancelled() => Err(interrupted()),
        }
    }

    async fn lane(&self, bytes: u64) -> Result<Lane> {
        let lane = self.lanes.lane(bytes).await;
        self.go_on()?;
        lane
    }

    fn go_on(&self) -> Result<()> {
        if self.watched.cancel.is_cancelled() { Err(interrupted()) } else { Ok(()) }
    }
}

fn interrupted() -> Error {
    Error::interrupted("interrupted before it was uploaded")
}
