//! `claimctl plan`: what a deployment would do.

use std::path::PathBuf;

use claimctl_core::error::{Error, Result};
use claimctl_core::exit::Exit;
use claimctl_core::next::Next;
use claimctl_deploy::deployment::{self, PlannedStack};
use claimctl_deploy::terraform::{ArtifactFrom, Mode, PlanRequest, Summary};
use serde::Serialize;

use super::stack::{
    ChosenStacks, PlanArgs, StackArgs, StackPlan, flag, for_stack, markdown, provisional, waiting, waits_for,
};
use crate::context::Ctx;
use crate::output::{Failure, Outcome, Page, Report, report};
use crate::session::{Session, TargetArgs};

/// Show what a deployment would create, change, replace and destroy
///
/// Checks account, region and workspace, initialises Terraform where something changed, and reads Terraform's own plan:
/// for each change the attributes, old and new, secrets masked, and what forces a replacement. Nothing is changed.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
What would change:
  claimctl plan claim-check --env dev
For a pull request; to be applied as it is later:
  claimctl plan claim-check --env prod --plan-file prod.tfplan --markdown plan.md")]
pub struct Args {
    #[command(flatten)]
    stacks: StackArgs,
    /// Keep the plan, for deploy --plan-file; it holds secrets
    #[arg(long, value_name = "FILE")]
    plan_file: Option<PathBuf>,
    /// Write the plan as Markdown as well, for a pull request
    ///
    /// Or why there is none.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// The functions' code: sha256:HEX, a zip, a folder of zips, or deployed
    ///
    /// Without it, the code is built from the repository.
    #[arg(long, value_name = "ARTIFACT", value_parser = ArtifactFrom::parse)]
    artifact: Option<ArtifactFrom>,
    /// Only bring the state up to what is there
    #[arg(long)]
    refresh_only: bool,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let planned = plan(args, ctx, target).await;
    let written = match (&args.markdown, &planned) {
        (None, _) => Ok(()),
        (Some(file), Ok(plans)) => markdown::write(&ctx.working_directory.join(file), &plans.markdown()),
        (Some(file), Err(error)) => markdown::write(
            &ctx.working_directory.join(file),
            &markdown::of_failure(target.name(), &Failure::of(ctx, error)),
        ),
    };
    // Why there is no plan matters more than that it could not be written down.
    let planned = planned?;
    written?;
    report(planned)
}

async fn plan(args: &Args, ctx: &Ctx, target: &Session) -> Result<Plans> {
    let ChosenStacks { stacks, dependencies } = args.stacks.choose(&target.project)?;
    if args.plan_file.is_some() && stacks.len() != 1 {
        return Err(
            Error::usage("--plan-file is for the plan of one stack").hint("name one stack, and a file for each")
        );
    }
    let alone = stacks.len() == 1;
    let mut plans = Plans {
        environment: target.name().to_owned(),
        account: target.expected_account().map(str::to_owned),
        region: target.region.clone(),
        plan_file: args.plan_file.clone(),
        stacks: Vec::new(),
        provisional: Vec::new(),
        waiting: Vec::new(),
        failed: Vec::new(),
        apply: None,
    };
    for stack in &stacks {
        match plan_or_wait(args, ctx, target, stack, &stacks).await {
            Ok(Look::Planned(summary, apply)) => {
                // What an earlier one gives out may be another thing by then.
                let changes = |before: &&StackPlan| !before.summary.outputs.is_empty();
                let before = plans.stacks.iter().filter(|before| dependencies.needs(stack, &before.stack));
                let after: Vec<String> = before.filter(changes).map(|before| before.stack.clone()).collect();
                if !after.is_empty() {
                    plans.provisional.push(Provisional { stack: stack.clone(), after });
                }
                plans.stacks.push(StackPlan { stack: stack.clone(), summary });
                plans.apply = apply.map(|apply| ctx.command(&apply));
            }
            Ok(Look::Waiting(waits_for)) => plans.waiting.push(Waiting { stack: stack.clone(), waits_for }),
            Err(error) if alone => return Err(error),
            Err(error) => plans.failed.push(Failed { stack: stack.clone(), failure: Failure::of(ctx, &error) }),
        }
    }
    Ok(plans)
}

enum Look {
    /// And the command that applies the plan, where it was kept.
    Planned(Summary, Option<Next>),
    /// For these to be deployed, which are planned here as well.
    Waiting(Vec<String>),
}

async fn plan_or_wait(args: &Args, ctx: &Ctx, target: &Session, stack: &str, all: &[String]) -> Result<Look> {
    if all.len() > 1 {
        let waits_for = waits_for(ctx, target, stack, all).await?;
        if !waits_for.is_empty() {
            return Ok(Look::Waiting(waits_for));
        }
    }
    plan_one(args, ctx, target, stack).await
}

async fn plan_one(args: &Args, ctx: &Ctx, target: &Session, stack: &str) -> Result<Look> {
    if ctx.cancel.is_cancelled() {
        return Err(Error::interrupted("stopped before it was planned").hint("run the same command again"));
    }
    let mode = if args.refresh_only { Mode::RefreshOnly } else { Mode::Deploy };
    let request = PlanRequest { mode, ..args.plan.request()? };
    let artifact = args.artifact.as_ref();
    let planned = deployment::plan_deployment(ctx, target, &target.project, stack, artifact, request).await?;
    let PlannedStack { planned, artifacts, .. } = planned;
    let Some(file) = &args.plan_file else { return Ok(Look::Planned(planned.summary, None)) };
    planned.file.keep(&ctx.working_directory.join(file))?;
    let zip = artifacts.zip().map(|zip| zip.strip_prefix(&ctx.working_directory).unwrap_or(zip).display().to_string());
    let plan = PlanArgs { parallelism: args.plan.parallelism, ..PlanArgs::default() };
    let flags = [flag("--artifact", zip), flag("--plan-file", Some(file.display()))].concat();
    Ok(Look::Planned(planned.summary, Some(for_stack(ctx, "deploy", stack, &flags, &plan))))
}

#[derive(Debug, Serialize)]
struct Plans {
    environment: String,
    account: Option<String>,
    region: String,
    plan_file: Option<PathBuf>,
    stacks: Vec<StackPlan>,
    /// Of several, those that were planned with what others give out now, and whose plans may be others after these.
    provisional: Vec<Provisional>,
    /// Of several, those that read what others have not deployed yet.
    waiting: Vec<Waiting>,
    /// Of several, those that could not be planned.
    failed: Vec<Failed>,
    #[serde(skip)]
    apply: Option<String>,
}

#[derive(Debug, Serialize)]
struct Provisional {
    stack: String,
    after: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Waiting {
    stack: String,
    waits_for: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Failed {
    stack: String,
    #[serde(flatten)]
    failure: Failure,
}

impl Plans {
    fn markdown(&self) -> String {
        let place: Vec<&str> = self.account.iter().map(String::as_str).chain([self.region.as_str()]).collect();
        let failed: Vec<(&str, &Failure)> =
            self.failed.iter().map(|failed| (failed.stack.as_str(), &failed.failure)).collect();
        let waiting: Vec<(&str, &[String])> =
            self.waiting.iter().map(|one| (one.stack.as_str(), one.waits_for.as_slice())).collect();
        let of = |stack: &str| self.provisional.iter().find(|one| one.stack == stack).map(|one| one.after.as_slice());
        let plans: Vec<(&StackPlan, Option<&[String]>)> =
            self.stacks.iter().map(|plan| (plan, of(&plan.stack))).collect();
        markdown::of(&self.environment, &place, &plans, &waiting, &failed)
    }
}

impl Report for Plans {
    fn page(&self) -> Page {
        let page = self.stacks.iter().fold(Page::new(), |page, plan| plan.add_to(page));
        let page = page.lines(self.provisional.iter().map(|one| provisional(&one.stack, &one.after)));
        let page = page.lines(self.waiting.iter().map(|one| waiting(&one.stack, &one.waits_for)));
        let page = self.failed.iter().fold(page, |page, failed| {
            page.line(format!("{}: could not be planned", failed.stack)).lines(failed.failure.lines())
        });
        page.line_if(self.apply.is_some(), || format!("to apply it: {}", self.apply.as_deref().unwrap_or_default()))
    }

    fn list(&self) -> Option<&'static str> {
        Some("stacks")
    }

    fn exit(&self) -> Exit {
        match self.failed.first() {
            Some(_) if !self.stacks.is_empty() => Exit::Partial,
            Some(failed) => failed.failure.exit,
            None => Exit::Done,
        }
    }
}
