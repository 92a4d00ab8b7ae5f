//! The handler `claim-recorder`: leaves one record in a table for every claim it is given.
//!
//! It takes claims from an SQS event, from an event of S3, SNS or EventBridge itself, or, when a schedule wakes it,
//! from the queue. Whatever happens twice, late or out of order leaves the table as if it had happened once.

mod after_processing;
mod batch;
mod config;
mod message;
mod poll;
mod reconcile;
mod table;
mod trigger;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use lambda_runtime::{Context, LambdaEvent, service_fn};
use serde_json::{Value, json};

use super::aws::{self, Aws, Deadline};
use super::{Env, log};
use config::Config;
use message::{Message, Problem};
use table::Table;
use trigger::Trigger;

/// What is left of an invocation's time for the answer itself.
const MARGIN: Duration = Duration::from_millis(500);

/// The handler. One per cold start.
struct Recorder {
    aws: Arc<Aws>,
    table: Table,
    config: Config,
}

/// One invocation of the function.
#[derive(Clone, Debug)]
struct Invocation {
    pub request_id: String,
    pub deadline: Deadline,
}

impl Recorder {
    /// Reads the environment variables that the function is configured with; the error names the wrong one.
    pub fn from_env(env: Env, http: SharedHttpClient) -> Result<Self, String> {
        let config = Config::from_env(env)?;
        let aws = Arc::new(Aws::from_env(env, http)?);
        Ok(Self { table: Table::new(aws.clone(), config.table.clone()), aws, config })
    }

    /// Handles one event, whatever triggered it. The answer to an SQS event names the messages that failed.
    pub async fn handle(self: &Arc<Self>, event: Value, invocation: Invocation) -> Result<Value, Problem> {
        match Trigger::of(event) {
            Trigger::Queue(messages) => {
                let failed = batch::record(self, messages, &invocation).await;
                let failures: Vec<_> = failed.into_iter().map(|id| json!({ "itemIdentifier": id })).collect();
                Ok(json!({ "batchItemFailures": failures }))
            }
            Trigger::Schedule => poll::empty_queue(self, &invocation).await.map(|summary| summary.to_json()),
            Trigger::Direct(event) => {
                let claims = message::record(self, &Message::direct(event), &invocation).await?;
                Ok(json!({ "claims": claims }))
            }
        }
    }
}

/// Runs the handler in the Lambda runtime until Lambda ends the process.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    let env: Env = &|name| std::env::var(name).ok();
    let recorder = Recorder::from_env(env, aws::http_client(env)).inspect_err(|error| {
        log::line(log::Level::Error, "cannot start", vec![("error", error.as_str().into())]);
    })?;
    let recorder = &Arc::new(recorder);
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Value>| {
        recorder.handle(event.payload, Invocation::from(&event.context)).await
    }))
    .await
}

impl From<&Context> for Invocation {
    fn from(context: &Context) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let left = Duration::from_millis(context.deadline).saturating_sub(now);
        Self { request_id: context.request_id.clone(), deadline: Deadline::after(left.saturating_sub(MARGIN)) }
    }
}

#[cfg(test)]
mod tests;
