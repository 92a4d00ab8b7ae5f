//! `claimctl destroy`: everything of a stack, gone.

use claimctl_core::error::Result;
use claimctl_deploy::terraform::{Artifacts, Mode, Terraform, Wish};

use super::stack::{ConsentArgs, Deployment, PlanArgs, StackArgs, StackRun, Typed, Way, Work, each};
use crate::context::Ctx;
use crate::output::{Outcome, report};
use crate::session::{Session, TargetArgs};

/// Destroy what stacks have deployed
///
/// Looks into every bucket, table, queue and log group first: what is not empty is lost only where it is named by
/// --allow-destroy; keys, secrets, databases and the like always count as full. Buckets that are named are emptied, all versions, once counts and sizes
/// were shown and agreed to; a run that was stopped is gone on with by the same command. A stack with deletion
/// protection has to be deployed without it first.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    stacks: StackArgs,
    /// Only show what would be destroyed
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    consent: ConsentArgs,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let mut stacks = args.stacks.ordered(&target.project)?;
    stacks.reverse();
    args.consent.check(target, &stacks)?;
    let typed = Typed { verb: "destroy", flags: Vec::new(), plan: &args.plan, target: &args.target };
    let work = async |stack: &str| destroy(args, ctx, target, stack, &typed).await;
    let deployment: Deployment = each(ctx, target, Way::Destroy, &stacks, work).await?;
    report(deployment)
}

async fn destroy(args: &Args, ctx: &Ctx, target: &Session, stack: &str, typed: &Typed<'_>) -> Result<StackRun> {
    let terraform = Terraform::open(ctx, target, &target.project, stack).await?;
    let wish = args.plan.wish()?;
    let artifacts = terraform.any_artifacts(ctx, target, &wish.variables).await?;
    let wish = Wish { mode: Mode::Destroy, digests: artifacts.digests, ..wish };
    let planned = terraform.plan(target, &wish).await?;
    let Args { consent, plan, dry_run, .. } = args;
    let artifacts = Artifacts::default();
    Work { terraform, planned, artifacts, consent, plan, typed, dry_run: *dry_run }.carry_out(ctx, target).await
}
