//! `claimctl drift`: what somebody changed behind Terraform's back.

use claimctl_core::error::{Error, Result};
use claimctl_core::exit::Exit;
use claimctl_core::next::Next;
use claimctl_core::units::count;
use claimctl_deploy::deployment;
use claimctl_deploy::terraform::{Action, Root, Summary};
use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::stack::{PlanArgs, StackArgs, StackPlan, cells};
use crate::config::Config;
use crate::context::Ctx;
use crate::output::{Failure, Outcome, Page, Report, Table, report};
use crate::session::{Session, TargetArgs};

/// Over all environments. Each is a Terraform with a provider of some hundred MiB.
const CONCURRENCY: usize = 3;

/// Find what was changed behind Terraform's back
///
/// Exits 8 with what differs. Reads every resource and compares it with the state; nothing is changed, the state neither. --all without --env looks
/// at every stack in every environment of claimctl.toml. What could not be looked at is listed, and the exit code is 3
/// then: it may have drifted too. To bring the state up to what is there: claimctl deploy --refresh-only; to bring what
/// is there back: claimctl deploy.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
One stack:
  claimctl drift claim-check --env prod
Every stack in every environment:
  claimctl drift --all")]
pub struct Args {
    #[command(flatten)]
    stacks: StackArgs,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

impl Args {
    fn is_everywhere(&self) -> bool {
        let TargetArgs { env, profile, region, .. } = &self.target;
        self.stacks.all && env.is_none() && profile.is_none() && region.is_none()
    }
}

pub async fn run(args: &Args, ctx: &Ctx) -> Result<Outcome> {
    let mut drift = Drift::default();
    let targets = match args.is_everywhere() {
        true => reachable(args, ctx, &mut drift.failed).await?,
        false => vec![Session::resolve(ctx, &args.target).await?],
    };
    let mut looks = Vec::new();
    for target in &targets {
        let stacks = args.stacks.choose(&target.project)?.stacks;
        looks.extend(stacks.into_iter().map(|stack| (target, stack)));
    }
    let alone = looks.len() == 1 && !args.is_everywhere();
    let looked = stream::iter(&looks).map(|(target, stack)| look(args, ctx, target, stack)).buffered(CONCURRENCY);
    let looked: Vec<Result<Option<Summary>>> = looked.collect().await;
    for ((target, stack), looked) in looks.into_iter().zip(looked) {
        match looked {
            Ok(found) => drift.stacks.push(Looked::at(args, target, stack, found)),
            Err(error) if alone => return Err(error),
            Err(error) => drift.failed.push(Failed::of(ctx, target.name(), Some(stack), &error)),
        }
    }
    report(drift)
}

/// The environments of claimctl.toml, one after the other: each may ask for an MFA code.
async fn reachable(args: &Args, ctx: &Ctx, failed: &mut Vec<Failed>) -> Result<Vec<Session>> {
    let config = Config::find(ctx)?;
    let stacks = args.stacks.choose(&config.project())?.stacks;
    if config.environments.is_empty() || stacks.is_empty() {
        return Err(Error::usage("there is no stack in any environment to look at")
            .next("declare environments in claimctl.toml, or name one", Next::again().flag("--env", "ENV")));
    }
    let mut targets = Vec::new();
    for environment in config.environments.keys() {
        match reach(args, ctx, environment, &stacks[0]).await {
            Ok(target) => targets.push(target),
            Err(error) => failed.push(Failed::of(ctx, environment, None, &error)),
        }
    }
    Ok(targets)
}

/// An environment that has been bootstrapped, with credentials that are of its account.
async fn reach(args: &Args, ctx: &Ctx, environment: &str, stack: &str) -> Result<Session> {
    go_on(ctx)?;
    let target =
        Session::resolve(ctx, &TargetArgs { env: Some(environment.to_owned()), ..args.target.clone() }).await?;
    Root::find(&ctx.paths, &target, &target.project, stack)?;
    target.guard().await?;
    Ok(target)
}

/// None where nothing is deployed.
async fn look(args: &Args, ctx: &Ctx, target: &Session, stack: &str) -> Result<Option<Summary>> {
    go_on(ctx)?;
    deployment::drift(ctx, target, &target.project, stack, args.plan.request()?).await
}

/// Nothing new is begun once the operator has asked to stop.
fn go_on(ctx: &Ctx) -> Result<()> {
    match ctx.cancel.is_cancelled() {
        true => Err(Error::interrupted("stopped before it was looked at").hint("run the same command again")),
        false => Ok(()),
    }
}

#[derive(Debug, Default, Serialize)]
struct Drift {
    stacks: Vec<Looked>,
    /// What could not be looked at.
    failed: Vec<Failed>,
}

#[derive(Debug, Serialize)]
struct Looked {
    environment: String,
    account: Option<String>,
    region: String,
    /// Whether the state lists anything.
    deployed: bool,
    /// The arguments that narrowed the look; none: the whole stack was looked at.
    only: Vec<String>,
    #[serde(flatten)]
    found: StackPlan,
}

#[derive(Debug, Serialize)]
struct Failed {
    environment: String,
    /// None: no stack of the environment.
    stack: Option<String>,
    #[serde(flatten)]
    failure: Failure,
}

impl Looked {
    fn at(args: &Args, target: &Session, stack: String, found: Option<Summary>) -> Looked {
        Looked {
            environment: target.name().to_owned(),
            account: target.expected_account().map(str::to_owned),
            region: target.region.clone(),
            deployed: found.is_some(),
            only: args.plan.narrowed(),
            found: StackPlan { stack, summary: found.unwrap_or_default() },
        }
    }

    /// A move is the repository's, and nobody's behind Terraform's back.
    fn drifted(&self) -> usize {
        self.found.summary.changes.iter().filter(|change| change.action != Action::Move).count()
    }

    fn has_drifted(&self) -> bool {
        self.drifted() > 0 || !self.found.summary.outputs.is_empty()
    }

    /// `as Terraform left it`
    fn told(&self) -> String {
        let outputs = self.found.summary.outputs.join(", ");
        let is = match (self.deployed, self.drifted(), outputs.as_str()) {
            (false, _, _) => return "not deployed".to_owned(),
            (true, 0, "") => "as Terraform left it".to_owned(),
            (true, 0, outputs) => format!("its outputs are not what the state says: {outputs}"),
            (true, drifted, _) => format!("{} not as Terraform left it", count(drifted as u64, "resource")),
        };
        match self.only.is_empty() {
            true => is,
            false => format!("{is}, as far as it was looked at ({})", self.only.join(" ")),
        }
    }

    /// What each attribute was, and what it is.
    fn add_to(&self, page: Page) -> Page {
        let mut table = Table::new(["FOUND", "RESOURCE", "ATTRIBUTE", "WAS", "IS"]);
        for change in &self.found.summary.changes {
            let found = match change.action {
                Action::Destroy => "gone",
                Action::Move => "moved",
                _ => "changed",
            };
            if change.attributes.is_empty() {
                table.row([found.to_owned(), change.address.clone(), String::new(), String::new(), String::new()]);
            }
            for attribute in &change.attributes {
                let [path, was, is] = cells(attribute);
                table.row([found.to_owned(), change.address.clone(), path, was, is]);
            }
        }
        page.table(table).line(format!("{} in {}: {}", self.found.stack, self.environment, self.told()))
    }
}

impl Failed {
    fn of(ctx: &Ctx, environment: &str, stack: Option<String>, error: &Error) -> Failed {
        Failed { environment: environment.to_owned(), stack, failure: Failure::of(ctx, error) }
    }

    fn name(&self) -> String {
        match &self.stack {
            Some(stack) => format!("{stack} in {}", self.environment),
            None => format!("every stack in {}", self.environment),
        }
    }
}

impl Report for Drift {
    fn page(&self) -> Page {
        let page = self.stacks.iter().fold(Page::new(), |page, looked| looked.add_to(page));
        self.failed.iter().fold(page, |page, failed| {
            page.line(format!("{}: could not be looked at", failed.name())).lines(failed.failure.lines())
        })
    }

    fn list(&self) -> Option<&'static str> {
        Some("stacks")
    }

    /// What could not be looked at may have drifted too, and that is the worse not to know.
    fn exit(&self) -> Exit {
        match self.failed.first() {
            Some(_) if !self.stacks.is_empty() => Exit::Partial,
            Some(failed) => failed.failure.exit,
            None if self.stacks.iter().any(Looked::has_drifted) => Exit::Findings,
            None => Exit::Done,
        }
    }
}
