//! `claimctl env ls`: every environment; with `--check`, whose account each leads to.

use claimctl_aws::MfaSessions;
use claimctl_aws::account::AccountComparison;
use claimctl_core::error::{Error, Result};
use claimctl_core::exit::Exit;
use claimctl_core::next::Next;
use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::{Account, dash};
use crate::config::{ChosenEnvironment, Config, LOCAL};
use crate::context::Ctx;
use crate::output::{Failure, Outcome, Page, Report, Table, report};
use crate::sandbox;
use crate::session::Session;

/// How many environments are asked at once.
const CONCURRENCY: usize = 8;

/// List the environments
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
What is declared:
  claimctl env ls
Whose account each one leads to:
  claimctl env ls --check")]
pub struct Args {
    /// Ask STS whose account each one leads to; nothing is called otherwise
    #[arg(long)]
    check: bool,
    /// Send every call to this endpoint, for emulators and S3-compatible stores
    #[arg(long, env = "AWS_ENDPOINT_URL", hide_env_values = true, value_name = "URL")]
    endpoint_url: Option<String>,
}

#[derive(Debug, Serialize)]
struct Environments {
    environments: Vec<Row>,
    #[serde(skip)]
    checked: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    region: String,
    account: Account,
    protected: bool,
    profile: Option<String>,
    role_arn: Option<String>,
    state_bucket: Option<String>,
    /// Why STS did not say whose account it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
}

pub async fn run(args: &Args, ctx: &Ctx) -> Result<Outcome> {
    let config = Config::find(ctx)?;
    let mut environments: Vec<Row> = std::iter::once(local_row()).chain(rows(&config)).collect();
    if args.check {
        environments = stream::iter(environments)
            .map(|row| check(ctx, &config, args.endpoint_url.as_deref(), row))
            .buffered(CONCURRENCY)
            .collect()
            .await;
    }
    report(Environments { environments, checked: args.check })
}

fn local_row() -> Row {
    Row {
        name: LOCAL.to_owned(),
        region: sandbox::REGION.to_owned(),
        account: Account::new(Some(sandbox::ACCOUNT.to_owned()), None),
        protected: false,
        profile: None,
        role_arn: None,
        state_bucket: None,
        failure: None,
    }
}

fn rows(config: &Config) -> impl Iterator<Item = Row> {
    config.environments.iter().map(|(name, environment)| Row {
        name: name.clone(),
        region: environment.region.clone(),
        account: Account::new(environment.account.clone(), None),
        protected: environment.protected,
        profile: environment.profile.clone(),
        role_arn: environment.role_arn.clone(),
        state_bucket: environment.state_bucket.clone(),
        failure: None,
    })
}

async fn check(ctx: &Ctx, config: &Config, endpoint: Option<&str>, row: Row) -> Row {
    match actual_account(ctx, config, endpoint, &row.name).await {
        Ok(actual) => Row { account: Account::new(row.account.expected, Some(actual)), ..row },
        Err(error) => Row { failure: Some(Failure::of(ctx, &error)), ..row },
    }
}

async fn actual_account(ctx: &Ctx, config: &Config, endpoint: Option<&str>, name: &str) -> Result<String> {
    let mut config = config.clone();
    let choice = config.choose(ctx, Some(name), None, None)?;
    // The sandbox has an address of its own.
    let endpoint = endpoint.filter(|_| name != LOCAL);
    // Several questions at once could not be told apart.
    if let ChosenEnvironment::Declared { environment, .. } = &choice
        && let Some(serial) = &environment.mfa_serial
        && MfaSessions::at(&ctx.paths).open(serial, endpoint).is_none()
    {
        return Err(Error::denied("a code of the MFA device is wanted")
            .next("give it", Next::verb("env show").in_environment(name)));
    }
    Ok(Session::open(ctx, config, choice, endpoint.map(ToOwned::to_owned)).await?.caller().await?.account.clone())
}

impl Environments {
    fn table(&self) -> Table {
        let mut table =
            Table::new(["ENVIRONMENT", "REGION", "ACCOUNT", "PROTECTED", "PROFILE", "ROLE", "STATE BUCKET"]);
        for row in &self.environments {
            let role = row.role_arn.as_deref().and_then(|arn| arn.split_once(":role/")).map(|(_, role)| role);
            let account = match row.account.comparison {
                AccountComparison::Mismatch => {
                    format!("{}, but is {}", dash(row.account.expected.as_deref()), dash(row.account.actual.as_deref()))
                }
                AccountComparison::Undeclared => format!("- ({})", dash(row.account.actual.as_deref())),
                AccountComparison::Unknown if self.checked => format!("{} ?", dash(row.account.expected.as_deref())),
                _ => dash(row.account.expected.as_deref()).to_owned(),
            };
            table.row([
                row.name.clone(),
                row.region.clone(),
                account,
                if row.protected { "yes" } else { "-" }.to_owned(),
                dash(row.profile.as_deref()).to_owned(),
                dash(role).to_owned(),
                dash(row.state_bucket.as_deref()).to_owned(),
            ]);
        }
        table
    }
}

impl Report for Environments {
    fn page(&self) -> Page {
        let mut page = Page::new().table(self.table());
        for row in &self.environments {
            if row.account.comparison == AccountComparison::Mismatch {
                page = page.line(format!("{}: {}", row.name, row.account.words()));
            }
            if let Some(failure) = &row.failure {
                page = page.line(format!("{}: {}", row.name, failure.message()));
            }
        }
        page
    }

    fn list(&self) -> Option<&'static str> {
        Some("environments")
    }

    /// A wrong account before an unknown one; a sandbox that is not running is no failure.
    fn exit(&self) -> Exit {
        let mismatch = self.environments.iter().any(|row| row.account.comparison == AccountComparison::Mismatch);
        let failed = self.environments.iter().any(|row| row.name != LOCAL && row.failure.is_some());
        match (mismatch, failed) {
            (true, _) => Exit::Refused,
            (false, true) => Exit::Partial,
            (false, false) => Exit::Done,
        }
    }
}
