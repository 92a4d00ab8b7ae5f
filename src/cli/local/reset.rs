//! `claimctl local reset`: empties the sandbox.

use claimctl_core::error::Result;
use serde::Serialize;

use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, prompt, report};
use crate::sandbox::Sandbox;

/// Empty the sandbox and leave it running
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Empty it, after a question:
  claimctl local reset
Without one:
  claimctl local reset --yes")]
pub struct Args {}

#[derive(Debug, Serialize)]
struct Reset {
    endpoint: String,
}

pub async fn run(_: &Args, ctx: &Ctx) -> Result<Outcome> {
    let sandbox = Sandbox::at(&ctx.paths);
    let endpoint = sandbox.endpoint().await?;
    prompt::confirm(ctx, "remove every stack, payload, message and record from the sandbox?")?;
    super::log_loss(ctx, "empty the sandbox")?;
    sandbox.reset(ctx).await?;
    report(Reset { endpoint })
}

impl Report for Reset {
    fn page(&self) -> Page {
        Page::new()
            .line(format!("the sandbox at {} is empty", self.endpoint))
            .line("deploy the stack again: claimctl local up")
    }
}
