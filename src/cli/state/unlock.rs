//! `claimctl state unlock`: the lock that a run has left when it died.

use claimctl_aws::policy::ArnBuilder;
use claimctl_core::error::Result;
use claimctl_core::units::count;
use claimctl_deploy::state::{self, FoundLock, LockHolder, UnlockRequest, UnlockStanding, Unlocking};
use claimctl_deploy::terraform::{self, Root, since};
use serde::Serialize;

use crate::cli::policy::{PolicyArgs, policy};
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, Table, report};
use crate::session::{ConfirmArgs, Session, TargetArgs};

/// Give back the lock of a state that a dead run has left
///
/// Shows who holds it, since when and for what, and whether that run is still at work as far as this machine can tell. One
/// that is at work here keeps its lock: exit 4. Nothing locked is exit 0. Afterwards plan: what the dead run was doing
/// may be there without being in the state.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Who holds it?:
  claimctl state unlock claim-check --env dev --dry-run
Give it back, if that run is dead:
  claimctl state unlock claim-check --env dev")]
pub struct Args {
    /// A stack of terraform/stacks, or global
    #[arg(value_name = "STACK", value_parser = terraform::parse_name)]
    stack: String,
    /// Only this lock: the ID that the error about it names
    ///
    /// Of one that cannot be read, lockfile or table.
    #[arg(value_name = "LOCK-ID")]
    lock_id: Option<String>,
    /// Only show the lock
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    confirm: ConfirmArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let root = Root::find(&ctx.paths, target, &target.project, &args.stack)?;
    if args.policy.print_policy {
        return policy(state::permissions_to_unlock(&ArnBuilder::of(target).await?, &root));
    }
    let request = UnlockRequest {
        lock_id: args.lock_id.clone(),
        dry_run: args.dry_run,
        is_answered: args.confirm.is_answered(ctx, target),
    };
    let unlocking = state::unlock(target, &root, &request, async |intent, unlocking| {
        args.confirm.show_and_authorize(ctx, target, intent, || table(unlocking)).await
    });
    let unlocking = unlocking.await?;
    report(UnlockReport { next: ctx.command(&unlocking.next), unlocking })
}

#[derive(Debug, Serialize)]
struct UnlockReport {
    #[serde(flatten)]
    unlocking: Unlocking,
    /// The command to go on with.
    next: String,
}

fn table(unlocking: &Unlocking) -> Page {
    let mut table = Table::new(["LOCK", "HELD BY", "OPERATION", "SINCE", "IN"]);
    for FoundLock { lock, .. } in &unlocking.locks {
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "unreadable".to_owned());
        let since = lock.created.map_or_else(|| "unreadable".to_owned(), since);
        let places: Vec<&str> = lock.held.iter().map(|held| held.kind()).collect();
        table.row([text(&lock.id), text(&lock.who), text(&lock.operation), since, places.join(", ")]);
    }
    Page::new().table(table).lines(unlocking.locks.iter().map(|found| found.holder.sentence()))
}

impl UnlockReport {
    /// With what is there yet, and what to do now.
    fn ended(&self, page: Page) -> Page {
        let Unlocking { left, locks, given_back, created, .. } = &self.unlocking;
        let held = left.iter().flat_map(|lock| &lock.held);
        let page = page.lines(held.map(|held| format!("there is another lock: {}", held.place())));
        let has_died = given_back.is_some_and(|index| matches!(locks[index].holder, LockHolder::Dead { .. }));
        page.line(match (created.len() as u64, has_died) {
            (0, true) => format!("what the dead run has left undone: {}", self.next),
            (0, false) => format!("what there is to do: {}", self.next),
            (number, _) => {
                let number = count(number, "resource");
                format!("created from here by runs that did not come to their end: {number}; take it in: {}", self.next)
            }
        })
    }
}

impl Report for UnlockReport {
    fn page(&self) -> Page {
        let Unlocking { stack, environment, standing, .. } = &self.unlocking;
        let name = format!("{stack} in {environment}");
        let table = || table(&self.unlocking);
        match standing {
            UnlockStanding::NotLocked => Page::new().line(format!("{name} is not locked")),
            UnlockStanding::Locked => table().line(format!("{name} is locked; nothing was changed")),
            UnlockStanding::Gone => self.ended(table().line(format!("{name}: the lock was gone already"))),
            UnlockStanding::Unlocked => self.ended(table().line(format!("{name}: the lock was given back"))),
        }
    }

    fn list(&self) -> Option<&'static str> {
        Some("locks")
    }
}
