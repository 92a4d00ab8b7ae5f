//! `claimctl dlq rescue`: dead letters that would soon be gone, into a file.

use std::path::PathBuf;
use std::time::Duration;

use claimctl_aws::policy::ArnBuilder;
use claimctl_aws::target::Intent;
use claimctl_core::error::Result;
use claimctl_core::exit::Exit;
use claimctl_core::time::parse_duration;
use claimctl_core::units::local_time;
use claimctl_queues::dead_letters::flows::is_dead_letter_queue;
use claimctl_queues::dead_letters::inspect;
use claimctl_queues::dead_letters::rescue::{Rescue, RescueReport};
use claimctl_queues::policy::PolicyQueue;
use claimctl_queues::resolve::{self, Only};
use claimctl_queues::{depth, drain};
use jiff::Timestamp;

use crate::cli::policy::{PolicyArgs, policy};
use crate::cli::queue::drain::report as drained;
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, Written, report};
use crate::session::{Session, TargetArgs};

/// Move dead letters that would soon be gone into a file
///
/// SQS deletes a message when the retention of its queue is over, counted from when it was first sent. Those that have
/// less than --before to live are drained, as by queue drain: into the file first, and only then out of the queue. The
/// others are received and given back. Send them again with queue send or dlq replay --from.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
What would be gone within two days:
  claimctl dlq rescue claims-dlq --before 2d --to rescued.jsonl --dry-run
Into a file:
  claimctl dlq rescue claims-dlq --before 2d --to rescued.jsonl")]
pub struct Args {
    /// The dead-letter queue; may be left out where there is only one
    ///
    /// A logical name (claims-dlq, or STACK/claims-dlq where two stacks have one), a real name, a URL or an ARN.
    #[arg(value_name = "QUEUE")]
    queue: Option<String>,
    /// Those that are gone within this: 6h, 2d
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, required_unless_present = "print_policy")]
    before: Option<Duration>,
    /// The file to append to; .zst and .gz are packed
    #[arg(long, value_name = "FILE", required_unless_present = "print_policy")]
    to: Option<PathBuf>,
    /// Rescue even where maxReceiveCount is 2 or less, or it is no dead-letter queue
    #[arg(long)]
    force: bool,
    /// Only show what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let name = resolve::named_or(target, args.queue.as_deref(), Only::DeadLetterQueue).await?;
    if args.policy.print_policy {
        let queue = PolicyQueue::find(target, &ArnBuilder::of(target).await?, &name).await?;
        return policy(drain::permissions(&queue, false));
    }
    let depth = depth::find(target, &name).await?;
    if !args.force {
        inspect::allow(&depth, is_dead_letter_queue(target, &depth.id()).await?)?;
    }
    let (before, to) = (args.before.unwrap_or_default(), args.to.clone().unwrap_or_default());
    let rescue = Rescue::of(target, depth, before, to, Timestamp::now())?;
    let rescued = match args.dry_run {
        true => rescue.rehearse().await?,
        false => rescue.run(ctx, target, async |intent: &Intent| target.authorize(ctx, intent).await).await?,
    };
    report(Written::out(ctx, rescued))
}

impl Report for Written<RescueReport> {
    fn page(&self) -> Page {
        let RescueReport { gone_before, sent_before, drain } = &self.report;
        let which = match sent_before {
            Some(sent) => format!("sent before {}", local_time(*sent)),
            None => "all of them".to_owned(),
        };
        let page = drained::page(drain, &self.going_on);
        page.line(format!("chosen: dead letters that are gone before {}: {which}", local_time(*gone_before)))
    }

    fn exit(&self) -> Exit {
        self.report.drain.exit()
    }
}
