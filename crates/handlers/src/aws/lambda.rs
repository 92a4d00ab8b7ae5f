//! Invoking a function without waiting for what it does.

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use serde_json::Value;

use super::{Aws, Deadline, Failure};

impl Aws {
    /// `Invoke`, asynchronous: Lambda has taken the event when this returns.
    pub async fn invoke_later(&self, function: &str, event: &Value, deadline: Deadline) -> Result<(), Failure> {
        let call = self.lambda().invoke().function_name(function).invocation_type(InvocationType::Event);
        deadline.bound(call.payload(Blob::new(event.to_string())).send()).await??;
        Ok(())
    }
}
