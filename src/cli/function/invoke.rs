//! `claimctl function invoke`: one event to a function, and what came of it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use claimctl_aws::policy::ArnBuilder;
use claimctl_aws::target::Intent;
use claimctl_core::error::{IoContext, Result};
use claimctl_core::exit::Exit;
use claimctl_core::units::{count, duration, printable};
use claimctl_queues::consumers::function_name::FunctionName;
use claimctl_queues::consumers::invoke::{self, Event, Invoked, Manner};
use serde::Serialize;

use crate::cli::policy::{PolicyArgs, policy};
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, report};
use crate::session::{Session, TargetArgs};

/// Invoke a function once, and show what came of it
///
/// Its answer, its error, the last lines of what it said, and how long it took, also as Lambda bills it. A function that a
/// flow calls by an alias is called by that one. Exits 3 when the function failed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
With the event in a file:
  claimctl function invoke claim-recorder --event event.json
With nothing but {}, and without waiting for the answer:
  claimctl function invoke claim-recorder --async")]
pub struct Args {
    /// The function: a logical name, a real name, NAME:ALIAS or an ARN
    #[arg(value_name = "FUNCTION")]
    function: String,
    /// The event as JSON, or - for stdin; {} by default
    #[arg(long, value_name = "FILE")]
    event: Option<PathBuf>,
    /// Let Lambda queue the event, and do not wait; it tries three times
    #[arg(long = "async")]
    asynchronous: bool,
    /// Only ask Lambda whether the function may be invoked
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

#[derive(Serialize)]
struct Rehearsed {
    function: String,
    qualifier: Option<String>,
    dry_run: bool,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let function = FunctionName::find(target, &args.function).await?;
    if args.policy.print_policy {
        return policy(invoke::permissions(&ArnBuilder::of(target).await?, &function));
    }
    let manner = if args.asynchronous { Manner::Asynchronous } else { Manner::Synchronous };
    let event = read_event(args.event.as_deref(), manner)?;
    if args.dry_run {
        invoke::rehearse(target, &function).await?;
        return report(Rehearsed { function: function.name, qualifier: function.qualifier, dry_run: true });
    }
    let what = format!("invoke function {}", function.typed());
    let change = target.authorize(ctx, &Intent { what, destroys: false }).await?;
    let invoked = invoke::invoke(target, &function, event, manner, &change, &ctx.cancel).await?;
    report(Answer { asynchronous: args.asynchronous, invoked })
}

/// No more is read of it than Lambda would take, and a byte.
fn read_event(file: Option<&Path>, manner: Manner) -> Result<Event> {
    let Some(path) = file else { return Event::check(b"{}".to_vec(), "nothing", manner) };
    let most = manner.most_bytes() as u64 + 1;
    let mut bytes = Vec::new();
    let (read, name) = match path == Path::new("-") {
        true => (std::io::stdin().lock().take(most).read_to_end(&mut bytes), "stdin".to_owned()),
        false => {
            let file = File::open(path).on("read", path)?;
            (file.take(most).read_to_end(&mut bytes), path.display().to_string())
        }
    };
    read.on("read", path)?;
    Event::check(bytes, &name, manner)
}

#[derive(Serialize)]
struct Answer {
    asynchronous: bool,
    #[serde(flatten)]
    invoked: Invoked,
}

impl Report for Answer {
    fn page(&self) -> Page {
        let Invoked { function, answer, error, log, usage, elapsed_ms, request_id, .. } = &self.invoked;
        let mut page = Page::new();
        if let Some(answer) = answer {
            let text = answer.as_str().map_or_else(|| format!("{answer:#}"), str::to_owned);
            page = page.verbatim(written(text.lines()));
        }
        if !log.is_empty() {
            let lines = count(log.len() as u64, "line");
            let said = format!("what it said, {lines} at the end:\n");
            page = page.verbatim(said + &written(log.iter().map(String::as_str)));
        }
        let mut took = vec![duration(std::time::Duration::from_millis(*elapsed_ms))];
        took.extend(usage.duration_ms.map(|ms| format!("{ms} ms at work")));
        took.extend(usage.billed_ms.map(|ms| format!("{ms} ms billed")));
        took.extend(usage.init_ms.map(|ms| format!("{ms} ms to begin with")));
        took.extend(usage.max_memory_used_mb.map(|used| match usage.memory_mb {
            Some(memory) => format!("{used} of {memory} MB used"),
            None => format!("{used} MB used"),
        }));
        let request = request_id.as_ref().map_or_else(String::new, |id| format!(" (request {id})"));
        let became = match error {
            Some(error) => format!("failed: {}", error.words()),
            None if self.asynchronous => "was accepted: Lambda queues the event, and tries it three times".to_owned(),
            None => "succeeded".to_owned(),
        };
        page.line(format!("{function} {became}{request}")).line(format!("in {}", took.join(", ")))
    }

    fn exit(&self) -> Exit {
        if self.invoked.error.is_some() { Exit::Partial } else { Exit::Done }
    }
}

/// What a function says is not ours to keep: as it is, but for what would drive the terminal, and not a sentence that the
/// change log takes.
fn written<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    lines.map(|line| format!("{}\n", printable(&line.replace('\t', "  ")))).collect()
}

impl Report for Rehearsed {
    fn page(&self) -> Page {
        let called = self.qualifier.as_ref().map_or_else(String::new, |qualifier| format!(" ({qualifier})"));
        Page::new().line(format!("{}{called} may be invoked; nothing was", self.function))
    }
}
