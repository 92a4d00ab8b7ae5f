//! `claimctl demo`: the whole story in one command, which cleans up after itself.

use std::time::{Duration, Instant};

use claimctl_core::context::Paths;
use claimctl_core::error::{Error, Result};
use claimctl_core::units::duration;
use serde::Serialize;

use crate::context::Ctx;
use crate::demo::{self, Step};
use crate::output::{Outcome, Page, Report, Table, report};
use crate::sandbox::Sandbox;

/// Play the whole story in a private sandbox: package, upload, peek, verify, and a message that dies
///
/// Needs the repository (it builds the handler), Rust and Python. Leaves nothing running and nothing on disk but the
/// built artifact and the cached virtual environment.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Leave the sandbox up afterwards
    #[arg(long)]
    keep: bool,
}

#[derive(Debug, Serialize)]
struct Played {
    steps: Vec<Step>,
    elapsed_ms: u64,
    /// Set CLAIMCTL_HOME to this to go on in the sandbox of the story; none when it is gone.
    home: Option<String>,
}

pub async fn run(args: &Args, ctx: &Ctx) -> Result<Outcome> {
    let started = Instant::now();
    let folder = tempfile::Builder::new()
        .prefix("claimctl-demo-")
        .tempdir()
        .map_err(|error| Error::unexpected("cannot make a temporary folder").caused_by(error))?;
    // The cache is shared: what can be made again need not be.
    let private = ctx.with_paths(Paths { cache: ctx.paths.cache.clone(), state: folder.path().join("state") });
    let played = demo::play(&private, folder.path()).await;
    let home = if args.keep && played.is_ok() {
        Some(folder.keep().display().to_string())
    } else {
        // Whatever ended the story, also an interrupt: nothing is left running.
        Sandbox::at(&private.paths).stop(&private.without_interrupts()).await?;
        None
    };
    let elapsed_ms = started.elapsed().as_millis().try_into().unwrap_or(u64::MAX);
    report(Played { steps: played?, elapsed_ms, home })
}

impl Report for Played {
    fn page(&self) -> Page {
        let mut table = Table::new(["STEP", ">TIME", "RESULT"]);
        let time = |ms| duration(Duration::from_millis(ms));
        for step in &self.steps {
            table.row([step.step.to_owned(), time(step.elapsed_ms), step.result.clone()]);
        }
        let page = Page::new().table(table).line(format!("{} in all", time(self.elapsed_ms)));
        let page = match &self.home {
            None => page.line("the sandbox is stopped, and nothing of it is left"),
            Some(home) => page
                .line(format!("the sandbox is still up; for this shell: export CLAIMCTL_HOME={home}"))
                .line("stop it with claimctl local down, then remove that folder"),
        };
        page.line("next: claimctl local up").line("      claimctl upload FILE").line("      claimctl verify --wait 30s")
    }

    fn list(&self) -> Option<&'static str> {
        Some("steps")
    }
}
