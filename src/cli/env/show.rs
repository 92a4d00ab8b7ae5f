//! `claimctl env show`: one environment, whose account it leads to, and where the credentials come from.

use std::time::{Duration, SystemTime};

use claimctl_aws::account::AccountComparison;
use claimctl_aws::credentials;
use claimctl_core::error::Result;
use claimctl_core::exit::Exit;
use claimctl_core::units;
use jiff::Timestamp;
use serde::Serialize;

use super::Account;
use crate::config::{ChosenEnvironment, Config, Environment, LOCAL};
use crate::context::Ctx;
use crate::output::{Failure, Outcome, Page, Report, Table, report};
use crate::sandbox;
use crate::session::{Session, TargetArgs};

/// Show one environment: its account, and whose the credentials are
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The one that is chosen:
  claimctl env show
Who am I there?:
  claimctl env show prod")]
pub struct Args {
    /// The environment; without it, the one that a verb would use
    #[arg(value_name = "ENV", conflicts_with = "env")]
    environment: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
}

#[derive(Debug, Serialize)]
struct Shown {
    environment: Option<String>,
    region: String,
    endpoint: Option<String>,
    protected: bool,
    account: Account,
    caller_arn: Option<String>,
    credentials: Credentials,
    state_bucket: Option<String>,
    lock_table: Option<String>,
    kms_key: Option<String>,
    /// Of the stacks that are known to be deployed.
    stacks: Vec<String>,
    /// Why STS did not say whose account it is. A look reports it instead of ending there.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
}

#[derive(Debug, Serialize)]
struct Credentials {
    profile: Option<String>,
    role_arn: Option<String>,
    mfa_serial: Option<String>,
    /// What gave them, outermost first; empty where there are none.
    source: Vec<&'static str>,
    /// RFC 3339; none for credentials that do not expire.
    expires_at: Option<String>,
    #[serde(skip)]
    expires_in: Option<Duration>,
}

pub async fn run(args: &Args, ctx: &Ctx) -> Result<Outcome> {
    let mut target = args.target.clone();
    // A name on the command line stands before the variable.
    target.env = args.environment.clone().or(target.env);
    let mut config = Config::find(ctx)?;
    let choice = target.choose(ctx, &mut config)?;
    let (declared, profile) = match &choice {
        ChosenEnvironment::Declared { environment, .. } => {
            (Some(environment.as_ref().clone()), environment.profile.clone())
        }
        ChosenEnvironment::ByFlags { profile, .. } => (None, profile.clone()),
        ChosenEnvironment::Local { .. } => (None, None),
    };
    let target = Session::open(ctx, config, choice, target.endpoint_url).await?;
    report(look(ctx, &target, declared, profile).await)
}

async fn look(ctx: &Ctx, target: &Session, declared: Option<Environment>, profile: Option<String>) -> Shown {
    let caller = target.caller().await;
    let (source, surfaces) = match &caller {
        Ok(_) => (credentials::source(target.sdk()).await, target.surfaces().await.ok()),
        Err(_) => (None, None),
    };
    let expected = match target.is_local() {
        true => Some(sandbox::ACCOUNT.to_owned()),
        false => target.expected_account().map(ToOwned::to_owned),
    };
    let expires = source.as_ref().and_then(|source| source.expires_at);
    let of = |field: fn(Environment) -> Option<String>| declared.clone().and_then(field);
    Shown {
        environment: target.environment.clone(),
        region: target.region.clone(),
        endpoint: target.endpoint.clone(),
        protected: target.is_protected(),
        account: Account::new(expected, caller.as_ref().ok().map(|caller| caller.account.clone())),
        caller_arn: caller.as_ref().ok().map(|caller| caller.arn.clone()),
        credentials: Credentials {
            profile,
            role_arn: of(|environment| environment.role_arn),
            mfa_serial: of(|environment| environment.mfa_serial),
            expires_at: expires.and_then(|at| Some(Timestamp::try_from(at).ok()?.to_string())),
            expires_in: expires.and_then(|at| at.duration_since(SystemTime::now()).ok()),
            source: source.map(|source| source.kinds).unwrap_or_default(),
        },
        state_bucket: of(|environment| environment.state_bucket),
        lock_table: of(|environment| environment.lock_table),
        kms_key: of(|environment| environment.kms_key),
        stacks: surfaces.iter().flat_map(|surfaces| &surfaces.0).map(|surface| surface.stack.clone()).collect(),
        failure: caller.err().as_ref().map(|error| Failure::of(ctx, error)),
    }
}

impl Credentials {
    fn words(&self) -> String {
        let named = |kind: &str| match kind {
            "profile" => self.profile.as_ref().map(|name| format!("profile {name}")),
            "assumed role" => self.role_arn.as_ref().map(|arn| format!("role {arn}")),
            "MFA session" => self.mfa_serial.as_ref().map(|serial| format!("MFA session of {serial}")),
            _ => None,
        };
        let kinds = self.source.iter().map(|kind| named(kind).unwrap_or_else(|| (*kind).to_owned()));
        let mut words = kinds.collect::<Vec<_>>().join(", by ");
        if words.is_empty() {
            words.push_str("none that work");
        }
        match (self.expires_in, &self.expires_at) {
            (Some(left), _) => words.push_str(&format!("; expire in {}", units::duration(left))),
            (None, Some(_)) => words.push_str("; expired"),
            (None, None) => {}
        }
        words
    }
}

impl Report for Shown {
    fn page(&self) -> Page {
        let mut table = Table::new(["PROPERTY", "VALUE"]);
        let mut row = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                table.row([name.to_owned(), value.to_owned()]);
            }
        };
        let stacks = self.stacks.join(", ");
        row("environment", Some(self.environment.as_deref().unwrap_or("none (AWS by flags)")));
        row("region", Some(&self.region));
        row("endpoint", self.endpoint.as_deref());
        row("account", Some(&self.account.words()));
        row("caller", self.caller_arn.as_deref());
        row("credentials", Some(&self.credentials.words()));
        row("protected", Some(if self.protected { "yes: changes want its name typed" } else { "no" }));
        row("state bucket", self.state_bucket.as_deref());
        row("lock table", self.lock_table.as_deref());
        row("KMS key", self.kms_key.as_deref());
        row("stacks", Some(stacks.as_str()).filter(|stacks| !stacks.is_empty()));
        let page = Page::new().table(table);
        match &self.failure {
            Some(failure) => page.lines(failure.lines()),
            None => page,
        }
    }

    /// What a change would end with before it began: scripts ask here first.
    fn exit(&self) -> Exit {
        match (&self.failure, self.account.comparison) {
            (Some(failure), _) => failure.exit,
            (None, AccountComparison::Mismatch) if self.environment.as_deref() != Some(LOCAL) => Exit::Refused,
            _ => Exit::Done,
        }
    }
}
