//! Whether the chosen environment's credentials are there, and belong to its account.

use aws_credential_types::provider::ProvideCredentials;

use super::{Check, Chosen, Finding, PATIENCE, Status, within};
use crate::error::{Error, Kind};
use crate::output::units::{duration, local_time};
use crate::target::Target;

pub async fn check(chosen: &Chosen<'_>) -> Finding {
    const CHECK: Check =
        Check { name: "credentials", why: "every call is made with them, and must reach the account that is meant" };
    if chosen.is_local() {
        return CHECK
            .not_checked("the environment local needs none")
            .fix("to check an environment's: claimctl doctor --env ENV");
    }
    match within(look(chosen)).await {
        Some(Ok(found)) => CHECK.ok(found),
        // The account was not confirmed, and that is all that is known.
        Some(Err(error)) if error.kind() == Kind::Unreachable => CHECK.error(Status::Warning, &error),
        Some(Err(error)) => CHECK.error(Status::Problem, &error),
        None => CHECK
            .finding(Status::Warning, format!("no answer within {}, so they are not confirmed", duration(PATIENCE)))
            .fix("check the network; where credentials come from a file or a variable: aws configure list"),
    }
}

async fn look(chosen: &Chosen<'_>) -> Result<String, Error> {
    let target = Target::resolve(chosen.ctx, chosen.args).await?;
    let provider = target.sdk().credentials_provider();
    let provider = provider.ok_or_else(|| Error::denied("no source of credentials is configured"))?;
    let credentials = provider.provide_credentials().await.map_err(|error| {
        Error::denied("no usable AWS credentials")
            .caused_by(error)
            .hint("name a profile (--profile), sign in (aws sso login), or set AWS_ACCESS_KEY_ID")
    })?;
    let expiry = credentials.expiry().and_then(|expiry| jiff::Timestamp::try_from(expiry).ok());
    let expiry = expiry.map_or_else(String::new, |expiry| format!(", until {}", local_time(expiry)));
    let caller = target.caller().await?;
    target.guard(chosen.ctx).await?;
    Ok(format!("{}{expiry}", caller.arn))
}
