//! `claimctl env`: the environments, and whose account each leads to.

pub mod ls;
pub mod show;

use claimctl_aws::account::AccountComparison;
use claimctl_core::error::{Error, Result};
use claimctl_core::exit::Exit;
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
    verdict: AccountComparison,
}

impl Account {
    fn new(expected: Option<String>, actual: Option<String>) -> Self {
        Account { verdict: AccountComparison::of(expected.as_deref(), actual.as_deref()), expected, actual }
    }

    fn words(&self) -> String {
        let actual = self.actual.as_deref().unwrap_or("?");
        match self.verdict {
            AccountComparison::Agrees => format!("{actual}, as declared"),
            AccountComparison::Mismatch => {
                format!("MISMATCH: {} is declared, and the credentials are of {actual}", dash(self.expected.as_deref()))
            }
            AccountComparison::Undeclared => format!("{actual}; none is declared, so changes are not guarded"),
            AccountComparison::Unknown => "unknown".to_owned(),
        }
    }
}

/// Why STS did not say. A look reports it instead of ending there.
#[derive(Debug, Serialize)]
struct Failure {
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
    #[serde(skip)]
    exit: Exit,
}

impl Failure {
    fn of(ctx: &Ctx, error: &Error) -> Self {
        let causes = error.chain().split_off(1);
        let hints = error.hints().iter().map(|hint| ctx.hint(hint)).collect();
        Failure { message: error.to_string(), causes, hints, exit: error.exit() }
    }
}

fn dash(value: Option<&str>) -> &str {
    value.unwrap_or("-")
}
