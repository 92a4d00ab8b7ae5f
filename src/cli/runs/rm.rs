//! `claimctl runs rm`: forgets runs.

use claimctl_core::error::Result;
use claimctl_core::units::count;
use serde::Serialize;

use super::journal_with;
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, Table, prompt, report};

/// Forget runs that are done
///
/// Only the journal is changed: no queue, no file. A live run is not forgotten, and one that can be gone on with only
/// with --force: without its journal, the same command begins anew.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
What would be forgotten:
  claimctl runs rm 3f2a --dry-run
Although it is not done:
  claimctl runs rm 3f2a --force")]
pub struct Args {
    /// The runs: an id, the beginning of one, or its last four digits
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<String>,
    /// Also runs that are not done, or have undecided items
    #[arg(long)]
    force: bool,
    /// Only say which runs would be forgotten
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Serialize)]
struct Removed {
    removed: Vec<Gone>,
    dry_run: bool,
}

#[derive(Debug, Serialize)]
struct Gone {
    id: String,
    items: u64,
    #[serde(skip)]
    what: String,
}

pub fn run(args: &Args, ctx: &Ctx) -> Result<Outcome> {
    let journal = journal_with(ctx, &args.runs.join(", "))?;
    let mut runs = args.runs.iter().map(|typed| journal.run(typed)).collect::<Result<Vec<_>>>()?;
    runs.sort_by(|a, b| a.id.cmp(&b.id));
    runs.dedup_by(|a, b| a.id == b.id);
    runs.iter().try_for_each(|run| journal.removable(run, args.force))?;
    let removed = runs.iter().map(|run| {
        let items = journal.tally(run)?.values().sum();
        Ok(Gone { id: run.id.clone(), items, what: format!("{} {}", run.verb, run.target) })
    });
    let removed = Removed { removed: removed.collect::<Result<_>>()?, dry_run: args.dry_run };
    if !args.dry_run {
        let ids: Vec<_> = runs.iter().map(|run| run.id.as_str()).collect();
        prompt::confirm(ctx, &format!("forget {} ({})?", count(ids.len() as u64, "run"), ids.join(", ")))?;
        runs.iter().try_for_each(|run| journal.remove(run, args.force))?;
    }
    report(removed)
}

impl Report for Removed {
    fn page(&self) -> Page {
        let mut table = Table::new(["RUN", ">ITEMS", "WHAT"]);
        for run in &self.removed {
            table.row([run.id.clone(), run.items.to_string(), run.what.clone()]);
        }
        let runs = count(self.removed.len() as u64, "run");
        Page::new().table(table).line(match self.dry_run {
            true => format!("{runs} would be forgotten; nothing was changed"),
            false => format!("{runs} forgotten"),
        })
    }

    fn list(&self) -> Option<&'static str> {
        Some("removed")
    }
}
