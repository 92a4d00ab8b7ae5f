//! `claimctl queue purge`: everything in a queue, deleted for good.

use std::path::PathBuf;

use claimctl_aws::policy::ArnBuilder;
use claimctl_aws::target::Intent;
use claimctl_core::error::Result;
use claimctl_core::units::count;
use claimctl_queues::depth::{self, QueueDepth};
use claimctl_queues::drain::run::Destination;
use claimctl_queues::drain::{self, Order};
use claimctl_queues::look::Counts;
use claimctl_queues::named::NamedQueue;
use claimctl_queues::receive::HIDDEN;
use claimctl_queues::select::Selection;
use claimctl_queues::{Queue, purge, resolve};
use serde::Serialize;

use super::QueueArgs;
use super::drain::into_file;
use crate::cli::policy::{PolicyArgs, policy};
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, report};
use crate::session::{Session, TargetArgs};

/// Delete all messages of a queue
///
/// Also those in flight, which their consumers can no longer delete, and those that are delayed. It takes SQS up to a
/// minute, and messages that arrive in the meantime may be deleted too. Nothing brings them back: --backup FILE drains
/// the queue into a file instead.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
What would be lost:
  claimctl queue purge claims-dlq --dry-run
Into a file instead of for good:
  claimctl queue purge claims-dlq --backup claims-dlq.jsonl")]
pub struct Args {
    #[command(flatten)]
    queue: QueueArgs,
    /// The queue's real name, if no terminal asks for it
    #[arg(long, value_name = "QUEUE")]
    confirm: Option<String>,
    /// Drain into this file instead: what is deleted is in it
    #[arg(long, value_name = "FILE")]
    backup: Option<PathBuf>,
    /// Only show what would be deleted
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

/// Its JSON form is a contract.
#[derive(Debug, Serialize)]
struct Purge {
    queue: String,
    queue_arn: String,
    /// Before the purge; approximate.
    before: Counts,
    /// SQS has agreed to delete them.
    purged: bool,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let name = args.queue.name();
    if args.policy.print_policy {
        let queue = NamedQueue::find(target, &ArnBuilder::of(target).await?, name).await?;
        return policy(match args.backup {
            Some(_) => drain::permissions(&queue, false),
            None => purge::permissions(&queue),
        });
    }
    let queue = Queue::new(target.sqs(), &resolve::resolve(target, name).await?);
    let depth = depth::read(&queue.sqs, &queue.url).await?;
    let shown = |purged| Purge {
        queue: depth.name.clone(),
        queue_arn: depth.arn.clone(),
        before: Counts::from(&depth),
        purged,
    };
    if args.dry_run {
        return report(shown(false));
    }
    let what = match &args.backup {
        Some(file) => format!("move {} to {}", all_of(&depth), file.display()),
        None => format!("delete {}, for good", all_of(&depth)),
    };
    let intent = Intent { what, destroys: true };
    let change = target.authorize_by_name(ctx, &intent, &depth.name, args.confirm.as_deref()).await?;
    let Some(file) = &args.backup else {
        purge::purge(&queue, &change).await?;
        return report(shown(true));
    };
    let order = Order {
        queue,
        queue_arn: depth.arn.clone(),
        selection: Selection::default(),
        limit: None,
        max_time: None,
        keep: false,
        until_empty: false,
        visibility: HIDDEN,
    };
    let to = Destination { file: file.clone(), rotate_size: None };
    report(into_file(ctx, target, &order, &to, &change).await?)
}

/// "all of queue q: about 12 messages visible, 3 in flight and 0 delayed"
fn all_of(depth: &QueueDepth) -> String {
    let Counts { visible, in_flight, delayed } = Counts::from(depth);
    format!(
        "all of queue {}: about {} visible, {in_flight} in flight and {delayed} delayed",
        depth.name,
        count(visible, "message")
    )
}

impl Report for Purge {
    fn page(&self) -> Page {
        let Counts { visible, in_flight, delayed } = self.before;
        let (done, with) =
            if self.purged { ("purged", "are deleted") } else { ("would be purged", "would be deleted") };
        Page::new()
            .line(format!(
                "{}: {done}, about {} ({visible} visible)",
                self.queue,
                count(self.before.total(), "message")
            ))
            .line_if(in_flight > 0, || {
                format!("{in_flight} in flight {with} too: their consumers may still finish, and delete nothing")
            })
            .line_if(delayed > 0, || format!("{delayed} delayed {with} too, before anybody has seen them"))
            .line(format!(
                "it takes up to {} seconds; messages that arrive in the meantime may be deleted too",
                purge::SECONDS
            ))
            .line_if(!self.purged, || {
                "nothing was changed: --dry-run; to keep what is deleted: --backup FILE".to_owned()
            })
    }
}
