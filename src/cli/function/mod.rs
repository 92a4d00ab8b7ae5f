//! `claimctl function`: the handlers of flows.

mod invoke;
mod logs;
mod ls;
pub mod pause;
pub mod resume;

use claimctl_core::error::Result;
use claimctl_queues::consumers::mapping::Mapping;
use clap::Subcommand;

use crate::cli::policy::PolicyArgs;
use crate::context::Ctx;
use crate::output::{Outcome, Table};
use crate::session::{Session, TargetArgs};

#[derive(Debug, Subcommand)]
pub enum Verb {
    Ls(ls::Args),
    Invoke(invoke::Args),
    Logs(logs::Args),
    Pause(pause::Args),
    Resume(resume::Args),
}

/// Which function, shared by the verbs that change its event source mappings.
#[derive(Debug, clap::Args)]
pub struct FunctionArgs {
    /// The function: a logical name, a real name, NAME:ALIAS or an ARN
    #[arg(value_name = "FUNCTION")]
    function: String,
    /// Only say what would be changed
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    target: TargetArgs,
}

pub async fn run(verb: Verb, ctx: &Ctx) -> Result<Outcome> {
    match verb {
        Verb::Ls(args) => ls::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Invoke(args) => invoke::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Logs(args) => logs::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Pause(args) => pause::run(&args, ctx, &Session::without_reminder(ctx, &args.on.target).await?).await,
        Verb::Resume(args) => resume::run(&args, ctx, &Session::without_reminder(ctx, &args.on.target).await?).await,
    }
}

/// Event source mappings as they are now.
fn table<'a>(mappings: impl Iterator<Item = &'a Mapping>) -> Table {
    let mut table = Table::new(["FUNCTION", "QUEUE", "MAPPING", "IS"]);
    for mapping in mappings {
        let state = mapping.state.to_lowercase();
        table.row([mapping.function.clone(), mapping.queue().to_owned(), mapping.uuid.clone(), state]);
    }
    table
}
