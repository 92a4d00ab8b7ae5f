//! `claimctl bootstrap`: what an environment needs before anything can be deployed.

use claimctl_aws::target::Intent;
use claimctl_core::error::{Error, Result};
use claimctl_core::exit::Exit;
use claimctl_core::units::count;
use claimctl_deploy::bootstrap::{self, Applied, Plan, RemainingResource, Request, Spec, Step, StepState};
use serde::Serialize;

use crate::cli::policy::{PolicyArgs, policy};
use crate::context::Ctx;
use crate::output::{Failure, Outcome, Page, Report, Table, report, write_stderr};
use crate::session::{Session, TargetArgs};

/// Make an environment's state bucket, lock table, artifact bucket
///
/// Terraform keeps its state and its lock there, and Lambda finds its code. Looks first, shows what differs, asks, and does it step by step; a run that was killed is continued by the next.
/// What is there is adopted: what is missing is added, nothing is loosened, and foreign policy statements, lifecycle
/// rules and tags stay. Terraform's backend configuration is written to terraform/backends/ENV.s3.tfbackend.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
What differs, without a change:
  claimctl bootstrap --env dev --check
Make what is missing:
  claimctl bootstrap --env dev
The permissions that this takes:
  claimctl bootstrap --env dev --print-policy")]
pub struct Args {
    /// Only look: exit 8 with what differs
    #[arg(long, conflicts_with_all = ["dry_run", "destroy"])]
    check: bool,
    /// Only show what would be done
    #[arg(long)]
    dry_run: bool,
    /// The state bucket [default: PROJECT-tfstate-ACCOUNT-REGION]
    #[arg(long, value_name = "BUCKET")]
    state_bucket: Option<String>,
    /// The lock table [default: PROJECT-tflock]
    #[arg(long, value_name = "TABLE")]
    lock_table: Option<String>,
    /// Encrypt state bucket and lock table with this KMS key
    ///
    /// An ARN, an id or alias/NAME.
    #[arg(long, value_name = "KEY")]
    kms_key: Option<String>,
    /// Take all of it down again, for test accounts
    ///
    /// Refused while a state lists resources.
    #[arg(long)]
    destroy: bool,
    /// The state bucket's name, if no terminal asks for it
    #[arg(long, value_name = "BUCKET", requires = "destroy")]
    confirm: Option<String>,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let request = Request {
        state_bucket: args.state_bucket.clone(),
        lock_table: args.lock_table.clone(),
        kms_key: args.kms_key.clone(),
    };
    if args.policy.print_policy {
        let spec = Spec::of(target, &target.project, &request).await?;
        return policy(match args.destroy {
            true => bootstrap::permissions_to_destroy(&spec),
            false => bootstrap::permissions(&spec),
        });
    }
    target.guard().await?;
    let spec = Spec::of(target, &target.project, &request).await?;
    match args.destroy {
        true => destroy(args, ctx, target, spec).await,
        false => converge(args, ctx, target, spec).await,
    }
}

async fn converge(args: &Args, ctx: &Ctx, target: &Session, spec: Spec) -> Result<Outcome> {
    let plan = bootstrap::plan(target, spec).await?;
    if args.check || args.dry_run || plan.steps.is_empty() {
        let mode = if args.check { Mode::Check } else { Mode::DryRun };
        return report(Bootstrap::planned(&plan, mode));
    }
    // In the sandbox nobody is asked.
    if !ctx.options.yes && !target.is_local() {
        write_stderr(Bootstrap::planned(&plan, Mode::DryRun).page().render(&ctx.terminal).trim_end());
    }
    let what = format!("make {} in account {}", count(plan.steps.len() as u64, "change"), plan.spec.arns.account);
    let agreed = target.authorize(ctx, &Intent { what, destroys: false }).await?;
    let applied = bootstrap::apply(target, &plan, &agreed, &ctx.cancel, &*ctx.progress).await;
    report(Bootstrap::applied(ctx, &plan, applied))
}

async fn destroy(args: &Args, ctx: &Ctx, target: &Session, spec: Spec) -> Result<Outcome> {
    if target.is_protected() {
        return Err(Error::refused(format!("environment {} is protected: it is never destroyed", spec.environment))
            .hint("bootstrap --destroy is for test accounts"));
    }
    let destroy_plan = bootstrap::destroy_plan(target, spec.clone()).await?;
    let destroyed = |remains, failed| Destroyed { environment: spec.environment.clone(), remains, failed };
    if args.dry_run || destroy_plan.remains.is_empty() {
        return report(destroyed(destroy_plan.remains, None));
    }
    if args.confirm.is_none() {
        write_stderr(destroyed(destroy_plan.remains, None).page().render(&ctx.terminal).trim_end());
    }
    let what = format!("destroy the bootstrap of account {}", spec.arns.account);
    let intent = Intent { what, destroys: true };
    let agreed = target.authorize_by_name(ctx, &intent, &spec.state.name, args.confirm.as_deref()).await?;
    // The answer may have taken a while, and somebody may have deployed meanwhile.
    let destroy_plan = bootstrap::destroy_plan(target, spec.clone()).await?;
    let (remains, failed) = bootstrap::destroy(target, destroy_plan, &agreed, &ctx.cancel, &*ctx.progress).await;
    report(destroyed(remains, failed.map(|error| Failure::of(ctx, &error))))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    Check,
    DryRun,
    Apply,
}

#[derive(Debug, Serialize)]
struct Bootstrap {
    environment: String,
    account: String,
    region: String,
    state_bucket: String,
    artifact_bucket: String,
    lock_table: Option<String>,
    backend_file: String,
    mode: Mode,
    /// Whether all was as it should be, or is now.
    converged: bool,
    steps: Vec<Step>,
    notes: Vec<String>,
    failed: Option<Failure>,
}

impl Bootstrap {
    fn planned(plan: &Plan, mode: Mode) -> Bootstrap {
        let spec = &plan.spec;
        Bootstrap {
            environment: spec.environment.clone(),
            account: spec.arns.account.clone(),
            region: spec.arns.region.clone(),
            state_bucket: spec.state.name.clone(),
            artifact_bucket: spec.artifacts.name.clone(),
            lock_table: spec.table.as_ref().map(|table| table.name.clone()),
            backend_file: spec.file.path.display().to_string(),
            mode,
            converged: plan.steps.is_empty(),
            steps: plan.steps.clone(),
            notes: plan.notes.clone(),
            failed: None,
        }
    }

    fn applied(ctx: &Ctx, plan: &Plan, applied: Applied) -> Bootstrap {
        let mut notes = plan.notes.clone();
        notes.extend(applied.left.iter().map(|left| {
            format!("{} {}: {} was set and is not seen yet ({})", left.resource, left.name, left.setting, left.now)
        }));
        let all_done = applied.steps.iter().all(|step| step.state == StepState::Done);
        Bootstrap {
            mode: Mode::Apply,
            converged: all_done && applied.left.is_empty() && applied.failed.is_none(),
            steps: applied.steps,
            notes,
            failed: applied.failed.as_ref().map(|error| Failure::of(ctx, error)),
            ..Bootstrap::planned(plan, Mode::Apply)
        }
    }

    /// What the steps are about, each once.
    fn named(&self) -> Table {
        let mut table = Table::new(["RESOURCE", "NAME"]);
        let mut before = None;
        for step in self.steps.iter().filter(|step| before.replace(step.resource) != Some(step.resource)) {
            table.row([step.resource.to_owned(), step.name.clone()]);
        }
        table
    }

    fn summary(&self) -> String {
        let where_ = format!("environment {} (account {}, {})", self.environment, self.account, self.region);
        let number = count(self.steps.len() as u64, "change");
        match self.mode {
            _ if self.steps.is_empty() => format!("{where_}: all is as it should be, nothing to do"),
            Mode::Check | Mode::DryRun => format!("{where_}: {number} to make"),
            Mode::Apply if self.converged => format!("{where_}: {number} made"),
            Mode::Apply => {
                let done = self.steps.iter().filter(|step| step.state == StepState::Done).count();
                format!("{where_}: {done} of {number} made; run the same command again to go on")
            }
        }
    }
}

fn cells(step: &Step) -> [String; 4] {
    [step.resource.to_owned(), step.setting.clone(), step.now.clone(), step.then.clone()]
}

impl Report for Bootstrap {
    fn page(&self) -> Page {
        let table = match self.mode {
            Mode::Check | Mode::DryRun => {
                let mut table = Table::new(["RESOURCE", "SETTING", "NOW", "THEN"]);
                self.steps.iter().for_each(|step| table.row(cells(step)));
                table
            }
            Mode::Apply => {
                let mut table = Table::new(["RESOURCE", "SETTING", "NOW", "THEN", "STATE"]);
                for step in &self.steps {
                    let [resource, setting, now, then] = cells(step);
                    table.row([resource, setting, now, then, step.state.name().to_owned()]);
                }
                table
            }
        };
        let mut page = Page::new().table(self.named()).table(table);
        for note in &self.notes {
            page = page.line(format!("note: {note}"));
        }
        if let Some(failed) = &self.failed {
            page = page.lines(failed.lines());
        }
        page.line(self.summary())
    }

    fn list(&self) -> Option<&'static str> {
        Some("steps")
    }

    fn exit(&self) -> Exit {
        match (&self.failed, self.mode) {
            (Some(failed), _) => failed.exit,
            (None, Mode::Check) if !self.converged => Exit::Findings,
            (None, Mode::Apply) if !self.converged => Exit::Partial,
            _ => Exit::Done,
        }
    }
}

#[derive(Debug, Serialize)]
struct Destroyed {
    environment: String,
    remains: Vec<RemainingResource>,
    failed: Option<Failure>,
}

impl Destroyed {
    fn is_all_gone(&self) -> bool {
        self.remains.iter().all(|remains| remains.state == StepState::Done)
    }
}

impl Report for Destroyed {
    fn page(&self) -> Page {
        let mut table = Table::new(["RESOURCE", "NAME", "HOLDS", "STATE"]);
        for remains in &self.remains {
            let state = if remains.state == StepState::Done { "gone" } else { remains.state.name() };
            table.row([remains.resource.to_owned(), remains.name.clone(), remains.holds.clone(), state.to_owned()]);
        }
        let mut page = Page::new().table(table);
        if let Some(failed) = &self.failed {
            page = page.lines(failed.lines());
        }
        page.line_if(self.is_all_gone(), || format!("environment {}: nothing of bootstrap is left", self.environment))
    }

    fn list(&self) -> Option<&'static str> {
        Some("remains")
    }

    fn exit(&self) -> Exit {
        self.failed.as_ref().map_or(Exit::Done, |failed| failed.exit)
    }
}
