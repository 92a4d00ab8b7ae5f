//! How the result of a send reads.

use std::time::Duration;

use claimctl_core::exit::Exit;
use claimctl_core::units::{bytes, count, duration};
use claimctl_queues::send::check::Checked;
use claimctl_queues::send::report::{Ended, Sent};
use serde::Serialize;

use super::To;
use crate::context::Ctx;
use crate::output::{Page, Report, Table};

/// Ids that a sentence names; the JSON form has more.
const NAMED: usize = 5;

/// A payload that was uploaded for the message.
#[derive(Debug, Serialize)]
pub struct Object {
    pub bucket: String,
    pub key: String,
    pub size: u64,
}

#[derive(Debug, Serialize)]
pub struct Shown {
    #[serde(flatten)]
    sent: Sent,
    object: Option<Object>,
    /// The command that goes on with what is left; none where nothing is.
    next: Option<String>,
}

impl Shown {
    pub fn of(sent: Sent, ctx: &Ctx, object: Option<Object>) -> Shown {
        let left = sent.outcome() != claimctl_queues::journal::Outcome::Done && object.is_none();
        Shown { next: left.then(|| ctx.change_log.command()), sent, object }
    }

    fn sum(&self) -> String {
        let sent = &self.sent;
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
            duration(Duration::from_millis(sent.elapsed_ms)),
            sent.per_second.round(),
            sent.run
        )
    }
}

impl Report for Shown {
    fn page(&self) -> Page {
        let sent = &self.sent;
        let mut table = Table::new(["MESSAGE", "FILE", ">LINE", "WHY"]);
        for failure in &sent.failures {
            let line = if failure.line == 0 { "-".to_owned() } else { failure.line.to_string() };
            table.row([failure.message_id.clone(), failure.file.clone(), line, failure.why.clone()]);
        }
        let page = Page::new().table(table).line(self.sum());
        let page = page.lines(sent.bad.iter().map(|bad| format!("skipped: {bad}")));
        let page = page
            .line_if(sent.ended == Ended::Limit, || {
                "stopped at the limit: the same command sends the next ones".to_owned()
            })
            .line_if(sent.ended == Ended::Interrupted, || "interrupted: what was on its way has arrived".to_owned())
            .line_if(sent.stopped.is_some(), || format!("stopped: {}", sent.stopped.as_deref().unwrap_or_default()))
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
            });
        let page = match &self.object {
            Some(object) => {
                page.line(format!("payload: s3://{}/{} ({})", object.bucket, object.key, bytes(object.size)))
            }
            None => page,
        };
        let page = page.hints(&sent.hints);
        match &self.next {
            Some(next) => page.line(format!("to go on: {next}")),
            None => page,
        }
    }

    fn list(&self) -> Option<&'static str> {
        Some("failures")
    }

    fn exit(&self) -> Exit {
        self.sent.exit()
    }
}

/// What would be sent.
#[derive(Debug, Serialize)]
pub struct Rehearsal {
    dry_run: bool,
    queue: String,
    messages: u64,
    /// As SQS counts them.
    bytes: u64,
    batches: u64,
    left_out: u64,
    /// Messages behind the limit.
    beyond_limit: u64,
    bad_lines: u64,
    /// The first hundred of them.
    bad: Vec<String>,
    /// Where the payload would lie.
    object: Option<String>,
}

impl Rehearsal {
    pub fn of(to: &To, checked: Checked, object: Option<String>) -> Rehearsal {
        let Checked { messages, bytes, batches, left_out, beyond_limit, bad_lines, bad } = checked;
        let queue = to.depth.name.clone();
        Rehearsal { dry_run: true, queue, messages, bytes, batches, left_out, beyond_limit, bad_lines, bad, object }
    }
}

impl Report for Rehearsal {
    fn page(&self) -> Page {
        let sum = format!(
            "{} would be sent to {} ({}) in {}",
            count(self.messages, "message"),
            self.queue,
            bytes(self.bytes),
            if self.batches == 1 { "1 batch".to_owned() } else { format!("{} batches", self.batches) }
        );
        let page = self.bad.iter().fold(Page::new(), |page, bad| page.line(format!("skipped: {bad}")));
        page.line(sum)
            .line_if(self.left_out > 0, || format!("not selected: {}", self.left_out))
            .line_if(self.beyond_limit > 0, || format!("beyond the limit: {}", self.beyond_limit))
            .line_if(self.bad_lines > 0, || format!("cannot be sent: {}", count(self.bad_lines, "line")))
            .line_if(self.object.is_some(), || {
                format!("the payload would be uploaded to {}", self.object.as_deref().unwrap_or_default())
            })
    }

    fn exit(&self) -> Exit {
        if self.bad_lines > 0 { Exit::Partial } else { Exit::Done }
    }
}

fn some_of(ids: &[String], all: u64) -> String {
    let named = ids.len().min(NAMED);
    match all - named as u64 {
        0 => ids[..named].join(", "),
        more => format!("{} and {more} more", ids[..named].join(", ")),
    }
}
