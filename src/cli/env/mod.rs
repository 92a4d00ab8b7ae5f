//! `claimctl env`: the environments, and whose account each leads to.

pub mod ls;
pub mod show;

use claimctl_aws::account::AccountComparison;
use claimctl_core::error::Result;
use clap::Subcommand;
use serde::Serialize;

use crate::context::Ctx;
use crate::output::Outcome;

#[derive(Debug, Subcommand)]
pub enum Verb {
    Ls(ls::Args),
    Show(show::Args),
}

pub async fn run(verb: Verb, ctx: &Ctx) -> Result<Outcome> {
    match verb {
        Verb::Ls(args) => ls::run(&args, ctx).await,
        Verb::Show(args) => show::run(&args, ctx).await,
    }
}

/// The account that was meant and the one that STS names.
#[derive(Debug, Serialize)]
struct Account {
    expected: Option<String>,
    actual: Option<String>,
    comparison: AccountComparison,
}

impl Account {
    fn new(expected: Option<String>, actual: Option<String>) -> Self {
        Account { comparison: AccountComparison::of(expected.as_deref(), actual.as_deref()), expected, actual }
    }

    fn words(&self) -> String {
        let actual = self.actual.as_deref().unwrap_or("?");
        match self.comparison {
            AccountComparison::Agrees => format!("{actual}, as declared"),
            AccountComparison::Mismatch => {
                format!("MISMATCH: {} is declared, and the credentials are of {actual}", dash(self.expected.as_deref()))
            }
            AccountComparison::Undeclared => format!("{actual}; none is declared, so changes are not guarded"),
            AccountComparison::Unknown => "unknown".to_owned(),
        }
    }
}

fn dash(value: Option<&str>) -> &str {
    value.unwrap_or("-")
}
