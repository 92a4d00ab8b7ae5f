//! What became of every file.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::exit::Exit;
use claimctl_core::next::{Hint, Next};
use claimctl_core::run_report::{RunEnd, RunReport};
use claimctl_core::spool::{Sorter, Spool};
use serde::{Deserialize, Serialize};

use super::destination::Destination;
use super::engine::{Done, Object};
use super::plan::{Plan, Upload};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Uploaded,
    /// It was there already, byte for byte, or the manifest has it.
    Unchanged,
    Failed,
    /// No payload: a device, a pipe, a socket.
    Skipped,
    /// Stopped by the operator: no object was made of it.
    Interrupted,
    /// A dry run: it would be uploaded.
    Planned,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FileReport {
    /// As found; `-` is stdin.
    pub path: String,
    pub bucket: String,
    /// None where the name cannot be a key.
    pub key: Option<String>,
    /// Bytes; of a file that was not uploaded, when it was found.
    pub size: Option<u64>,
    pub etag: Option<String>,
    pub version_id: Option<String>,
    /// Of the whole content, in base64.
    pub checksum: Option<String>,
    /// `CRC64NVME`, `CRC32` or `CRC32C`.
    pub checksum_algorithm: Option<String>,
    /// Parts of the object; 1 for one that went in one request.
    pub parts: Option<u32>,
    /// Parts that an earlier run had sent, and that were kept.
    pub kept_parts: Option<u32>,
    pub status: Status,
    /// Why it was not uploaded.
    pub error: Option<String>,
    /// The flows that take the key. Empty: no claim will come for it.
    pub flows: Vec<String>,
}

impl FileReport {
    /// Sent, to be sent, or there.
    fn is_well(&self) -> bool {
        matches!(self.status, Status::Uploaded | Status::Unchanged | Status::Planned)
    }

    fn order(&self) -> &str {
        self.key.as_deref().unwrap_or(&self.path)
    }
}

/// The result of `claimctl upload`.
#[derive(Serialize)]
pub struct UploadReport {
    pub bucket: String,
    pub dry_run: bool,
    /// Failures first, then by key.
    pub files: Spool<FileReport>,
    pub uploaded: u64,
    /// Those that were there already.
    pub unchanged: u64,
    pub failed: u64,
    pub skipped: u64,
    pub interrupted: u64,
    /// In a dry run, those that would be uploaded.
    pub planned: u64,
    /// Files that the globs left out.
    pub excluded: u64,
    /// Bytes uploaded; in a dry run, that would be.
    pub bytes: u64,
    /// Parts that earlier runs had sent, and that were kept.
    pub kept_parts: u64,
    /// Objects, sent or planned, for which no claim will come though the bucket has flows, and the first of them.
    #[serde(skip)]
    pub unclaimed: (u64, Vec<String>),
    /// Whether the same command leaves out what is there.
    #[serde(skip)]
    pub sends_only_the_rest: bool,
    #[serde(flatten)]
    pub run: RunReport,
}

impl AsRef<RunReport> for UploadReport {
    fn as_ref(&self) -> &RunReport {
        &self.run
    }
}

impl UploadReport {
    /// Done, done in part, or what all failures have in common.
    pub fn exit(&self) -> Exit {
        self.run.exit(self.uploaded + self.unchanged + self.interrupted > 0, self.failed + self.interrupted > 0)
    }
}

/// Keys that a warning names; the JSON form has all of them.
const NAMED: usize = 5;
/// Of many failures, what to do about the first.
const HINTS: usize = 10;

/// Gathers outcomes as they come.
pub(super) struct Summary<'a> {
    to: &'a Destination,
    well: Sorter<FileReport>,
    not_well: Sorter<FileReport>,
    counts: HashMap<Status, u64>,
    bytes: u64,
    kept_parts: u64,
    unclaimed: (u64, Vec<String>),
    /// Each once.
    hints: Vec<Hint>,
    /// What the first of them failed of, and whether all failed of that.
    failure: Option<(Error, bool)>,
    dry_run: bool,
}

impl<'a> Summary<'a> {
    /// Begins with what is known to fail or to be skipped.
    pub fn of(to: &'a Destination, plan: &Plan, dry_run: bool) -> Result<Self> {
        let mut summary = Summary {
            to,
            well: Sorter::by(FileReport::order),
            not_well: Sorter::by(FileReport::order),
            counts: HashMap::new(),
            bytes: 0,
            kept_parts: 0,
            unclaimed: (0, Vec::new()),
            hints: Vec::new(),
            failure: None,
            dry_run,
        };
        for (path, error) in &plan.failed {
            let error = Some(summary.failed(error));
            let file = summary.of_path(path);
            summary.add(FileReport { error, ..file })?;
        }
        for (path, why) in &plan.skipped {
            let file = summary.of_path(path);
            summary.add(FileReport { status: Status::Skipped, error: Some((*why).to_owned()), ..file })?;
        }
        Ok(summary)
    }

    /// Takes down an outcome. What comes back is worth telling at once.
    pub fn ended(&mut self, upload: Upload, outcome: Result<Done>) -> Result<Option<String>> {
        let file = self.of_upload(upload);
        let mut said = None;
        let file = match outcome {
            Ok(Done::Uploaded(object)) => of_object(file, Status::Uploaded, object),
            Ok(Done::Unchanged(object)) => of_object(file, Status::Unchanged, object),
            Ok(Done::Sent) => FileReport { status: Status::Unchanged, ..file },
            Ok(Done::Planned) => FileReport { status: Status::Planned, ..file },
            Err(error) if error.kind() == Kind::Interrupted => {
                self.hint(&error);
                FileReport { status: Status::Interrupted, error: Some(error.to_string()), ..file }
            }
            Err(error) => {
                let why = self.failed(&error);
                said = Some(format!("failed: {}: {why}", file.path));
                FileReport { error: Some(why), ..file }
            }
        };
        self.add(file)?;
        Ok(said)
    }

    pub fn finish(self, excluded: u64, elapsed: Duration) -> Result<UploadReport> {
        let count = |status| self.counts.get(&status).copied().unwrap_or_default();
        let (uploaded, planned, unchanged) =
            (count(Status::Uploaded), count(Status::Planned), count(Status::Unchanged));
        let interrupted = count(Status::Interrupted);
        let mut run = if self.dry_run { RunReport::rehearsal() } else { RunReport::default() };
        match &self.failure {
            // What all of them failed of is what it failed of.
            Some((error, true)) if uploaded + planned + unchanged + interrupted == 0 => {
                run.fail(&Error::new(error.kind(), error.chain().join(": ")));
            }
            _ if interrupted > 0 => run.ended = RunEnd::Interrupted,
            _ => {}
        }
        self.hints.into_iter().for_each(|hint| run.hint(hint));
        run.next = match interrupted {
            0 => (self.to.has_flows() && uploaded > 0).then(|| Next::verb("verify")),
            _ => Some(Next::again()),
        };
        run.finish(uploaded, elapsed);
        let mut files = Spool::new();
        for sorter in [self.not_well, self.well] {
            let mut sorted = sorter.sorted();
            while let Some(file) = sorted.take_next()? {
                files.push(file)?;
            }
        }
        Ok(UploadReport {
            bucket: self.to.bucket.clone(),
            dry_run: self.dry_run,
            uploaded,
            unchanged,
            failed: count(Status::Failed),
            skipped: count(Status::Skipped),
            interrupted,
            planned,
            excluded,
            bytes: self.bytes,
            kept_parts: self.kept_parts,
            unclaimed: self.unclaimed,
            sends_only_the_rest: false,
            run,
            files,
        })
    }

    fn add(&mut self, file: FileReport) -> Result<()> {
        *self.counts.entry(file.status).or_default() += 1;
        if matches!(file.status, Status::Uploaded | Status::Planned) {
            self.bytes += file.size.unwrap_or_default();
            self.kept_parts += u64::from(file.kept_parts.unwrap_or_default());
            if self.to.has_flows() && file.flows.is_empty() {
                self.unclaimed.0 += 1;
                if self.unclaimed.1.len() < NAMED {
                    self.unclaimed.1.extend(file.key.clone());
                }
            }
        }
        if file.is_well() { self.well.push(file) } else { self.not_well.push(file) }
    }

    fn of_upload(&self, upload: Upload) -> FileReport {
        FileReport {
            flows: self.to.flows_of(&upload.key),
            key: Some(upload.key),
            size: upload.size,
            ..self.named(upload.input.name())
        }
    }

    fn of_path(&self, path: &Path) -> FileReport {
        self.named(path.display().to_string())
    }

    /// Failed until something better is known.
    fn named(&self, path: String) -> FileReport {
        FileReport {
            path,
            bucket: self.to.bucket.clone(),
            key: None,
            size: None,
            etag: None,
            version_id: None,
            checksum: None,
            checksum_algorithm: None,
            parts: None,
            kept_parts: None,
            status: Status::Failed,
            error: None,
            flows: Vec::new(),
        }
    }

    fn failed(&mut self, error: &Error) -> String {
        let why = error.chain().join(": ");
        match &mut self.failure {
            None => self.failure = Some((Error::new(error.kind(), why.clone()), true)),
            Some((first, is_same)) => *is_same &= first.kind() == error.kind(),
        }
        self.hint(error);
        why
    }

    fn hint(&mut self, error: &Error) {
        for hint in error.hints() {
            if self.hints.len() < HINTS && !self.hints.contains(hint) {
                self.hints.push(hint.clone());
            }
        }
    }
}

fn of_object(file: FileReport, status: Status, object: Object) -> FileReport {
    FileReport {
        size: Some(object.size),
        etag: Some(object.etag),
        version_id: object.version_id,
        checksum_algorithm: object.checksum.as_ref().map(|checksum| checksum.algorithm.name().to_owned()),
        checksum: object.checksum.map(|checksum| checksum.text),
        parts: (status == Status::Uploaded).then_some(object.parts),
        kept_parts: (status == Status::Uploaded).then_some(object.kept_parts),
        status,
        ..file
    }
}
