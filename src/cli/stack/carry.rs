//! From a plan to its end: agreed to, its artifacts published, buckets emptied, applied, and seen again.

use claimctl_core::error::{Error, Result};
use claimctl_deploy::terraform::{Applied, Artifacts, Mode, Planned, Terraform};

use super::{ConsentArgs, Losses, PlanArgs, StackRun, Standing, Typed};
use crate::context::Ctx;
use crate::session::Session;

/// What is to be carried out.
pub struct Work<'a> {
    pub terraform: Terraform,
    pub planned: Planned,
    /// What the plan deploys; empty where it deploys nothing.
    pub artifacts: Artifacts,
    pub consent: &'a ConsentArgs,
    pub plan: &'a PlanArgs,
    pub typed: &'a Typed<'a>,
    pub dry_run: bool,
}

impl Work<'_> {
    pub async fn carry_out(self, ctx: &Ctx, target: &Session) -> Result<StackRun> {
        let Work { terraform, planned, .. } = &self;
        let stack = terraform.root.stack.as_str();
        if planned.is_empty() {
            if planned.file.is_kept() {
                // That there was nothing to do says nothing of a state that has changed since.
                terraform.check_not_stale(target, planned).await?;
                if !self.dry_run {
                    planned.file.remove()?;
                }
            }
            return Ok(StackRun::planned(stack, planned, Standing::Unchanged));
        }
        if self.dry_run {
            return Ok(StackRun::planned(stack, planned, Standing::Planned));
        }
        let losses = self.consent.ask(ctx, target, terraform, planned, self.typed).await?;
        if planned.mode() == Mode::Deploy {
            terraform.publish(target, &self.artifacts, &losses.agreed).await?;
        }
        let applied = self.apply(ctx, target, &losses).await?;
        if applied.failed.is_none() {
            see(ctx, target, terraform, planned.mode()).await;
        }
        Ok(StackRun::applied(ctx, stack, planned, applied))
    }

    /// What was emptied is told, also where nothing could be applied after it.
    async fn apply(&self, ctx: &Ctx, target: &Session, losses: &Losses) -> Result<Applied> {
        let Work { terraform, planned, .. } = self;
        let emptied = terraform.empty_buckets(target, planned, &losses.holdings, &losses.agreed).await;
        let applied = match emptied.failed {
            Some(error) => Err(error),
            // Asked to stop while a bucket was emptied, or the artifact published.
            None if ctx.cancel.is_cancelled() => {
                let stopped = format!("stopped before {} was changed by Terraform", terraform.root.name());
                Err(Error::interrupted(stopped).hint("run the same command again to go on"))
            }
            None => terraform.apply(planned, &self.plan.of_apply(), &losses.agreed).await,
        };
        match applied {
            Ok(applied) => Ok(Applied { done: [emptied.done, applied.done].concat(), ..applied }),
            Err(error) if emptied.done.is_empty() => Err(error),
            Err(error) => Ok(Applied { done: emptied.done, failed: Some(error) }),
        }
    }
}

/// Completion knows the names as they are from now on; a stack that exposes none is told of.
async fn see(ctx: &Ctx, target: &Session, terraform: &Terraform, mode: Mode) {
    let stack = &terraform.root.stack;
    match target.read_surfaces().await {
        Ok(look) if mode == Mode::Deploy && look.lacks(stack) => ctx.progress.note(&format!(
            "note: {stack} is deployed and has no surface, so no verb knows its names: end the stack in output \
             \"claimctl\" (docs/terraform.md)"
        )),
        Ok(_) => {}
        Err(error) => {
            ctx.progress.note(&format!("note: the names of {stack} could not be read: {}", error.chain().join(": ")));
        }
    }
}
