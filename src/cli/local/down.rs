//! `claimctl local down`: stops the server, or takes single stacks away.

use claimctl_core::error::Result;
use claimctl_core::units::count;
use serde::Serialize;

use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, report};
use crate::sandbox::{Removed, Sandbox, Stopped};
use crate::session::{Session, TargetArgs};

/// Stop the sandbox, or take stacks out of it
///
/// Without a name, the sandbox stops. What is in the buckets of a stack is deleted with it. When the sandbox stops, everything in it is gone.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Stop it, after a question:
  claimctl local down
Only take a stack out of it, without a question:
  claimctl local down claim-check --yes")]
pub struct Args {
    /// The stacks to take away
    #[arg(value_name = "STACK")]
    stacks: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Down {
    /// False when nothing ran.
    stopped: bool,
    pid: Option<i32>,
    #[serde(skip)]
    what: String,
}

#[derive(Debug, Serialize)]
struct Gone {
    removed: Vec<Removed>,
}

pub async fn run(args: &Args, ctx: &Ctx) -> Result<Outcome> {
    let sandbox = Sandbox::at(&ctx.paths);
    match args.stacks.is_empty() {
        true => stop(ctx, &sandbox).await,
        false => remove(ctx, &sandbox, &args.stacks).await,
    }
}

async fn stop(ctx: &Ctx, sandbox: &Sandbox) -> Result<Outcome> {
    if sandbox.endpoint().await.is_ok() {
        super::log_loss(ctx, "stop the sandbox, with all that is in it")?;
    }
    report(match sandbox.stop(ctx).await? {
        Stopped::Ended(pid) => {
            Down { stopped: true, pid: Some(pid), what: format!("the sandbox (pid {pid}) is stopped") }
        }
        Stopped::Cleared(server) => Down {
            stopped: false,
            pid: Some(server.pid),
            what: format!("the sandbox (pid {}) had died; what it left is removed", server.pid),
        },
        Stopped::WasDown => {
            Down { stopped: false, pid: None, what: "the sandbox was not running: nothing to stop".to_owned() }
        }
    })
}

async fn remove(ctx: &Ctx, sandbox: &Sandbox, stacks: &[String]) -> Result<Outcome> {
    let mut stacks = stacks.to_vec();
    stacks.sort();
    stacks.dedup();
    sandbox.endpoint().await?;
    let target = Session::resolve(ctx, &TargetArgs::default()).await?;
    super::log_loss(ctx, &format!("take {} out of the sandbox, with all that is in it", stacks.join(", ")))?;
    let removed = sandbox.remove(ctx, &target, &stacks).await?;
    // Read back, so that a shell completes no names of what is gone.
    target.surfaces().await?;
    report(Gone { removed })
}

impl Report for Down {
    fn page(&self) -> Page {
        Page::new().line(self.what.as_str())
    }
}

impl Report for Gone {
    fn page(&self) -> Page {
        self.removed.iter().fold(Page::new(), |page, removed| {
            let emptied = removed.objects.iter().filter(|(_, objects)| **objects > 0);
            let emptied: Vec<_> =
                emptied.map(|(name, it)| format!("; {} in {name} deleted", count(*it, "object"))).collect();
            page.line(format!("stack {} is gone{}", removed.stack, emptied.concat()))
        })
    }

    fn list(&self) -> Option<&'static str> {
        Some("removed")
    }
}
