//! How several stacks were deployed or destroyed, and where to go on.

use claimctl_core::exit::Exit;
use claimctl_core::redact::hidden_in;
use claimctl_core::units::{bytes, count};
use claimctl_deploy::deployment::{Operation, StackRun, StackStanding};
use claimctl_deploy::terraform::Done;
use serde::Serialize;

use super::{StackPlan, waiting};
use crate::context::Ctx;
use crate::output::{Failure, Page, Report, Table};
use crate::session::Session;

#[derive(Debug, Serialize)]
pub struct Deployment {
    environment: String,
    account: Option<String>,
    operation: Operation,
    stacks: Vec<StackReport>,
    /// The command to go on with, where something is left.
    next: Option<String>,
    /// Variables and flags whose values are not written down, and have to be typed again in it.
    retype: Vec<String>,
}

#[derive(Debug, Serialize)]
struct StackReport {
    #[serde(flatten)]
    plan: StackPlan,
    standing: StackStanding,
    /// What has to be deployed before it can be planned.
    waits_for: Vec<String>,
    done: Vec<Done>,
    failed: Option<Failure>,
}

impl Deployment {
    pub fn of(ctx: &Ctx, target: &Session, operation: Operation, runs: Vec<StackRun>) -> Deployment {
        // The whole command as it was typed: another one would do something else, and what is done stays as it is.
        let left = runs.iter().find(|run| run.is_left());
        let next = left.map(|run| match &run.make_plan {
            Some(plan) => ctx.command(plan),
            None => ctx.change_log.command(),
        });
        Deployment {
            environment: target.name().to_owned(),
            account: target.expected_account().map(str::to_owned),
            operation,
            stacks: runs.into_iter().map(|run| StackReport::of(ctx, run)).collect(),
            retype: next.as_deref().map(hidden_in).unwrap_or_default(),
            next,
        }
    }
}

impl StackReport {
    fn of(ctx: &Ctx, run: StackRun) -> StackReport {
        let failed = run.failed.as_ref().map(|error| {
            let exit = if run.done.is_empty() { error.exit() } else { Exit::Partial };
            Failure { exit, ..Failure::of(ctx, error) }
        });
        let StackRun { stack, summary, standing, done, waits_for, .. } = run;
        StackReport { plan: StackPlan { stack, summary }, standing, waits_for, done, failed }
    }

    /// `28 changes, 1 bucket emptied`
    fn counts(&self) -> String {
        let (buckets, changes): (Vec<&Done>, Vec<&Done>) = self.done.iter().partition(|done| done.removed.is_some());
        let emptied = match buckets.len() as u64 {
            0 => String::new(),
            number => format!(", {} emptied", count(number, "bucket")),
        };
        format!("{}{emptied}", count(changes.len() as u64, "change"))
    }

    fn sentence(&self, operation: Operation) -> String {
        let stack = &self.plan.stack;
        match self.standing {
            StackStanding::Done => format!("{stack}: {}ed, {}", operation.name(), self.counts()),
            StackStanding::Unchanged => format!("{stack}: nothing to do, {} unchanged", self.plan.summary.unchanged),
            StackStanding::Planned => format!("{stack}: {}", self.plan.summary.sentence()),
            StackStanding::Waiting => waiting(stack, &self.waits_for),
            StackStanding::Failed => format!("{stack}: failed after {}", self.counts()),
            StackStanding::NotBegun => format!("{stack}: not begun"),
        }
    }
}

/// `created`, or `emptied: 2 versions, 2.0 KiB`.
fn what_was_done(done: &Done) -> String {
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
                let seconds = done.seconds.to_string();
                table.row([run.plan.stack.clone(), done.address.clone(), what_was_done(done), seconds]);
            }
        }
        let mut page = Page::new().table(table);
        for run in &self.stacks {
            if run.standing == StackStanding::Planned {
                page = run.plan.add_to(page);
                continue;
            }
            if let Some(failed) = &run.failed {
                page = page.lines(failed.lines());
            }
            page = page.line(run.sentence(self.operation));
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
        let some_done = self.stacks.iter().any(|run| run.standing == StackStanding::Done);
        match failed {
            Some(_) if some_done => Exit::Partial,
            Some(failed) => failed.exit,
            None => Exit::Done,
        }
    }
}
