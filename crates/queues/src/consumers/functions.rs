//! Functions as Lambda has them: those of the deployed stacks, or all of the account.

use std::collections::BTreeMap;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{FunctionConfiguration, LastUpdateStatus, PackageType};
use claimctl_aws::Explain;
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::target::Target;
use claimctl_claim::surface::Surface;
use claimctl_core::error::{Kind, Result};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use jiff::fmt::strtime;
use serde::Serialize;

use super::failures::{GET, LIST, pattern};

/// Lambda allows 15 such calls a second (AWS Lambda Developer Guide, "Lambda quotas").
const CONCURRENCY: usize = 4;

/// The JSON form is a contract.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct ListedFunction {
    pub name: String,
    /// Of a deployed stack.
    pub logical: Option<String>,
    pub stack: Option<String>,
    /// Digest of the artifact that the stack was deployed with.
    pub artifact: Option<String>,
    /// By which its flow calls it. None: it is called as such.
    pub alias: Option<String>,
    /// That the alias means, or `$LATEST`.
    pub version: Option<String>,
    pub last_modified: Option<Timestamp>,
    /// `image` for one that is a container image.
    pub runtime: Option<String>,
    pub memory_mb: Option<i32>,
    pub timeout_seconds: Option<i32>,
    /// `Active`, `Inactive`, `Pending`, `Failed` (AWS Lambda API Reference, FunctionConfiguration).
    pub state: Option<String>,
    /// Why it is not active, or why its last update failed.
    pub state_reason: Option<String>,
    /// Whether the last change of its code or configuration did not succeed, so that an older one is at work.
    pub update_failed: bool,
}

/// A function that a stack has, and that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnreadFunction {
    pub name: String,
    pub why: String,
}

#[derive(Debug, Default, Serialize)]
pub struct Functions {
    pub functions: Vec<ListedFunction>,
    pub unread: Vec<UnreadFunction>,
}

/// What IAM has to allow to list functions.
pub fn permissions(arns: &ArnBuilder, all: bool) -> Vec<Statement> {
    let mut statements = vec![Statement::allow("ReadFunctions", &[GET], [arns.arn("lambda", "function:*")])];
    if all {
        statements.push(Statement::allow("ListFunctions", &[LIST], ["*".to_owned()]));
    }
    statements
}

/// The functions of the deployed stacks, in the order of their names, and after them with `all` the others of the
/// account. One that cannot be read does not hide the others.
pub async fn list(target: &Target, all: bool) -> Result<Functions> {
    let lambda = target.lambda();
    let known: Vec<_> = target.surfaces().await?.0.iter().flat_map(of_stack).collect();
    let asked = stream::iter(known).map(|known| read(&lambda, known));
    let answers: Vec<_> = asked.buffered(CONCURRENCY).collect().await;
    let mut listed = Functions::default();
    for (name, answer) in answers {
        match answer {
            Ok(function) => listed.functions.push(function),
            Err(error) if error.kind() == Kind::Unreachable => return Err(error),
            Err(error) => listed.unread.push(UnreadFunction { name, why: error.chain().join(": ") }),
        }
    }
    if all {
        let mut others = of_account(&lambda).await?;
        listed.functions.iter().for_each(|function| drop(others.remove(&function.name)));
        listed.functions.extend(others.into_values());
    }
    Ok(listed)
}

fn of_stack(stack: &Surface) -> impl Iterator<Item = ListedFunction> {
    stack.functions.iter().map(|(logical, function)| {
        let calls = stack.flows.iter().filter(|flow| flow.function.as_ref() == Some(logical));
        ListedFunction {
            name: function.name.clone(),
            logical: Some(logical.clone()),
            stack: Some(stack.stack.clone()),
            artifact: function.artifact.clone(),
            alias: calls.filter_map(|flow| flow.alias.clone()).next(),
            ..ListedFunction::default()
        }
    })
}

async fn read(lambda: &Client, known: ListedFunction) -> (String, Result<ListedFunction>) {
    let name = known.name.clone();
    let called = known.alias.as_ref().map_or_else(|| name.clone(), |alias| format!("{name}:{alias}"));
    let call = lambda.get_function_configuration().function_name(&name).set_qualifier(known.alias.clone());
    let answer = call.send().await.or_needs(&format!("read function {called}"), GET, &pattern(&called));
    let read = answer.map(|answer| {
        let configuration = FunctionConfiguration::builder()
            .set_version(answer.version)
            .set_last_modified(answer.last_modified)
            .set_runtime(answer.runtime)
            .set_package_type(answer.package_type)
            .set_memory_size(answer.memory_size)
            .set_timeout(answer.timeout)
            .set_state(answer.state)
            .set_state_reason(answer.state_reason)
            .set_last_update_status(answer.last_update_status)
            .set_last_update_status_reason(answer.last_update_status_reason);
        with(known, configuration.build())
    });
    (name, read)
}

async fn of_account(lambda: &Client) -> Result<BTreeMap<String, ListedFunction>> {
    let mut functions = BTreeMap::new();
    let mut pages = lambda.list_functions().into_paginator().send();
    while let Some(page) = pages.next().await {
        for function in page.or_needs("list functions", LIST, "*")?.functions.unwrap_or_default() {
            let name = function.function_name.clone().unwrap_or_default();
            let listed = ListedFunction { name: name.clone(), ..ListedFunction::default() };
            functions.insert(name, with(listed, function));
        }
    }
    Ok(functions)
}

fn with(listed: ListedFunction, read: FunctionConfiguration) -> ListedFunction {
    let update_failed = read.last_update_status == Some(LastUpdateStatus::Failed);
    let is_image = read.package_type == Some(PackageType::Image);
    ListedFunction {
        version: read.version,
        last_modified: read.last_modified.as_deref().and_then(moment),
        runtime: read
            .runtime
            .map(|runtime| runtime.as_str().to_owned())
            .or_else(|| is_image.then(|| "image".to_owned())),
        memory_mb: read.memory_size,
        timeout_seconds: read.timeout,
        state: read.state.map(|state| state.as_str().to_owned()),
        state_reason: read.state_reason.or(read.last_update_status_reason).filter(|reason| !reason.is_empty()),
        update_failed,
        ..listed
    }
}

/// As Lambda writes a moment, `2026-01-31T12:00:00.000+0000`, or as others do.
fn moment(text: &str) -> Option<Timestamp> {
    let by_lambda = || strtime::parse("%Y-%m-%dT%H:%M:%S%.f%z", text).ok()?.to_timestamp().ok();
    text.parse().ok().or_else(by_lambda)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_as_lambda_writes_it() {
        let at = moment("2026-01-31T12:00:00.123+0000").unwrap();
        assert_eq!(at.to_string(), "2026-01-31T12:00:00.123Z");
        assert_eq!(moment("2026-01-31T14:00:00.000+0200").unwrap().to_string(), "2026-01-31T12:00:00Z");
        assert_eq!(moment("2026-01-31T12:00:00Z").unwrap().to_string(), "2026-01-31T12:00:00Z");
        assert_eq!(moment("yesterday"), None);
    }

    #[test]
    fn a_function_whose_update_failed_is_active_and_says_why() {
        let read = FunctionConfiguration::builder()
            .state(aws_sdk_lambda::types::State::Active)
            .last_update_status(LastUpdateStatus::Failed)
            .last_update_status_reason("the image is gone")
            .package_type(PackageType::Image);
        let listed = with(ListedFunction::default(), read.build());
        assert_eq!((listed.state.as_deref(), listed.update_failed), (Some("Active"), true));
        assert_eq!(
            (listed.runtime.as_deref(), listed.state_reason.as_deref()),
            (Some("image"), Some("the image is gone"))
        );
    }
}
