//! `claimctl queue purge`: everything in a queue, deleted for good.

use std::path::PathBuf;

use claimctl_aws::policy::ArnBuilder;
use claimctl_aws::target::Intent;
use claimctl_core::error::Result;
use claimctl_core::units::count;
use claimctl_queues::peek::Counts;
use claimctl_queues::policy::PolicyQueue;
use claimctl_queues::purge::{self, Order, PurgeReport, Purged};
use claimctl_queues::{Queue, depth};

use super::QueueArgs;
use crate::cli::policy::{PolicyArgs, policy};
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, Written, report};
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

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let name = args.queue.name();
    if args.policy.print_policy {
        let queue = PolicyQueue::find(target, &ArnBuilder::of(target).await?, name).await?;
        return policy(purge::permissions(&queue, args.backup.is_some()));
    }
    let depth = depth::find(target, name).await?;
    let order = Order { queue: Queue::new(target.sqs(), &depth.url), depth, backup: args.backup.clone() };
    if args.dry_run {
        return told(ctx, order.rehearse().await?);
    }
    let name = order.depth.name.as_str();
    let consent = async |intent: &Intent| target.authorize_by_name(ctx, intent, name, args.confirm.as_deref()).await;
    told(ctx, purge::purge(ctx, target, &order, consent).await?)
}

fn told(ctx: &Ctx, purged: Purged) -> Result<Outcome> {
    match purged {
        Purged::Whole(purged) => report(purged),
        Purged::Drained(drained) => report(Written::out(ctx, *drained)),
    }
}

impl Report for PurgeReport {
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
            .line_if(self.before.total() > self.agreed.total(), || {
                format!("agreed to were about {}: more had come meanwhile", count(self.agreed.total(), "message"))
            })
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
