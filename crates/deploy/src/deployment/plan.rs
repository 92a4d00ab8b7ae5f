//! What is planned of a stack, with the artifacts that its functions are to run.

use std::path::Path;

use claimctl_aws::target::Target;
use claimctl_core::context::Context;
use claimctl_core::error::Result;

use super::needed::{check_missing, check_not_needed};
use crate::project::Project;
use crate::terraform::{ArtifactFrom, Artifacts, Dependencies, Mode, PlanRequest, Planned, Summary, Terraform};

/// A stack with its plan.
pub struct PlannedStack {
    pub terraform: Terraform,
    pub planned: Planned,
    /// What the plan deploys; empty where it deploys nothing.
    pub artifacts: Artifacts,
}

/// Plans a deployment, or a refresh of the state. `artifact`: none is what is usual for that.
pub async fn plan_deployment(
    ctx: &Context,
    target: &Target,
    project: &Project,
    stack: &str,
    artifact: Option<&ArtifactFrom>,
    request: PlanRequest,
) -> Result<PlannedStack> {
    check_missing(ctx, target, project, stack).await?;
    let terraform = Terraform::open(ctx, target, project, stack).await?.with_variables(&request.variables);
    let usual = ArtifactFrom::usual(request.mode);
    let artifacts = terraform.artifacts(ctx, target, artifact.unwrap_or(&usual), &request.variables).await?;
    if request.mode == Mode::Deploy {
        terraform.check_artifacts(target, &artifacts).await?;
    }
    let request = PlanRequest { digests: artifacts.digests.clone(), artifacts: artifacts.deployed.clone(), ..request };
    let planned = terraform.plan(target, &request).await?;
    Ok(PlannedStack { terraform, planned, artifacts })
}

/// Takes a plan that was kept. `artifact` has to be one that it deploys.
pub async fn plan_of_file(
    ctx: &Context,
    target: &Target,
    project: &Project,
    stack: &str,
    file: &Path,
    artifact: Option<&ArtifactFrom>,
) -> Result<PlannedStack> {
    check_missing(ctx, target, project, stack).await?;
    let terraform = Terraform::open(ctx, target, project, stack).await?;
    let planned = terraform.planned(target, file).await?;
    let artifacts = terraform.artifacts_of_plan(ctx, target, &planned.file.sidecar.artifacts, artifact).await?;
    if planned.mode() == Mode::Deploy {
        terraform.check_artifacts(target, &artifacts).await?;
    }
    Ok(PlannedStack { terraform, planned, artifacts })
}

/// Plans the end of a stack. Which artifact its functions run makes no difference. `with`: what is destroyed in the same
/// run, so that it may depend on the stack.
pub async fn plan_destruction(
    ctx: &Context,
    target: &Target,
    project: &Project,
    stack: &str,
    (dependencies, with): (&Dependencies, &[String]),
    request: PlanRequest,
) -> Result<PlannedStack> {
    check_not_needed(target, project, stack, dependencies, with).await?;
    let terraform = Terraform::open(ctx, target, project, stack).await?.with_variables(&request.variables);
    let digests = terraform.any_artifacts(ctx, target, &request.variables).await?.digests;
    let planned = terraform.plan(target, &PlanRequest { mode: Mode::Destroy, digests, ..request }).await?;
    Ok(PlannedStack { terraform, planned, artifacts: Artifacts::default() })
}

/// What was changed behind Terraform's back. None where nothing is deployed.
pub async fn drift(
    ctx: &Context,
    target: &Target,
    project: &Project,
    stack: &str,
    request: PlanRequest,
) -> Result<Option<Summary>> {
    let Some(terraform) = Terraform::open_deployed(ctx, target, project, stack).await? else { return Ok(None) };
    check_missing(ctx, target, project, stack).await?;
    let terraform = terraform.with_variables(&request.variables);
    let artifacts = terraform.any_artifacts(ctx, target, &request.variables).await?;
    let is_made_up = artifacts.are_made_up();
    let mut summary = terraform.drift(target, &PlanRequest { digests: artifacts.digests, ..request }).await?;
    if is_made_up {
        // Outputs tell of the artifact, and this one is nobody's.
        summary.outputs.clear();
    }
    Ok(Some(summary))
}
