//! `claimctl function logs`: what a function says.

use std::time::Duration;

use claimctl_aws::logs::{Grep, LogLine, LogPages, LogQuery, LogTail};
use claimctl_aws::policy::ArnBuilder;
use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::next::Next;
use claimctl_core::spool::Spool;
use claimctl_core::time;
use claimctl_core::units::{local_time, printable, zoned_time};
use claimctl_queues::consumers::function_name::FunctionName;
use claimctl_queues::consumers::logs;
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::policy::{PolicyArgs, policy};
use crate::context::{Ctx, Format};
use crate::output::{Outcome, Page, Report, Stdout, report};
use crate::session::{Session, TargetArgs};

/// Between two looks for lines that are new.
const EVERY: Duration = Duration::from_secs(1);

/// Show what a function says
///
/// The lines of its log group, oldest first, as they are read: memory stays small however many there are. With --follow
/// it goes on until Ctrl-C; each line comes once, also one that becomes visible up to a minute late.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The last hour:
  claimctl function logs claim-recorder
Errors since this morning:
  claimctl function logs claim-recorder --since 12h --grep ERROR
As they come:
  claimctl function logs claim-recorder --since 1m --follow")]
pub struct Args {
    /// The function: a logical name, a real name, NAME:ALIAS or an ARN
    #[arg(value_name = "FUNCTION")]
    function: String,
    /// Go on as lines come, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Lines since then: 2026-01-31T12:00, 2h, 7d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time::parse_moment)]
    since: Timestamp,
    /// Only lines that contain this, as it is written; all of them where it is given several times
    #[arg(long, value_name = "TEXT")]
    grep: Vec<String>,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

/// The JSON form is a contract.
#[derive(Serialize)]
struct Logs {
    function: String,
    log_group: String,
    since: Timestamp,
    lines: Spool<Line>,
    #[serde(skip)]
    shown: bool,
}

#[derive(Serialize, serde::Deserialize)]
struct Line {
    at: Timestamp,
    stream: String,
    text: String,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    if args.policy.print_policy {
        return policy(logs::permissions(&ArnBuilder::of(target).await?));
    }
    let format = ctx.options.format;
    if args.follow && format == Format::Json {
        return Err(Error::usage("what goes on until Ctrl-C is not one JSON document")
            .hint("a document for each line: --follow --output jsonl"));
    }
    let grep = Grep::of(&args.grep)?;
    let function = FunctionName::find(target, &args.function).await?;
    let log_group = logs::group(&target.lambda(), &function.name).await?;
    let query = LogQuery { group: log_group.clone(), since: Some(args.since), pattern: grep.pattern().to_owned() };
    let mut logs = Logs {
        function: function.name,
        log_group,
        since: args.since,
        lines: Spool::new(),
        shown: format != Format::Json,
    };
    let mut show = |lines: Vec<LogLine>| {
        let lines = lines.into_iter().filter(|line| grep.takes(line));
        let mut lines = lines.map(|LogLine { at, stream, text, .. }| Line { at, stream, text });
        match format {
            Format::Json => lines.try_for_each(|line| logs.lines.push(line)),
            format => print(lines, format),
        }
    };
    let read = match args.follow {
        true => follow(LogTail::of(target.logs(), query), ctx, &mut show).await,
        false => read(LogPages::start(target.logs(), query), ctx, &mut show).await,
    };
    read.map_err(|error| match error.kind() {
        Kind::NotFound => error
            .hint("a function has a log group once it has said something")
            .next("the functions that are there", Next::verb("function ls").word("--all")),
        _ => error,
    })?;
    report(logs)
}

/// All that there is. An interrupt ends it where it is.
async fn read(mut pages: LogPages, ctx: &Ctx, show: &mut impl FnMut(Vec<LogLine>) -> Result<()>) -> Result<()> {
    loop {
        let page = tokio::select! {
            page = pages.next() => page?,
            () = ctx.cancel.cancelled() => return Err(Error::interrupted("stopped before all lines were read")),
        };
        match page {
            Some(lines) => show(lines)?,
            None => return Ok(()),
        }
    }
}

/// Until Ctrl-C, which is the end that was meant.
async fn follow(mut tail: LogTail, ctx: &Ctx, show: &mut impl FnMut(Vec<LogLine>) -> Result<()>) -> Result<()> {
    loop {
        let lines = tokio::select! {
            lines = tail.next() => lines?,
            () = ctx.cancel.cancelled() => return Ok(()),
        };
        match lines {
            Some(lines) => show(lines)?,
            None => tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = ctx.cancel.cancelled() => return Ok(()),
            },
        }
    }
}

/// stdout is locked only while lines are written, never across a wait.
fn print(mut lines: impl Iterator<Item = Line>, format: Format) -> Result<()> {
    let mut out = Stdout::new();
    lines.try_for_each(|line| match format {
        Format::Jsonl => out.json_line(&line),
        Format::Text => out.text(&format!("{}\t{}\n", line.at, printable(&line.text))),
        _ => out.text(&format!("{}  {}\n", local_time(line.at), printable(&line.text.replace('\t', "  ")))),
    })?;
    out.flush()
}

impl Report for Logs {
    fn page(&self) -> Page {
        Page::new().line(format!("{}: log group {} since {}", self.function, self.log_group, zoned_time(self.since)))
    }

    fn list(&self) -> Option<&'static str> {
        Some("lines")
    }

    fn is_for_stdout(&self) -> bool {
        !self.shown
    }
}
