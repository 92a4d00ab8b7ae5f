//! The engine: sends a plan, several objects and parts at a time, in bounded memory.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use claimctl_aws::Explain;
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::target::{Change, Target};
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Result};
use claimctl_core::progress::{Progress, Unit};
use futures_util::{StreamExt, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::chunks::{Chunk, Chunks};
use super::copy;
use super::destination::{self, Destination};
use super::limits;
use super::multipart::{self, Headers, Multipart};
use super::plan::{Input, Naming, Plan, SourceObject, Upload};
use super::report::{Summary, UploadReport};
use super::store::Store;

/// The answer to a part comes after its last byte: 8 MiB in each of sixteen lanes need a while on a thin line.
pub(super) const PATIENCE: Duration = Duration::from_secs(15 * 60);

pub struct Settings {
    pub metadata: HashMap<String, String>,
    /// For every object; guessed from the key where none is given.
    pub content_type: Option<String>,
    /// Requests in flight, and parts in memory.
    pub concurrency: u16,
    /// Bytes. Longer files go in several parts.
    pub part_size: u64,
    /// Bytes. Longer objects are copied in several parts of this size.
    pub copy_part_size: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            metadata: HashMap::new(),
            content_type: None,
            concurrency: 16,
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
    /// CRC-32 of the whole content, in base64. None of a copy, where S3 has another.
    pub checksum: Option<String>,
    /// 1 for an object that went in one request.
    pub parts: u32,
}

/// What would be sent, without sending it.
pub fn rehearse(to: &Destination, plan: &Plan, dry_run: bool) -> UploadReport {
    let mut summary = Summary::of(to, plan, dry_run);
    for upload in &plan.uploads {
        summary.planned(upload);
    }
    summary.finish(plan.excluded, Duration::ZERO)
}

/// Of PutObject, and of every step of a multipart upload but giving it up.
pub const PUT: &str = "s3:PutObject";

/// What IAM has to allow to upload.
pub fn permissions(arns: &ArnBuilder, to: &Destination, naming: &Naming) -> Vec<Statement> {
    vec![
        Statement::allow("FindBucket", &[destination::PROBE], [arns.bucket(&to.bucket)]),
        Statement::allow("Upload", &[PUT, multipart::ABORT], [objects(arns, to, naming)]),
    ]
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

/// Sends every upload of the plan. One that fails does not stop the others; after an interrupt no new one is begun.
pub async fn send(
    target: &Target,
    to: &Destination,
    plan: &Plan,
    settings: &Settings,
    _change: &Change,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> UploadReport {
    let engine = Engine {
        store: Arc::new(Store::of(target, &to.bucket)),
        settings,
        lanes: Arc::new(Semaphore::new(settings.concurrency.into())),
        cancel,
        progress,
    };
    let started = Instant::now();
    let mut summary = Summary::of(to, plan, false);
    progress.start("uploading", plan.bytes(), Unit::Bytes);
    let engine = &engine;
    let mut ended = stream::iter(&plan.uploads)
        .map(|upload| async move { (upload, engine.one(upload).await) })
        .buffer_unordered(settings.concurrency.into());
    while let Some((upload, outcome)) = ended.next().await {
        if let Some(said) = summary.ended(upload, outcome) {
            progress.note(&said);
        }
    }
    progress.finish();
    if engine.store.knows_no_checksums() {
        progress
            .note("note: this store takes no checksums, so that what it keeps is held against what was sent by nobody");
    }
    summary.finish(plan.excluded, started.elapsed())
}

struct Engine<'a> {
    store: Arc<Store>,
    settings: &'a Settings,
    /// A chunk is read only once it has a lane, and keeps it until it is sent: that bounds requests and memory.
    lanes: Arc<Semaphore>,
    cancel: &'a Cancel,
    progress: &'a dyn Progress,
}

impl Engine<'_> {
    async fn one(&self, upload: &Upload) -> Result<Object> {
        self.go_on()?;
        let mut chunks = match &upload.input {
            Input::File(path) => Chunks::of_file(path, self.settings.part_size)?,
            Input::Stdin => Chunks::of_stream(std::io::stdin(), "stdin", self.settings.part_size),
            Input::Object(from) => return self.copy(from, upload).await,
        };
        let (first, lane) = self.next(&mut chunks).await?;
        if first.last {
            return self.put(&upload.key, first, lane).await;
        }
        let mut multipart = Multipart::begin(&self.store, &upload.key, self.headers(&upload.key)).await?;
        match self.parts(&mut multipart, &mut chunks, first, lane).await {
            Ok(object) => Ok(object),
            Err(error) => Err(multipart.give_up(error).await),
        }
    }

    async fn put(&self, key: &str, chunk: Chunk, lane: OwnedSemaphorePermit) -> Result<Object> {
        let (size, checksum) = (chunk.bytes.len() as u64, chunk.checksum.encoded());
        let (headers, store, named) = (self.headers(key), self.store.clone(), key.to_owned());
        let sent = checksum.clone();
        let put = async move {
            let put = |s3: &Client, checks: bool| {
                let put = s3.put_object().bucket(&store.bucket).key(&named);
                put.content_type(&headers.content_type)
                    .set_metadata(Some(headers.metadata.clone()))
                    .set_checksum_crc32(checks.then(|| sent.clone()))
                    .body(ByteStream::from(chunk.bytes.clone()))
                    .send()
            };
            store.call(put).await
        };
        // A task of its own, so that signing and sending use every core.
        let answer =
            tokio::spawn(put).await.map_err(|error| Error::unexpected("a request ended early").caused_by(error))?;
        let wanted = Object { size, etag: String::new(), version_id: None, checksum: Some(checksum), parts: 1 };
        let object = match answer {
            Ok((answer, _)) => {
                Object { etag: answer.e_tag.unwrap_or_default(), version_id: answer.version_id, ..wanted }
            }
            Err(error) => {
                let made = match claimctl_aws::may_have_arrived(&error) {
                    true => self.store.made(key, wanted).await,
                    false => None,
                };
                let arn = arn_pattern(&self.store.bucket);
                made.map_or_else(|| Err(error).or_needs(&format!("upload {key}"), PUT, &arn), Ok)?
            }
        };
        drop(lane);
        self.progress.advance(size);
        Ok(object)
    }

    /// Inside S3: no byte comes through here.
    async fn copy(&self, from: &SourceObject, upload: &Upload) -> Result<Object> {
        let (size, key) = (upload.size.unwrap_or_default(), upload.key.as_str());
        if (&from.bucket, from.key.as_str()) == (&self.store.bucket, key) {
            return Err(Error::usage("it is there already: a copy needs another key, or another bucket"));
        }
        if size <= self.settings.copy_part_size {
            let _lane = self.lane().await?;
            let object = copy::whole(&self.store, from, key, size).await?;
            self.progress.advance(size);
            return Ok(object);
        }
        let mut multipart = copy::begin(&self.store, from, key).await?;
        match self.copied_parts(&mut multipart, from, size).await {
            Ok(object) => Ok(object),
            Err(error) => Err(multipart.give_up(error).await),
        }
    }

    async fn copied_parts(&self, multipart: &mut Multipart, from: &SourceObject, size: u64) -> Result<Object> {
        let part_size = copy::part_size(size, self.settings.copy_part_size);
        for start in (0..size).step_by(usize::try_from(part_size).unwrap_or(usize::MAX)) {
            let lane = self.lane().await?;
            multipart.copy(from, start..size.min(start + part_size), lane);
            self.progress.advance(multipart.arrived()?);
        }
        while let Some(bytes) = multipart.next_arrival().await? {
            self.progress.advance(bytes);
        }
        self.go_on()?;
        multipart.complete().await
    }

    async fn lane(&self) -> Result<OwnedSemaphorePermit> {
        let lane = Arc::clone(&self.lanes).acquire_owned().await;
        self.go_on()?;
        lane.map_err(|error| Error::unexpected("no lane to send in").caused_by(error))
    }

    async fn parts(
        &self,
        multipart: &mut Multipart,
        chunks: &mut Chunks,
        first: Chunk,
        lane: OwnedSemaphorePermit,
    ) -> Result<Object> {
        let (mut chunk, mut lane) = (first, lane);
        loop {
            let last = chunk.last;
            multipart.send(chunk, lane);
            if last {
                break;
            }
            (chunk, lane) = self.next(chunks).await?;
            self.progress.advance(multipart.arrived()?);
        }
        while let Some(bytes) = multipart.next_arrival().await? {
            self.progress.advance(bytes);
        }
        multipart.complete().await
    }

    /// The next chunk, with the lane that it needs.
    async fn next(&self, chunks: &mut Chunks) -> Result<(Chunk, OwnedSemaphorePermit)> {
        // A part may have grown to hold a huge payload in 10,000 of them: then it takes the room of several.
        let lanes = chunks.next_size().div_ceil(self.settings.part_size).min(self.settings.concurrency.into());
        let lanes = Arc::clone(&self.lanes).acquire_many_owned(lanes as u32);
        let lane = lanes.await.map_err(|error| Error::unexpected("no lane to send in").caused_by(error))?;
        self.go_on()?;
        tokio::select! {
            biased;
            chunk = chunks.next() => Ok((chunk?, lane)),
            // A pipe may give nothing for hours.
            () = self.cancel.cancelled() => Err(interrupted()),
        }
    }

    fn go_on(&self) -> Result<()> {
        if self.cancel.is_cancelled() { Err(interrupted()) } else { Ok(()) }
    }

    fn headers(&self, key: &str) -> Headers {
        let guessed = || mime_guess::from_path(key).first_or_octet_stream().essence_str().to_owned();
        Headers {
            content_type: self.settings.content_type.clone().unwrap_or_else(guessed),
            metadata: self.settings.metadata.clone(),
        }
    }
}

fn interrupted() -> Error {
    Error::interrupted("interrupted before it was uploaded")
}
