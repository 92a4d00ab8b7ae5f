//! `claimctl state unlock`: the lock that a run has left when it died.

use std::time::Duration;

use claimctl_aws::policy::ArnBuilder;
use claimctl_aws::target::{Change, Intent};
use claimctl_core::error::{Error, Result};
use claimctl_core::shell::quoted;
use claimctl_core::units::count;
use claimctl_deploy::state::{self, Held, Life, Lock};
use claimctl_deploy::terraform::{self, Made, Root, import_command, since};
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::policy::{PolicyArgs, policy};
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, Table, report, write_stderr};
use crate::session::{ConfirmArgs, Session, TargetArgs};

/// Give back the lock of a state that a dead run has left
///
/// Shows who holds it, since when and for what, and whether that run is still at work as far as this machine can tell. One
/// that is at work here keeps its lock: exit 4. Nothing locked is exit 0. Afterwards plan: what the dead run was doing
/// may be there without being in the state.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A stack of terraform/stacks, or global
    #[arg(value_name = "STACK")]
    stack: String,
    /// Only this lock: the ID that the error about it names; of one that cannot be read, lockfile or table
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Standing {
    NotLocked,
    /// Only looked at.
    Locked,
    /// It was given back by whoever held it, before this run could.
    Gone,
    Unlocked,
}

#[derive(Debug, Serialize)]
struct Unlocking {
    stack: String,
    environment: String,
    /// Where the state is.
    state: String,
    standing: Standing,
    /// The locks that were found.
    locks: Vec<Found>,
    /// Which of them was meant.
    #[serde(skip)]
    gave: Option<usize>,
    /// The locks that are there in the end.
    left: Vec<Lock>,
    /// What runs on this machine have made and the state may not know.
    made: Vec<Made>,
    /// The command to go on with.
    next: String,
}

#[derive(Debug, Serialize)]
struct Found {
    #[serde(flatten)]
    lock: Lock,
    age_seconds: Option<u64>,
    life: Life,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let root = Root::find(&ctx.paths, target, &target.project, &args.stack)?;
    if args.policy.print_policy {
        return policy(state::permissions_to_unlock(&ArnBuilder::of(target).await?, &root));
    }
    target.guard().await?;
    let locks = state::locks(target, &root.state, &root.backend).await?;
    let found = locks.iter().map(|lock| Found::of(lock, &root, &target.config.terraform.binary)).collect();
    let made = terraform::made(&root);
    let mut unlocking = Unlocking {
        stack: args.stack.clone(),
        environment: target.name().to_owned(),
        state: format!("s3://{}/{}", root.state.bucket, root.state.key),
        standing: if locks.is_empty() { Standing::NotLocked } else { Standing::Locked },
        locks: found,
        left: locks,
        gave: None,
        next: match &made[..] {
            [] => format!("claimctl plan {}", root.typed()),
            made => import_command(&root, made),
        },
        made,
    };
    if unlocking.standing == Standing::NotLocked {
        return report(unlocking);
    }
    if args.dry_run && args.lock_id.is_none() {
        return report(unlocking);
    }
    let chosen = unlocking.chosen(args.lock_id.as_deref(), &root)?;
    if args.dry_run {
        return report(unlocking);
    }
    let Found { lock, life, .. } = &unlocking.locks[chosen];
    if let Life::Alive { .. } = life {
        return Err(Error::refused(format!("the lock of {} is held by a run that is at work", root.name()))
            .caused_by(life.sentence())
            .hint("nothing was done: wait for it, or stop it with Ctrl-C, and it gives its lock back")
            .hint(format!("who it is: claimctl state unlock {} --dry-run", root.typed())));
    }
    // Nobody looks at what is there now: it has to be the lock that was looked at before.
    if args.confirm.is_answered(ctx, target) && args.lock_id.is_none() && !matches!(life, Life::Dead { .. }) {
        let message = format!("which lock of {} is meant has to be said, where nobody is asked", root.name());
        return Err(Error::refused(message)
            .caused_by(life.sentence())
            .hint(format!("where that run has died, give the lock back: {}", unlock_command(&root, lock.selector()))));
    }
    let agreed = unlocking.ask(args, ctx, target, lock).await?;
    let given = state::unlock(target, &root, lock, &agreed).await?;
    unlocking.standing = if given.was_there { Standing::Unlocked } else { Standing::Gone };
    unlocking.left = given.left;
    unlocking.gave = Some(chosen);
    report(unlocking)
}

fn unlock_command(root: &Root, selector: &str) -> String {
    format!("claimctl state unlock {} {}", root.typed(), quoted(selector))
}

impl Found {
    fn of(lock: &Lock, root: &Root, program: &str) -> Found {
        let life = root.workplace(program).look(lock.who.as_deref(), lock.created);
        let age = lock.created.and_then(|created| Duration::try_from(Timestamp::now().duration_since(created)).ok());
        Found { lock: lock.clone(), age_seconds: age.map(|age| age.as_secs()), life }
    }
}

impl Unlocking {
    /// The lock that is meant.
    fn chosen(&self, typed: Option<&str>, root: &Root) -> Result<usize> {
        let one_of = |error: Error| {
            let selectors = self.locks.iter().map(|found| found.lock.selector());
            selectors.fold(error, |error, selector| error.hint(unlock_command(root, selector)))
        };
        let held_by = |found: &Found| match (&found.lock.id, &found.lock.held[..]) {
            (Some(id), _) => format!("it is locked by {id}"),
            (None, held) => {
                let places: Vec<String> = held.iter().map(Held::place).collect();
                format!("{} cannot be read", places.join(" and "))
            }
        };
        match (typed, &self.locks[..]) {
            (Some(typed), locks) => locks.iter().position(|found| found.lock.selector() == typed).ok_or_else(|| {
                let message = format!("{} is not locked by {typed} any more, so nothing was done", root.name());
                let because: Vec<String> = locks.iter().map(held_by).collect();
                one_of(Error::refused(message).caused_by(because.join("; ")))
                    .hint(format!("who holds it: claimctl state unlock {} --dry-run", root.typed()))
            }),
            (None, [_]) => Ok(0),
            (None, _) => Err(one_of(Error::usage(format!("{} is locked twice: say which one", root.name())))),
        }
    }

    async fn ask(&self, args: &Args, ctx: &Ctx, target: &Session, lock: &Lock) -> Result<Change> {
        if !args.confirm.is_answered(ctx, target) {
            write_stderr(self.table().render(&ctx.terminal).trim_end());
        }
        let who = lock.who.as_deref().unwrap_or("nobody knows whom");
        let intent =
            Intent { what: format!("give back the lock of {} that is held by {who}", args.stack), destroys: true };
        args.confirm.authorize(ctx, target, &intent).await
    }

    /// With what is there yet, and what to do now.
    fn ended(&self, page: Page) -> Page {
        let held = self.left.iter().flat_map(|lock| &lock.held);
        let page = page.lines(held.map(|held| format!("there is another lock: {}", held.place())));
        let has_died = self.gave.is_some_and(|gave| matches!(self.locks[gave].life, Life::Dead { .. }));
        page.line(match (self.made.len() as u64, has_died) {
            (0, true) => format!("what the dead run has left undone: {}", self.next),
            (0, false) => format!("what there is to do: {}", self.next),
            (made, _) => {
                let made = count(made, "resource");
                format!("made from here by runs that did not come to their end: {made}; take it in: {}", self.next)
            }
        })
    }

    fn table(&self) -> Page {
        let mut table = Table::new(["LOCK", "HELD BY", "OPERATION", "SINCE", "IN"]);
        for Found { lock, .. } in &self.locks {
            let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "unreadable".to_owned());
            let since = lock.created.map_or_else(|| "unreadable".to_owned(), since);
            let places: Vec<&str> = lock.held.iter().map(|held| held.kind()).collect();
            table.row([text(&lock.id), text(&lock.who), text(&lock.operation), since, places.join(", ")]);
        }
        Page::new().table(table).lines(self.locks.iter().map(|found| found.life.sentence()))
    }
}

impl Report for Unlocking {
    fn page(&self) -> Page {
        let name = format!("{} in {}", self.stack, self.environment);
        match self.standing {
            Standing::NotLocked => Page::new().line(format!("{name} is not locked")),
            Standing::Locked => self.table().line(format!("{name} is locked; nothing was changed")),
            Standing::Gone => self.ended(self.table().line(format!("{name}: the lock was gone already"))),
            Standing::Unlocked => self.ended(self.table().line(format!("{name}: the lock was given back"))),
        }
    }

    fn list(&self) -> Option<&'static str> {
        Some("locks")
    }
}
