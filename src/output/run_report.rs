//! The report of a run at the edge: its hints and the command that goes on are written out as the operator would type
//! them, and how it ended reads the same for every verb.

use claimctl_core::next::Next;
use claimctl_core::run_report::{RunEnd, RunReport};
use serde::Serialize;

use super::Page;
use crate::context::Ctx;

/// An engine's report with what only the edge can write out.
#[derive(Debug, Serialize)]
pub struct Written<R> {
    #[serde(flatten)]
    pub report: R,
    #[serde(flatten)]
    pub going_on: GoingOn,
}

/// What to do after a run.
#[derive(Debug, Serialize)]
pub struct GoingOn {
    /// What to do about the error.
    hints: Vec<String>,
    /// The command that goes on. None: nothing is left to do.
    next: Option<String>,
    /// Whether that is the command that was typed.
    #[serde(skip)]
    again: bool,
}

impl<R: AsRef<RunReport>> Written<R> {
    pub fn out(ctx: &Ctx, report: R) -> Self {
        let run = report.as_ref();
        let hints = run.hints.iter().map(|hint| ctx.hint(hint)).collect();
        let next = run.next.as_ref().map(|next| ctx.command(next));
        let again = run.next.as_ref().is_some_and(Next::is_again);
        Written { report, going_on: GoingOn { hints, next, again } }
    }
}

impl GoingOn {
    /// At the end of a page.
    pub fn below(&self, page: Page) -> Page {
        let doing = if self.again { "to go on" } else { "next" };
        page.hints(&self.hints).lines(self.next.iter().map(|next| format!("{doing}: {next}")))
    }
}

/// Why a run did no more, as a sentence. None: it went through all of it.
pub fn why_it_ended(run: &RunReport) -> Option<String> {
    let why = run.error.as_deref().unwrap_or_default();
    let sentence = match run.ended {
        RunEnd::Complete | RunEnd::DryRun => return None,
        RunEnd::Limit => "stopped at the limit",
        RunEnd::MaxTime => "stopped: the time is over; there may be more",
        RunEnd::InFlightLimit => "stopped: as many messages are in flight as may be; there may be more",
        RunEnd::Unanswered => {
            "the counts promise more than the queue gave: they lag behind, or newer messages keep coming"
        }
        RunEnd::Interrupted => "interrupted: there may be more",
        RunEnd::Stopped => return Some(format!("stopped: {why}")),
        RunEnd::Failed => return Some(format!("error: {why}")),
    };
    Some(sentence.to_owned())
}
