//! `claimctl dlq replay`: dead letters sent again, each looked at first, and written down before and after.

mod aim;
mod permissions;
mod shown;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use claimctl_aws::target::Intent;
use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::time::parse_duration;
use claimctl_core::units::count;
use claimctl_queues::Queue;
use claimctl_queues::dlq::inspect;
use claimctl_queues::dlq::replay::run::{self, Prepared};
use claimctl_queues::dlq::replay::{OnRecorded, Order};
use claimctl_queues::journal::{self, Journal, Standing, Start, Summary};
use claimctl_queues::pace::Rate;
use claimctl_queues::receive::{HIDDEN_DEFAULT, parse_visibility};
use clap::Parser;
use clap::builder::NonEmptyStringValueParser;
use jiff::Timestamp;

use self::aim::Aim;
use self::shown::Shown;
use super::inspect::PreflightArgs;
use crate::cli::policy::{PolicyArgs, policy};
use crate::cli::select::SelectArgs;
use crate::cli::{Cli, values};
use crate::context::Ctx;
use crate::output::{Outcome, report};
use crate::session::{Session, TargetArgs};

const VERB: &str = "dlq replay";

/// Send dead letters again, without loss or damage
///
/// Every message is looked at and given back; what has its payload and no record yet is sent to the queue it came from.
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
    /// Where they go, if not to the queue or function they came from
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
    /// Messages that are unreadable, or whose payload is gone or changed. .zst and .gz are packed.
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
        return policy(permissions::of(args, target).await?);
    }
    match &args.resume {
        None => replay(args, ctx, target, None).await,
        Some(typed) => {
            let journal = Journal::open(&ctx.paths, &target.config.project.name)?;
            let run = journal.run(typed)?;
            check_resumable(&run, ctx, target).await?;
            let earlier = arguments_of(&run)?;
            replay(&earlier, ctx, target, Some(&run)).await
        }
    }
}

async fn replay(args: &Args, ctx: &Ctx, target: &Session, resumed: Option<&Summary>) -> Result<Outcome> {
    let selection = args.select.understand(Timestamp::now())?;
    let aim = Aim::find(args, target).await?;
    if aim.letters.fifo && args.from.is_none() {
        return Err(Error::usage(format!(
            "{} is a FIFO queue, and what is left out would hold up its group",
            aim.letters.name
        ))
        .hint(format!("drain it: claimctl queue drain {} --to FILE", aim.letters.name))
        .hint("then replay the file: claimctl dlq replay --from FILE"));
    }
    if args.from.is_some() && args.on_recorded == OnRecorded::Delete {
        return Err(Error::usage("a letter of a file cannot be deleted: the file stays as it is")
            .hint("leave them out: --on-recorded skip"));
    }
    if !args.force && args.from.is_none() {
        inspect::allow(&aim.letters, true)?;
    }
    let intent = |what: String| Intent {
        what: format!("send {what} from {} to {}", aim.from.as_deref().unwrap_or(&aim.letters.name), aim.to.name()),
        destroys: true,
    };
    if !args.dry_run {
        target.check_answerable(ctx, &intent("dead letters".to_owned()))?;
    }
    target.guard().await?;
    aim.notes.iter().for_each(|note| ctx.progress.note(&format!("note: {note}")));
    let order = order(args, ctx, target, &aim, selection).await?;
    let key = key(&order);
    let (cancel, progress) = (&ctx.cancel, ctx.progress.as_ref());
    if args.dry_run {
        let journal = Journal::existing(&ctx.paths, &target.config.project.name)?.map(Arc::new);
        return report(Shown::rehearsal(run::rehearse(&order, journal, &key, cancel, progress).await?));
    }
    let journal = Arc::new(Journal::open(&ctx.paths, &target.config.project.name)?);
    if order.file.is_some() {
        refuse_finished(args, &journal, &key)?;
    }
    let start = start(ctx, target, &aim, key, resumed).await?;
    let prepared = run::prepare(order, journal, &start, cancel, progress).await?;
    if cancel.is_cancelled() {
        prepared.leave(journal::Outcome::Interrupted).await?;
        return Err(
            Error::interrupted("stopped while looking; nothing was sent").hint(format!("again: {}", start.resume))
        );
    }
    let what = shown::tell_plan(ctx, &prepared, &aim.letters);
    let change = match target.authorize(ctx, &intent(what)).await {
        Ok(change) => change,
        Err(error) => {
            prepared.leave(journal::Outcome::Interrupted).await?;
            return Err(error);
        }
    };
    let report_of_it = prepared.replay(&change, cancel, progress).await?;
    report(Shown::of(report_of_it, ctx.change_log.command()))
}

async fn order(
    args: &Args,
    ctx: &Ctx,
    target: &Session,
    aim: &Aim,
    selection: claimctl_queues::select::Selection,
) -> Result<Order> {
    Ok(Order {
        letters: Queue::new(target.sqs(), &aim.letters.url),
        letters_arn: aim.letters.arn.clone(),
        to: aim.to.clone(),
        selection: Arc::new(selection),
        limit: args.limit,
        file: args.from.as_ref().map(|file| file.canonicalize().on("find", file)).transpose()?,
        gauges: aim.gauges(target).await?,
        preflight: args.preflight.start(target, &aim.letters.url).await?.map(Arc::new),
        on_recorded: args.on_recorded,
        quarantine: args.quarantine.as_ref().map(|file| ctx.working_directory.join(file)),
        max_replays: args.preflight.max_replays(),
        max_returns: args.max_returns,
        canary: args.canary,
        canary_wait: args.canary_wait,
        rate: args.rate,
        recheck: args.recheck,
        visibility: args.visibility_timeout,
    })
}

/// Equal for the same letters: one replay of them at a time, and each goes on with what the last one left.
fn key(order: &Order) -> String {
    let queue = if order.letters_arn.is_empty() { &order.letters.url } else { order.letters_arn.as_str() };
    match &order.file {
        Some(file) => format!("{VERB} {} to {}", file.display(), order.to.name()),
        None => format!("{VERB} {queue}"),
    }
}

/// A file that was replayed to its end is not replayed again by accident.
fn refuse_finished(args: &Args, journal: &Journal, key: &str) -> Result<()> {
    match journal.last(key)?.filter(|last| last.standing == Standing::Done && !args.again) {
        None => Ok(()),
        Some(run) => Err(Error::refused(format!("run {} has replayed all of this file ({})", run.id, run.target))
            .hint("to replay it once more: --again")),
    }
}

/// What the journal is told. One that is gone on with keeps the command that it was begun by.
async fn start(ctx: &Ctx, target: &Session, aim: &Aim, key: String, resumed: Option<&Summary>) -> Result<Start> {
    let (arguments, resume) = match resumed {
        Some(run) => (run.arguments.clone(), run.resume.clone()),
        None => (ctx.change_log.arguments(), ctx.change_log.command()),
    };
    Ok(Start {
        verb: VERB.to_owned(),
        who: target.change_origin(ctx).await?,
        queue_arn: Some(aim.letters.arn.clone()),
        target: format!("{} to {}", aim.from.as_deref().unwrap_or(&aim.letters.name), aim.to.name()),
        key,
        arguments,
        resume,
    })
}

/// Only the last run of a queue knows what is still to be done there, and only in its own environment.
async fn check_resumable(run: &Summary, ctx: &Ctx, target: &Session) -> Result<()> {
    let journal = Journal::open(&ctx.paths, &target.config.project.name)?;
    if run.verb != VERB {
        return Err(Error::usage(format!("run {} is no replay of dead letters, it is: {}", run.id, run.verb))
            .hint(format!("to go on with it: {}", run.resume)));
    }
    let here = target.change_origin(ctx).await?;
    if (&run.who.environment, &run.who.region, &run.who.account) != (&here.environment, &here.region, &here.account) {
        let there = run.who.environment.as_deref().unwrap_or("none");
        let account = run.who.account.as_ref().map_or_else(String::new, |account| format!(", account {account}"));
        return Err(Error::refused(format!(
            "run {} is of another environment: {there}, region {}{account}",
            run.id, run.who.region
        ))
        .hint(format!("to go on with it: {}", run.resume)));
    }
    let last = journal.last(&run.key)?;
    if let Some(last) = last.filter(|last| last.id != run.id) {
        return Err(Error::refused(format!("run {} was followed by run {} on the same queue", run.id, last.id))
            .hint(format!("go on with that one: claimctl dlq replay --resume {}", last.id)));
    }
    match run.standing {
        Standing::Done => Err(Error::refused(format!("run {} is done: nothing is left to do", run.id))
            .hint(format!("to replay what came since: {}", run.resume))),
        _ => Ok(()),
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
