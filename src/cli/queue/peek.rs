//! `claimctl queue peek`: look at messages, honestly.

use jiff::Timestamp;
use serde::Serialize;

use crate::claim::Claim;
use crate::context::{Ctx, Format};
use crate::error::Result;
use crate::exit::Exit;
use crate::output::units::{bytes, count, duration};
use crate::output::{Outcome, Page, Report, Stdout, Table, report};
use crate::policy::{Place, PolicyArgs, policy};
use crate::queue::look::{self, Look};
use crate::queue::message::Message;
use crate::queue::named::NamedQueue;
use crate::queue::receive::Ended;
use crate::queue::{Queue, depth, resolve};
use crate::target::{Target, TargetArgs};

/// Look at messages and give them back
///
/// SQS has no peek: a look is a receive. Messages are hidden from their consumer while it lasts, receive counts go
/// up by one, and a message at its maximum is moved to the dead-letter queue by the next receive. The report says
/// what the look cost.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The queue: a logical name, a real name, a URL or an ARN; may be left out where there is only one
    #[arg(value_name = "QUEUE")]
    queue: Option<String>,
    /// The queue by its URL
    #[arg(long, value_name = "URL", conflicts_with = "queue")]
    queue_url: Option<String>,
    /// How many messages to look at
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Every message, up to 100,000
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Whole bodies below the table; JSON has them always
    #[arg(long)]
    full: bool,
    /// Look even where the redrive policy allows two receives or fewer
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

#[derive(Debug, Serialize)]
struct Peek {
    queue: String,
    #[serde(flatten)]
    look: Look,
    messages: Vec<Message>,
    #[serde(skip)]
    all: bool,
    #[serde(skip)]
    full: bool,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Target) -> Result<Outcome> {
    let named = args.queue_url.as_ref().or(args.queue.as_ref());
    if args.policy.print_policy {
        let name = match named {
            Some(name) => name.clone(),
            None => resolve::only(target).await?,
        };
        return policy(look::permissions(&NamedQueue::find(target, &Place::of(target).await?, &name).await?));
    }
    let url = match named {
        Some(name) => resolve::resolve(target, name).await?,
        None => resolve::only(target).await?,
    };
    let queue = Queue::new(target.sqs(), &url);
    if !args.force {
        look::allow(&depth::read(&queue.sqs, &url).await?)?;
    }
    target.guard(ctx).await?;
    let limit = (!args.all).then_some(args.limit as usize);
    let streams = ctx.manners.format == Format::Jsonl;
    let mut out = streams.then(Stdout::new);
    let mut messages = Vec::new();
    let keeps_bodies = args.full || ctx.manners.format == Format::Json;
    let look = look::look(&queue, limit, &ctx.cancel, ctx.progress.as_ref(), |mut message| {
        if let Some(out) = &mut out {
            out.json_line(&message)?;
            return out.flush();
        }
        if !keeps_bodies {
            message.body = String::new();
        }
        messages.push(message);
        Ok(())
    })
    .await?;
    drop(out);
    let peek = Peek { queue: queue.name().to_owned(), look, messages, all: args.all, full: args.full };
    if streams {
        // stdout is the messages, so what is to be said of the look goes beside it.
        peek.sentences().iter().for_each(|sentence| ctx.progress.note(sentence));
    }
    report(peek)
}

impl Peek {
    /// What was seen, what was not, and what it cost.
    fn sentences(&self) -> Vec<String> {
        let Look { seen, about, cost, .. } = &self.look;
        let mut said = vec![format!(
            "{}: seen {seen} of about {} visible ({} in flight, {} delayed before; {} visible, {} in flight, {} \
             delayed after)",
            self.queue,
            about.before.visible,
            about.before.in_flight,
            about.before.delayed,
            about.after.visible,
            about.after.in_flight,
            about.after.delayed
        )];
        said.extend(self.why_it_ended().map(str::to_owned));
        if cost.receives > 0 {
            said.push(format!(
                "cost: receive counts went up by one ({}), hidden from consumers for up to {}",
                count(cost.receives, "receive"),
                duration(std::time::Duration::from_secs_f64(cost.hidden_seconds))
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
        said.push(self.given_back());
        said.extend(self.look.not_released.iter().map(|left| {
            format!(
                "not given back: {}, visible again by itself at {} ({})",
                left.message_id, left.visible_at, left.why
            )
        }));
        said
    }

    fn why_it_ended(&self) -> Option<&'static str> {
        match self.look.ended {
            Ended::Limit if self.look.seen < self.look.about.before.visible => {
                Some("stopped at the limit: --limit N sees more, --all everything")
            }
            Ended::Empty | Ended::Limit | Ended::Stopped => None,
            Ended::Cap => Some("stopped: as many messages are held as may be in flight; there may be more"),
            Ended::Heads => Some("FIFO: only the heads of message groups can be seen; the rest waits behind them"),
            Ended::Unanswered => Some("the counts promise more than the queue gave: not all may have been seen"),
            Ended::Interrupted => Some("interrupted: there may be more"),
        }
    }

    fn given_back(&self) -> String {
        match (self.look.released, self.look.already_visible) {
            (released, 0) => format!("given back: {}", count(released, "message")),
            (released, already) => {
                format!("given back: {}; visible again or gone before that: {already}", count(released, "message"))
            }
        }
    }

    fn table(&self) -> Table {
        let now = Timestamp::now();
        let mut table = Table::new(["MESSAGE", ">AGE", ">RECEIVES", "EVENT", "BUCKET/KEY", ">SIZE"]);
        for message in &self.messages {
            let age = message.sent_at.and_then(|sent| now.duration_since(sent).try_into().ok());
            let mut row = |event: &str, what: String, size: Option<u64>| {
                table.row([
                    message.message_id.clone(),
                    age.map_or_else(dash, duration),
                    message.receive_count.to_string(),
                    event.to_owned(),
                    what,
                    size.map_or_else(dash, bytes),
                ]);
            };
            match &message.unreadable {
                Some(why) => row("unreadable", why.clone(), None),
                None if message.is_test_event() => row("s3:TestEvent", dash(), None),
                None => {
                    message.claims.iter().for_each(|claim| row(event_of(claim), claim.id(), claim.size));
                }
            }
        }
        table
    }
}

impl Report for Peek {
    fn page(&self) -> Page {
        let mut page = Page::new().table(self.table());
        if self.full {
            for message in &self.messages {
                page = page.line(format!("{}:", message.message_id)).line(message.body.as_str());
            }
        }
        self.sentences().into_iter().fold(page, Page::line)
    }

    fn list(&self) -> Option<&'static str> {
        Some("messages")
    }

    fn exit(&self) -> Exit {
        let stopped_short = self.all && matches!(self.look.ended, Ended::Cap | Ended::Unanswered);
        if stopped_short || !self.look.not_released.is_empty() { Exit::Partial } else { Exit::Done }
    }
}

fn event_of(claim: &Claim) -> &str {
    claim.event_name.as_deref().unwrap_or("-")
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
