//! What a drain did, what it left, and why it ended.

use std::collections::BTreeMap;
use std::path::Path;

use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::exit::Exit;
use serde::Serialize;

use super::Order;
use super::store::Stored;
use crate::deletes::Left;
use crate::depth::QueueDepth;
use crate::drained::{Appender, Existing};
use crate::held::Returned;
use crate::journal::Outcome;
use crate::look::Counts;
use crate::receive;

/// Why a drain received no more.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The counts agree: nothing visible is left, with `--until-empty` nothing at all.
    Empty,
    Limit,
    MaxTime,
    /// Every id that was asked for was found.
    Found,
    /// As many are held as may be in flight.
    Cap,
    /// The counts promise more than the queue gives: they lag behind, or newer messages keep coming.
    Unanswered,
    Interrupted,
    Failed,
    /// Nothing was received: a rehearsal.
    #[default]
    DryRun,
}

/// The JSON form is a contract.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The queue's real name.
    pub queue: String,
    pub queue_arn: String,
    /// The file that was named, and how many files of its series there are by now.
    pub file: String,
    pub files: u64,
    /// Messages that were whole in the files before.
    pub found: u64,
    /// Bytes of a torn end that were cut off; what they were of is still in the queue.
    pub cut: u64,
    /// Messages written by this run, and the bytes that they take in the file.
    pub drained: u64,
    pub bytes: u64,
    /// Messages received that were in the file, and were not written again.
    pub written_before: u64,
    pub deleted: u64,
    /// In the file, and not known to be deleted.
    pub not_deleted: Vec<Left>,
    /// With `--keep`: in the file, and given back.
    pub kept: u64,
    /// Messages that `--where` could not be decided for; they stay in the queue.
    pub undecided: Vec<Left>,
    #[serde(flatten)]
    pub given_back: Returned,
    pub ended: Ended,
    /// The counts of SQS, which are approximate. None: they could not be read.
    pub before: Counts,
    pub after: Option<Counts>,
    pub elapsed_seconds: f64,
    /// Messages settled per second: deleted, or kept.
    pub messages_per_second: f64,
    /// What ended the drain, and what to do about it.
    pub error: Option<String>,
    pub hints: Vec<String>,
    #[serde(skip)]
    kind: Option<Kind>,
}

impl Report {
    pub fn of(order: &Order, file: &Appender) -> Report {
        Report {
            queue: order.queue.name().to_owned(),
            queue_arn: order.queue_arn.clone(),
            file: file.first().display().to_string(),
            files: file.number().into(),
            ..Report::default()
        }
    }

    /// What a drain would meet: in the queue, and in the file.
    pub fn rehearsal(depth: &QueueDepth, file: &Path, existing: Existing) -> Report {
        let mut report = Report {
            queue: depth.name.clone(),
            queue_arn: depth.arn.clone(),
            file: file.display().to_string(),
            files: existing.files,
            before: Counts::from(depth),
            ..Report::default()
        };
        report.set_existing(existing);
        report
    }

    pub(super) fn set_existing(&mut self, existing: Existing) {
        (self.found, self.cut) = (existing.messages, existing.torn);
    }

    pub(super) fn count(&mut self, stored: &Stored) {
        self.drained += stored.written;
        self.written_before += stored.ids.len() as u64 - stored.written - stored.again;
        self.deleted -= stored.again;
        self.bytes += stored.bytes;
        self.files = stored.files.into();
    }

    /// The first error is the one that counts; what follows from it does not.
    pub fn fail(&mut self, error: Error) {
        if self.error.is_none() {
            self.error = Some(error.chain().join(": "));
            self.hints = error.hints().iter().map(ToString::to_string).collect();
            self.kind = Some(error.kind());
        }
    }

    pub(super) fn set_ended(&mut self, ended: Result<receive::Ended>, stopped: Option<Ended>) {
        use receive::Ended as E;
        self.ended = match (ended, stopped) {
            (Ok(_), Some(stopped)) => stopped,
            (Ok(E::Interrupted), None) => Ended::Interrupted,
            (Ok(E::Empty | E::Heads), None) => Ended::Empty,
            (Ok(E::Limit), None) => Ended::Limit,
            (Ok(E::Cap), None) => Ended::Cap,
            (Ok(E::Unanswered | E::Stopped), None) => Ended::Unanswered,
            (Err(error), _) => {
                self.fail(error);
                Ended::Failed
            }
        };
        let settled = self.deleted + self.kept;
        self.messages_per_second = settled as f64 / self.elapsed_seconds.max(f64::EPSILON);
    }

    /// How the journal names the end.
    pub(super) fn outcome(&self) -> Outcome {
        match (self.ended, self.exit()) {
            (Ended::Interrupted, _) => Outcome::Interrupted,
            (_, Exit::Done) => Outcome::Done,
            (_, Exit::Partial) => Outcome::Partial,
            _ => Outcome::Failed,
        }
    }

    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        let counts = [
            ("drained", self.drained),
            ("bytes", self.bytes),
            ("written_before", self.written_before),
            ("deleted", self.deleted),
            ("not_deleted", self.not_deleted.len() as u64),
            ("kept", self.kept),
        ];
        counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
    }

    pub fn exit(&self) -> Exit {
        let partial = !self.not_deleted.is_empty()
            || !self.undecided.is_empty()
            || !self.given_back.not_released.is_empty()
            || matches!(self.ended, Ended::Cap | Ended::Unanswered);
        match self.kind {
            Some(kind) => Error::new(kind, "").exit(),
            None if partial => Exit::Partial,
            None => Exit::Done,
        }
    }
}
