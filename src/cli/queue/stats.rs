//! `claimctl queue stats`: how queues move, and when they will be empty.

use std::time::Duration;

use claimctl_aws::policy::ArnBuilder;
use claimctl_core::error::{Error, Result};
use claimctl_core::exit::Exit;
use claimctl_core::time::parse_duration_in;
use claimctl_core::units::{duration, local_time};
use claimctl_queues::stats::{self, Motion, QueueStats, Watch};
use serde::Serialize;

use crate::cli::policy::{PolicyArgs, policy};
use crate::context::{Ctx, Format};
use crate::output::{LivePage, Outcome, Page, Report, Stdout, Table, report};
use crate::session::{Session, TargetArgs};

const INTERVAL: Duration = Duration::from_secs(2);

/// Say how queues move, and when they will be empty
///
/// Each queue is followed by its dead-letter queue. SQS counts what is there, not what came and went: the rate is the
/// net change, what came in less what went out. One sample has no rate; --interval takes two, --watch goes on.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Ten seconds of every queue:
  claimctl queue stats --interval 10s
One queue, refreshed until Ctrl-C:
  claimctl queue stats claims --watch")]
pub struct Args {
    /// Only these: logical names, real names, URLs or ARNs
    #[arg(value_name = "QUEUE", conflicts_with = "all")]
    queues: Vec<String>,
    /// Every queue of the account, not only those of the deployed stacks
    #[arg(long)]
    all: bool,
    /// Go on until Ctrl-C
    ///
    /// On a terminal a table that refreshes, elsewhere a JSON line per queue and sample.
    #[arg(short, long)]
    watch: bool,
    /// The time between two samples; 2s with --watch
    #[arg(long, value_name = "DURATION", value_parser = parse_interval)]
    interval: Option<Duration>,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

/// Every sample is a call for each queue, and is paid for.
fn parse_interval(text: &str) -> Result<Duration, String> {
    parse_duration_in(text, Duration::from_secs(1)..)
}

#[derive(Debug, Serialize)]
struct Stats {
    environment: String,
    queues: Vec<QueueStats>,
    #[serde(skip)]
    every: Option<Duration>,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    if args.policy.print_policy {
        return policy(stats::permissions(target, &ArnBuilder::of(target).await?, &args.queues).await?);
    }
    if args.watch && ctx.options.format == Format::Json {
        return Err(Error::usage("what goes on until Ctrl-C is not one JSON document")
            .hint("a line per queue and sample: --watch --output jsonl"));
    }
    let mut watch = Watch::begin(target, &args.queues, args.all).await?;
    let environment = target.name().to_owned();
    if args.watch {
        return go_on(watch, environment, args.interval.unwrap_or(INTERVAL), ctx).await;
    }
    if let Some(interval) = args.interval {
        tokio::select! {
            () = ctx.cancel.cancelled() => {}
            () = async { tokio::time::sleep(interval).await; watch.again().await } => {}
        }
    }
    report(Stats { environment, queues: watch.stats(), every: None })
}

/// Shows sample after sample. What is left for the end is nothing: everything was shown already.
async fn go_on(mut watch: Watch, environment: String, every: Duration, ctx: &Ctx) -> Result<Outcome> {
    let in_place = ctx.variable("TERM").is_some_and(|term| term != "dumb");
    let mut screen = LivePage::new(ctx.terminal, in_place);
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await;
    while !ctx.cancel.is_cancelled() {
        let sample = Stats { environment: environment.clone(), queues: watch.stats(), every: Some(every) };
        match (ctx.options.format, ctx.terminal.stdout) {
            (Format::Table, true) => screen.draw(&sample.page())?,
            (Format::Text, _) => write(|out| out.text(&sample.page().fields()))?,
            _ => write(|out| sample.queues.iter().try_for_each(|queue| out.json_line(queue)))?,
        }
        tokio::select! {
            () = ctx.cancel.cancelled() => {}
            () = async { ticks.tick().await; watch.again().await } => {}
        }
    }
    report(Stats { environment, queues: Vec::new(), every: Some(every) })
}

/// stdout is locked only while a sample is written, never across a wait.
fn write(sample: impl FnOnce(&mut Stdout) -> Result<()>) -> Result<()> {
    let mut out = Stdout::new();
    sample(&mut out)?;
    out.flush()
}

impl Report for Stats {
    fn page(&self) -> Page {
        let mut table = Table::new(["QUEUE", ">VISIBLE", ">IN FLIGHT", ">DELAYED", ">NET/S", ">EMPTY IN"]);
        for queue in &self.queues {
            let name = queue.logical.as_ref().unwrap_or(&queue.queue);
            let number = |number: Option<u64>| number.map_or_else(dash, |number| number.to_string());
            table.row([
                name.clone(),
                number(queue.counts.map(|counts| counts.visible)),
                number(queue.counts.map(|counts| counts.in_flight)),
                number(queue.counts.map(|counts| counts.delayed)),
                queue.motion.as_ref().map_or_else(dash, |motion| rate(motion.net_per_second)),
                empty_in(queue),
            ]);
        }
        let over = self.queues.iter().filter_map(|queue| queue.motion).map(|motion| motion.over_seconds);
        let longest = over.reduce(f64::max).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let mut page = Page::new().table(table);
        for queue in &self.queues {
            page = page.line_if(queue.why.is_some(), || {
                format!("{}: not counted: {}", queue.queue, queue.why.as_deref().unwrap_or_default())
            });
        }
        if let Some(longest) = longest {
            page = page.line(format!("net: what came in less what went out, over {}", duration(longest)));
        }
        let nothing = self.queues.is_empty() && self.every.is_none();
        if let (Some(every), Some(last)) = (self.every, self.queues.iter().map(|queue| queue.at).max()) {
            page = page.line(format!("{} at {}, every {}", self.environment, local_time(last), duration(every)));
        }
        page.line_if(nothing, || format!("no queues in environment {}", self.environment))
    }

    fn list(&self) -> Option<&'static str> {
        Some("queues")
    }

    fn exit(&self) -> Exit {
        if self.queues.iter().any(|queue| queue.why.is_some()) { Exit::Partial } else { Exit::Done }
    }
}

fn rate(per_second: f64) -> String {
    let text = format!("{per_second:+.1}");
    if text.ends_with("0.0") && per_second.abs() < 1.0 { "0".to_owned() } else { text }
}

fn empty_in(queue: &QueueStats) -> String {
    let Some(counts) = queue.counts else { return dash() };
    match queue.motion {
        _ if counts.total == 0 => "empty".to_owned(),
        Some(Motion { empty_in_seconds: Some(seconds), .. }) => {
            Duration::try_from_secs_f64(seconds).map_or_else(|_| dash(), duration)
        }
        _ => dash(),
    }
}

fn dash() -> String {
    "-".to_owned()
}
