//! `claimctl deploy`: a stack as the repository has it, in an environment.

use std::path::PathBuf;

use claimctl_core::error::{Error, Result};
use claimctl_deploy::terraform::{ArtifactFrom, Mode, Terraform, Wish};

use super::stack::{ConsentArgs, Deployment, PlanArgs, StackArgs, StackRun, Typed, Way, Work, each, flag};
use crate::context::Ctx;
use crate::output::{Outcome, report};
use crate::session::{Session, TargetArgs};

/// Bring stacks up to what the repository says, by Terraform
///
/// Checks account, region and workspace, builds or takes the functions' artifact, plans, shows the plan, asks, publishes
/// the artifact by its digest and applies exactly that plan. Replacing or destroying what holds data is refused unless
/// each resource is named. The first Ctrl-C lets Terraform finish what is in flight and save its state. What IAM has to
/// allow is the deploy role that terraform/global makes.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    stacks: StackArgs,
    /// The functions' code: sha256:HEX, a zip, or deployed [default: built from the repository]
    #[arg(long, value_name = "ARTIFACT", value_parser = ArtifactFrom::parse)]
    artifact: Option<ArtifactFrom>,
    /// Apply this plan of claimctl plan, and remove it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["refresh_only", "targets", "variables", "extra"])]
    plan_file: Option<PathBuf>,
    /// Only show what would be done
    #[arg(long)]
    dry_run: bool,
    /// Only bring the state up to what is there
    #[arg(long)]
    refresh_only: bool,
    #[command(flatten)]
    consent: ConsentArgs,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let stacks = args.stacks.ordered(&target.project)?;
    args.consent.check(target, &stacks)?;
    if args.plan_file.is_some() && stacks.len() != 1 {
        return Err(Error::usage("--plan-file is the plan of one stack").hint("name the stack that it was made for"));
    }
    let refresh_only = args.refresh_only.then(|| "--refresh-only".to_owned());
    let plan_file = args.plan_file.as_ref().map(|file| file.display());
    let flags = [flag("--artifact", args.artifact.as_ref()), flag("--plan-file", plan_file)].concat();
    let flags = flags.into_iter().chain(refresh_only).collect();
    let typed = Typed { verb: "deploy", flags, plan: &args.plan, target: &args.target };
    let work = async |stack: &str| deploy(args, ctx, target, stack, &typed).await;
    let deployment: Deployment = each(ctx, target, Way::Deploy, &stacks, work).await?;
    report(deployment)
}

async fn deploy(args: &Args, ctx: &Ctx, target: &Session, stack: &str, typed: &Typed<'_>) -> Result<StackRun> {
    let terraform = Terraform::open(ctx, target, &target.project, stack).await?;
    let (planned, artifacts) = match &args.plan_file {
        Some(file) => {
            let planned = terraform.planned(target, &ctx.working_directory.join(file)).await?;
            let deployed = &planned.file.sidecar.artifacts;
            let artifacts = terraform.artifacts_of_plan(ctx, target, deployed, args.artifact.as_ref()).await?;
            (planned, artifacts)
        }
        None => {
            let mut wish = args.plan.wish()?;
            let mode = if args.refresh_only { Mode::RefreshOnly } else { Mode::Deploy };
            let from = args.artifact.clone().unwrap_or(ArtifactFrom::usual(mode));
            let artifacts = terraform.artifacts(ctx, target, &from, &wish.variables).await?;
            wish = Wish { mode, digests: artifacts.digests.clone(), artifacts: artifacts.deployed.clone(), ..wish };
            (terraform.plan(target, &wish).await?, artifacts)
        }
    };
    if planned.mode() == Mode::Deploy {
        terraform.check_artifacts(target, &artifacts).await?;
    }
    let Args { consent, plan, dry_run, .. } = args;
    Work { terraform, planned, artifacts, consent, plan, typed, dry_run: *dry_run }.carry_out(ctx, target).await
}
