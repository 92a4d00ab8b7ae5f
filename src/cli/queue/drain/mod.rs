//! `claimctl queue drain`: messages into a file, and only then out of the queue.

pub(in crate::cli) mod report;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use claimctl_aws::policy::ArnBuilder;
use claimctl_aws::target::Intent;
use claimctl_core::error::Result;
use claimctl_core::next::Next;
use claimctl_core::time::{parse_duration, parse_duration_in};
use claimctl_queues::Queue;
use claimctl_queues::consumers::mapping;
use claimctl_queues::consumers::pause::Pauser;
use claimctl_queues::depth;
use claimctl_queues::drain::{self, Order};
use claimctl_queues::drained::parse_rotate_size;
use claimctl_queues::policy::PolicyQueue;
use claimctl_queues::receive::{HIDDEN_DEFAULT, parse_visibility};
use jiff::Timestamp;

use super::QueueArgs;
use crate::cli::policy::{PolicyArgs, policy};
use crate::cli::select::SelectArgs;
use crate::cli::values;
use crate::context::Ctx;
use crate::output::{Outcome, Written, report};
use crate::session::{Session, TargetArgs};

/// Move messages into a file, and lose none
///
/// Messages are received, appended to the file, and deleted from the queue once the disk has them. Whatever ends it,
/// every message is in the queue or in the file: run the same command again, and it goes on.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
What would be drained, and to where:
  claimctl queue drain claims --to claims.jsonl --dry-run
All of it, while nothing else takes messages out:
  claimctl queue drain claims --to claims.jsonl.zst --pause-consumer
Only some, the rest is given back:
  claimctl queue drain claims --to old.jsonl --older-than 1h --where '.receive_count > 3'")]
pub struct Args {
    #[command(flatten)]
    queue: QueueArgs,
    /// The file to append to; .zst and .gz are packed
    #[arg(long, value_name = "FILE", required_unless_present = "print_policy")]
    to: Option<PathBuf>,
    /// At most so many messages
    #[arg(long, value_name = "N", value_parser = values::number::<u64>(1..))]
    limit: Option<u64>,
    /// Receive for no longer than this
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    max_time: Option<Duration>,
    /// Write messages, and give them back instead of deleting them
    #[arg(long)]
    keep: bool,
    /// Wait until nothing is visible, in flight or delayed for so long [default: 1m]
    ///
    /// The counts of SQS are approximate, and settle about a minute after the last message came.
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, default_missing_value = "1m")]
    #[arg(value_parser = parse_quiet, conflicts_with_all = ["keep", "limit", "expression", "ids", "older_than"])]
    until_empty: Option<Duration>,
    /// Go on in a next file (FILE.0002 …) beyond this, 64KiB or more
    #[arg(long, value_name = "SIZE", value_parser = parse_rotate_size)]
    rotate_size: Option<u64>,
    /// How long messages are hidden at a time
    ///
    /// From other consumers; extended as long as it takes.
    #[arg(long, value_name = "DURATION", default_value = HIDDEN_DEFAULT, value_parser = parse_visibility)]
    visibility_timeout: Duration,
    /// Give back even where maxReceiveCount is 2 or less
    ///
    /// With --keep or --where, messages are received and given back; where the redrive policy allows so few receives, the
    /// next one may move them to the dead-letter queue.
    #[arg(long)]
    force: bool,
    /// Pause the functions that the queue feeds in the meantime
    #[arg(long)]
    pause_consumer: bool,
    /// Only show what would be drained
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

/// A count takes a moment, and one alone says nothing.
fn parse_quiet(text: &str) -> Result<Duration, String> {
    parse_duration_in(text, Duration::from_secs(1)..)
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let name = args.queue.name();
    if args.policy.print_policy {
        let arns = ArnBuilder::of(target).await?;
        let mut statements = drain::permissions(&PolicyQueue::find(target, &arns, name).await?, args.keep);
        if args.pause_consumer {
            statements.extend(mapping::permissions(&arns));
        }
        return policy(statements);
    }
    // A mistake in an expression is to be found before anything is received.
    let selection = args.select.understand(Timestamp::now())?;
    let depth = depth::find(target, name).await?;
    let order = Order {
        selection: Arc::new(selection),
        limit: args.limit,
        max_time: args.max_time,
        keep: args.keep,
        until_empty: args.until_empty,
        visibility: args.visibility_timeout,
        rotate_size: args.rotate_size,
        ..Order::everything(
            Queue::new(target.sqs(), &depth.url),
            depth.arn.clone(),
            args.to.clone().unwrap_or_default(),
        )
    };
    order.check(&depth, args.force)?;
    if args.dry_run {
        return report(Written::out(ctx, drain::rehearse(&depth, &order).await?));
    }
    let written = |next: &Next| ctx.command(next);
    let pauser = match args.pause_consumer {
        true => Some(Pauser::of(ctx, target, &written).await?),
        false => None,
    };
    if pauser.is_none() {
        for function in mapping::deployed_handlers(target, &depth.id()).await? {
            ctx.progress.note(&format!(
                "note: function {function} takes messages from this queue too; --pause-consumer pauses it meanwhile"
            ));
        }
    }
    let paused = match args.pause_consumer {
        true => mapping::of_queue(&target.lambda(), &depth.arn).await?.iter().filter(|it| it.is_enabled()).count(),
        false => 0,
    };
    let consent = async |intent: &Intent| target.authorize(ctx, intent).await;
    let drained = drain::run(ctx, target, &order, &order.intent(&depth, paused), pauser.as_ref(), consent).await?;
    report(Written::out(ctx, drained))
}
