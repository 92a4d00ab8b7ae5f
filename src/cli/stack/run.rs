//! Several stacks, one after the other: what fails stops what depends on it, and the report says where to go on.

use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::exit::Exit;
use claimctl_core::redact::hidden_in;
use claimctl_core::units::{bytes, count};
use claimctl_deploy::terraform::{self, Applied, Done, Planned};
use serde::Serialize;

use super::StackPlan;
use crate::context::Ctx;
use crate::output::{Failure, Page, Report, Table};
use crate::session::Session;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    Deploy,
    Destroy,
}

impl Way {
    pub fn verb(self) -> &'static str {
        match self {
            Way::Deploy => "deploy",
            Way::Destroy => "destroy",
        }
    }
}

/// How far a stack has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    Done,
    /// There was nothing to do.
    Unchanged,
    /// Only looked at.
    Planned,
    Failed,
    /// Something that it depends on failed, or the run was stopped.
    NotBegun,
}

#[derive(Debug, Serialize)]
pub struct StackRun {
    #[serde(flatten)]
    plan: StackPlan,
    pub standing: Standing,
    done: Vec<Done>,
    pub failed: Option<Failure>,
    /// How the plan file that was applied, and is gone, is made once more.
    #[serde(skip)]
    again: Option<String>,
}

impl StackRun {
    pub fn planned(stack: &str, planned: &Planned, standing: Standing) -> StackRun {
        let plan = StackPlan { stack: stack.to_owned(), summary: planned.summary.clone() };
        StackRun { plan, standing, done: Vec::new(), failed: None, again: None }
    }

    pub fn applied(ctx: &Ctx, stack: &str, planned: &Planned, applied: Applied) -> StackRun {
        let standing = if applied.failed.is_some() { Standing::Failed } else { Standing::Done };
        let failed = applied.failed.as_ref().map(|error| {
            let exit = if applied.done.is_empty() { error.exit() } else { Exit::Partial };
            Failure { exit, ..Failure::of(ctx, error) }
        });
        let again = planned.file.made_again();
        StackRun { done: applied.done, failed, again, ..StackRun::planned(stack, planned, standing) }
    }

    fn without_plan(stack: &str, standing: Standing, failed: Option<Failure>) -> StackRun {
        let plan = StackPlan { stack: stack.to_owned(), summary: terraform::Summary::default() };
        StackRun { plan, standing, done: Vec::new(), failed, again: None }
    }

    fn is_left(&self) -> bool {
        matches!(self.standing, Standing::Failed | Standing::NotBegun)
    }

    /// `28 changes, 1 bucket emptied`
    fn told(&self) -> String {
        let (buckets, changes): (Vec<&Done>, Vec<&Done>) = self.done.iter().partition(|done| done.removed.is_some());
        let emptied = match buckets.len() as u64 {
            0 => String::new(),
            number => format!(", {} emptied", count(number, "bucket")),
        };
        format!("{}{emptied}", count(changes.len() as u64, "change"))
    }

    fn sentence(&self, way: Way) -> String {
        let stack = &self.plan.stack;
        match self.standing {
            Standing::Done => format!("{stack}: {}ed, {}", way.verb(), self.told()),
            Standing::Unchanged => format!("{stack}: nothing to do, {} unchanged", self.plan.summary.unchanged),
            Standing::Planned => format!("{stack}: {}", self.plan.summary.sentence()),
            Standing::Failed => format!("{stack}: failed after {}", self.told()),
            Standing::NotBegun => format!("{stack}: not begun"),
        }
    }
}

/// Runs the stacks in the order given. One stack alone that cannot even begin is an error of the command.
pub async fn each(
    ctx: &Ctx,
    target: &Session,
    way: Way,
    stacks: &[String],
    work: impl AsyncFn(&str) -> Result<StackRun>,
) -> Result<Deployment> {
    let mut runs: Vec<StackRun> = Vec::new();
    for stack in stacks {
        let needs = |one: &str, other: &str| terraform::needs(&target.project, one, other);
        let waits_for = |run: &StackRun| match way {
            Way::Deploy => needs(stack, &run.plan.stack),
            Way::Destroy => needs(&run.plan.stack, stack),
        };
        if ctx.cancel.is_cancelled() || runs.iter().any(|run| run.is_left() && waits_for(run)) {
            runs.push(StackRun::without_plan(stack, Standing::NotBegun, None));
            continue;
        }
        match work(stack).await {
            Ok(run) => runs.push(run),
            Err(error) if stacks.len() == 1 => return Err(error),
            // Nothing was agreed to, and nothing after it is to be begun.
            Err(error) if error.kind() == Kind::Interrupted => return Err(so_far(error, &runs)),
            Err(error) => runs.push(StackRun::without_plan(stack, Standing::Failed, Some(Failure::of(ctx, &error)))),
        }
    }
    // The whole command as it was typed: another one would do something else, and what is done stays as it is.
    let left = runs.iter().find(|run| run.is_left());
    let next = left.map(|run| run.again.clone().unwrap_or_else(|| ctx.change_log.command()));
    let (environment, account) = (target.name().to_owned(), target.expected_account().map(str::to_owned));
    let retype = next.as_deref().map(hidden_in).unwrap_or_default();
    Ok(Deployment { environment, account, way, stacks: runs, next, retype })
}

fn so_far(error: Error, runs: &[StackRun]) -> Error {
    let done: Vec<&str> = runs.iter().filter(|run| !run.is_left()).map(|run| run.plan.stack.as_str()).collect();
    if done.is_empty() { error } else { error.hint(format!("done before that: {}", done.join(", "))) }
}

#[derive(Debug, Serialize)]
pub struct Deployment {
    environment: String,
    account: Option<String>,
    way: Way,
    stacks: Vec<StackRun>,
    /// The command to go on with, where something is left.
    next: Option<String>,
    /// Variables and flags whose values are not written down, and have to be typed again in it.
    retype: Vec<String>,
}

/// `created`, or `emptied: 2 versions, 2.0 KiB`.
fn told(done: &Done) -> String {
    match &done.removed {
        Some(held) => format!("{}: {}, {}", done.what, count(held.versions, "version"), bytes(held.bytes)),
        None => done.what.clone(),
    }
}

impl Report for Deployment {
    fn page(&self) -> Page {
        let mut table = Table::new(["STACK", "RESOURCE", "DONE", ">SECONDS"]);
        for run in &self.stacks {
            for done in &run.done {
                table.row([run.plan.stack.clone(), done.address.clone(), told(done), done.seconds.to_string()]);
            }
        }
        let mut page = Page::new().table(table);
        for run in &self.stacks {
            if run.standing == Standing::Planned {
                page = run.plan.add_to(page);
                continue;
            }
            if let Some(failed) = &run.failed {
                page = page.line(failed.text());
            }
            page = page.line(run.sentence(self.way));
        }
        let Some(next) = &self.next else { return page };
        page.line(format!("to go on: {next}")).line_if(!self.retype.is_empty(), || {
            format!("where it says [hidden], type the value again: {}", self.retype.join(", "))
        })
    }

    fn list(&self) -> Option<&'static str> {
        Some("stacks")
    }

    fn exit(&self) -> Exit {
        let failed = self.stacks.iter().find_map(|run| run.failed.as_ref());
        let some_done = self.stacks.iter().any(|run| run.standing == Standing::Done);
        match failed {
            Some(_) if some_done => Exit::Partial,
            Some(failed) => failed.exit,
            None => Exit::Done,
        }
    }
}
