//! `claimctl destroy`: everything of a stack, gone.

use claimctl_core::error::Result;
use claimctl_deploy::deployment::{self, Operation, StackRun};
use claimctl_deploy::terraform::Dependencies;

use super::stack::{ChosenStacks, ConsentArgs, Deployment, PlanArgs, StackArgs};
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
#[command(after_long_help = "\
What would be lost:
  claimctl destroy claim-check --env dev --dry-run
Although the table holds data:
  claimctl destroy claim-check --env dev --allow-destroy module.table")]
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
    let ChosenStacks { mut stacks, dependencies } = args.stacks.choose(&target.project)?;
    stacks.reverse();
    args.consent.check(target, &stacks)?;
    let run = async |stack: &str| destroy(args, ctx, target, stack, (&dependencies, &stacks)).await;
    let runs = deployment::each(&dependencies, Operation::Destroy, &stacks, &ctx.cancel, run).await?;
    report(Deployment::of(ctx, target, Operation::Destroy, runs))
}

async fn destroy(
    args: &Args,
    ctx: &Ctx,
    target: &Session,
    stack: &str,
    with: (&Dependencies, &[String]),
) -> Result<StackRun> {
    let request = args.plan.request()?;
    let planned = deployment::plan_destruction(ctx, target, &target.project, stack, with, request).await?;
    let request = args.consent.request(ctx, "destroy", stack, &[], &args.plan, args.dry_run);
    deployment::apply(target, &planned, &request, async |intent, summary, losses| {
        args.consent.ask(ctx, target, stack, (intent, summary, losses)).await
    })
    .await
}
