//! `claimctl db`: the tables of the databases that stacks end in.

mod migrate;
mod status;

use claimctl_core::error::Result;
use claimctl_core::units::local_time;
use claimctl_deploy::migrations::{Migration, Schema};
use clap::Subcommand;
use clap::builder::NonEmptyStringValueParser;

use crate::cli::policy::PolicyArgs;
use crate::context::Ctx;
use crate::output::{Outcome, Table};
use crate::session::{Session, TargetArgs};

#[derive(Debug, Subcommand)]
pub enum Verb {
    Migrate(migrate::Args),
    Status(status::Args),
}

/// Which database, shared by both verbs.
#[derive(Debug, clap::Args)]
pub struct DatabaseArgs {
    /// The database: a logical name, its stack or its cluster; may be left out where there is only one
    #[arg(value_name = "DATABASE", value_parser = NonEmptyStringValueParser::new())]
    database: Option<String>,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    target: TargetArgs,
}

pub async fn run(verb: Verb, ctx: &Ctx) -> Result<Outcome> {
    match verb {
        Verb::Migrate(args) => migrate::run(&args, ctx, &Session::resolve(ctx, &args.on.target).await?).await,
        Verb::Status(args) => status::run(&args, ctx, &Session::resolve(ctx, &args.on.target).await?).await,
    }
}

fn table(schema: &Schema) -> Table {
    let mut table = Table::new([">VERSION", "NAME", "STATE", "APPLIED", "CHECKSUM"]);
    for Migration { version, name, checksum, state, applied_at, .. } in &schema.migrations {
        let applied = applied_at.as_deref().map(|at| at.parse().map_or_else(|_| at.to_owned(), local_time));
        let checksum = checksum.get(..12).unwrap_or(checksum);
        table.row([
            version.to_string(),
            name.clone(),
            state.as_str().to_owned(),
            applied.unwrap_or_else(|| "-".to_owned()),
            checksum.to_owned(),
        ]);
    }
    table
}
