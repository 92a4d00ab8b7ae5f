//! `claimctl demo`: the whole story of a stack in one command, which cleans up after itself.

use std::time::{Duration, Instant};

use claimctl_core::context::Paths;
use claimctl_core::error::{Error, Result};
use claimctl_core::units::duration;
use serde::Serialize;

use crate::cli::values;
use crate::context::{Ctx, Format};
use crate::demo::{self, Step, milliseconds};
use crate::output::{Outcome, Page, Report, Table, report};
use crate::sandbox::Sandbox;
use crate::stacks::{self, Stack};

/// Play the whole story of a stack in a private sandbox
///
/// Packaged, deployed, given work, and the proof that nothing was lost. Needs the repository (it builds the handlers),
/// Rust and Python. Leaves nothing running and nothing on disk but the built artifacts and the cached virtual
/// environment.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The whole story, and nothing is left behind:
  claimctl demo
The same, and the sandbox is left up to look around in:
  claimctl demo --keep
The stories there are:
  claimctl demo --list")]
pub struct Args {
    /// The stack whose story is played
    #[arg(value_name = "STACK", default_value = stacks::DEFAULT, value_parser = values::stack())]
    stack: &'static Stack,
    /// Say which stacks there are, and what they are
    #[arg(long, conflicts_with_all = ["stack", "keep"])]
    list: bool,
    /// Leave the sandbox up afterwards
    #[arg(long)]
    keep: bool,
}

#[derive(Debug, Serialize)]
struct Played {
    stack: &'static str,
    steps: Vec<Step>,
    elapsed_ms: u64,
    /// Set CLAIMCTL_HOME to this to go on in the sandbox of the story; none when it is gone.
    home: Option<String>,
    #[serde(skip)]
    work: &'static str,
    /// Whether the reader of the page has seen each step as it ended.
    #[serde(skip)]
    told: bool,
}

#[derive(Debug, Serialize)]
struct Listed {
    stacks: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Entry {
    stack: &'static str,
    summary: &'static str,
}

pub async fn run(args: &Args, ctx: &Ctx) -> Result<Outcome> {
    if args.list {
        let entry = |stack: &&'static Stack| Entry { stack: stack.name, summary: stack.summary };
        return report(Listed { stacks: stacks::ALL.iter().map(entry).collect() });
    }
    let started = Instant::now();
    let folder = tempfile::Builder::new()
        .prefix("claimctl-demo-")
        .tempdir()
        .map_err(|error| Error::unexpected("cannot make a temporary folder").caused_by(error))?;
    // The cache is shared: what can be made again need not be.
    let private = ctx.with_paths(Paths { cache: ctx.paths.cache.clone(), state: folder.path().join("state") });
    let played = demo::play(&private, args.stack, folder.path()).await;
    let home = if args.keep && played.is_ok() {
        Some(folder.keep().display().to_string())
    } else {
        // Whatever ended the story, also an interrupt: nothing is left running.
        Sandbox::at(&private.paths).stop(&private.without_interrupts()).await?;
        None
    };
    let elapsed_ms = milliseconds(started.elapsed());
    let Stack { name: stack, work, .. } = *args.stack;
    report(Played { stack, steps: played?, elapsed_ms, home, work, told: told(ctx) })
}

/// Steps are told on stderr. Where that and stdout are both the terminal, or both in one log, the page need not repeat
/// them; fields for scripts are always whole.
fn told(ctx: &Ctx) -> bool {
    !ctx.options.quiet && ctx.options.format == Format::Table && ctx.terminal.stderr == ctx.terminal.stdout
}

impl Report for Played {
    fn page(&self) -> Page {
        let mut table = Table::new(["STEP", ">TIME", "RESULT"]);
        let time = |ms| duration(Duration::from_millis(ms));
        for step in self.steps.iter().filter(|_| !self.told) {
            table.row([step.step.to_owned(), time(step.elapsed_ms), step.result.clone()]);
        }
        let page = Page::new().table(table).line(format!("{} in all", time(self.elapsed_ms)));
        let page = match &self.home {
            None => page.line("the sandbox is stopped, and nothing of it is left"),
            Some(home) => page
                .line(format!("the sandbox is still up; for this shell: export CLAIMCTL_HOME={home}"))
                .line("stop it with claimctl local down, then remove that folder"),
        };
        let up = if self.stack == stacks::DEFAULT { String::new() } else { format!(" {}", self.stack) };
        page.line(format!("next: claimctl local up{up}"))
            .line(format!("      claimctl {}", self.work))
            .line("      claimctl verify --wait 30s")
    }

    fn list(&self) -> Option<&'static str> {
        Some("steps")
    }
}

impl Report for Listed {
    fn page(&self) -> Page {
        let mut table = Table::new(["STACK", "IS"]);
        for entry in &self.stacks {
            table.row([entry.stack.to_owned(), entry.summary.to_owned()]);
        }
        Page::new().table(table).line("play one: claimctl demo STACK")
    }

    fn list(&self) -> Option<&'static str> {
        Some("stacks")
    }
}
