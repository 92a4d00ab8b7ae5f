//! `claimctl queue send`: messages from drained files, from peek, from stdin or by hand, into a queue.

mod by_hand;
mod from_input;
mod shown;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use claimctl_aws::DoubtIsFinal;
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::target::Change;
use claimctl_core::error::{Error, Result};
use claimctl_core::time::parse_seconds_in;
use claimctl_queues::depth::{self, QueueDepth};
use claimctl_queues::journal::{Journal, Run, Start, Summary};
use claimctl_queues::named::NamedQueue;
use claimctl_queues::pace::{Pace, Rate};
use claimctl_queues::send::call::SEND;
use claimctl_queues::send::deliver::Lane;
use claimctl_queues::send::engine::{self, Task};
use claimctl_queues::send::feed::Chunk;
use claimctl_queues::send::input::Rules;
use claimctl_queues::send::limits;
use claimctl_queues::send::outgoing::Manner;
use claimctl_queues::send::report::Sent;
use claimctl_queues::{Queue, resolve};
use clap::builder::NonEmptyStringValueParser;
use jiff::Timestamp;
use tokio::sync::mpsc;

use self::by_hand::ByHand;
use crate::cli::policy::{PolicyArgs, policy};
use crate::cli::select::SelectArgs;
use crate::cli::values;
use crate::context::Ctx;
use crate::output::Outcome;
use crate::session::{Session, TargetArgs};

/// Send messages: from files, from stdin, or one by hand
///
/// Lines are drained messages or those of peek --output jsonl, told apart line by line; {"body": "…"} is enough. Files
/// are checked to the end before anything is sent. The journal knows what was sent: after a kill, the same command goes
/// on. Exits 3 when something was not sent.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Back what was drained:
  claimctl queue send claims claims.jsonl
One message by hand:
  claimctl queue send claims --body '{\"hello\": \"world\"}' --attribute origin=hand
Slowly, also what comes from another account or region:
  claimctl queue send claims claims.jsonl.zst --rate 50/s --allow-other-environment")]
pub struct Args {
    /// The queue: a logical name, a real name, a URL or an ARN
    #[arg(value_name = "QUEUE")]
    queue: String,
    /// Drained files or JSON lines, also .zst and .gz; stdin when there is none, or -
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The message group of every message, in place of its own
    #[arg(long, value_name = "GROUP", value_parser = parse_group)]
    group_id: Option<String>,
    /// Send a FIFO queue's messages to a standard one
    ///
    /// Without their groups and their order.
    #[arg(long, conflicts_with = "group_id")]
    drop_groups: bool,
    /// Hide every message for so long after it is sent, up to 15m
    #[arg(long, value_name = "DURATION", value_parser = parse_delay)]
    delay: Option<Duration>,
    /// At most so many messages: 100/s, 30/m, 5/h
    #[arg(long, value_name = "RATE", value_parser = Rate::parse)]
    rate: Option<Rate>,
    /// Send so many and stop; the same command sends the next ones
    #[arg(long, value_name = "N", value_parser = values::number::<u64>(1..))]
    limit: Option<u64>,
    /// Skip lines that cannot be sent, and list them
    #[arg(long)]
    skip_bad_lines: bool,
    /// Send messages that were drained in another account or region
    #[arg(long)]
    allow_other_environment: bool,
    /// Leave out what this run has sent
    ///
    /// For the same input from elsewhere, or grown since.
    #[arg(long, value_name = "RUN", conflicts_with = "again", value_parser = NonEmptyStringValueParser::new())]
    resume: Option<String>,
    /// Send everything, also what was sent before
    #[arg(long)]
    again: bool,
    /// Read and check everything, and send nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    by_hand: ByHand,
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    if args.policy.print_policy {
        return policy(permissions(args, target).await?);
    }
    let to = To::find(args, target).await?;
    match args.by_hand.is_given() {
        true => by_hand::run(args, ctx, target, &to).await,
        false => from_input::run(args, ctx, target, &to).await,
    }
}

async fn permissions(args: &Args, target: &Session) -> Result<Vec<Statement>> {
    let arns = ArnBuilder::of(target).await?;
    let queue = NamedQueue::find(target, &arns, &args.queue).await?;
    let mut statements = vec![queue.permissions("SendToQueue", &[SEND])];
    statements.extend(by_hand::permissions(&args.by_hand, target, &arns).await?);
    Ok(statements)
}

/// The queue that is sent to.
struct To {
    queue: Queue,
    depth: QueueDepth,
    rules: Arc<Rules>,
}

impl To {
    async fn find(args: &Args, target: &Session) -> Result<To> {
        let url = resolve::resolve(target, &args.queue).await?;
        let config = target.sqs().config().to_builder().retry_classifier(DoubtIsFinal).build();
        let queue = Queue::new(aws_sdk_sqs::Client::from_conf(config), &url);
        let depth = depth::read(&queue.sqs, &url).await?;
        if depth.fifo && args.delay.is_some() {
            return Err(Error::usage(format!("queue {} is FIFO, and SQS delays no single message there", depth.name))
                .hint("leave --delay out; the delay of the whole queue is its attribute DelaySeconds"));
        }
        let rules = Rules {
            queue_arn: depth.arn.clone(),
            fifo: depth.fifo,
            most_bytes: usize::try_from(depth.maximum_message_size)
                .ok()
                .filter(|most| *most > 0)
                .map_or(limits::BYTES, |most| most.min(limits::BYTES)),
            group: args.group_id.as_deref().map(Into::into),
            drop_groups: args.drop_groups,
            other_environment: args.allow_other_environment,
            selection: Arc::new(args.select.understand(Timestamp::now())?),
        };
        Ok(To { queue, depth, rules: Arc::new(rules) })
    }
}

/// What the journal is told of a run before it begins. Without a key it is work that no later command goes on with.
async fn start(ctx: &Ctx, target: &Session, to: &To, what: &str, key: Option<String>) -> Result<Start> {
    let once = || format!("queue send, once: {} {}", Timestamp::now().as_nanosecond(), std::process::id());
    Ok(Start {
        verb: "queue send".to_owned(),
        who: target.change_origin(ctx).await?,
        queue_arn: Some(to.depth.arn.clone()),
        target: format!("{what} to {}", to.depth.name),
        key: key.unwrap_or_else(once),
        arguments: ctx.change_log.arguments(),
        resume: ctx.change_log.command(),
    })
}

/// Sends what comes out of `input`, as a run of the journal.
struct Sending<'a> {
    journal: &'a Journal,
    run: &'a Run,
    /// A run that was named, of which all that it knows is taken over.
    known: Option<Summary>,
    input: mpsc::Receiver<Chunk>,
    total: Option<u64>,
}

impl Sending<'_> {
    async fn send(self, args: &Args, ctx: &Ctx, to: &To, change: &Change) -> Result<Sent> {
        for other in self.journal.others_at(&to.depth.arn, self.run)? {
            ctx.progress.note(&format!(
                "note: process {} works on the same queue: run {}, {} {}",
                other.process, other.id, other.verb, other.target
            ));
        }
        let manner = Manner {
            deduplicate: to.depth.fifo.then(|| self.run.id().into()),
            delay: args.delay.and_then(|delay| i32::try_from(delay.as_secs()).ok()),
        };
        let lane = Lane { queue: to.queue.clone(), manner, scribe: self.run.scribe(), moves: false };
        let task = Task {
            lane,
            input: self.input,
            total: self.total,
            limit: args.limit,
            pace: args.rate.map(Pace::of),
            run: self.run,
            known: self.known.map(|known| (self.journal, known)),
        };
        engine::send(task, change, &ctx.cancel, ctx.progress.as_ref()).await
    }
}

fn parse_group(text: &str) -> Result<String, String> {
    limits::check_group(text).map(|()| text.to_owned())
}

fn parse_delay(text: &str) -> Result<Duration, String> {
    parse_seconds_in(text, ..=Duration::from_secs(limits::DELAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_one_that_sqs_takes() {
        assert_eq!(parse_delay("15m"), Ok(Duration::from_secs(900)));
        for bad in ["901", "1.5s", "soon"] {
            assert!(parse_delay(bad).is_err(), "{bad}");
        }
    }
}
