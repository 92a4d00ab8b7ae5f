//! `claimctl db status`: which migrations a database has.

use claimctl_aws::policy::ArnBuilder;
use claimctl_core::error::Result;
use claimctl_core::exit::Exit;
use claimctl_core::next::Next;
use claimctl_core::units::count;
use claimctl_deploy::migrations::{MigrationState, Schema, StackDatabase};
use serde::Serialize;

use super::{DatabaseArgs, table};
use crate::cli::policy::policy;
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, report};
use crate::session::Session;

/// Say which migrations a database has
///
/// Exit code 8 where function and database do not agree: a migration is pending, was applied with another SQL, or is
/// not known to the function.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Of the only database:
  claimctl db status
Of a stack's, with the SQL:
  claimctl db status csv-aurora --output json")]
pub struct Args {
    #[command(flatten)]
    pub on: DatabaseArgs,
}

#[derive(Debug, Serialize)]
struct Status {
    stack: String,
    name: String,
    current: bool,
    #[serde(flatten)]
    schema: Schema,
    #[serde(skip)]
    words: String,
    /// The command that applies what is pending.
    #[serde(skip)]
    migrate: String,
}

pub async fn run(Args { on: args }: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let database = StackDatabase::find(target, args.database.as_deref()).await?;
    if args.policy.print_policy {
        return policy(database.permissions(&ArnBuilder::of(target).await?));
    }
    let schema = database.schema(target).await?;
    let (current, words) = (schema.is_current(), database.words());
    let named = format!("{}/{}", database.stack, database.logical);
    let migrate = ctx.command(&Next::verb("db migrate").word(named));
    report(Status { stack: database.stack, name: database.logical, current, schema, words, migrate })
}

impl Report for Status {
    fn page(&self) -> Page {
        let number = |state| self.schema.migrations.iter().filter(|migration| migration.state == state).count() as u64;
        let (pending, changed, unknown) =
            (number(MigrationState::Pending), number(MigrationState::Changed), number(MigrationState::Unknown));
        Page::new()
            .table(table(&self.schema))
            .line_if(self.current, || format!("{}: every migration is applied", self.words))
            .line_if(pending > 0, || format!("{}: {} not applied", self.words, count(pending, "migration")))
            .line_if(pending > 0, || format!("next: {}", self.migrate))
            .line_if(changed > 0, || {
                format!("{} applied with another SQL than the function has", count(changed, "migration"))
            })
            .line_if(unknown > 0, || format!("{} of a newer function: deploy that one", count(unknown, "migration")))
    }

    fn list(&self) -> Option<&'static str> {
        Some("migrations")
    }

    fn exit(&self) -> Exit {
        if self.current { Exit::Done } else { Exit::Findings }
    }
}
