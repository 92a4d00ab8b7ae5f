//! What a function logged: its log group, and the lines there.

use aws_sdk_lambda::Client as Lambda;
use claimctl_aws::Explain;
use claimctl_aws::logs::{FILTER, LogPages};
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Kind, Result};

use super::failures::{GET, pattern};

/// A page holds at most 1 MB or 10,000 lines (Amazon CloudWatch Logs API Reference, FilterLogEvents).
const MOST_PAGES: usize = 200;

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
pub async fn scan(mut pages: LogPages, cancel: &Cancel, mut each: impl FnMut(&str)) -> Result<bool> {
    for _ in 0..MOST_PAGES {
        let page = tokio::select! {
            page = pages.next() => page?,
            () = cancel.cancelled() => return Ok(false),
        };
        let Some(lines) = page else { return Ok(true) };
        lines.iter().for_each(|line| each(&line.text));
    }
    Ok(false)
}
