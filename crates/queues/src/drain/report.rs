//! What a drain did, what it left, and why it ended.

use std::collections::BTreeMap;
use std::path::Path;

use claimctl_core::error::{Error, Result};
use claimctl_core::exit::Exit;
use claimctl_core::next::Next;
use claimctl_core::run_report::{RunEnd, RunReport};
use serde::Serialize;

use super::Order;
use super::store::Stored;
use crate::deletes::Left;
use crate::depth::QueueDepth;
use crate::drained::{Appender, Existing};
use crate::in_flight::Returned;
use crate::journal::Outcome;
use crate::peek::Counts;
use crate::receive;

/// The JSON form is a contract.
#[derive(Debug, Default, Serialize)]
pub struct DrainReport {
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
    /// Where nothing was to be deleted: in the file, and given back.
    pub kept: u64,
    /// Messages of which it could not be decided whether they are selected; they stay in the queue.
    pub undecided: Vec<Left>,
    /// Ids that were asked for, and are neither in the queue as far as it was seen nor in the files.
    pub missing: Vec<String>,
    /// Messages that did not arrive as they were sent: neither written nor deleted.
    pub altered: Vec<Left>,
    #[serde(flatten)]
    pub given_back: Returned,
    /// The counts of SQS, which are approximate. None: they could not be read.
    pub before: Counts,
    pub after: Option<Counts>,
    /// Messages that were agreed to be moved, where that is the whole queue and not what can be received of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promised: Option<u64>,
    /// Functions that were paused meanwhile.
    pub resumed: Vec<String>,
    #[serde(flatten)]
    pub run: RunReport,
}

impl AsRef<RunReport> for DrainReport {
    fn as_ref(&self) -> &RunReport {
        &self.run
    }
}

impl DrainReport {
    pub fn of(order: &Order, file: &Appender) -> DrainReport {
        DrainReport {
            queue: order.queue.name().to_owned(),
            queue_arn: order.queue_arn.clone(),
            file: file.first().display().to_string(),
            files: file.number().into(),
            ..DrainReport::default()
        }
    }

    /// What a drain would meet: in the queue, and in the file.
    pub fn rehearsal(depth: &QueueDepth, file: &Path, existing: Existing) -> DrainReport {
        let mut report = DrainReport {
            queue: depth.name.clone(),
            queue_arn: depth.arn.clone(),
            file: file.display().to_string(),
            files: existing.files,
            before: Counts::from(depth),
            run: RunReport::rehearsal(),
            ..DrainReport::default()
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

    pub(super) fn fail(&mut self, error: &Error) {
        self.run.fail(error);
    }

    pub(super) fn set_ended(&mut self, ended: Result<receive::ReceiveEnd>, stopped: Option<RunEnd>) {
        use receive::ReceiveEnd as E;
        match (ended, stopped) {
            (Err(error), _) => self.fail(&error),
            (Ok(_), _) if self.run.has_stopped() => {}
            (Ok(_), Some(stopped)) => self.run.ended = stopped,
            (Ok(E::Empty | E::Heads), None) => self.run.ended = RunEnd::Complete,
            (Ok(E::Interrupted), None) => self.run.ended = RunEnd::Interrupted,
            (Ok(E::Limit), None) => self.run.ended = RunEnd::Limit,
            (Ok(E::Cap), None) => self.run.ended = RunEnd::InFlightLimit,
            (Ok(E::Unanswered | E::Stopped), None) => self.run.ended = RunEnd::Unanswered,
        }
    }

    /// All of the queue was to be moved, so many messages when that was agreed to.
    pub(crate) fn promise(&mut self, messages: u64) {
        self.promised = Some(messages);
        self.conclude();
    }

    /// Of the messages that were agreed to, how many were not met. The counts of SQS are approximate.
    pub fn not_met(&self) -> u64 {
        self.promised.map_or(0, |promised| promised.saturating_sub(self.deleted))
    }

    /// Messages that are done with: deleted, or kept.
    pub(super) fn done(&self) -> u64 {
        self.deleted + self.kept
    }

    /// How the journal names the end.
    pub(super) fn outcome(&self) -> Outcome {
        Outcome::of_run(&self.run, self.exit() != Exit::Done)
    }

    /// Says how to go on, where something is left to do.
    pub(super) fn conclude(&mut self) {
        let stopped = matches!(self.run.ended, RunEnd::Interrupted | RunEnd::MaxTime);
        self.run.next = (stopped || self.exit() != Exit::Done).then(Next::again);
    }

    pub(super) fn counts(&self) -> BTreeMap<String, u64> {
        let counts = [
            ("drained", self.drained),
            ("bytes", self.bytes),
            ("written_before", self.written_before),
            ("deleted", self.deleted),
            ("not_deleted", self.not_deleted.len() as u64),
            ("kept", self.kept),
            ("altered", self.altered.len() as u64),
            ("missing", self.missing.len() as u64),
        ];
        counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
    }

    pub fn exit(&self) -> Exit {
        let is_open = !self.not_deleted.is_empty()
            || !self.undecided.is_empty()
            || !self.altered.is_empty()
            || !self.missing.is_empty()
            || !self.given_back.not_released.is_empty()
            || self.not_met() > 0;
        self.run.exit(self.done() > 0, is_open)
    }
}
