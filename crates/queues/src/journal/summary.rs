//! What the journal tells of a run.

use std::collections::BTreeMap;

use claimctl_core::change_log::ChangeOrigin;
use claimctl_core::run_report::{RunEnd, RunReport};
use jiff::Timestamp;
use serde::Serialize;

/// What is known of a run before it begins.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// Reads like "queue drain".
    pub verb: String,
    pub who: ChangeOrigin,
    /// The queue that is worked on, so that two runs on one queue are seen.
    pub queue_arn: Option<String>,
    /// What is done to what, in words: "claims-dlq to dead.jsonl.zst".
    pub target: String,
    /// Equal for the same work: a later run with this key goes on with this one.
    pub key: String,
    /// The input holds what the last run with this key did not meet, so that it is gone on with although it is done.
    pub has_more: bool,
    /// The command line, without credentials ([`ChangeLog::arguments`](claimctl_core::change_log::ChangeLog::arguments)).
    pub arguments: Vec<String>,
    /// The command that goes on ([`ChangeLog::command`](claimctl_core::change_log::ChangeLog::command)).
    pub resume: String,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i64)]
pub enum Outcome {
    /// Nothing is left to do.
    Done = 1,
    /// Some items failed or stay undetermined.
    Partial = 2,
    /// Stopped by the operator.
    Interrupted = 3,
    /// Ended by an error.
    Failed = 4,
}

impl Outcome {
    const ALL: [Outcome; 4] = [Outcome::Done, Outcome::Partial, Outcome::Interrupted, Outcome::Failed];

    /// Of a run that has ended; `goes_on`: a later command has something to go on with.
    pub fn of_run(run: &RunReport, goes_on: bool) -> Outcome {
        match run.ended {
            RunEnd::Interrupted => Outcome::Interrupted,
            RunEnd::Failed => Outcome::Failed,
            _ if goes_on => Outcome::Partial,
            _ => Outcome::Done,
        }
    }

    pub(super) fn number(self) -> i64 {
        self as i64
    }

    pub(super) fn of(number: i64) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|outcome| outcome.number() == number)
    }
}

/// Where a run stands now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// A process is at work on it.
    Live,
    Done,
    Partial,
    Interrupted,
    Failed,
    /// No process is at work on it, and none said how it ended.
    #[default]
    Killed,
}

impl Standing {
    pub(super) fn of(live: bool, outcome: Option<Outcome>) -> Standing {
        match (live, outcome) {
            (true, None) => Standing::Live,
            (_, Some(Outcome::Done)) => Standing::Done,
            (_, Some(Outcome::Partial)) => Standing::Partial,
            (_, Some(Outcome::Interrupted)) => Standing::Interrupted,
            (_, Some(Outcome::Failed)) => Standing::Failed,
            (false, None) => Standing::Killed,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Standing::Live => "live",
            Standing::Done => "done",
            Standing::Partial => "partial",
            Standing::Interrupted => "interrupted",
            Standing::Failed => "failed",
            Standing::Killed => "killed",
        }
    }
}

/// A run as the journal has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub id: String,
    pub verb: String,
    pub standing: Standing,
    #[serde(flatten)]
    pub who: ChangeOrigin,
    pub queue_arn: Option<String>,
    pub target: String,
    #[serde(skip)]
    pub key: String,
    /// The command line without the program, credentials left out.
    pub arguments: Vec<String>,
    /// The command that goes on.
    pub resume: String,
    /// The process that works, or worked last, on it.
    pub process: u32,
    /// RFC 3339, UTC, by the wall clock of this machine.
    pub begun_at: Timestamp,
    /// When it was last gone on with.
    pub resumed_at: Option<Timestamp>,
    /// None: live or killed.
    pub ended_at: Option<Timestamp>,
    /// What the verb counted, by its own names; empty until it ends.
    pub counts: BTreeMap<String, u64>,
    /// Orders runs, whatever the clock did.
    #[serde(skip)]
    pub(super) number: i64,
}
