//! What a drain did, for people.

use std::time::Duration;

use claimctl_core::exit::Exit;
use claimctl_core::run_report::RunEnd;
use claimctl_core::units::{bytes, count, duration};
use claimctl_queues::deletes::Left;
use claimctl_queues::drain::report::DrainReport;
use claimctl_queues::peek::Counts;

use crate::output::{GoingOn, Page, Report, Written, why_it_ended};

/// Messages that a sentence names; the JSON form has all of them.
const NAMED: usize = 5;

impl Report for Written<DrainReport> {
    fn page(&self) -> Page {
        page(&self.report, &self.going_on)
    }

    fn exit(&self) -> Exit {
        self.report.exit()
    }
}

/// Shared with the verbs that drain by another name.
pub fn page(report: &DrainReport, going_on: &GoingOn) -> Page {
    if report.run.ended == RunEnd::DryRun {
        return rehearsal(report);
    }
    let given_back = &report.given_back;
    let returned = given_back.released + given_back.already_visible > 0;
    let page = Page::new()
        .line(sum(report))
        .lines(why_it_ended(&report.run))
        .line_if(returned, || given_back.sentence("message"))
        .lines(not_met(report))
        .line(Counts::left(report.after))
        .line_if(!report.not_deleted.is_empty(), || some_of("in the file, and not deleted", &report.not_deleted))
        .line_if(!report.missing.is_empty(), || format!("asked for, and not seen: {}", report.missing.join(", ")))
        .line_if(!report.altered.is_empty(), || some_of("left, neither written nor deleted", &report.altered))
        .line_if(!report.undecided.is_empty(), || some_of("left, because --where failed", &report.undecided))
        .lines(given_back.not_released.iter().map(ToString::to_string))
        .lines(report.resumed.iter().map(|function| format!("resumed: function {function}")));
    going_on.below(page)
}

/// "q: 2,000 messages drained to f (2.1 MiB, 1 file), 2,000 deleted; 1.2s, 1,700 messages/s"
fn sum(report: &DrainReport) -> String {
    let DrainReport { queue, drained, deleted, kept, file, run, .. } = report;
    let mut parts = vec![format!(
        "{} drained to {file} ({}, {})",
        count(*drained, "message"),
        bytes(report.bytes),
        count(report.files, "file")
    )];
    if report.written_before > 0 {
        parts.push(format!("{} in it before", report.written_before));
    }
    parts.push(match kept {
        0 => format!("{deleted} deleted"),
        kept => format!("{kept} kept in the queue"),
    });
    let took = duration(Duration::from_millis(run.elapsed_ms));
    format!("{queue}: {}; {took}, {:.0} messages/s", parts.join(", "), run.per_second)
}

/// A purge says less than it promised.
fn not_met(report: &DrainReport) -> Option<String> {
    let promised = report.promised.filter(|_| report.not_met() > 0)?;
    Some(format!(
        "agreed to were about {}; {} not met: in flight, delayed, or gone to another consumer",
        count(promised, "message"),
        report.not_met()
    ))
}

fn rehearsal(report: &DrainReport) -> Page {
    let DrainReport { queue, before, file, found, files, cut, .. } = report;
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

/// How many there are, and the first few with the reason.
fn some_of(what: &str, left: &[Left]) -> String {
    let named: Vec<_> = left.iter().take(NAMED).map(|left| format!("{} ({})", left.message_id, left.why)).collect();
    let more = match left.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{what}: {}: {}{more}", count(left.len() as u64, "message"), named.join(", "))
}
