//! What a look saw, as people and programs read it.

use std::time::Duration;

use claimctl_claim::{Claim, Event};
use claimctl_core::error::Result;
use claimctl_core::exit::Exit;
use claimctl_core::spool::Spool;
use claimctl_core::units::{bytes, count, duration};
use claimctl_queues::histogram::{Kind, MOST_LABELS};
use claimctl_queues::message::Message;
use claimctl_queues::peek::PeekReport;
use claimctl_queues::receive::ReceiveEnd;
use jiff::Timestamp;
use serde::Serialize;

use crate::context::Format;
use crate::output::{Page, Report, Table};

/// Messages of up to a mebibyte that are in memory at once.
const IN_MEMORY: usize = 16;

#[derive(Serialize)]
pub struct Peek {
    pub queue: String,
    #[serde(flatten)]
    pub look: PeekReport,
    /// Messages that were selected, and shown or counted.
    pub shown: u64,
    pub messages: Messages,
    #[serde(flatten)]
    pub counted: Option<Counted>,
    /// Ids that were asked for and not seen.
    pub missing: Vec<String>,
    #[serde(skip)]
    pub selects: bool,
    #[serde(skip)]
    pub stopped_at_limit: bool,
    #[serde(skip)]
    pub all: bool,
    #[serde(skip)]
    pub full: bool,
}

/// The messages of a look. A JSON document has all of them, with their bodies; they go into a file until it is printed.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Messages {
    Listed(Vec<Message>),
    Spooled(Spool<Message>),
}

impl Messages {
    pub fn of(format: Format) -> Messages {
        match format {
            Format::Json => Messages::Spooled(Spool::holding(IN_MEMORY)),
            Format::Table | Format::Jsonl | Format::Text => Messages::Listed(Vec::new()),
        }
    }

    pub fn push(&mut self, message: Message) -> Result<()> {
        match self {
            Messages::Listed(messages) => messages.push(message),
            Messages::Spooled(messages) => messages.push(message)?,
        }
        Ok(())
    }

    fn listed(&self) -> &[Message] {
        match self {
            Messages::Listed(messages) => messages,
            Messages::Spooled(_) => &[],
        }
    }
}

/// With `--count-by`: how many messages there are of each label.
#[derive(Debug, Serialize)]
pub struct Counted {
    pub counts: Vec<Kind>,
    /// Messages of further labels, which were too many to tell apart.
    pub uncounted: u64,
}

impl Peek {
    /// What was seen, what was not, and what it cost.
    pub fn sentences(&self) -> Vec<String> {
        let PeekReport { seen, about, cost, .. } = &self.look;
        let verb = if self.selects { "looked at" } else { "seen" };
        let shown = match &self.counted {
            Some(_) => format!(", counted {}", self.shown),
            None if self.selects => format!(", showed {}", self.shown),
            None => String::new(),
        };
        let mut said = vec![format!(
            "{}: {verb} {seen} of about {} visible ({} in flight, {} delayed before; {} visible, {} in flight, {} \
             delayed after){shown}",
            self.queue,
            about.before.visible,
            about.before.in_flight,
            about.before.delayed,
            about.after.visible,
            about.after.in_flight,
            about.after.delayed
        )];
        said.extend(self.why_it_ended().map(str::to_owned));
        if !self.missing.is_empty() {
            let missing = some_of(&self.missing);
            said.push(format!("not seen among {seen} of about {}: {missing}", about.before.visible));
        }
        if let Some(Counted { uncounted, .. }) = self.counted.as_ref().filter(|counted| counted.uncounted > 0) {
            said.push(format!(
                "{} of further labels: only the first {MOST_LABELS} are told apart",
                count(*uncounted, "message")
            ));
        }
        if cost.receives > 0 {
            said.push(format!(
                "cost: receive counts went up by one ({}), hidden from consumers for up to {}",
                count(cost.receives, "receive"),
                duration(Duration::from_secs_f64(cost.hidden_seconds))
            ));
        }
        if let (false, Some(maximum)) = (cost.at_maximum.is_empty(), cost.max_receive_count) {
            said.push(format!(
                "at their maximum of {}, so the next receive moves them to the dead-letter queue: {}",
                count(maximum.into(), "receive"),
                some_of(&cost.at_maximum)
            ));
        }
        match cost.dead_letter.as_ref().map(|dead_letter| (&dead_letter.queue, dead_letter.growth)) {
            Some((queue, Some(growth))) if growth != 0 => {
                said.push(format!("{queue} changed by {growth:+} during the look"));
            }
            Some((queue, None)) => said.push(format!("whether {queue} grew is unknown: its counts cannot be read")),
            _ => {}
        }
        if !self.look.altered.is_empty() {
            let named: Vec<_> =
                self.look.altered.iter().map(|left| format!("{} ({})", left.message_id, left.why)).collect();
            said.push(format!("not shown: {}", some_of(&named)));
        }
        said.push(self.look.given_back.sentence("message"));
        said.extend(self.look.given_back.not_released.iter().map(ToString::to_string));
        said
    }

    fn why_it_ended(&self) -> Option<&'static str> {
        match self.look.ended {
            ReceiveEnd::Limit if self.look.seen < self.look.about.before.visible => {
                Some("stopped at the limit: --limit N sees more, --all everything")
            }
            ReceiveEnd::Stopped if self.stopped_at_limit => {
                Some("stopped at the limit: --limit N looks for more, --all for everything")
            }
            ReceiveEnd::Empty | ReceiveEnd::Limit | ReceiveEnd::Stopped => None,
            ReceiveEnd::Cap => Some("stopped: as many messages are held as may be in flight; there may be more"),
            ReceiveEnd::Heads => Some("FIFO: only the heads of message groups can be seen; the rest waits behind them"),
            ReceiveEnd::Unanswered => Some("the counts promise more than the queue gave: not all may have been seen"),
            ReceiveEnd::Interrupted => Some("interrupted: there may be more"),
        }
    }

    fn table(&self) -> Table {
        match &self.counted {
            Some(counted) => counted.table(),
            None => self.messages(),
        }
    }

    fn messages(&self) -> Table {
        let now = Timestamp::now();
        let mut table = Table::new(["MESSAGE", ">AGE", ">RECEIVES", "EVENT", "BUCKET/KEY", ">SIZE"]);
        for message in self.messages.listed() {
            let mut row = |event: &str, what: String, size: Option<u64>| {
                table.row([
                    message.message_id.clone(),
                    age(message.sent_at, now),
                    message.receive_count.to_string(),
                    event.to_owned(),
                    what,
                    size.map_or_else(dash, bytes),
                ]);
            };
            match &message.unreadable {
                Some(why) => row("unreadable", why.clone(), None),
                None if message.is_test_event() => row("s3:TestEvent", dash(), None),
                None if message.claims.is_empty() => {
                    let (event, what) = message.event.as_ref().map_or_else(|| ("-", dash()), of_event);
                    row(event, what, None);
                }
                None => {
                    message.claims.iter().for_each(|claim| row(event_of(claim), claim.id(), claim.size));
                }
            }
        }
        table
    }
}

/// What kind of event it is, and what it is about.
fn of_event(event: &Event) -> (&str, String) {
    let name = event.name().unwrap_or("-");
    match event {
        Event::Bus(event) => (name, format!("of {}", event.source)),
        Event::StreamRecords(records) => (name, count(records.records, "record")),
        Event::DiscardedRecords(records) => {
            (name, format!("where {} were in the stream", count(records.records.unwrap_or(0), "record")))
        }
    }
}

impl Report for Peek {
    fn page(&self) -> Page {
        let mut page = Page::new().table(self.table());
        if self.full {
            for message in self.messages.listed() {
                page = page.line(format!("{}:", message.message_id)).line(message.body.as_str());
            }
        }
        page.lines(self.sentences())
    }

    fn list(&self) -> Option<&'static str> {
        Some(if self.counted.is_some() { "counts" } else { "messages" })
    }

    fn exit(&self) -> Exit {
        let wants_the_end = self.all || self.selects;
        let stopped_short = wants_the_end && matches!(self.look.ended, ReceiveEnd::Cap | ReceiveEnd::Unanswered);
        let is_partial = stopped_short
            || !self.missing.is_empty()
            || !self.look.altered.is_empty()
            || !self.look.given_back.not_released.is_empty();
        if is_partial { Exit::Partial } else { Exit::Done }
    }
}

fn event_of(claim: &Claim) -> &str {
    claim.event_name.as_deref().unwrap_or("-")
}

impl Counted {
    fn table(&self) -> Table {
        let now = Timestamp::now();
        let mut table = Table::new(["LABEL", ">MESSAGES", ">OLDEST", "EXAMPLE"]);
        for kind in &self.counts {
            table.row([kind.label.clone(), kind.messages.to_string(), age(kind.oldest, now), kind.example.clone()]);
        }
        table
    }
}

fn age(sent: Option<Timestamp>, now: Timestamp) -> String {
    sent.and_then(|sent| now.duration_since(sent).try_into().ok()).map_or_else(dash, duration)
}

fn dash() -> String {
    "-".to_owned()
}

/// The first few of a list that may be long.
fn some_of(ids: &[String]) -> String {
    const FEW: usize = 5;
    let shown = ids[..ids.len().min(FEW)].join(", ");
    match ids.len().saturating_sub(FEW) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
