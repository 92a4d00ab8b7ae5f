//! From a plan to its end: what would be lost is looked at, consent is given, artifacts are published, buckets emptied,
//! the plan applied, and the names of the stack read again.

use claimctl_aws::target::{Change, Intent, Target};
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use serde::Serialize;

use super::plan::PlannedStack;
use crate::terraform::{self, Applied, Done, Mode, Planned, StatefulResource, Summary};

/// How a plan is carried out.
pub struct ApplyRequest {
    /// Addresses of what may be replaced or destroyed although it holds data.
    pub allow_destroy: Vec<String>,
    /// More arguments of `terraform apply`.
    pub arguments: Vec<String>,
    /// Only look.
    pub dry_run: bool,
    /// The command as it was typed, for this stack alone.
    pub command: Next,
}

/// How far a stack has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StackStanding {
    Done,
    /// There was nothing to do.
    Unchanged,
    /// Only looked at.
    Planned,
    /// Only looked at, and it cannot be planned before others are deployed, which were only looked at as well.
    Waiting,
    Failed,
    /// Something that it depends on failed, or the run was stopped.
    NotBegun,
}

/// What came of a stack, or would.
#[derive(Debug)]
pub struct StackRun {
    pub stack: String,
    pub summary: Summary,
    pub standing: StackStanding,
    /// In the order in which it was done.
    pub done: Vec<Done>,
    /// Why it ended early; what was done is done all the same.
    pub failed: Option<Error>,
    /// How the plan file that was applied, and is gone, is made once more.
    pub make_plan: Option<Next>,
    /// What has to be deployed before it can be planned.
    pub waits_for: Vec<String>,
}

impl StackRun {
    pub(super) fn without_plan(stack: &str, standing: StackStanding, failed: Option<Error>) -> StackRun {
        let (stack, summary) = (stack.to_owned(), Summary::default());
        StackRun { stack, summary, standing, done: Vec::new(), failed, make_plan: None, waits_for: Vec::new() }
    }

    /// One that cannot be planned before these are deployed.
    pub fn waiting(stack: &str, waits_for: Vec<String>) -> StackRun {
        StackRun { waits_for, ..StackRun::without_plan(stack, StackStanding::Waiting, None) }
    }

    fn planned(stack: &str, planned: &Planned, standing: StackStanding) -> StackRun {
        StackRun { summary: planned.summary.clone(), ..StackRun::without_plan(stack, standing, None) }
    }

    /// Whether something of it is left to do.
    pub fn is_left(&self) -> bool {
        matches!(self.standing, StackStanding::Failed | StackStanding::NotBegun)
    }
}

/// Applies a plan once `consent` was given to it and to what is lost with it. Nothing is changed before that.
pub async fn apply(
    target: &Target,
    work: &PlannedStack,
    request: &ApplyRequest,
    consent: impl AsyncFnOnce(&Intent, &Summary, &[StatefulResource]) -> Result<Change>,
) -> Result<StackRun> {
    let PlannedStack { terraform, planned, artifacts } = work;
    let stack = terraform.root.stack.as_str();
    if planned.is_empty() {
        if planned.file.is_kept() {
            // That there was nothing to do says nothing of a state that has changed since.
            terraform.check_not_stale(target, planned).await?;
            if !request.dry_run {
                planned.file.remove()?;
            }
        }
        return Ok(StackRun::planned(stack, planned, StackStanding::Unchanged));
    }
    if request.dry_run {
        return Ok(StackRun::planned(stack, planned, StackStanding::Planned));
    }
    let losses = check_losses(target, work, request).await?;
    let verb = if planned.mode() == Mode::Destroy { "destroy" } else { "deploy" };
    let counts = planned.summary.counts;
    let what = format!("{verb} {stack} ({})", planned.summary.sentence());
    let intent = Intent { what, destroys: counts.replace + counts.destroy > 0 };
    let agreed = consent(&intent, &planned.summary, &losses).await?;
    if planned.mode() == Mode::Deploy {
        terraform.publish(target, artifacts, &agreed).await?;
    }
    let Applied { done, failed } = empty_and_apply(target, work, request, &losses, &agreed).await?;
    if failed.is_none() {
        read_names(target, work).await;
    }
    let standing = if failed.is_some() { StackStanding::Failed } else { StackStanding::Done };
    let make_plan = planned.file.made_again();
    Ok(StackRun { done, failed, make_plan, ..StackRun::planned(stack, planned, standing) })
}

/// What would be lost. Refused where it is protected or not named, and where something would be made a second time.
async fn check_losses(target: &Target, work: &PlannedStack, request: &ApplyRequest) -> Result<Vec<StatefulResource>> {
    let PlannedStack { terraform, planned, .. } = work;
    let losses = match planned.mode() {
        // Only the state changes.
        Mode::RefreshOnly => Vec::new(),
        Mode::Deploy | Mode::Destroy => terraform.stateful_resources(target, &planned.summary.changes).await?,
    };
    terraform::check_not_created(&terraform.root, &planned.summary)?;
    terraform.check_protection(planned)?;
    terraform::check_named(target.is_protected(), &losses, &request.allow_destroy, |unnamed| {
        let named = request.allow_destroy.iter().map(String::as_str).chain(unnamed.iter().copied());
        named.fold(request.command.clone(), |command, address| command.flag("--allow-destroy", address))
    })?;
    Ok(losses)
}

/// What was emptied is told, also where nothing could be applied after it.
async fn empty_and_apply(
    target: &Target,
    work: &PlannedStack,
    request: &ApplyRequest,
    losses: &[StatefulResource],
    agreed: &Change,
) -> Result<Applied> {
    let PlannedStack { terraform, planned, .. } = work;
    let emptied = terraform.empty_buckets(target, planned, losses, agreed).await;
    let applied = match emptied.failed {
        Some(error) => Err(error),
        // Asked to stop while a bucket was emptied, or the artifact published.
        None if terraform.is_stopped() => {
            let stopped = format!("stopped before {} was changed by Terraform", terraform.root.name());
            Err(Error::interrupted(stopped).hint("run the same command again to go on"))
        }
        None => terraform.apply(planned, &request.arguments, agreed).await,
    };
    match applied {
        Ok(applied) => Ok(Applied { done: [emptied.done, applied.done].concat(), ..applied }),
        Err(error) if emptied.done.is_empty() => Err(error),
        Err(error) => Ok(Applied { done: emptied.done, failed: Some(error) }),
    }
}

/// Completion knows the names as they are from now on; a stack that exposes none is told of.
async fn read_names(target: &Target, work: &PlannedStack) {
    let PlannedStack { terraform, planned, .. } = work;
    let (stack, progress) = (&terraform.root.stack, terraform.progress());
    match target.read_surfaces().await {
        Ok(known) if planned.mode() == Mode::Deploy && known.lacks(stack) => progress.note(&format!(
            "note: {stack} is deployed and has no surface, so no verb knows its names: end the stack in output \
             \"claimctl\" (docs/terraform.md)"
        )),
        Ok(_) => {}
        Err(error) => {
            progress.note(&format!("note: the names of {stack} could not be read: {}", error.chain().join(": ")));
        }
    }
}

#[cfg(test)]
mod tests {
    use claimctl_core::error::Kind;
    use serde_json::{Value, json};

    use super::super::plan::plan_deployment;
    use super::*;
    use crate::terraform::PlanRequest;
    use crate::testing::{Site, state};

    /// A site whose next plan does these things, by address.
    async fn planned(changes: &[(&str, &str, Value)]) -> (Site, PlannedStack) {
        let site = Site::new().await;
        site.put_state(&state(1, &["other"]));
        let changes: Vec<Value> = changes
            .iter()
            .map(|(address, action, before)| {
                json!({"address": address, "mode": "managed", "type": address.split('.').next(),
                    "change": {"actions": [action], "before": before}})
            })
            .collect();
        let plan = json!({"format_version": "1.2", "resource_changes": changes});
        std::fs::write(site.path("plan.json"), plan.to_string()).unwrap();
        let (ctx, target) = (&site.ctx, &site.target);
        let request = PlanRequest { variables: vec!["size=9".to_owned()], ..PlanRequest::default() };
        let work = plan_deployment(ctx, target, &site.project, "small", None, request).await.unwrap();
        (site, work)
    }

    fn request() -> ApplyRequest {
        let command = Next::verb("deploy").words(["small", "--", "-lock-timeout=5s"]);
        ApplyRequest { allow_destroy: Vec::new(), arguments: Vec::new(), dry_run: false, command }
    }

    #[tokio::test]
    async fn a_plan_is_applied_once_it_was_agreed_to() {
        let (site, work) = planned(&[("t.a", "create", json!(null))]).await;
        let request = request();
        let run = apply(&site.target, &work, &request, async |intent, _, _| {
            assert_eq!(intent.what, "deploy small (1 to create, 0 unchanged)");
            site.agree(intent).await
        });
        let run = run.await.unwrap();
        assert_eq!((run.standing, run.done[0].address.as_str()), (StackStanding::Done, "t.a"));
        assert_eq!(site.changes(), ["apply"]);
    }

    #[tokio::test]
    async fn nothing_is_applied_without_consent_and_nobody_is_asked_for_a_look() {
        let (site, work) = planned(&[("t.a", "create", json!(null))]).await;
        let declined = async |_: &Intent, _: &Summary, _: &[StatefulResource]| Err(Error::refused("no"));
        let refused = apply(&site.target, &work, &request(), declined).await.unwrap_err();
        assert_eq!((refused.kind(), refused.to_string().as_str()), (Kind::Refused, "no"));
        let look = ApplyRequest { dry_run: true, ..request() };
        let run = apply(&site.target, &work, &look, declined).await.unwrap();
        assert_eq!(run.standing, StackStanding::Planned);
        assert!(site.changes().is_empty());
    }

    #[tokio::test]
    async fn what_holds_data_is_lost_only_where_it_is_named() {
        let (site, work) = planned(&[("aws_kms_key.k", "delete", json!({"key_id": "1"}))]).await;
        let refused = apply(&site.target, &work, &request(), async |_, _, _| panic!("nobody is to be asked")).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.detail_lines(), ["aws_kms_key.k (1) holds whatever only this key can decrypt"]);
        let command = "claimctl deploy small --allow-destroy aws_kms_key.k -- -lock-timeout=5s";
        assert!(refused.advice().ends_with(command), "{}", refused.advice());
        let named = ApplyRequest { allow_destroy: vec!["aws_kms_key.k".to_owned()], ..request() };
        let run = apply(&site.target, &work, &named, async |intent, _, losses| {
            assert!(intent.destroys && losses.len() == 1);
            site.agree(intent).await
        });
        assert_eq!(run.await.unwrap().standing, StackStanding::Done);
        assert_eq!(site.changes(), ["apply"]);
    }

    #[tokio::test]
    async fn what_is_protected_from_deletion_stays() {
        let before = json!({"deletion_protection_enabled": true});
        let (site, work) = planned(&[("t.a", "delete", before)]).await;
        let refused = apply(&site.target, &work, &request(), async |_, _, _| panic!("nobody is to be asked")).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("t.a is protected from deletion"), "{refused}");
        assert!(site.changes().is_empty());
    }
}
