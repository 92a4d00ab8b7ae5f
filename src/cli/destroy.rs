//! `claimctl destroy`: everything of a stack, gone.

use super::stack::{ConsentArgs, Deployment, PlanArgs, StackArgs, StackRun, Standing, Way, each};
use crate::context::Ctx;
use crate::deploy::terraform::{self, Mode, Terraform, Wish};
use crate::error::Result;
use crate::output::{Outcome, report};
use crate::target::{Target, TargetArgs};

/// Destroy what stacks have deployed
///
/// Looks into every bucket, table and queue first: what is not empty is lost only where it is named by
/// --allow-destroy, keys and databases always. Buckets that are named are emptied, all versions, once counts and sizes
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

pub async fn run(args: &Args, ctx: &Ctx, target: &Target) -> Result<Outcome> {
    let mut stacks = args.stacks.ordered(&target.config)?;
    stacks.reverse();
    args.consent.check(&stacks)?;
    let deployment: Deployment =
        each(ctx, target, Way::Destroy, &stacks, async |stack: &str| destroy(args, ctx, target, stack).await).await?;
    report(deployment)
}

async fn destroy(args: &Args, ctx: &Ctx, target: &Target, stack: &str) -> Result<StackRun> {
    let terraform = Terraform::open(ctx, target, stack).await?;
    let wish = args.plan.wish()?;
    let artifacts = terraform.any_artifacts(ctx, target, &wish.variables).await?;
    let wish = Wish { mode: Mode::Destroy, digests: artifacts.digests, ..wish };
    let planned = terraform.plan(target, &wish).await?;
    if planned.is_empty() {
        return Ok(StackRun::planned(stack, &planned, Standing::Unchanged));
    }
    if args.dry_run {
        return Ok(StackRun::planned(stack, &planned, Standing::Planned));
    }
    let losses = args.consent.ask(ctx, target, &terraform, &planned).await?;
    terraform::empty_buckets(target, &losses.holdings, &ctx.cancel, &*ctx.progress, &losses.agreed).await?;
    let applied = terraform.apply(&planned, args.plan.parallelism, &losses.agreed).await?;
    if applied.failed.is_none() {
        // Completion forgets the names.
        target.see().await?;
    }
    Ok(StackRun::applied(stack, &planned, applied))
}
