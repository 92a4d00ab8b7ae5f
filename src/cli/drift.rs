//! `claimctl drift`: what somebody changed behind Terraform's back.

use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::stack::{PlanArgs, StackArgs, StackPlan};
use crate::context::Ctx;
use crate::deploy::terraform::{Mode, Terraform, Wish};
use crate::error::Result;
use crate::exit::Exit;
use crate::output::{Failure, Outcome, Page, Report, report};
use crate::target::{Target, TargetArgs};

/// Each is a Terraform with a provider of some hundred MiB.
const CONCURRENCY: usize = 3;

/// Find what was changed behind Terraform's back: exit 8 with what differs
///
/// Reads every resource and compares it with the state; nothing is changed, the state neither. To bring the state up
/// to what is there: claimctl deploy --refresh-only; to bring what is there back: claimctl deploy.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    stacks: StackArgs,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Target) -> Result<Outcome> {
    let stacks = args.stacks.ordered(&target.config)?;
    let alone = stacks.len() == 1;
    let looks = stream::iter(&stacks).map(|stack| look(args, ctx, target, stack)).buffered(CONCURRENCY);
    let looked: Vec<Result<StackPlan>> = looks.collect().await;
    let mut drift = Drift { environment: target.name().to_owned(), stacks: Vec::new(), failed: Vec::new() };
    for (stack, looked) in stacks.into_iter().zip(looked) {
        match looked {
            Ok(found) => drift.stacks.push(found),
            Err(error) if alone => return Err(error),
            Err(error) => drift.failed.push(Failed { stack, failure: Failure::of(&error) }),
        }
    }
    report(drift)
}

async fn look(args: &Args, ctx: &Ctx, target: &Target, stack: &str) -> Result<StackPlan> {
    let terraform = Terraform::open(ctx, target, stack).await?;
    let wish = args.plan.wish()?;
    let artifacts = terraform.any_artifacts(ctx, target, &wish.variables).await?;
    let wish = Wish { mode: Mode::RefreshOnly, digests: artifacts.digests, ..wish };
    let planned = terraform.plan(target, &wish).await?;
    Ok(StackPlan { stack: stack.to_owned(), summary: planned.summary })
}

#[derive(Debug, Serialize)]
struct Drift {
    environment: String,
    stacks: Vec<StackPlan>,
    /// Stacks that could not be looked at.
    failed: Vec<Failed>,
}

#[derive(Debug, Serialize)]
struct Failed {
    stack: String,
    #[serde(flatten)]
    failure: Failure,
}

impl Report for Drift {
    fn page(&self) -> Page {
        let mut page = Page::new();
        for found in &self.stacks {
            let changes = &found.summary.changes;
            page = match changes.is_empty() {
                true => page.line(format!("{}: as Terraform left it", found.stack)),
                false => found.drifted(page),
            };
        }
        for failed in &self.failed {
            page = page.line(format!("{}: could not be looked at", failed.stack)).line(failed.failure.says());
        }
        page
    }

    fn list(&self) -> Option<&'static str> {
        Some("stacks")
    }

    /// What could not be looked at may have drifted too, and that is the worse not to know.
    fn exit(&self) -> Exit {
        let found = self.stacks.iter().any(|stack| !stack.summary.changes.is_empty());
        match self.failed.first() {
            Some(_) if !self.stacks.is_empty() => Exit::Partial,
            Some(failed) => failed.failure.exit,
            None if found => Exit::Findings,
            None => Exit::Done,
        }
    }
}
