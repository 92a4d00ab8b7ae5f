//! `claimctl local down`: stops the server.

use claimctl_core::error::Result;
use serde::Serialize;

use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, report};
use crate::sandbox::{Sandbox, Stopped};

/// Stop the sandbox; everything in it is gone
#[derive(Debug, clap::Args)]
pub struct Args {}

#[derive(Debug, Serialize)]
struct Down {
    /// False when nothing ran.
    stopped: bool,
    pid: Option<i32>,
    #[serde(skip)]
    what: String,
}

pub async fn run(_: &Args, ctx: &Ctx) -> Result<Outcome> {
    let sandbox = Sandbox::at(&ctx.paths);
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

impl Report for Down {
    fn page(&self) -> Page {
        Page::new().line(self.what.as_str())
    }
}
