//! `claimctl doctor`: what on this machine would keep claimctl from working.

use claimctl_core::error::Result;
use claimctl_core::exit::Exit;
use claimctl_core::units::count;
use serde::Serialize;

use crate::context::Ctx;
use crate::inspect::doctor::{Finding, Status, examine};
use crate::output::{Outcome, Page, Report, Table, report};
use crate::session::TargetArgs;

/// Check what claimctl needs on this machine, and how to repair it
///
/// Looks at the configuration, programs, credentials, clock, disk and folders, and changes nothing. Exits 8 when there
/// is a problem. What could not be checked is said, and never counted as fine.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
This machine, and the sandbox:
  claimctl doctor
This machine, and credentials for an environment:
  claimctl doctor --env prod")]
pub struct Args {
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Debug, Serialize)]
struct Doctor {
    problems: usize,
    warnings: usize,
    not_checked: usize,
    findings: Vec<Finding>,
}

pub async fn run(args: &Args, ctx: &Ctx) -> Result<Outcome> {
    let findings = examine(ctx, &args.target).await;
    let with = |status| findings.iter().filter(|finding| finding.status == status).count();
    report(Doctor {
        problems: with(Status::Problem),
        warnings: with(Status::Warning),
        not_checked: with(Status::NotChecked),
        findings,
    })
}

impl Report for Doctor {
    fn page(&self) -> Page {
        let mut table = Table::new(["CHECK", "STATUS", "FOUND"]);
        for finding in &self.findings {
            table.row([finding.check.to_owned(), word(finding.status).to_owned(), finding.found.clone()]);
        }
        let to_do = self.findings.iter().filter_map(|finding| Some((finding, finding.fix.as_ref()?)));
        let page = to_do.fold(Page::new().table(table), |page, (finding, fix)| {
            page.line(format!("{}: {}; to do: {fix}", finding.check, finding.why))
        });
        page.line(format!(
            "{}, {}, {} not checked",
            count(self.problems as u64, "problem"),
            count(self.warnings as u64, "warning"),
            self.not_checked
        ))
    }

    fn list(&self) -> Option<&'static str> {
        Some("findings")
    }

    fn exit(&self) -> Exit {
        if self.problems > 0 { Exit::Findings } else { Exit::Done }
    }
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Warning => "warning",
        Status::Problem => "problem",
        Status::NotChecked => "not checked",
    }
}
