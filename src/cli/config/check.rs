//! `claimctl config check`: problems in claimctl.toml, each with its place and the fix.

use std::path::PathBuf;

use claimctl_core::error::{Error, Result};
use claimctl_core::exit::Exit;
use claimctl_core::units;
use claimctl_deploy::artifact::Repository;
use serde::Serialize;

use crate::config::{Config, FILE_NAME, Findings};
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, report};

#[derive(Debug, Serialize)]
struct Checked {
    path: PathBuf,
    #[serde(flatten)]
    findings: Findings,
}

/// Look for problems in claimctl.toml
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Look for problems:
  claimctl config check
For a workflow:
  claimctl config check --output json")]
pub struct Args {}

pub async fn run(ctx: &Ctx) -> Result<Outcome> {
    let path = Config::locate(ctx).ok_or_else(|| {
        Error::not_found(format!("there is no {FILE_NAME} here or above")).hint("write one: claimctl init")
    })?;
    let (config, mut findings) = Config::examine(&path)?;
    if findings.problems.is_empty() {
        findings.notes.extend(unknown_binaries(ctx, &config).await);
    }
    report(Checked { path, findings })
}

/// A function's binary is only known where its sources are, so that a missing one is a note.
async fn unknown_binaries(ctx: &Ctx, config: &Config) -> Vec<String> {
    if config.functions.is_empty() {
        return Vec::new();
    }
    match Repository::find(ctx, &config.project()).await {
        Ok(repository) => {
            let wrong = config.functions.keys().filter_map(|name| repository.handler(name).err());
            wrong.map(|error| error.to_string()).collect()
        }
        Err(error) => vec![format!("the functions' binaries are not checked: {error}")],
    }
}

impl Report for Checked {
    fn page(&self) -> Page {
        let Findings { problems, notes } = &self.findings;
        let mut page = Page::new();
        for problem in problems {
            page = page.line(format!("{}: {}", problem.place(), problem.message));
            page = page.line(format!("  fix: {}", problem.hint));
        }
        for note in notes {
            page = page.line(format!("note: {note}"));
        }
        let count = units::count(problems.len() as u64, "problem");
        let verdict = if problems.is_empty() { "no problems" } else { count.as_str() };
        page.line(format!("{}: {verdict}", self.path.display()))
    }

    fn list(&self) -> Option<&'static str> {
        Some("problems")
    }

    fn exit(&self) -> Exit {
        if self.findings.problems.is_empty() { Exit::Done } else { Exit::Usage }
    }
}
