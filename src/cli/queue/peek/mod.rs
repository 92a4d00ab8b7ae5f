//! `claimctl queue peek`: look at messages, honestly.

mod report;

use std::ops::ControlFlow;

use claimctl_aws::policy::ArnBuilder;
use claimctl_core::error::Result;
use claimctl_queues::expression::Expression;
use claimctl_queues::histogram::Histogram;
use claimctl_queues::message::Message;
use claimctl_queues::policy::PolicyQueue;
use claimctl_queues::resolve::{self, Only};
use claimctl_queues::select::{Selection, SoughtIds};
use claimctl_queues::{Queue, depth, peek};
use jiff::Timestamp;

use self::report::{Counted, Messages, Peek};
use crate::cli::policy::{PolicyArgs, policy};
use crate::cli::select::SelectArgs;
use crate::cli::values;
use crate::context::{Ctx, Format};
use crate::output::{Outcome, Stdout, report};
use crate::session::{Session, TargetArgs};

const LIMIT: u32 = 10;

/// Look at messages and give them back
///
/// SQS has no peek: a look is a receive. Messages are hidden from their consumer while it lasts, receive counts go
/// up by one, and a message at its maximum is moved to the dead-letter queue by the next receive. The report says
/// what the look cost.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Ten messages of a queue:
  claimctl queue peek claims
Claims of payloads below orders/:
  claimctl queue peek claims --where '.claims[].key | startswith(\"orders/\")' --limit 10
How many there are of each kind of event:
  claimctl queue peek claims --all --count-by '.claims[].event_name'")]
pub struct Args {
    /// The queue; may be left out where there is only one
    ///
    /// A logical name (claims, or STACK/claims where two stacks have one), a real name, a URL or an ARN.
    #[arg(value_name = "QUEUE")]
    queue: Option<String>,
    /// The queue by its URL
    #[arg(long, value_name = "URL", conflicts_with = "queue")]
    queue_url: Option<String>,
    /// How many messages to show [default: 10, with --id all of them]
    ///
    /// Those that are not selected are looked at and not counted.
    #[arg(long, value_name = "N", value_parser = values::number::<u32>(1..))]
    limit: Option<u32>,
    /// Every message, up to 100,000
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Whole bodies below the table; JSON has them always
    #[arg(long)]
    full: bool,
    /// Count the messages by the value of this jq expression
    #[arg(long, value_name = "EXPR", conflicts_with = "full")]
    count_by: Option<String>,
    /// Look even where maxReceiveCount is 2 or less
    ///
    /// Where the redrive policy allows so few receives, the look itself may move messages to the dead-letter queue.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let named = args.queue_url.as_deref().or(args.queue.as_deref());
    let name = resolve::named_or(target, named, Only::Queue).await?;
    if args.policy.print_policy {
        return policy(peek::permissions(&PolicyQueue::find(target, &ArnBuilder::of(target).await?, &name).await?));
    }
    // A mistake in an expression is to be found before anything is received.
    let selection = args.select.understand(Timestamp::now())?;
    let count_by = args.count_by.as_deref().map(Expression::parse).transpose()?;
    let url = resolve::resolve(target, &name).await?;
    let queue = Queue::new(target.sqs(), &url);
    if !args.force {
        peek::allow(&depth::read(&queue.sqs, &url).await?)?;
    }
    target.guard().await?;
    let format = ctx.options.format;
    let limit = args.limit(&selection);
    let streams = format == Format::Jsonl && count_by.is_none();
    let mut sink = Sink {
        out: streams.then(Stdout::new),
        keeps_bodies: args.full || format == Format::Json,
        histogram: count_by.map(|by| (by, Histogram::default())),
        messages: Messages::of(format),
        shown: 0,
        sought: selection.sought(),
    };
    // What is not selected counts against no limit, so that only the sink knows when there is enough.
    let receive = if selection.is_everything() { limit } else { None };
    let look = peek::peek_until(&queue, receive, &ctx.cancel, ctx.progress.as_ref(), |message| {
        sink.sought.met(&message.message_id);
        if selection.takes(&message)? {
            sink.take(message)?;
        }
        let all_found = !selection.ids().is_empty() && sink.sought.are_all_met();
        let enough = all_found || limit.is_some_and(|limit| sink.shown >= limit);
        Ok(if enough && !selection.is_everything() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })
    .await?;
    let Sink { out, histogram, messages, shown, sought, .. } = sink;
    drop(out);
    let peek = Peek {
        queue: queue.name().to_owned(),
        look,
        shown: shown as u64,
        messages,
        stopped_at_limit: limit.is_some_and(|limit| shown >= limit),
        counted: histogram.map(|(_, histogram)| {
            let (counts, uncounted) = histogram.finish();
            Counted { counts, uncounted }
        }),
        missing: sought.missing(),
        selects: !selection.is_everything(),
        all: args.all,
        full: args.full,
    };
    if format == Format::Jsonl {
        // stdout is the messages, so what is to be said of the look goes beside it.
        peek.sentences().iter().for_each(|sentence| ctx.progress.note(sentence));
    }
    report(peek)
}

impl Args {
    /// None: as many as there are.
    fn limit(&self, selection: &Selection) -> Option<usize> {
        let default = || selection.ids().is_empty().then_some(LIMIT);
        if self.all { None } else { self.limit.or_else(default).map(|limit| limit as usize) }
    }
}

/// Where selected messages go: onto stdout at once, into the report, or into a histogram.
struct Sink {
    out: Option<Stdout>,
    keeps_bodies: bool,
    histogram: Option<(Expression, Histogram)>,
    messages: Messages,
    shown: usize,
    /// Of the ids that were asked for, those that were not seen yet, whether selected or not.
    sought: SoughtIds,
}

impl Sink {
    fn take(&mut self, mut message: Message) -> Result<()> {
        self.shown += 1;
        if let Some((by, histogram)) = &mut self.histogram {
            histogram.add(&by.label(&message)?, &message);
            return Ok(());
        }
        if let Some(out) = &mut self.out {
            out.json_line(&message)?;
            return out.flush();
        }
        if !self.keeps_bodies {
            message.body = String::new();
        }
        self.messages.push(message)
    }
}
