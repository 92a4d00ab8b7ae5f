//! What every run that takes a while tells of itself: how it ended, how fast it was, what went wrong and how to go on.
//! Upload, drain, send and replay put it among their own counts, so that programs read all of them alike.

use std::time::Duration;

use serde::Serialize;

use crate::error::{Error, Kind};
use crate::exit::Exit;
use crate::next::{Hint, Next};

/// Why a run did no more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEnd {
    /// All that was asked for was gone through.
    #[default]
    Complete,
    /// As many as were asked for.
    Limit,
    /// The time that it was given is over.
    MaxTime,
    /// As many messages are in flight as may be.
    InFlightLimit,
    /// The counts promise more than the queue gives: they lag behind, or newer messages keep coming.
    Unanswered,
    Interrupted,
    /// By itself, before it did damage.
    Stopped,
    Failed,
    /// Nothing was done: it was only said what would be.
    DryRun,
}

/// Flattened into the report of a verb. The JSON form is a contract; `hints` and `next` are added to it where they are
/// written out, as text.
#[derive(Debug, Default, Serialize)]
pub struct RunReport {
    /// The run in the journal. None: it keeps none, or nothing was to be written down.
    #[serde(rename = "run")]
    pub id: Option<String>,
    pub ended: RunEnd,
    pub elapsed_ms: u64,
    /// Items done in a second.
    pub per_second: f64,
    /// Why it stopped or failed, in words.
    pub error: Option<String>,
    /// What to do about that.
    #[serde(skip)]
    pub hints: Vec<Hint>,
    /// The command that goes on. None: nothing is left to do.
    #[serde(skip)]
    pub next: Option<Next>,
    #[serde(skip)]
    kind: Option<Kind>,
}

impl RunReport {
    /// Of a run that only says what it would do.
    pub fn rehearsal() -> RunReport {
        RunReport { ended: RunEnd::DryRun, ..RunReport::default() }
    }

    /// It failed, or the operator stopped it. The first reason is the one that counts; what follows from it does not.
    pub fn fail(&mut self, error: &Error) {
        if error.kind() == Kind::Interrupted {
            if self.error.is_none() {
                self.ended = RunEnd::Interrupted;
            }
        } else if self.kind.is_none() {
            self.kind = Some(error.kind());
            self.hints = error.hints().to_vec();
            self.stop_as(RunEnd::Failed, error.chain().join(": "));
        }
    }

    /// It stopped by itself.
    pub fn stop(&mut self, why: impl Into<String>) {
        self.stop_as(RunEnd::Stopped, why.into());
    }

    fn stop_as(&mut self, ended: RunEnd, why: String) {
        if self.error.is_none() {
            (self.ended, self.error) = (ended, Some(why));
        }
    }

    /// Takes over how a part of it ended.
    pub fn take_over(&mut self, part: RunReport) {
        if let Some(why) = part.error {
            if self.error.is_none() {
                (self.hints, self.kind) = (part.hints, part.kind);
            }
            self.stop_as(part.ended, why);
        } else if self.error.is_none() && part.ended == RunEnd::Interrupted {
            self.ended = RunEnd::Interrupted;
        }
    }

    /// Whether it stopped or failed.
    pub fn has_stopped(&self) -> bool {
        self.error.is_some()
    }

    /// Says each hint once.
    pub fn hint(&mut self, hint: Hint) {
        if !self.hints.contains(&hint) {
            self.hints.push(hint);
        }
    }

    /// It is over, and so many items were done.
    pub fn finish(&mut self, done: u64, elapsed: Duration) {
        self.elapsed_ms = elapsed.as_millis().try_into().unwrap_or(u64::MAX);
        let seconds = elapsed.as_secs_f64();
        self.per_second = if seconds > 0.0 { (done as f64 / seconds * 10.0).round() / 10.0 } else { 0.0 };
    }

    /// The one rule. `did`: something was done, which is worth more than the code of an error that came after it.
    /// `is_open`: some items failed, or are still to be decided.
    pub fn exit(&self, did: bool, is_open: bool) -> Exit {
        let short = matches!(self.ended, RunEnd::InFlightLimit | RunEnd::Unanswered | RunEnd::Stopped | RunEnd::Failed);
        match self.kind {
            Some(kind) if !did => Error::new(kind, "").exit(),
            _ if is_open || short => Exit::Partial,
            _ => Exit::Done,
        }
    }

    /// What it failed of.
    pub fn kind(&self) -> Kind {
        self.kind.unwrap_or(Kind::Unexpected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_counts_and_brings_its_hints() {
        let mut run = RunReport::default();
        run.fail(&Error::denied("no").next("look", Next::verb("doctor")));
        run.stop("later");
        run.fail(&Error::unreachable("later"));
        assert_eq!(
            (run.ended, run.error.as_deref(), run.exit(false, false)),
            (RunEnd::Failed, Some("no"), Exit::Denied)
        );
        assert_eq!(run.hints, [Hint::Run { why: "look".to_owned(), next: Next::verb("doctor") }]);
    }

    #[test]
    fn what_was_done_before_an_error_makes_it_done_in_part() {
        let mut run = RunReport::default();
        run.fail(&Error::not_found("gone"));
        run.finish(3, Duration::from_secs(2));
        assert_eq!((run.exit(true, false), run.elapsed_ms, run.per_second), (Exit::Partial, 2000, 1.5));
    }

    #[test]
    fn an_operator_that_stops_it_is_no_failure() {
        let mut run = RunReport::default();
        run.fail(&Error::interrupted("stopped"));
        assert_eq!((run.ended, run.has_stopped(), run.exit(true, false)), (RunEnd::Interrupted, false, Exit::Done));
        run.fail(&Error::denied("no"));
        run.fail(&Error::interrupted("stopped"));
        assert_eq!((run.ended, run.error.as_deref()), (RunEnd::Failed, Some("no")));
    }

    #[test]
    fn an_end_with_something_left_is_done_in_part() {
        let ended = |ended, is_open| RunReport { ended, ..RunReport::default() }.exit(true, is_open);
        assert_eq!((ended(RunEnd::Complete, false), ended(RunEnd::Complete, true)), (Exit::Done, Exit::Partial));
        assert_eq!((ended(RunEnd::Limit, false), ended(RunEnd::MaxTime, false)), (Exit::Done, Exit::Done));
        assert_eq!((ended(RunEnd::Unanswered, false), ended(RunEnd::Stopped, false)), (Exit::Partial, Exit::Partial));
    }
}
