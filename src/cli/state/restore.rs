//! `claimctl state restore`: an older state in the place of the one that is there.

use std::path::PathBuf;

use claimctl_core::error::{Error, Result};
use claimctl_deploy::next::of_stack;
use claimctl_deploy::state::{self, RestoreFrom, RestoreRequest, RestoreStanding, Restored};
use claimctl_deploy::terraform;
use serde::Serialize;

use super::shown;
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, report};
use crate::session::{ConfirmArgs, Session, TargetArgs};

/// Put an older version of a state in the place of the current one
///
/// The content of the older one under a later serial, written by Terraform, which takes the lock. Shows what differs,
/// and asks. Only a state of the same lineage is taken. What was current stays as a version; a state that was deleted
/// comes back. Only the state changes, and nothing of what it lists: `claimctl plan` then says what differs from it.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
What would be different:
  claimctl state restore claim-check serial:41 --env dev --dry-run
What a run could not save:
  claimctl state restore claim-check --file errored.tfstate --env dev")]
pub struct Args {
    /// A stack of terraform/stacks, or global
    #[arg(value_name = "STACK", value_parser = terraform::parse_name)]
    stack: String,
    /// A version id, the beginning of one, or serial:N
    #[arg(value_name = "VERSION", required_unless_present = "file", conflicts_with = "file")]
    version: Option<String>,
    /// A state in a file: pulled, or Terraform's errored.tfstate
    ///
    /// The latter is removed once it is in the state.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    /// Also where the bucket keeps no versions
    ///
    /// Then the current state is lost.
    #[arg(long)]
    force: bool,
    /// The lineage of a state that does not say whose it is
    ///
    /// Where nothing else in the bucket knows it.
    #[arg(long, value_name = "LINEAGE", requires = "file")]
    lineage: Option<String>,
    #[command(flatten)]
    confirm: ConfirmArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let request = RestoreRequest {
        stack: args.stack.clone(),
        from: match (&args.version, &args.file) {
            (Some(version), _) => RestoreFrom::Version(version.clone()),
            (None, Some(file)) => RestoreFrom::File(file.clone()),
            (None, None) => return Err(Error::usage("neither a version nor a file is named")),
        },
        dry_run: args.dry_run,
        force: args.force,
        lineage: args.lineage.clone(),
    };
    let restored = state::restore(ctx, target, &target.project, &request, async |intent, restored| {
        args.confirm.show_and_authorize(ctx, target, intent, || page(restored)).await
    });
    let restored = restored.await?;
    let plan = of_stack("plan", &restored.stack, &restored.environment);
    report(RestoreReport { next: ctx.command(&plan), restored })
}

/// Its JSON form is a contract.
#[derive(Debug, Serialize)]
struct RestoreReport {
    #[serde(flatten)]
    restored: Restored,
    #[serde(skip)]
    next: String,
}

fn sentence(restored: &Restored) -> String {
    let place = format!("the state of {} in {}", restored.stack, restored.environment);
    let from = restored.from.name();
    let serial = restored.now.as_ref().map_or_else(|| "?".to_owned(), |now| now.serial.to_string());
    match (restored.standing, &restored.before) {
        (RestoreStanding::Unchanged, _) => format!("{place} holds what {from} holds already: nothing to do"),
        (RestoreStanding::Planned, None) => format!("{place} is gone, and {from} would come in its place"),
        (RestoreStanding::Planned, Some(before)) => {
            format!("{from} would take the place of {place}, serial {}", before.header.serial)
        }
        (RestoreStanding::Restored, _) => format!("{place} is {from} again, under serial {serial}"),
    }
}

fn page(restored: &Restored) -> Page {
    let mut page = Page::new();
    if restored.standing != RestoreStanding::Unchanged {
        page = shown::add_to(page, &restored.difference, ["NOW", "THEN"]);
    }
    let is_done = restored.standing == RestoreStanding::Restored;
    let kept = restored.before.as_ref().and_then(|before| before.version_id.as_ref()).filter(|_| is_done);
    page = page.line(sentence(restored));
    if let Some(id) = kept {
        page = page.line(format!("what was there stays as version {id}"));
    }
    if let Some(removed) = &restored.removed {
        page = page.line(format!("{} is in the state now, and was removed", removed.display()));
    }
    page.line_if(is_done, || "only the state was changed, and nothing of what it lists".to_owned())
}

impl Report for RestoreReport {
    fn page(&self) -> Page {
        let Restored { standing, removed, .. } = &self.restored;
        let is_changed = *standing == RestoreStanding::Restored || removed.is_some();
        page(&self.restored).line_if(is_changed, || format!("next: {}", self.next))
    }

    fn list(&self) -> Option<&'static str> {
        Some("resources")
    }
}
