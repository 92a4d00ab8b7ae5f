//! `claimctl local logs`: what the server and its functions say.

use std::time::Duration;

use claimctl_core::error::Result;
use claimctl_core::units;
use serde::Serialize;

use crate::cli::values;
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, Stdout, report};
use crate::sandbox::Sandbox;

const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Show what the server and its functions say
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
What was said last:
  claimctl local logs
What is being said:
  claimctl local logs --lines 5 --follow")]
pub struct Args {
    /// So many of the last lines
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50, value_parser = values::number::<usize>(1..))]
    lines: usize,
    /// Go on as lines come, until Ctrl-C; always text
    #[arg(short, long)]
    follow: bool,
}

#[derive(Debug, Serialize)]
struct Logs {
    lines: Vec<String>,
}

pub async fn run(args: &Args, ctx: &Ctx) -> Result<Outcome> {
    let mut log = Sandbox::at(&ctx.paths).log()?;
    let mut lines = log.last(args.lines)?;
    while args.follow && !ctx.cancel.is_cancelled() {
        print(&lines)?;
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            () = ctx.cancel.cancelled() => {}
        }
        lines = log.more()?;
    }
    report(Logs { lines })
}

/// stdout is locked only while lines are written, never across a wait.
fn print(lines: &[String]) -> Result<()> {
    let mut out = Stdout::new();
    lines.iter().try_for_each(|line| out.text(&format!("{}\n", units::printable(line))))?;
    out.flush()
}

impl Report for Logs {
    fn page(&self) -> Page {
        self.lines.iter().fold(Page::new(), |page, line| page.line(line.as_str()))
    }

    fn list(&self) -> Option<&'static str> {
        Some("lines")
    }
}
