//! `claimctl dlq rescue`: letters that would soon be gone, into a file.

use std::path::PathBuf;
use std::time::Duration;

use claimctl_aws::policy::ArnBuilder;
use claimctl_aws::target::Intent;
use claimctl_core::error::{Error, Result};
use claimctl_core::exit::Exit;
use claimctl_core::time::parse_duration;
use claimctl_core::units::{count, duration, local_time};
use claimctl_queues::depth::{self, QueueDepth};
use claimctl_queues::dlq::inspect;
use claimctl_queues::dlq::setting::is_dead_letter_queue;
use claimctl_queues::drain::Order;
use claimctl_queues::drain::run::Destination;
use claimctl_queues::named::NamedQueue;
use claimctl_queues::receive::HIDDEN;
use claimctl_queues::{Queue, resolve};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::cli::policy::{PolicyArgs, policy};
use crate::cli::queue::drain::{self, Shown};
use crate::cli::select::SelectArgs;
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, report};
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

#[derive(Debug, Serialize)]
struct Rescued {
    /// Letters that would have been gone until then.
    gone_before: Timestamp,
    /// Those were sent before. None: all letters are.
    sent_before: Option<Timestamp>,
    #[serde(flatten)]
    drained: Shown,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let name = match &args.queue {
        Some(name) => name.clone(),
        None => resolve::only_dead_letter_queue(target).await?,
    };
    if args.policy.print_policy {
        let queue = NamedQueue::find(target, &ArnBuilder::of(target).await?, &name).await?;
        return policy(claimctl_queues::drain::permissions(&queue, false));
    }
    let url = resolve::resolve(target, &name).await?;
    let queue = Queue::new(target.sqs(), &url);
    let depth = depth::read(&queue.sqs, &url).await?;
    if !args.force {
        inspect::allow(&depth, is_dead_letter_queue(target, &url).await?)?;
    }
    let (now, before) = (Timestamp::now(), args.before.unwrap_or_default());
    let gone_before = later(now, before)?;
    let older_than = old_enough(&depth, before);
    if depth.fifo && older_than.is_some() {
        return Err(Error::usage(format!(
            "{} is a FIFO queue: what is left out would hold up the rest of its group",
            depth.name
        ))
        .hint(format!("rescue all of it: claimctl queue drain {} --to FILE", depth.name)));
    }
    let selection = SelectArgs { older_than, ..SelectArgs::default() }.understand(now)?;
    let to = Destination { file: args.to.clone().unwrap_or_default(), rotate_size: None };
    let sent_before = older_than.and_then(|age| now.checked_sub(SignedDuration::try_from(age).ok()?).ok());
    let rescued = |drained| Rescued { gone_before, sent_before, drained };
    if args.dry_run {
        return report(rescued(drain::rehearse(&depth, &to.file).await?));
    }
    let what = format!(
        "move letters that are gone within {} from {} ({}) to {}",
        duration(before),
        depth.name,
        count(depth.visible, "letter"),
        to.file.display()
    );
    let change = target.authorize(ctx, &Intent { what, destroys: true }).await?;
    let order = Order {
        queue,
        queue_arn: depth.arn.clone(),
        selection,
        limit: None,
        max_time: None,
        keep: false,
        until_empty: false,
        visibility: HIDDEN,
    };
    report(rescued(drain::into_file(ctx, target, &order, &to, &change).await?))
}

/// The age at which a letter has no more than `left` to live. None: every letter has.
fn old_enough(queue: &QueueDepth, left: Duration) -> Option<Duration> {
    Duration::from_secs(queue.retention).checked_sub(left).filter(|age| !age.is_zero())
}

fn later(now: Timestamp, by: Duration) -> Result<Timestamp> {
    let later = SignedDuration::try_from(by).ok().and_then(|by| now.checked_add(by).ok());
    later.ok_or_else(|| Error::usage("--before: that is too far away").hint("say for example 6h or 2d"))
}

impl Report for Rescued {
    fn page(&self) -> Page {
        let which = match self.sent_before {
            Some(sent) => format!("sent before {}", local_time(sent)),
            None => "all of them".to_owned(),
        };
        let page = self.drained.page();
        page.line(format!("chosen: letters that are gone before {}: {which}", local_time(self.gone_before)))
    }

    fn exit(&self) -> Exit {
        self.drained.exit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_that_no_calendar_has_is_refused() {
        assert!(later(Timestamp::now(), Duration::from_secs(3600)).is_ok());
        assert!(later(Timestamp::now(), Duration::MAX).is_err());
    }
}
