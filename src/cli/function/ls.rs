//! `claimctl function ls`: the functions of the surfaces, or of the account.

use claimctl_aws::policy::ArnBuilder;
use claimctl_core::error::Result;
use claimctl_core::exit::Exit;
use claimctl_core::units::{duration, local_time};
use claimctl_queues::consumers::functions::{self, Functions, ListedFunction};
use serde::Serialize;

use crate::cli::policy::{PolicyArgs, policy};
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, Table, beside_the_list, report};
use crate::session::{Session, TargetArgs};

/// Hex digits of a digest that a table shows.
const DIGITS: usize = 12;

/// List functions: artifact, version, runtime, state
///
/// Those of the deployed stacks, as their flows call them: by an alias, whose version is shown.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The functions of the deployed stacks:
  claimctl function ls
What the account has besides:
  claimctl function ls --all")]
pub struct Args {
    /// Every function of the account, not only those of the deployed stacks
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

#[derive(Serialize)]
struct Listing {
    environment: String,
    #[serde(flatten)]
    listed: Functions,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    if args.policy.print_policy {
        return policy(functions::permissions(&ArnBuilder::of(target).await?, args.all));
    }
    let listed = functions::list(target, args.all).await?;
    let listing = Listing { environment: target.name().to_owned(), listed };
    beside_the_list(ctx, listing.unread());
    report(listing)
}

impl Listing {
    fn unread(&self) -> impl Iterator<Item = String> {
        self.listed.unread.iter().map(|unread| format!("not read: function {}: {}", unread.name, unread.why))
    }
}

/// What is worth a line below the table.
fn trouble(function: &ListedFunction) -> Option<String> {
    let why = function.state_reason.as_ref().map_or_else(String::new, |why| format!(": {why}"));
    if function.update_failed {
        return Some(format!("{}: its last update failed{why}", function.name));
    }
    let state = function.state.as_deref().filter(|state| *state != "Active")?;
    Some(format!("{} is {}{why}", function.name, state.to_lowercase()))
}

impl Report for Listing {
    fn page(&self) -> Page {
        let headings =
            ["FUNCTION", "NAME", "ARTIFACT", "VERSION", "MODIFIED", "RUNTIME", ">MEMORY", ">TIMEOUT", "STATE"];
        let mut table = Table::new(headings);
        let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        for function in &self.listed.functions {
            let version = match (&function.alias, &function.version) {
                (Some(alias), Some(version)) => Some(format!("{alias} ({version})")),
                (None, version) => version.clone(),
                (alias, None) => alias.clone(),
            };
            let seconds = function.timeout_seconds.and_then(|seconds| u64::try_from(seconds).ok());
            table.row([
                or_dash(function.logical.clone()),
                function.name.clone(),
                or_dash(function.artifact.as_deref().map(short)),
                or_dash(version),
                or_dash(function.last_modified.map(local_time)),
                or_dash(function.runtime.clone()),
                or_dash(function.memory_mb.map(|megabytes| format!("{megabytes} MB"))),
                or_dash(seconds.map(|seconds| duration(std::time::Duration::from_secs(seconds)))),
                or_dash(function.state.clone()),
            ]);
        }
        Page::new()
            .table(table)
            .line_if(self.listed.functions.is_empty(), || format!("no functions in environment {}", self.environment))
            .lines(self.listed.functions.iter().filter_map(trouble))
            .lines(self.unread())
    }

    fn list(&self) -> Option<&'static str> {
        Some("functions")
    }

    fn exit(&self) -> Exit {
        if self.listed.unread.is_empty() { Exit::Done } else { Exit::Partial }
    }
}

/// `sha256:` and the first digits.
fn short(digest: &str) -> String {
    let end = digest.find(':').map_or(0, |colon| colon + 1) + DIGITS;
    digest.get(..end).unwrap_or(digest).to_owned()
}
