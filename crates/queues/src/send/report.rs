//! What became of the messages of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use claimctl_core::error::Error;
use claimctl_core::exit::Exit;
use claimctl_core::next::Next;
use claimctl_core::run_report::{RunEnd, RunReport};
use serde::Serialize;

use super::check::LISTED;
use super::outgoing::Outgoing;
use crate::journal::Outcome;

/// A message that was not sent.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    /// The id that it had; of a line without one, its name in the journal.
    pub message_id: String,
    pub file: String,
    pub line: u64,
    pub why: String,
}

/// The result of a send. Lists hold the first hundred; the journal has all.
#[derive(Debug, Default, Serialize)]
pub struct SendReport {
    /// The queue's real name.
    pub queue: String,
    /// Messages that SQS confirmed.
    pub sent: u64,
    /// Of those, how many SQS may have taken twice: an earlier try had no answer.
    pub perhaps_twice: u64,
    pub failed: u64,
    /// Behind a failed message of their FIFO group: not sent, because they would come before it.
    pub held_back: u64,
    /// SQS may have them or not: the last call had no answer.
    pub undecided: u64,
    /// Sent by an earlier command already.
    pub already_sent: u64,
    /// Not selected.
    pub left_out: u64,
    /// Ids that were asked for and are not in the input.
    pub missing: Vec<String>,
    /// Lines that cannot be sent, skipped.
    pub bad_lines: u64,
    /// Messages that were not come to. None: the input is a stream, so that nobody knows.
    pub left: Option<u64>,
    /// Of the messages sent, as SQS counts them.
    pub bytes: u64,
    pub failures: Vec<Failure>,
    /// Ids of those that SQS may have twice.
    pub doubles: Vec<String>,
    /// Ids of those of which nobody knows.
    pub open: Vec<String>,
    pub bad: Vec<String>,
    #[serde(flatten)]
    pub run: RunReport,
}

impl AsRef<RunReport> for SendReport {
    fn as_ref(&self) -> &RunReport {
        &self.run
    }
}

impl SendReport {
    pub fn sent(&mut self, message: &Outgoing) {
        self.sent += 1;
        self.bytes += message.bytes() as u64;
        if message.again {
            self.perhaps_twice += 1;
            list(&mut self.doubles, || message.name());
        }
    }

    pub fn failed(&mut self, message: &Outgoing, why: String) {
        self.failed += 1;
        let (file, line) = (message.origin.file.to_string(), message.origin.line);
        list(&mut self.failures, || Failure { message_id: message.name(), file, line, why });
    }

    pub fn undecided(&mut self, message: &Outgoing) {
        self.undecided += 1;
        list(&mut self.open, || message.name());
    }

    pub fn bad_line(&mut self, error: &Error) {
        self.bad_lines += 1;
        list(&mut self.bad, || error.to_string());
    }

    pub fn finish(&mut self, total: Option<u64>, elapsed: Duration) {
        let met = self.sent + self.failed + self.held_back + self.undecided + self.already_sent;
        self.left = total.map(|total| total.saturating_sub(met));
        self.run.finish(self.sent, elapsed);
        self.run.next = (self.outcome() != Outcome::Done).then(Next::again);
    }

    /// Messages that were to be sent, and of which that cannot be said.
    fn undone(&self) -> u64 {
        self.failed + self.held_back + self.undecided + self.bad_lines
    }

    /// How the journal names the end. Done: a later command has nothing to go on with.
    pub fn outcome(&self) -> Outcome {
        let goes_on = self.run.ended == RunEnd::Limit || self.undone() + self.left_out > 0;
        Outcome::of_run(&self.run, goes_on)
    }

    /// What the journal keeps of it.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        let counts = [
            ("sent", self.sent + self.already_sent),
            ("perhaps_twice", self.perhaps_twice),
            ("failed", self.failed),
            ("held_back", self.held_back),
            ("undecided", self.undecided),
            ("left_out", self.left_out),
            ("bad_lines", self.bad_lines),
        ];
        counts.into_iter().filter(|(_, count)| *count > 0).map(|(name, count)| (name.to_owned(), count)).collect()
    }

    pub fn exit(&self) -> Exit {
        self.run.exit(self.sent + self.undecided > 0, self.undone() > 0 || !self.missing.is_empty())
    }
}

fn list<T>(listed: &mut Vec<T>, item: impl FnOnce() -> T) {
    if listed.len() < LISTED {
        listed.push(item());
    }
}
