//! `claimctl plan`: what a deployment would do.

use std::path::PathBuf;

use serde::Serialize;

use super::stack::{PlanArgs, StackArgs, StackPlan, markdown};
use crate::changes::quoted;
use crate::context::Ctx;
use crate::deploy::terraform::{ArtifactFrom, Mode, Terraform, Wish};
use crate::error::{Error, Result};
use crate::output::{Outcome, Page, Report, report};
use crate::target::{Target, TargetArgs};

/// Show what a deployment would create, change, replace and destroy
///
/// Checks account, region and workspace, initialises Terraform where something changed, and reads Terraform's own plan:
/// for each change the attributes, old and new, secrets masked, and what forces a replacement. Nothing is changed.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    stacks: StackArgs,
    /// Keep the plan, to be applied by claimctl deploy --plan-file; holds secrets
    #[arg(long, value_name = "FILE")]
    plan_file: Option<PathBuf>,
    /// Write the plan, or why there is none, as Markdown as well: for a comment on a pull request
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// The functions' code: sha256:HEX, a zip, or deployed [default: built from the repository]
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

pub async fn run(args: &Args, ctx: &Ctx, target: &Target) -> Result<Outcome> {
    let planned = plan(args, ctx, target).await;
    let written = match (&args.markdown, &planned) {
        (None, _) => Ok(()),
        (Some(file), Ok(plans)) => markdown::write(&ctx.working_directory.join(file), &plans.markdown()),
        (Some(file), Err(error)) => {
            markdown::write(&ctx.working_directory.join(file), &markdown::of_failure(target.name(), error))
        }
    };
    // Why there is no plan matters more than that it could not be written down.
    let planned = planned?;
    written?;
    report(planned)
}

async fn plan(args: &Args, ctx: &Ctx, target: &Target) -> Result<Plans> {
    let stacks = args.stacks.ordered(&target.config)?;
    if args.plan_file.is_some() && stacks.len() != 1 {
        return Err(
            Error::usage("--plan-file is for the plan of one stack").hint("name one stack, and a file for each")
        );
    }
    let mut plans = Vec::new();
    for stack in stacks {
        let terraform = Terraform::open(ctx, target, &stack).await?;
        let mut wish = args.plan.wish()?;
        let mode = if args.refresh_only { Mode::RefreshOnly } else { Mode::Deploy };
        let from = args.artifact.clone().unwrap_or(ArtifactFrom::usual(mode));
        let artifacts = terraform.artifacts(ctx, target, &from, &wish.variables).await?;
        if mode == Mode::Deploy {
            terraform.check_artifacts(target, &artifacts).await?;
        }
        wish = Wish { mode, digests: artifacts.digests, artifacts: artifacts.deployed, ..wish };
        let planned = terraform.plan(target, &wish).await?;
        if let Some(file) = &args.plan_file {
            planned.file.keep(&ctx.working_directory.join(file))?;
        }
        plans.push(StackPlan { stack, summary: planned.summary });
    }
    Ok(Plans {
        environment: target.name().to_owned(),
        account: target.expected_account().map(str::to_owned),
        region: target.region.clone(),
        plan_file: args.plan_file.clone(),
        flags: target.flags.clone(),
        stacks: plans,
    })
}

#[derive(Debug, Serialize)]
struct Plans {
    environment: String,
    account: Option<String>,
    region: String,
    plan_file: Option<PathBuf>,
    stacks: Vec<StackPlan>,
    /// What was typed to reach the environment, besides its name.
    #[serde(skip)]
    flags: String,
}

impl Plans {
    fn markdown(&self) -> String {
        let place: Vec<&str> = self.account.iter().map(String::as_str).chain([self.region.as_str()]).collect();
        markdown::of(&self.environment, &place, &self.stacks)
    }
}

impl Report for Plans {
    fn page(&self) -> Page {
        let page = self.stacks.iter().fold(Page::new(), |page, plan| plan.add_to(page));
        let Some(file) = &self.plan_file else { return page };
        let stack = self.stacks.first().map_or("STACK", |plan| &plan.stack);
        let (environment, flags, file) = (&self.environment, &self.flags, file.display().to_string());
        let file = quoted(&file);
        page.line(format!("to apply it: claimctl deploy {stack} --env {environment}{flags} --plan-file {file}"))
    }

    fn list(&self) -> Option<&'static str> {
        Some("stacks")
    }
}
