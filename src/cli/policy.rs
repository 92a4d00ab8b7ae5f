//! `--print-policy`: the least that IAM has to allow for a verb.

use claimctl_aws::policy::Statement;
use claimctl_core::error::Result;
use serde::Serialize;

use crate::output::{Outcome, Page, Report, report};

/// Shared by every verb that calls AWS.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Permissions")]
pub struct PolicyArgs {
    /// Print the least IAM policy to run this, and do nothing
    #[arg(long, hide_short_help = true)]
    pub print_policy: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Policy {
    version: &'static str,
    statement: Vec<Statement>,
}

/// The policy as the result of a verb.
pub fn policy(statement: Vec<Statement>) -> Result<Outcome> {
    report(Policy { version: "2012-10-17", statement })
}

impl Report for Policy {
    /// IAM reads JSON only, so that people get it too.
    fn page(&self) -> Page {
        Page::new().verbatim(serde_json::to_string_pretty(self).unwrap_or_default() + "\n")
    }
}
