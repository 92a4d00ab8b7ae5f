//! `claimctl db migrate`: a database gets the tables that its function needs.

use claimctl_aws::policy::ArnBuilder;
use claimctl_aws::target::Intent;
use claimctl_core::error::Result;
use claimctl_core::units::count;
use claimctl_deploy::migrations::{Schema, StackDatabase};
use serde::Serialize;

use super::{DatabaseArgs, table};
use crate::cli::policy::policy;
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, report};
use crate::session::{ConfirmArgs, Session};

/// Apply the migrations that a database lacks
///
/// The function that owns the database applies them: no port is opened, and nobody signs in. They are numbered, each is
/// applied once, and one at a time. What was applied with another SQL, or by a newer function, is refused.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The SQL that would be run:
  claimctl db migrate --dry-run
Run it, after a question:
  claimctl db migrate")]
pub struct Args {
    /// Only show the SQL that would be run
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    confirm: ConfirmArgs,
    #[command(flatten)]
    pub on: DatabaseArgs,
}

#[derive(Debug, Serialize)]
struct Migrated {
    stack: String,
    name: String,
    dry_run: bool,
    #[serde(flatten)]
    schema: Schema,
    #[serde(skip)]
    words: String,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let database = StackDatabase::find(target, args.on.database.as_deref()).await?;
    if args.on.policy.print_policy {
        return policy(database.permissions(&ArnBuilder::of(target).await?));
    }
    let migrated = |schema, dry_run| Migrated {
        stack: database.stack.clone(),
        name: database.logical.clone(),
        dry_run,
        schema,
        words: database.words(),
    };
    let planned = database.rehearse(target).await?;
    let pending: Vec<_> =
        planned.pending().map(|migration| format!("{} {}", migration.version, migration.name)).collect();
    if args.dry_run || pending.is_empty() {
        return report(migrated(planned, args.dry_run));
    }
    let number = count(pending.len() as u64, "migration");
    let what = format!("apply {number} ({}) to {}", pending.join(", "), database.words());
    let intent = Intent { what, destroys: false };
    let planned = migrated(planned, true);
    let change = args.confirm.show_and_authorize(ctx, target, &intent, || planned.page()).await?;
    report(migrated(database.migrate(target, &change).await?, false))
}

impl Report for Migrated {
    fn page(&self) -> Page {
        let mut page = Page::new();
        if self.dry_run {
            for migration in self.schema.pending() {
                let sql = migration.sql.as_deref().unwrap_or_default().trim_end();
                page = page.verbatim(format!("-- {} {}\n{sql}\n\n", migration.version, migration.name));
            }
        }
        let words = &self.words;
        let number = |count_of: usize| count(count_of as u64, "migration");
        let pending = self.schema.pending().count();
        page.table(table(&self.schema)).line(match (self.dry_run, pending, self.schema.applied.len()) {
            (true, 1.., _) => format!("{words}: {} would be applied; nothing was changed", number(pending)),
            (false, _, applied @ 1..) => format!("{words}: {} applied", number(applied)),
            _ => format!("{words}: every migration is applied already"),
        })
    }

    fn list(&self) -> Option<&'static str> {
        Some("migrations")
    }
}
