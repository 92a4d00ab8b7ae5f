//! `claimctl deploy`: a stack as the repository has it, in an environment.

use std::path::PathBuf;

use claimctl_core::error::{Error, Result};
use claimctl_deploy::deployment::{self, Operation, StackRun};
use claimctl_deploy::terraform::{ArtifactFrom, Mode, PlanRequest};

use super::stack::{ChosenStacks, ConsentArgs, Deployment, PlanArgs, StackArgs, flag, waits_for};
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
#[command(after_long_help = "\
See the plan, say yes, and it is there:
  claimctl deploy claim-check --env dev
Settings only, with the code that is deployed already:
  claimctl deploy claim-check --env prod --artifact deployed
Exactly the plan that was reviewed:
  claimctl deploy claim-check --env prod --plan-file prod.tfplan")]
pub struct Args {
    #[command(flatten)]
    stacks: StackArgs,
    /// The functions' code: sha256:HEX, a zip, a folder of zips, or deployed
    ///
    /// Without it, the code is built from the repository.
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
    let ChosenStacks { stacks, dependencies } = args.stacks.choose(&target.project)?;
    args.consent.check(target, &stacks)?;
    if args.plan_file.is_some() && stacks.len() != 1 {
        return Err(Error::usage("--plan-file is the plan of one stack").hint("name the stack that it was made for"));
    }
    let run = async |stack: &str| match args.dry_run && stacks.len() > 1 {
        true => look(args, ctx, target, stack, &stacks).await,
        false => deploy(args, ctx, target, stack).await,
    };
    let runs = deployment::each(&dependencies, Operation::Deploy, &stacks, &ctx.cancel, run).await?;
    report(Deployment::of(ctx, target, Operation::Deploy, runs))
}

/// Of several stacks that are only looked at, one may read what another has not deployed yet.
async fn look(args: &Args, ctx: &Ctx, target: &Session, stack: &str, all: &[String]) -> Result<StackRun> {
    match waits_for(ctx, target, stack, all).await? {
        none if none.is_empty() => deploy(args, ctx, target, stack).await,
        others => Ok(StackRun::waiting(stack, others)),
    }
}

async fn deploy(args: &Args, ctx: &Ctx, target: &Session, stack: &str) -> Result<StackRun> {
    let (project, artifact) = (&target.project, args.artifact.as_ref());
    let planned = match &args.plan_file {
        Some(file) => {
            let file = ctx.working_directory.join(file);
            deployment::plan_of_file(ctx, target, project, stack, &file, artifact).await?
        }
        None => {
            let mode = if args.refresh_only { Mode::RefreshOnly } else { Mode::Deploy };
            let request = PlanRequest { mode, ..args.plan.request()? };
            deployment::plan_deployment(ctx, target, project, stack, artifact, request).await?
        }
    };
    let request = args.consent.request(ctx, "deploy", stack, &args.flags(), &args.plan, args.dry_run);
    deployment::apply(target, &planned, &request, async |intent, summary, losses| {
        args.consent.ask(ctx, target, stack, (intent, summary, losses)).await
    })
    .await
}

impl Args {
    /// The flags of this verb alone, as they were typed.
    fn flags(&self) -> Vec<String> {
        let plan_file = self.plan_file.as_ref().map(|file| file.display());
        let refresh_only = self.refresh_only.then(|| "--refresh-only".to_owned()).into_iter().collect();
        [flag("--artifact", self.artifact.as_ref()), flag("--plan-file", plan_file), refresh_only].concat()
    }
}
