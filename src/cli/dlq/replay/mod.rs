//! `claimctl dlq replay`: dead letters sent again, each looked at first, and written down before and after.

mod report;

use std::path::PathBuf;
use std::time::Duration;

use claimctl_aws::target::Intent;
use claimctl_core::error::{Error, Result};
use claimctl_core::time::parse_duration;
use claimctl_queues::dead_letters::replay::{self, OnRecorded, Order, Request, Settings};
use claimctl_queues::journal::Summary;
use claimctl_queues::rate::Rate;
use claimctl_queues::receive::{HIDDEN_DEFAULT, parse_visibility};
use clap::Parser;
use clap::builder::NonEmptyStringValueParser;
use jiff::Timestamp;

use super::inspect::PreflightArgs;
use crate::cli::policy::{PolicyArgs, policy};
use crate::cli::select::SelectArgs;
use crate::cli::{Cli, values};
use crate::context::Ctx;
use crate::output::{Outcome, Written, report};
use crate::session::{Session, TargetArgs};

/// Send dead letters again, without loss or damage
///
/// Every message is looked at and given back; what has its payload and no record yet is sent to the queue it came from.
/// An event that a rule could not deliver goes to that one target, records of a stream to the function that failed at them.
/// A canary goes first. Each send is in the journal before and after it, so that the same command goes on where
/// anything ended it. Exits 3 when something is left to be decided.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The verdicts, and what would be sent:
  claimctl dlq replay claims-dlq --dry-run
All of it, slowly; what must not be sent goes to a file:
  claimctl dlq replay claims-dlq --rate 50/s --quarantine unsent.jsonl
Out of a drained file, to another queue:
  claimctl dlq replay --from rescued.jsonl --to claims")]
pub struct Args {
    /// The dead-letter queue; may be left out where there is only one
    ///
    /// A logical name (claims-dlq, or STACK/claims-dlq where two stacks have one), a real name, a URL or an ARN.
    #[arg(value_name = "QUEUE")]
    queue: Option<String>,
    /// Where they go, if not to whom they name or came from
    #[arg(long, value_name = "QUEUE")]
    to: Option<String>,
    /// Replay a drained file instead of what is in the queue
    ///
    /// Messages of a FIFO queue go only so, in their order.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["quarantine", "resume"])]
    from: Option<PathBuf>,
    /// Replay all of the file once more
    ///
    /// Although an earlier run has.
    #[arg(long, requires = "from")]
    again: bool,
    /// Take at most so many messages
    #[arg(long, value_name = "N", value_parser = values::number::<u64>(1..))]
    limit: Option<u64>,
    /// What to do with those that are recorded already
    #[arg(long, value_name = "WHAT", default_value = "skip", value_parser = values::on_recorded())]
    on_recorded: OnRecorded,
    /// Move what must not be sent to this file
    ///
    /// Messages that are unreadable, whose payload is gone or changed, or that nobody can be given. .zst and .gz are
    /// packed.
    #[arg(long, value_name = "FILE")]
    quarantine: Option<PathBuf>,
    /// Send so many first, and await their records
    ///
    /// 0 for none.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = values::number::<u64>(..=100))]
    canary: u64,
    /// How long to await their records
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_duration)]
    canary_wait: Duration,
    /// At most so many messages: 100/s, 30/m, 5/h
    #[arg(long, value_name = "RATE", value_parser = Rate::parse)]
    rate: Option<Rate>,
    /// Stop when more than this come back
    ///
    /// Messages that were sent, and are dead letters again while it sends.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = values::number::<u64>(..))]
    max_returns: u64,
    /// Judge anew what was judged longer ago
    ///
    /// A payload is looked at once more before its message is sent, where its verdict is older than this.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    recheck: Duration,
    /// How long messages are hidden at a time
    ///
    /// From other consumers; extended as long as it takes.
    #[arg(long, value_name = "DURATION", default_value = HIDDEN_DEFAULT, value_parser = parse_visibility)]
    visibility_timeout: Duration,
    /// Replay even where maxReceiveCount is 2 or less
    ///
    /// From a queue that has such a redrive policy of its own.
    #[arg(long)]
    force: bool,
    /// Go on with this run, with the flags it was begun with
    #[arg(long, value_name = "RUN", conflicts_with_all = ["queue", "dry_run"])]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    resume: Option<String>,
    /// Look and judge, show the plan, and send nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    preflight: PreflightArgs,
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    if args.policy.print_policy {
        return policy(replay::permissions(target, &args.request()?, args.dry_run).await?);
    }
    match &args.resume {
        None => begin(args, ctx, target, None).await,
        Some(typed) => {
            let run = replay::resumable(ctx, target, typed).await?;
            begin(&arguments_of(&run)?, ctx, target, Some(&run)).await
        }
    }
}

async fn begin(args: &Args, ctx: &Ctx, target: &Session, resumed: Option<&Summary>) -> Result<Outcome> {
    let order = Order::find(ctx, target, args.request()?).await?;
    if !args.dry_run {
        target.check_answerable(ctx, &order.intent())?;
    }
    target.guard().await?;
    order.notes.iter().for_each(|note| ctx.progress.note(&format!("note: {note}")));
    let replayed = match args.dry_run {
        true => replay::rehearse(ctx, target, &order).await?,
        false => {
            let consent = async |intent: &Intent| target.authorize(ctx, intent).await;
            replay::run(ctx, target, order, resumed, consent).await?
        }
    };
    report(Written::out(ctx, replayed))
}

impl Args {
    fn request(&self) -> Result<Request> {
        Ok(Request {
            queue: self.queue.clone(),
            to: self.to.clone(),
            file: self.from.clone(),
            again: self.again,
            force: self.force,
            selection: self.select.understand(Timestamp::now())?,
            preflight: self.preflight.options(),
            settings: Settings {
                limit: self.limit,
                on_recorded: self.on_recorded,
                quarantine: self.quarantine.clone(),
                max_replays: self.preflight.max_replays(),
                max_returns: self.max_returns,
                canary: self.canary,
                canary_wait: self.canary_wait,
                rate: self.rate,
                recheck: self.recheck,
                visibility: self.visibility_timeout,
            },
        })
    }
}

/// The flags that the run was begun with.
fn arguments_of(run: &Summary) -> Result<Args> {
    let words = std::iter::once("claimctl".to_owned()).chain(run.arguments.iter().cloned());
    match Cli::try_parse_from(words).map(|cli| cli.verb) {
        Ok(crate::cli::Verb::Dlq(super::Verb::Replay(args))) => Ok(*args),
        _ => Err(Error::usage(format!("the flags of run {} cannot be read back", run.id))
            .hint(format!("say them again: {}", run.resume))),
    }
}
