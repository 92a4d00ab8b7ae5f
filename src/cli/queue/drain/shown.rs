//! What a drain did, for people.

use std::time::Duration;

use claimctl_core::exit::Exit;
use claimctl_core::units::{bytes, count, duration};
use claimctl_queues::deletes::Left;
use claimctl_queues::drain::report::{Ended, Report};
use claimctl_queues::look::Counts;
use serde::Serialize;

use crate::output::{self, Page};

/// Messages that a sentence names; the JSON form has all of them.
const NAMED: usize = 5;

#[derive(Debug, Serialize)]
pub struct Shown {
    #[serde(flatten)]
    pub report: Report,
    /// The command that goes on. None: nothing is left to do.
    pub next: Option<String>,
    /// Functions that were paused meanwhile.
    pub resumed: Vec<String>,
}

impl Shown {
    pub fn of(report: Report, command: String) -> Shown {
        let stopped = matches!(report.ended, Ended::Interrupted | Ended::MaxTime);
        let next = (stopped || report.exit() != Exit::Done).then_some(command);
        Shown { report, next, resumed: Vec::new() }
    }

    /// "2,000 drained (2.1 MiB in 1 file), 2,000 deleted, in 1.2s (1,700 messages/s)"
    fn sum(&self) -> String {
        let Report { queue, drained, deleted, kept, elapsed_seconds, messages_per_second, .. } = &self.report;
        let mut parts = vec![format!(
            "{} drained to {} ({}, {})",
            count(*drained, "message"),
            self.report.file,
            bytes(self.report.bytes),
            count(self.report.files, "file")
        )];
        if self.report.written_before > 0 {
            parts.push(format!("{} in it before", self.report.written_before));
        }
        parts.push(match kept {
            0 => format!("{deleted} deleted"),
            kept => format!("{kept} kept in the queue"),
        });
        let took = duration(Duration::from_secs_f64(*elapsed_seconds));
        format!("{queue}: {}; {took}, {messages_per_second:.0} messages/s", parts.join(", "))
    }

    fn why_it_ended(&self) -> Option<&'static str> {
        match self.report.ended {
            Ended::Empty | Ended::Found | Ended::Failed | Ended::DryRun => None,
            Ended::Limit => Some("stopped at the limit"),
            Ended::MaxTime => Some("stopped: the time is over; there may be more"),
            Ended::Cap => Some("stopped: as many messages are held as may be in flight; there may be more"),
            Ended::Unanswered => {
                Some("the counts promise more than the queue gave: they lag behind, or newer messages keep coming")
            }
            Ended::Interrupted => Some("interrupted: there may be more"),
        }
    }

    fn given_back(&self) -> Option<String> {
        let given_back = &self.report.given_back;
        (given_back.released + given_back.already_visible > 0).then(|| given_back.sentence("message"))
    }

    fn rehearsal(&self) -> Page {
        let Report { queue, before, file, found, files, cut, .. } = &self.report;
        Page::new()
            .line(format!(
                "{queue}: about {} would be drained to {file} ({} in flight, {} delayed are not received)",
                count(before.visible, "message"),
                before.in_flight,
                before.delayed
            ))
            .line_if(*files > 0, || format!("{file} holds {} in {}", count(*found, "message"), count(*files, "file")))
            .line_if(*cut > 0, || format!("a torn end of {} would be cut off, and is received again", bytes(*cut)))
            .line("nothing was changed: --dry-run")
    }
}

impl output::Report for Shown {
    fn page(&self) -> Page {
        if self.report.ended == Ended::DryRun {
            return self.rehearsal();
        }
        let page = Page::new().line(self.sum());
        let page = page.lines(self.why_it_ended()).lines(self.given_back());
        let report = &self.report;
        let page = page
            .line(Counts::left(report.after))
            .line_if(!report.not_deleted.is_empty(), || some_of("in the file, and not deleted", &report.not_deleted))
            .line_if(!report.undecided.is_empty(), || some_of("left, because --where failed", &report.undecided));
        page.lines(report.given_back.not_released.iter().map(ToString::to_string))
            .lines(self.resumed.iter().map(|function| format!("resumed: function {function}")))
            .lines(report.error.iter().map(|error| format!("error: {error}")))
            .hints(&report.hints)
            .lines(self.next.iter().map(|next| format!("to go on: {next}")))
    }

    fn exit(&self) -> Exit {
        self.report.exit()
    }
}

/// How many there are, and the first few with the reason.
fn some_of(what: &str, left: &[Left]) -> String {
    let named: Vec<_> = left.iter().take(NAMED).map(|left| format!("{} ({})", left.message_id, left.why)).collect();
    let more = match left.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{what}: {}: {}{more}", count(left.len() as u64, "message"), named.join(", "))
}
