//! `claimctl queue drain`: messages into a file, and only then out of the queue.

mod shown;

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

pub(in crate::cli) use self::shown::Shown;
use claimctl_aws::policy::ArnBuilder;
use claimctl_aws::target::{Change, Intent};
use claimctl_core::error::{Error, Result};
use claimctl_core::time::parse_duration;
use claimctl_core::units::count;
use claimctl_queues::depth::{self, QueueDepth};
use claimctl_queues::drain::report::Report;
use claimctl_queues::drain::run::Destination;
use claimctl_queues::drain::{self, Order};
use claimctl_queues::drained::{Appender, parse_rotate_size};
use claimctl_queues::function::mapping;
use claimctl_queues::function::pause::Pauser;
use claimctl_queues::journal::{Journal, Start};
use claimctl_queues::named::NamedQueue;
use claimctl_queues::receive::{HIDDEN_DEFAULT, parse_visibility};
use claimctl_queues::{Queue, look, resolve};

use super::QueueArgs;
use crate::cli::policy::{PolicyArgs, policy};
use crate::cli::select::SelectArgs;
use crate::cli::values;
use crate::context::Ctx;
use crate::output::{Outcome, report};
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
    /// Wait until nothing is visible, in flight or delayed
    #[arg(long, conflicts_with_all = ["keep", "limit", "expression", "ids", "older_than"])]
    until_empty: bool,
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

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let name = args.queue.name();
    if args.policy.print_policy {
        let arns = ArnBuilder::of(target).await?;
        let queue = NamedQueue::find(target, &arns, name).await?;
        let mut statements = drain::permissions(&queue, args.keep);
        if args.pause_consumer {
            statements.extend(mapping::permissions(&arns));
        }
        return policy(statements);
    }
    // A mistake in an expression is to be found before anything is received.
    let selection = args.select.understand(Timestamp::now())?;
    let queue = Queue::new(target.sqs(), &resolve::resolve(target, name).await?);
    let depth = depth::read(&queue.sqs, &queue.url).await?;
    let gives_back = args.keep || !selection.is_everything();
    if gives_back {
        refuse_fifo(&depth)?;
        if !args.force {
            look::allow(&depth)?;
        }
    }
    let to = Destination { file: args.to.clone().unwrap_or_default(), rotate_size: args.rotate_size };
    if args.dry_run {
        return report(rehearse(&depth, &to.file).await?);
    }
    let order = Order {
        queue,
        queue_arn: depth.arn.clone(),
        selection,
        limit: args.limit,
        max_time: args.max_time,
        keep: args.keep,
        until_empty: args.until_empty,
        visibility: args.visibility_timeout,
    };
    if !args.pause_consumer {
        note_consumers(ctx, target, &order).await?;
    }
    let change = target.authorize(ctx, &intent(&order, &depth, &to.file)).await?;
    match args.pause_consumer {
        true => report(undisturbed(ctx, target, &order, &to, &change, args.target.again(ctx)).await?),
        false => report(into_file(ctx, target, &order, &to, &change).await?),
    }
}

/// Drains while the queue's consumers are paused. They are resumed however it ends; a kill leaves them to the journal.
async fn undisturbed(
    ctx: &Ctx,
    target: &Session,
    order: &Order,
    to: &Destination,
    change: &Change,
    flags: String,
) -> Result<Shown> {
    let journal = Journal::open(&ctx.paths, &target.config.project.name)?;
    let pauser = Pauser::of(ctx, target, &journal, flags).await?;
    let progress = ctx.progress.as_ref();
    let paused = pauser.pause_consumers(&order.queue_arn, change, &ctx.cancel, progress).await?;
    let drained = into_file(ctx, target, order, to, change).await;
    let resumed = paused.resume(&ctx.cancel, progress).await;
    let mut shown = match (drained, &resumed) {
        (Err(error), Err(left)) => return Err(left.hints().iter().fold(error, |error, hint| error.hint(hint))),
        (drained, _) => drained?,
    };
    match resumed {
        Ok(mappings) => shown.resumed = mappings.into_iter().map(|mapping| mapping.function).collect(),
        Err(error) => shown.report.fail(error),
    }
    Ok(shown)
}

/// Says so where a deployed function takes messages from the queue too.
async fn note_consumers(ctx: &Ctx, target: &Session, order: &Order) -> Result<()> {
    for function in mapping::deployed_handlers(target, &order.queue.url).await? {
        ctx.progress.note(&format!(
            "note: function {function} takes messages from this queue too; --pause-consumer pauses it meanwhile"
        ));
    }
    Ok(())
}

/// Drains as a run of the journal. Shared with `purge --backup` and `dlq rescue`, which are drains.
pub(in crate::cli) async fn into_file(
    ctx: &Ctx,
    target: &Session,
    order: &Order,
    to: &Destination,
    change: &Change,
) -> Result<Shown> {
    let journal = Journal::open(&ctx.paths, &target.config.project.name)?;
    let file = ctx.working_directory.join(&to.file);
    let start = Start {
        verb: "queue drain".to_owned(),
        who: target.change_origin(ctx).await?,
        queue_arn: Some(order.queue_arn.clone()),
        target: format!("{} to {}", order.queue.name(), to.file.display()),
        key: format!("queue drain {} {}", order.queue_arn, file.display()),
        arguments: ctx.change_log.arguments(),
        resume: ctx.change_log.command(),
    };
    let progress = ctx.progress.as_ref();
    let report = drain::run::run(order, to, &journal, &start, change, &ctx.cancel, progress).await?;
    Ok(Shown::of(report, start.resume))
}

fn intent(order: &Order, depth: &QueueDepth, file: &Path) -> Intent {
    let number = match (order.limit, order.selection.is_everything()) {
        (Some(limit), _) => format!("up to {}", count(limit, "message")),
        (None, true) => format!("about {}", count(depth.visible, "message")),
        (None, false) => format!("what is selected of about {}", count(depth.visible, "message")),
    };
    let (name, file) = (&depth.name, file.display());
    match order.keep {
        true => Intent { what: format!("write {number} of queue {name} to {file}, and give back"), destroys: false },
        false => Intent { what: format!("move {number} from queue {name} to {file}"), destroys: true },
    }
}

/// A group comes in its order only if each head is deleted before the next one is received.
fn refuse_fifo(depth: &QueueDepth) -> Result<()> {
    match depth.fifo {
        true => Err(Error::usage(format!(
            "{} is a FIFO queue: what is left out or kept would hold up the rest of its group",
            depth.name
        ))
        .hint("drain it without --where, --id, --older-than and --keep")
        .hint(format!("look at the heads of its groups: claimctl queue peek {}", depth.name))),
        false => Ok(()),
    }
}

/// What a drain would meet: in the queue, and in the file.
pub(in crate::cli) async fn rehearse(depth: &QueueDepth, file: &Path) -> Result<Shown> {
    let (to, queue_arn) = (file.to_owned(), depth.arn.clone());
    let existing = tokio::task::spawn_blocking(move || Appender::look(&to, &queue_arn)).await;
    let existing = existing.map_err(|error| Error::unexpected("reading the file ended early").caused_by(error))??;
    Ok(Shown { report: Report::rehearsal(depth, file, existing), next: None, resumed: Vec::new() })
}
