//! Starting an execution of a Step Functions state machine.

use aws_sdk_sfn::operation::start_execution::StartExecutionError;

use super::{Aws, Deadline, Failure};

/// What became of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// It runs: begun now, or before, with the same input.
    Runs,
    /// There has been one of this name.
    Before,
}

impl Aws {
    /// `StartExecution`, under a name that is taken once only.
    pub async fn start_execution(
        &self,
        state_machine_arn: &str,
        name: &str,
        input: &str,
        deadline: Deadline,
    ) -> Result<Started, Failure> {
        let call = self.sfn().start_execution().state_machine_arn(state_machine_arn).name(name).input(input);
        match deadline.bound(call.send()).await? {
            Ok(_) => Ok(Started::Runs),
            Err(error) => match error.as_service_error() {
                Some(StartExecutionError::ExecutionAlreadyExists(_)) => Ok(Started::Before),
                _ => Err(error.into()),
            },
        }
    }
}
