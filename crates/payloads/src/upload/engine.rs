//! The engine: sends a plan, several objects and parts at a time, in bounded memory.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use claimctl_aws::Explain;
use claimctl_aws::objects::HEAD;
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::target::{Change, Target};
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::next::Next;
use claimctl_core::progress::{Progress, Unit};
use futures_util::{StreamExt, stream};

use super::buffers::Buffers;
use super::checksum::{Algorithm, Value};
use super::chunks::{self, Chunk, Chunks};
use super::copy;
use super::destination::{self, Destination};
use super::existing::{Existing, There};
use super::headers::Headers;
use super::incomplete;
use super::lanes::{Lane, Lanes, MOST_AT_ONCE};
use super::limits;
use super::manifest::Manifest;
use super::multipart::{self, Failed, Multipart, kept_as_sent};
use super::plan::{Input, Naming, Plan, SourceObject, Upload};
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

    /// A long payload. What an earlier run has sent of it is kept; where another run completes it meanwhile, or a part is
    /// lost, it is begun again.
    async fn in_parts(&self, upload: &Upload, chunks: Chunks, first: Chunk, lane: Lane) -> Result<Done> {
        let only_new = self.settings.existing == Existing::Keep;
        let mut begun = Some((chunks, first, lane));
        let (mut tries, mut anew) = (0, false);
        loop {
            tries += 1;
            let (mut chunks, first, lane) = match begun.take() {
                Some(begun) => begun,
                None => {
                    let mut chunks = self.open(upload)?;
                    let (first, lane) = self.next(&mut chunks).await?;
                    (chunks, first, lane)
                }
            };
            // What a stream gives is known only as it comes, and another may be at it under the same key.
            let there = match chunks.layout().filter(|_| !anew && self.store.sends_checksums()) {
                None => None,
                Some(layout) => {
                    match self.lanes.look(Multipart::go_on(&self.store, &upload.key, layout, only_new)).await {
                        // Who may only upload begins anew.
                        Err(error) if error.kind() == Kind::Denied => {
                            self.begins_anew(&error);
                            None
                        }
                        there => there?,
                    }
                }
            };
            let mut multipart = match there {
                Some(multipart) => multipart,
                None => Multipart::begin(&self.store, &upload.key, &self.settings.headers, only_new).await?,
            };
            let failed = match self.parts(&mut multipart, &mut chunks, first, lane).await {
                Ok(object) => {
                    if multipart.is_of_another_content() {
                        self.watched.progress.note(&format!(
                            "note: {} is not what the upload was begun with, so it was sent from the beginning",
                            upload.input.name()
                        ));
                    }
                    if multipart.is_old() {
                        self.check_headers(&upload.key).await?;
                    }
                    return Ok(Done::Uploaded(object));
                }
                Err(failed) => failed,
            };
            match failed {
                Failed::Gone(error) if matches!(upload.input, Input::File(_)) && tries < TRIES => {
                    // Another run is perhaps at one that was there before.
                    if !multipart.is_old() {
                        multipart.give_up(error, false).await;
                    }
                }
                Failed::Conflict(error) if matches!(upload.input, Input::File(_)) && tries < TRIES => {
                    multipart.give_up(error, false).await;
                    anew = true;
                }
                Failed::Exists(error) => {
                    let (size, checksum) = multipart.content();
                    let error = multipart.give_up(error, false).await;
                    return self.exists(&upload.key, size, &checksum, error).await;
                }
                failed => {
                    if let Failed::Gone(error) = failed {
                        let why = "another run has completed or aborted the upload, or sent other parts: run it again";
                        return Err(error.hint(why).next("what is left", Next::verb("uploads ls")));
                    }
                    let error = Error::from(failed);
                    // Only what a second run will find, and can use.
                    let keep = matches!(upload.input, Input::File(_))
                        && !matches!(error.kind(), Kind::Partial | Kind::Usage)
                        && self.store.sends_checksums()
                        && !self.said_anew.load(Ordering::Relaxed);
                    return Err(multipart.give_up(error, keep).await);
                }
            }
        }
    }

    /// Said once.
    fn begins_anew(&self, why: &Error) {
        if !self.said_anew.swap(true, Ordering::Relaxed) {
            let told = why.chain().join(": ");
            self.watched.progress.note(&format!("note: what earlier runs sent cannot be gone on with: {told}"));
            why.hints().iter().for_each(|hint| self.watched.progress.hint(hint));
        }
    }

    /// Another program may have begun the upload, with other headers; S3 tells them only now.
    async fn check_headers(&self, key: &str) -> Result<()> {
        let head = match self.store.client().head_object().bucket(&self.store.bucket).key(key).send().await {
            Ok(head) => head,
            Err(error) => {
                let error = Err::<(), _>(error).or_needs("look at it", HEAD, &arn_pattern(&self.store.bucket)).err();
                let why = error.map(|error| error.to_string()).unwrap_or_default();
                self.watched.progress.note(&format!(
                    "note: {key} went on with what an earlier run sent; whether that began it with the same headers \
                     nobody can tell: {why}"
                ));
                return Ok(());
            }
        };
        let how = match self.settings.headers.differ(key, &head) {
            Some(how) => Some(how),
            None => self.other_tags(key).await,
        };
        let Some(how) = how else { return Ok(()) };
        let why = format!("{key} is there, whole, but {how}: its upload was begun with that before");
        Err(Error::new(Kind::Partial, why).hint(match self.settings.existing {
            Existing::Overwrite => "the same command again uploads it anew, as it is asked for",
            Existing::Keep => "without --no-overwrite the same command uploads it anew, as it is asked for",
            Existing::ReplaceIfChanged => "without --if-changed the same command uploads it anew, as it is asked for",
        }))
    }

    /// Where tags are asked for, those that the object has may be others.
    async fn other_tags(&self, key: &str) -> Option<String> {
        let mut wanted = self.settings.headers.tags.clone();
        if wanted.is_empty() {
            return None;
        }
        let answer = self.store.client().get_object_tagging().bucket(&self.store.bucket).key(key).send().await.ok()?;
        let tags = answer.tag_set().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned()));
        let mut there: Vec<_> = tags.collect();
        there.sort();
        wanted.sort();
        (there != wanted).then(|| "it has other tags".to_owned())
    }

    /// Inside S3: no byte comes through here.
    async fn copy(&self, from: &SourceObject, upload: &Upload) -> Result<Done> {
        let (size, key) = (upload.size.unwrap_or_default(), upload.key.as_str());
        if (&from.bucket, from.key.as_str()) == (&self.store.bucket, key) {
            return Err(Error::usage("it is there already: a copy needs another key, or another bucket"));
        }
        if self.is_dry {
            return Ok(Done::Planned);
        }
        if size <= self.settings.copy_part_size {
            let mut lane = self.lane(0).await?;
            let copy = copy::whole(&self.store, from, key, size, &self.settings.headers);
            let object = lane.run(copy).await?;
            self.watched.progress.advance(size);
            return Ok(Done::Uploaded(object));
        }
        let mut multipart = copy::begin(&self.store, from, key, &self.settings.headers).await?;
        match self.copied_parts(&mut multipart, from, size).await {
            Ok(object) => Ok(Done::Uploaded(object)),
            // Copied parts have no checksum that could be compared with the source's: they are of no use later.
            Err(failed) => Err(multipart.give_up(failed.into(), false).await),
        }
    }

    async fn copied_parts(&self, multipart: &mut Multipart, from: &SourceObject, size: u64) -> Result<Object, Failed> {
        let part_size = copy::part_size(size, self.settings.copy_part_size);
        for start in (0..size).step_by(usize::try_from(part_size).unwrap_or(usize::MAX)) {
            let lane = self.lane(0).await?;
            multipart.copy(from, start..size.min(start + part_size), lane);
            self.watched.progress.advance(multipart.arrived()?);
        }
        while let Some(bytes) = multipart.next_arrival().await? {
            self.watched.progress.advance(bytes);
        }
        self.go_on()?;
        multipart.complete().await
    }

    async fn parts(
        &self,
        multipart: &mut Multipart,
        chunks: &mut Chunks,
        first: Chunk,
        lane: Lane,
    ) -> Result<Object, Failed> {
        let (mut chunk, mut lane) = (first, lane);
        loop {
            let last = chunk.last;
            self.watched.progress.advance(multipart.send(chunk, lane));
            if last {
                break;
            }
            (chunk, lane) = self.next(chunks).await?;
            self.watched.progress.advance(multipart.arrived()?);
        }
        while let Some(bytes) = multipart.next_arrival().await? {
            self.watched.progress.advance(bytes);
        }
        multipart.complete().await
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
