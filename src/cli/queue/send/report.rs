//! How the result of a send reads.

use std::time::Duration;

use claimctl_core::exit::Exit;
use claimctl_core::units::{bytes, count, duration};
use claimctl_payloads::send::Sent;
use claimctl_queues::send::check::{Checked, Rehearsal};
use claimctl_queues::send::report::SendReport;

use crate::output::{Page, Report, Table, Written, why_it_ended};

/// Ids that a sentence names; the JSON form has more.
const NAMED: usize = 5;

impl Report for Written<Sent> {
    fn page(&self) -> Page {
        let Sent { report: sent, object } = &self.report;
        let mut table = Table::new(["MESSAGE", "FILE", ">LINE", "WHY"]);
        for failure in &sent.failures {
            let line = if failure.line == 0 { "-".to_owned() } else { failure.line.to_string() };
            table.row([failure.message_id.clone(), failure.file.clone(), line, failure.why.clone()]);
        }
        let page = Page::new()
            .table(table)
            .line(sum(sent))
            .lines(missing(&sent.missing))
            .lines(sent.bad.iter().map(|bad| format!("skipped: {bad}")))
            .lines(why_it_ended(&sent.run))
            .line_if(sent.perhaps_twice > 0, || {
                format!(
                    "perhaps twice in the queue, because an earlier try had no answer: {}",
                    some_of(&sent.doubles, sent.perhaps_twice)
                )
            })
            .line_if(sent.undecided > 0, || {
                format!(
                    "SQS may have these or not, and the next try may double them: {}",
                    some_of(&sent.open, sent.undecided)
                )
            })
            .lines(
                object
                    .iter()
                    .map(|object| format!("payload: s3://{}/{} ({})", object.bucket, object.key, bytes(object.size))),
            );
        self.going_on.below(page)
    }

    fn list(&self) -> Option<&'static str> {
        Some("failures")
    }

    fn exit(&self) -> Exit {
        self.report.report.exit()
    }
}

fn sum(sent: &SendReport) -> String {
    let mut parts = vec![format!("{} sent to {} ({})", count(sent.sent, "message"), sent.queue, bytes(sent.bytes))];
    for (number, what) in [
        (sent.already_sent, "sent already by an earlier command"),
        (sent.failed, "failed"),
        (sent.held_back, "held back behind a failed message of their group"),
        (sent.undecided, "undecided"),
        (sent.bad_lines, "skipped because they cannot be sent"),
        (sent.left_out, "not selected"),
        (sent.left.unwrap_or(0), "left"),
    ] {
        if number > 0 {
            parts.push(format!("{number} {what}"));
        }
    }
    format!(
        "{} in {} ({} a second); run {}",
        parts.join(", "),
        duration(Duration::from_millis(sent.run.elapsed_ms)),
        sent.run.per_second.round(),
        sent.run.id.as_deref().unwrap_or("-")
    )
}

impl Report for Rehearsal {
    fn page(&self) -> Page {
        let Checked {
            messages,
            already_sent,
            bytes: size,
            batches,
            left_out,
            beyond_limit,
            bad_lines,
            missing: ids,
            bad,
        } = &self.checked;
        let sum = format!(
            "{} would be sent to {} ({}) in {}",
            count(*messages, "message"),
            self.queue,
            bytes(*size),
            if *batches == 1 { "1 batch".to_owned() } else { format!("{batches} batches") }
        );
        Page::new()
            .lines(bad.iter().map(|bad| format!("skipped: {bad}")))
            .line(sum)
            .line_if(*already_sent > 0, || format!("sent already: {already_sent}"))
            .lines(missing(ids))
            .line_if(*left_out > 0, || format!("not selected: {left_out}"))
            .line_if(*beyond_limit > 0, || format!("beyond the limit: {beyond_limit}"))
            .line_if(*bad_lines > 0, || format!("cannot be sent: {}", count(*bad_lines, "line")))
            .lines(self.object.iter().map(|object| format!("the payload would be uploaded to {object}")))
    }

    fn exit(&self) -> Exit {
        if self.checked.bad_lines > 0 || !self.checked.missing.is_empty() { Exit::Partial } else { Exit::Done }
    }
}

fn missing(ids: &[String]) -> Option<String> {
    (!ids.is_empty()).then(|| format!("asked for, and not in the input: {}", ids.join(", ")))
}

fn some_of(ids: &[String], all: u64) -> String {
    let named = ids.len().min(NAMED);
    match all - named as u64 {
        0 => ids[..named].join(", "),
        more => format!("{} and {more} more", ids[..named].join(", ")),
    }
}
