//! Whether the chosen environment's credentials are there, and belong to its account.

use claimctl_aws::account::AccountComparison;
use claimctl_aws::credentials;
use claimctl_core::error::{Error, Kind};
use claimctl_core::units::{duration, local_time};
use jiff::Timestamp;

use super::{Check, Chosen, Finding, PATIENCE, Status, within};
use crate::config::ChosenEnvironment;
use crate::session::Session;

const CHECK: Check =
    Check { name: "credentials", why: "every call is made with them, and must reach the account that is meant" };

pub async fn check(chosen: &Chosen<'_>) -> Finding {
    let choice = match &chosen.choice {
        None => return CHECK.not_checked("no environment is known before the configuration is repaired"),
        Some(ChosenEnvironment::Local { .. }) => {
            return CHECK
                .not_checked("the environment local needs none")
                .fix("to check an environment's: claimctl doctor --env ENV");
        }
        // The code would have to be typed, and is good for one use.
        Some(ChosenEnvironment::Declared { name, environment }) if environment.mfa_serial.is_some() => {
            return CHECK
                .not_checked("the environment wants an MFA code")
                .fix(format!("claimctl env show {name} asks for it and checks the account"));
        }
        Some(choice) => choice.clone(),
    };
    match within(look(chosen, choice)).await {
        Some(Ok(finding)) => finding,
        // The account was not confirmed, and that is all that is known.
        Some(Err(error)) if error.kind() == Kind::Unreachable => CHECK.error(Status::Warning, &error),
        Some(Err(error)) => CHECK.error(Status::Problem, &error),
        None => CHECK
            .finding(Status::Warning, format!("no answer within {}, so they are not confirmed", duration(PATIENCE)))
            .fix("check the network, and where the credentials come from: claimctl env show"),
    }
}

async fn look(chosen: &Chosen<'_>, choice: ChosenEnvironment) -> Result<Finding, Error> {
    let endpoint = chosen.endpoint.map(str::to_owned);
    let target = Session::open(chosen.ctx, chosen.config.clone(), choice, endpoint).await?;
    let caller = target.caller().await?;
    let expiry = credentials::source(target.sdk()).await.and_then(|source| source.expires_at);
    let expiry = expiry.and_then(|expiry| Timestamp::try_from(expiry).ok());
    let until = expiry.map_or_else(String::new, |expiry| format!(", until {}", local_time(expiry)));
    let found = format!("{}{until}", caller.arn);
    Ok(match (AccountComparison::of(target.expected_account(), Some(&caller.account)), target.expected_account()) {
        (AccountComparison::Mismatch, Some(expected)) => CHECK
            .finding(Status::Problem, format!("{found}: not of account {expected}, which is declared"))
            .fix("choose another --env or --profile; until then every change is refused"),
        (AccountComparison::Undeclared, _) if target.environment.is_some() => CHECK
            .finding(Status::Warning, format!("{found}; no account is declared, so changes are not guarded"))
            .fix(format!("add account = \"{}\" to the environment in claimctl.toml", caller.account)),
        _ => CHECK.ok(found),
    })
}
