//! What became of every file.

use std::path::Path;
use std::time::Duration;

use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::exit::Exit;
use claimctl_core::next::{Hint, Next};
use claimctl_core::run_report::{RunEnd, RunReport};
use serde::Serialize;

use super::destination::Destination;
use super::engine::Object;
use super::plan::{Plan, Upload};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Uploaded,
    Failed,
    /// No payload: a device, a pipe, a socket.
    Skipped,
    /// Stopped by the operator: nothing of it is in the bucket.
    Interrupted,
    /// A dry run: it would be uploaded.
    Planned,
}

#[derive(Debug, Serialize)]
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
    /// CRC-32 of the whole content, in base64.
    pub checksum: Option<String>,
    /// Parts sent; 1 for an object that went in one request.
    pub parts: Option<u32>,
    pub status: Status,
    /// Why it was not uploaded.
    pub error: Option<String>,
    /// The flows that take the key. Empty: no claim will come for it.
    pub flows: Vec<String>,
}

/// The result of `claimctl upload`.
#[derive(Debug, Serialize)]
pub struct UploadReport {
    pub bucket: String,
    pub dry_run: bool,
    /// Failures first, then by key.
    pub files: Vec<FileReport>,
    pub uploaded: u64,
    pub failed: u64,
    pub skipped: u64,
    pub interrupted: u64,
    /// Files that the globs left out.
    pub excluded: u64,
    /// Bytes uploaded; in a dry run, that would be.
    pub bytes: u64,
    /// Whether any flow begins in the bucket.
    #[serde(skip)]
    pub has_flows: bool,
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
        self.run.exit(self.uploaded + self.interrupted > 0, self.failed + self.interrupted > 0)
    }

    /// Keys of objects, sent or planned, for which no claim will come though the bucket has flows.
    pub fn unclaimed(&self) -> impl Iterator<Item = &str> {
        let goes = |file: &&FileReport| matches!(file.status, Status::Uploaded | Status::Planned);
        let unclaimed = |file: &&FileReport| self.has_flows && file.flows.is_empty();
        self.files.iter().filter(goes).filter(unclaimed).filter_map(|file| file.key.as_deref())
    }
}

/// Gathers outcomes as they come.
pub(super) struct Summary<'a> {
    to: &'a Destination,
    files: Vec<FileReport>,
    hints: Vec<Hint>,
    kinds: Vec<Kind>,
    /// What the first of them failed of.
    first: String,
    dry_run: bool,
}

impl<'a> Summary<'a> {
    /// Begins with what is known to fail or to be skipped.
    pub fn of(to: &'a Destination, plan: &Plan, dry_run: bool) -> Self {
        let files = Vec::with_capacity(plan.uploads.len());
        let mut summary = Summary { to, files, hints: Vec::new(), kinds: Vec::new(), first: String::new(), dry_run };
        for (path, error) in &plan.failed {
            let mut file = summary.of_path(path);
            file.error = Some(summary.failure(error));
            summary.files.push(file);
        }
        for (path, why) in &plan.skipped {
            let file = summary.of_path(path);
            summary.files.push(FileReport { status: Status::Skipped, error: Some((*why).to_owned()), ..file });
        }
        summary
    }

    pub fn planned(&mut self, upload: &Upload) {
        let file = self.of_upload(upload);
        self.files.push(FileReport { status: Status::Planned, ..file });
    }

    /// Takes down an outcome. What comes back is worth telling at once.
    pub fn ended(&mut self, upload: &Upload, outcome: Result<Object>) -> Option<String> {
        let file = self.of_upload(upload);
        let (file, said) = match outcome {
            Ok(object) => {
                let file = FileReport {
                    size: Some(object.size),
                    etag: Some(object.etag),
                    version_id: object.version_id,
                    checksum: object.checksum,
                    parts: Some(object.parts),
                    status: Status::Uploaded,
                    ..file
                };
                (file, None)
            }
            Err(error) if error.kind() == Kind::Interrupted => {
                self.hint(&error);
                (FileReport { status: Status::Interrupted, error: Some(error.to_string()), ..file }, None)
            }
            Err(error) => {
                let why = self.failure(&error);
                let said = format!("failed: {}: {why}", file.path);
                (FileReport { error: Some(why), ..file }, Some(said))
            }
        };
        self.files.push(file);
        said
    }

    pub fn finish(mut self, excluded: u64, elapsed: Duration) -> UploadReport {
        self.files.sort_by(|a, b| {
            let goes = |file: &FileReport| matches!(file.status, Status::Uploaded | Status::Planned);
            (goes(a), &a.key, &a.path).cmp(&(goes(b), &b.key, &b.path))
        });
        let count = |status| self.files.iter().filter(|file| file.status == status).count() as u64;
        let went = |file: &&FileReport| matches!(file.status, Status::Uploaded | Status::Planned);
        let (uploaded, planned) = (count(Status::Uploaded), count(Status::Planned));
        let interrupted = count(Status::Interrupted);
        let mut run = if self.dry_run { RunReport::rehearsal() } else { RunReport::default() };
        // What all of them failed of is what it failed of.
        if let [kind, others @ ..] = self.kinds.as_slice()
            && uploaded + planned + interrupted == 0
            && others.iter().all(|other| other == kind)
        {
            run.fail(&Error::new(*kind, self.first));
        } else if interrupted > 0 {
            run.ended = RunEnd::Interrupted;
        }
        self.hints.into_iter().for_each(|hint| run.hint(hint));
        run.next = match interrupted {
            0 => (self.to.has_flows() && uploaded > 0).then(|| Next::verb("verify")),
            _ => Some(Next::again()),
        };
        run.finish(uploaded, elapsed);
        UploadReport {
            bucket: self.to.bucket.clone(),
            dry_run: self.dry_run,
            uploaded,
            failed: count(Status::Failed),
            skipped: count(Status::Skipped),
            interrupted,
            excluded,
            bytes: self.files.iter().filter(went).filter_map(|file| file.size).sum(),
            has_flows: self.to.has_flows(),
            run,
            files: self.files,
        }
    }

    fn of_upload(&self, upload: &Upload) -> FileReport {
        FileReport {
            key: Some(upload.key.clone()),
            size: upload.size,
            flows: self.to.flows_of(&upload.key),
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
            parts: None,
            status: Status::Failed,
            error: None,
            flows: Vec::new(),
        }
    }

    fn failure(&mut self, error: &Error) -> String {
        let why = error.chain().join(": ");
        if self.kinds.is_empty() {
            self.first = why.clone();
        }
        self.kinds.push(error.kind());
        self.hint(error);
        why
    }

    fn hint(&mut self, error: &Error) {
        self.hints.extend(error.hints().iter().cloned());
    }
}
