//! Where a function leaves the events of failed asynchronous invocations: a dead-letter queue of its own, or the
//! destination of failures. Neither has a source queue (AWS Lambda Developer Guide, "Capturing records of Lambda
//! asynchronous invocations").

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::FunctionConfiguration;
use claimctl_aws::Explain;
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::target::Target;
use claimctl_core::error::{Error, Kind, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

pub const LIST: &str = "lambda:ListFunctions";
pub const GET: &str = "lambda:GetFunctionConfiguration";
pub const LIST_DESTINATIONS: &str = "lambda:ListFunctionEventInvokeConfigs";

/// Lambda allows 15 such calls a second (AWS Lambda Developer Guide, "Lambda quotas").
const CONCURRENCY: usize = 4;

/// A function, or one of its versions or aliases, whose failures end in a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailingFunction {
    pub name: String,
    pub arn: String,
    /// A version or an alias. None: the function as such.
    pub qualifier: Option<String>,
    pub leaves: Leaves,
    /// ARN of the queue.
    #[serde(skip)]
    pub queue: String,
}

/// What a function leaves in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Leaves {
    /// The event itself, with the error in message attributes: its dead-letter queue.
    Event,
    /// A record with the event as `requestPayload`: its destination on failure.
    Record,
}

/// Which functions are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Those of the deployed stacks.
    Stacks,
    Account,
}

/// What IAM has to allow to find the functions that leave their failures in queues.
pub fn permissions(arns: &ArnBuilder) -> Vec<Statement> {
    vec![
        Statement::allow("ListFunctions", &[LIST], ["*".to_owned()]),
        Statement::allow("SeeWhereFailuresGo", &[GET, LIST_DESTINATIONS], [arns.arn("lambda", "function:*")]),
    ]
}

/// The functions whose failures end in a queue, sorted by name.
pub async fn list(target: &Target, whose: Whose) -> Result<Vec<FailingFunction>> {
    let lambda = target.lambda();
    let functions = match whose {
        Whose::Stacks => of_stacks(target, &lambda).await?,
        Whose::Account => of_account(&lambda).await?,
    };
    let found: Vec<_> = stream::iter(functions)
        .map(|function| of_function(&lambda, function))
        .buffer_unordered(CONCURRENCY)
        .try_collect()
        .await?;
    let mut found: Vec<_> = found.into_iter().flatten().collect();
    found.sort_by(|a, b| (&a.name, &a.qualifier, &a.queue).cmp(&(&b.name, &b.qualifier, &b.queue)));
    Ok(found)
}

async fn of_stacks(target: &Target, lambda: &Client) -> Result<Vec<FunctionConfiguration>> {
    let surfaces = target.surfaces().await?;
    let names = surfaces.0.iter().flat_map(|stack| stack.functions.values().map(|function| function.name.clone()));
    let asked = stream::iter(names).map(|name| async move {
        let answer = lambda.get_function_configuration().function_name(&name).send().await;
        let answer = answer.or_needs(&format!("read function {name}"), GET, &pattern(&name));
        match answer {
            // Deleted since it was deployed.
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            answer => answer.map(|function| {
                let dead_letters = function.dead_letter_config;
                let configuration = FunctionConfiguration::builder()
                    .set_function_name(function.function_name)
                    .set_function_arn(function.function_arn)
                    .set_dead_letter_config(dead_letters);
                Some(configuration.build())
            }),
        }
    });
    asked.buffer_unordered(CONCURRENCY).try_filter_map(async |function| Ok::<_, Error>(function)).try_collect().await
}

async fn of_account(lambda: &Client) -> Result<Vec<FunctionConfiguration>> {
    let mut functions = Vec::new();
    let mut pages = lambda.list_functions().into_paginator().send();
    while let Some(page) = pages.next().await {
        functions.extend(page.or_needs("list functions", LIST, "*")?.functions.unwrap_or_default());
    }
    Ok(functions)
}

async fn of_function(lambda: &Client, function: FunctionConfiguration) -> Result<Vec<FailingFunction>> {
    let name = function.function_name.unwrap_or_default();
    let arn = function.function_arn.unwrap_or_default();
    let failing = |qualifier, leaves, queue: String| {
        is_queue(&queue).then(|| FailingFunction { name: name.clone(), arn: arn.clone(), qualifier, leaves, queue })
    };
    let dead_letters = function.dead_letter_config.and_then(|config| config.target_arn);
    let mut found: Vec<_> = dead_letters.and_then(|queue| failing(None, Leaves::Event, queue)).into_iter().collect();
    let mut pages = lambda.list_function_event_invoke_configs().function_name(&name).into_paginator().send();
    while let Some(page) = pages.next().await {
        let doing = format!("read the destinations of function {name}");
        let page = match page.or_needs(&doing, LIST_DESTINATIONS, &pattern(&name)) {
            Err(error) if error.kind() == Kind::NotFound => break,
            page => page?,
        };
        for config in page.function_event_invoke_configs.unwrap_or_default() {
            let on_failure = config.destination_config.and_then(|config| config.on_failure);
            if let Some(queue) = on_failure.and_then(|destination| destination.destination) {
                let qualifier = config.function_arn.as_deref().and_then(qualifier);
                found.extend(failing(qualifier, Leaves::Record, queue));
            }
        }
    }
    Ok(found)
}

fn is_queue(arn: &str) -> bool {
    arn.split(':').nth(2) == Some("sqs")
}

/// The version or alias in `arn:aws:lambda:REGION:ACCOUNT:function:NAME:QUALIFIER`. `$LATEST` is the function as such.
fn qualifier(arn: &str) -> Option<String> {
    arn.split(':').nth(7).filter(|qualifier| *qualifier != "$LATEST").map(str::to_owned)
}

/// For a statement that allows what was denied.
pub fn pattern(name: &str) -> String {
    format!("arn:*:lambda:*:*:function:{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_queues_count_and_the_latest_version_is_the_function_itself() {
        assert!(is_queue("arn:aws:sqs:us-east-1:111111111111:q"));
        assert!(!is_queue("arn:aws:sns:us-east-1:111111111111:t"));
        let arn = "arn:aws:lambda:us-east-1:111111111111:function:f";
        assert_eq!(qualifier(arn), None);
        assert_eq!(qualifier(&format!("{arn}:$LATEST")), None);
        assert_eq!(qualifier(&format!("{arn}:live")).as_deref(), Some("live"));
    }
}
