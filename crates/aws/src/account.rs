//! Whose account the credentials lead to, and whether it is the one that was meant.

use aws_config::SdkConfig;
use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use claimctl_core::error::{Error, Result};
use serde::Serialize;

use crate::failure::is_refusal;
use crate::naming::is_account;
use crate::{Explain, credentials};

/// Who the credentials belong to (AWS Security Token Service API Reference, GetCallerIdentity).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallerIdentity {
    pub account: String,
    pub arn: String,
}

/// What came of asking STS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StsAnswer {
    Caller(CallerIdentity),
    /// Nothing behind this endpoint is an STS; why that is known.
    NoSts(String),
}

impl StsAnswer {
    pub(crate) fn caller(&self) -> Option<&CallerIdentity> {
        match self {
            StsAnswer::Caller(caller) => Some(caller),
            StsAnswer::NoSts(_) => None,
        }
    }
}

/// How the account that was meant and the one that STS names compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountComparison {
    Agrees,
    Mismatch,
    /// No account is declared, so there is nothing to compare.
    Undeclared,
    /// STS did not say.
    Unknown,
}

impl AccountComparison {
    pub fn of(expected: Option<&str>, actual: Option<&str>) -> AccountComparison {
        match (expected, actual) {
            (_, None) => AccountComparison::Unknown,
            (None, Some(_)) => AccountComparison::Undeclared,
            (Some(expected), Some(actual)) if expected == actual => AccountComparison::Agrees,
            _ => AccountComparison::Mismatch,
        }
    }
}

/// Asks STS. Only an endpoint that the operator chose can be without one: AWS itself not answering is an error.
pub(crate) async fn ask(sdk: &SdkConfig, explicit_endpoint: bool) -> Result<StsAnswer> {
    let answer = credentials::sts(sdk).get_caller_identity().send().await;
    let no_sts = explicit_endpoint && answer.as_ref().err().is_some_and(is_no_sts);
    match answer.or_explain("ask STS for the account") {
        Ok(answer) => {
            let (account, arn) = (answer.account().unwrap_or_default(), answer.arn().unwrap_or_default());
            match is_account(account) {
                true => Ok(StsAnswer::Caller(CallerIdentity { account: account.to_owned(), arn: arn.to_owned() })),
                false if explicit_endpoint => Ok(StsAnswer::NoSts("the answer names no account".to_owned())),
                false => Err(Error::unreachable("cannot ask STS for the account: the answer names none")
                    .hint("is there a proxy in between that answers by itself?")),
            }
        }
        Err(error) if no_sts => Ok(StsAnswer::NoSts(error.chain().join(": "))),
        Err(error) => Err(error),
    }
}

/// Whatever is no answer of an STS: nobody there, a page of somebody's own, an error without a reason or with one that
/// STS does not have for a call without parameters. An STS that refuses or throttles is one.
fn is_no_sts(error: &SdkError<GetCallerIdentityError, HttpResponse>) -> bool {
    match error {
        SdkError::DispatchFailure(failure) => failure.is_io() || failure.is_timeout(),
        // Nothing was asked: there are no credentials.
        SdkError::ConstructionFailure(_) => false,
        SdkError::ServiceError(_) => !is_refusal(error),
        _ => true,
    }
}
