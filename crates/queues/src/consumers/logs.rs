//! What a function logged: lines of its log group, a page at a time.

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_lambda::Client as Lambda;
use claimctl_aws::Explain;
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Kind, Result};
use jiff::Timestamp;

use super::failures::{GET, pattern};

pub const FILTER: &str = "logs:FilterLogEvents";

/// A page holds at most 1 MB or 10,000 lines (Amazon CloudWatch Logs API Reference, FilterLogEvents).
const MOST_PAGES: usize = 200;

/// Where a function's lines go, and which are wanted.
pub struct Wanted<'a> {
    pub group: &'a str,
    pub since: Timestamp,
    /// Amazon CloudWatch Logs User Guide, "Filter pattern syntax".
    pub pattern: String,
}

/// What IAM has to allow to read the logs of functions.
pub fn permissions(arns: &ArnBuilder) -> Vec<Statement> {
    vec![
        Statement::allow("FindLogs", &[GET], [arns.arn("lambda", "function:*")]),
        Statement::allow("ReadLogs", &[FILTER], [arns.arn("logs", "log-group:*")]),
    ]
}

/// The log group of a function. Where Lambda does not say, the one that it has unless told otherwise.
pub async fn group(lambda: &Lambda, function: &str) -> Result<String> {
    let answer = lambda.get_function_configuration().function_name(function).send().await;
    let by_default = format!("/aws/lambda/{function}");
    match answer.or_needs(&format!("read function {function}"), GET, &pattern(function)) {
        Ok(answer) => Ok(answer.logging_config.and_then(|logging| logging.log_group).unwrap_or(by_default)),
        // The logs outlive the function, and may be readable without it.
        Err(error) if error.kind() == Kind::Unreachable => Err(error),
        Err(_) => Ok(by_default),
    }
}

/// Hands out the lines, oldest first. False where it stopped before the end: too many pages, or interrupted.
pub async fn scan(logs: &Client, wanted: &Wanted<'_>, cancel: &Cancel, mut each: impl FnMut(&str)) -> Result<bool> {
    let call = logs.filter_log_events().log_group_name(wanted.group).filter_pattern(&wanted.pattern);
    let mut pages = call.start_time(wanted.since.as_millisecond()).into_paginator().send();
    for _ in 0..MOST_PAGES {
        let page = tokio::select! {
            page = pages.next() => page,
            () = cancel.cancelled() => return Ok(false),
        };
        let Some(page) = page else { return Ok(true) };
        let doing = format!("read log group {}", wanted.group);
        let page = page.or_needs(&doing, FILTER, &format!("arn:*:logs:*:*:log-group:{}:*", wanted.group))?;
        page.events.iter().flatten().filter_map(|event| event.message.as_deref()).for_each(&mut each);
    }
    Ok(false)
}
