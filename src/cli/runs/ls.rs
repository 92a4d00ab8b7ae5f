//! `claimctl runs ls`: the runs of this project on this machine.

use claimctl_core::error::Result;
use claimctl_core::units::{count, local_time};
use claimctl_queues::journal::{Standing, Summary};
use serde::Serialize;

use super::{journal, who, words};
use crate::cli::values;
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, Table, report};

/// List the runs: who, when, what, and where each stands
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The last ones:
  claimctl runs ls
What can be gone on with:
  claimctl runs ls --unfinished")]
pub struct Args {
    /// Only runs that left something to do
    #[arg(long)]
    unfinished: bool,
    /// At most so many, the newest
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = values::number::<usize>(1..))]
    limit: usize,
}

#[derive(Debug, Serialize)]
struct Runs {
    project: String,
    runs: Vec<Summary>,
    /// Older ones that --limit left out.
    left_out: usize,
}

pub fn run(args: &Args, ctx: &Ctx) -> Result<Outcome> {
    let (journal, project) = journal(ctx)?;
    let mut runs = journal.map_or_else(|| Ok(Vec::new()), |journal| journal.runs())?;
    runs.retain(|run| !args.unfinished || !matches!(run.standing, Standing::Done | Standing::Live));
    let left_out = runs.len().saturating_sub(args.limit);
    report(Runs { project, runs: runs.split_off(left_out), left_out })
}

impl Report for Runs {
    fn page(&self) -> Page {
        let mut table = Table::new(["RUN", "BEGAN", "ENVIRONMENT", "WHO", "WHAT", "IS", "COUNTS"]);
        for run in &self.runs {
            table.row([
                run.id.clone(),
                local_time(run.begun_at),
                run.who.environment.clone().unwrap_or_else(|| "-".to_owned()),
                who(&run.who).to_owned(),
                format!("{} {}", run.verb, run.target),
                run.standing.name().to_owned(),
                words(&run.counts),
            ]);
        }
        let unfinished = self.runs.iter().rfind(|run| !matches!(run.standing, Standing::Done | Standing::Live));
        let page = Page::new()
            .table(table)
            .line_if(self.runs.is_empty(), || format!("no runs in the journal of project {}", self.project))
            .line_if(self.left_out > 0, || {
                format!("{} older: --limit N shows more", count(self.left_out as u64, "run"))
            });
        match unfinished {
            Some(run) => page.line(format!("how to go on: claimctl runs show {}", run.id)),
            None => page,
        }
    }

    fn list(&self) -> Option<&'static str> {
        Some("runs")
    }
}
