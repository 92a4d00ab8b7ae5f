//! What became of a state machine's execution of a known name.

use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_sfn::Client;
use aws_sdk_sfn::types::{ExecutionStatus, IncludedData};
use claimctl_core::error::Result;
use serde::{Deserialize, Serialize};

use crate::Explain;
use crate::backoff::{Backoff, is_throttled};
use crate::policy::Statement;
use crate::target::Target;

const DESCRIBE: &str = "states:DescribeExecution";

/// An execution as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    pub name: String,
    pub status: Status,
    /// Of one that failed, was aborted or ran out of time, where it says so.
    pub error: Option<String>,
    pub cause: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Also one that is waiting to be redriven.
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
}

/// What IAM has to allow to look at executions of the machine.
pub fn permissions(machine_arn: &str) -> Statement {
    Statement::allow("SeeExecutions", &[DESCRIBE], [arn_of(machine_arn, "*")])
}

/// The executions of a state machine.
pub struct Executions {
    client: Client,
    machine_arn: String,
    /// Whoever may not use the key of an encrypted machine learns the status all the same, and not why.
    without_data: AtomicBool,
}

impl Executions {
    pub fn of(target: &Target, machine_arn: &str) -> Executions {
        Executions {
            client: target.step_functions(),
            machine_arn: machine_arn.to_owned(),
            without_data: AtomicBool::new(false),
        }
    }

    /// None: the machine has none of this name, or keeps it no longer.
    pub async fn describe(&self, name: &str) -> Result<Option<Execution>> {
        let (arn, all) = (arn_of(&self.machine_arn, name), arn_of(&self.machine_arn, "*"));
        let mut backoff = Backoff::new();
        let answer = loop {
            let included = self.without_data.load(Ordering::Relaxed).then_some(IncludedData::MetadataOnly);
            let is_whole = included.is_none();
            let call = self.client.describe_execution().execution_arn(&arn).set_included_data(included);
            match call.send().await {
                Err(error) if is_throttled(&error) && backoff.pause().await => {}
                Err(error) if is_whole && crate::code(&error) == Some("KmsAccessDeniedException") => {
                    self.without_data.store(true, Ordering::Relaxed);
                }
                // No execution can have a name that makes no ARN.
                Err(error) if matches!(crate::code(&error), Some("ExecutionDoesNotExist" | "InvalidArn")) => {
                    return Ok(None);
                }
                answer => break answer.or_needs(&format!("look at execution {name}"), DESCRIBE, &all)?,
            }
        };
        let status = match answer.status {
            ExecutionStatus::Succeeded => Status::Succeeded,
            ExecutionStatus::Failed => Status::Failed,
            ExecutionStatus::TimedOut => Status::TimedOut,
            ExecutionStatus::Aborted => Status::Aborted,
            _ => Status::Running,
        };
        Ok(Some(Execution { name: name.to_owned(), status, error: answer.error, cause: answer.cause }))
    }
}

fn arn_of(machine_arn: &str, name: &str) -> String {
    format!("{}:{name}", machine_arn.replacen(":stateMachine:", ":execution:", 1))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::fake;

    const MACHINE: &str = "arn:aws:states:us-east-1:111111111111:stateMachine:m";

    fn machine(answering: impl FnMut(&str, &Value) -> (u16, Value) + Send + 'static) -> Executions {
        Executions {
            client: Client::new(&fake::answers(answering)),
            machine_arn: MACHINE.to_owned(),
            without_data: AtomicBool::new(false),
        }
    }

    #[tokio::test]
    async fn an_execution_is_found_by_its_name_and_throttles_are_waited_for() {
        let mut calls = 0;
        let machine = machine(move |operation, asked| {
            assert_eq!(operation, "DescribeExecution");
            let arn = "arn:aws:states:us-east-1:111111111111:execution:m:k";
            assert_eq!(asked["executionArn"], arn);
            calls += 1;
            match calls {
                1 => (400, json!({"__type": "ThrottlingException"})),
                _ => (
                    200,
                    json!({"executionArn": arn, "stateMachineArn": MACHINE, "status": "FAILED", "startDate": 1,
                    "error": "E", "cause": "because"}),
                ),
            }
        });
        let execution = machine.describe("k").await.unwrap().unwrap();
        let (error, cause) = (Some("E".to_owned()), Some("because".to_owned()));
        assert_eq!(execution, Execution { name: "k".to_owned(), status: Status::Failed, error, cause });
    }

    #[tokio::test]
    async fn whoever_may_not_decrypt_it_learns_its_status() {
        let machine = machine(|_, asked| match asked["includedData"].as_str() {
            Some("METADATA_ONLY") => {
                (200, json!({"executionArn": "arn", "stateMachineArn": MACHINE, "status": "FAILED", "startDate": 1}))
            }
            _ => (400, json!({"__type": "KmsAccessDeniedException", "message": "no"})),
        });
        let execution = machine.describe("k").await.unwrap().unwrap();
        assert_eq!((execution.status, execution.error), (Status::Failed, None));
    }

    #[tokio::test]
    async fn none_is_not_an_error_and_a_denial_is() {
        let none = machine(|_, _| (400, json!({"__type": "ExecutionDoesNotExist", "message": "no"})));
        assert_eq!(none.describe("k").await.unwrap(), None);
        let denied = machine(|_, _| (400, json!({"__type": "AccessDeniedException", "message": "no"})));
        let error = denied.describe("k").await.unwrap_err();
        let needed = "states:DescribeExecution on arn:aws:states:us-east-1:111111111111:execution:m:*";
        assert!(error.advice().contains(needed), "{}", error.advice());
    }
}
