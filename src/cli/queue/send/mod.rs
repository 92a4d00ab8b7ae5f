//! `claimctl queue send`: messages from drained files, from peek, from stdin or by hand, into a queue.

mod by_hand;
mod report;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::target::Intent;
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use claimctl_core::time::parse_seconds_in;
use claimctl_payloads::send::Sent;
use claimctl_queues::policy::PolicyQueue;
use claimctl_queues::rate::Rate;
use claimctl_queues::send::call::SEND;
use claimctl_queues::send::input::Rules;
use claimctl_queues::send::queue::SendQueue;
use claimctl_queues::send::source::Source;
use claimctl_queues::send::{self, Options, limits};
use clap::builder::NonEmptyStringValueParser;
use jiff::Timestamp;

use self::by_hand::ByHandArgs;
use crate::cli::policy::{PolicyArgs, policy};
use crate::cli::select::SelectArgs;
use crate::cli::values;
use crate::context::Ctx;
use crate::output::{Outcome, Written, report};
use crate::session::{Session, TargetArgs};

const STDIN: &str = "-";

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
    by_hand: ByHandArgs,
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
    let to = SendQueue::find(target, &args.queue).await?;
    if to.depth.fifo && args.delay.is_some() {
        return Err(Error::usage(format!("queue {} is FIFO, and SQS delays no single message there", to.depth.name))
            .hint("leave --delay out; the delay of the whole queue is its attribute DelaySeconds"));
    }
    if args.by_hand.is_given() {
        return by_hand::run(args, ctx, target, &to).await;
    }
    let (source, rules, options) = (args.source(ctx).await?, args.rules(&to)?, args.options());
    if args.dry_run {
        return report(send::rehearse(ctx, target, &to, rules, source, &options).await?);
    }
    let consent = async |intent: &Intent| target.authorize(ctx, intent).await;
    let sent = send::run(ctx, target, &to, rules, source, &options, consent).await?;
    report(Written::out(ctx, Sent { report: sent, object: None }))
}

async fn permissions(args: &Args, target: &Session) -> Result<Vec<Statement>> {
    let arns = ArnBuilder::of(target).await?;
    let queue = PolicyQueue::find(target, &arns, &args.queue).await?;
    let mut statements = vec![queue.permissions("SendToQueue", &[SEND])];
    statements.extend(by_hand::permissions(&args.by_hand, target, &arns).await?);
    Ok(statements)
}

impl Args {
    fn options(&self) -> Options {
        Options {
            rate: self.rate,
            limit: self.limit,
            delay: self.delay,
            skip_bad_lines: self.skip_bad_lines,
            again: self.again,
            resume: self.resume.clone(),
        }
    }

    fn rules(&self, to: &SendQueue) -> Result<Arc<Rules>> {
        Ok(Arc::new(Rules {
            queue_arn: to.depth.arn.clone(),
            fifo: to.depth.fifo,
            most_bytes: to.most_bytes(),
            group: self.group_id.as_deref().map(Into::into),
            drop_groups: self.drop_groups,
            other_environment: self.allow_other_environment,
            selection: Arc::new(self.select.understand(Timestamp::now())?),
        }))
    }

    async fn source(&self, ctx: &Ctx) -> Result<Source> {
        match self.files.as_slice() {
            [] if ctx.terminal.stdin => Err(Error::usage("no FILE is named, and stdin is a terminal")
                .hint("name a file that queue drain wrote, or use a pipe: … | claimctl queue send QUEUE -")
                .next("one message by hand", Next::verb("queue send").word("QUEUE").flag("--body", "TEXT"))),
            [] => Source::stdin(&ctx.cancel).await,
            [only] if only == Path::new(STDIN) => Source::stdin(&ctx.cancel).await,
            files if files.iter().any(|file| file == Path::new(STDIN)) => {
                Err(Error::usage("stdin (-) goes alone, without files")
                    .hint("send the files first and stdin with a command of its own; a file called - is ./-"))
            }
            files => Source::files(files),
        }
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
