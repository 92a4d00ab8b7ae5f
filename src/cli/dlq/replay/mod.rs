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

/// Send dead letters again: judged first, one ahead of the others, and no dead letter lost or sent twice unawares
///
/// Every dead letter is looked at and given back; what has its payload and no record yet is sent to the queue it came
/// from. A canary goes first. Each send is in the journal before and after it, so that the same command goes on where
/// anything ended it. Exits 3 when something is left to be decided.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The dead-letter queue: a logical name, a real name, a URL or an ARN; may be left out where there is only one
    #[arg(value_name = "QUEUE")]
    queue: Option<String>,
    /// Where the dead letters go, if not to the queue or the function that they came from
    #[arg(long, value_name = "QUEUE")]
    to: Option<String>,
    /// Replay a drained file instead of what is in the queue; FIFO dead letters go only so, in their order
    #[arg(long, value_name = "FILE", conflicts_with_all = ["quarantine", "resume"])]
    from: Option<PathBuf>,
    /// Replay all of the file once more, although an earlier run has
    #[arg(long, requires = "from")]
    again: bool,
    /// Take at most so many dead letters
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// What to do with dead letters whose record is there already
    #[arg(long, value_name = "WHAT", default_value = "skip", value_parser = values::on_recorded())]
    on_recorded: OnRecorded,
    /// Move dead letters that must not be sent (payload gone or changed, unreadable) to this file; .zst and .gz are
    /// packed
    #[arg(long, value_name = "FILE")]
    quarantine: Option<PathBuf>,
    /// Send so many dead letters first, and the others once those are recorded; 0 for none
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(..=100))]
    canary: u64,
    /// How long to wait for them
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_duration)]
    canary_wait: Duration,
    /// At most so many dead letters: 100 or 100/s, 30/m, 5/h
    #[arg(long, value_name = "N/s", value_parser = Rate::parse)]
    rate: Option<Rate>,
    /// Stop when more dead letters than this come back while it sends
    #[arg(long, value_name = "N", default_value_t = 5)]
    max_returns: u64,
    /// Look at a payload once more before its dead letter is sent, if its verdict is older than this
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    recheck: Duration,
    /// How long received dead letters are hidden from others at a time; extended as long as it takes
    #[arg(long, value_name = "DURATION", default_value = HIDDEN_DEFAULT, value_parser = parse_visibility)]
    visibility_timeout: Duration,
    /// Replay even from a queue that has a redrive policy of its own and allows two receives or fewer
    #[arg(long)]
    force: bool,
    /// Go on with this run as it was begun: its selection and its other flags
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
        target.check_answerable(ctx, &order.intent("dead letters"))?;
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
