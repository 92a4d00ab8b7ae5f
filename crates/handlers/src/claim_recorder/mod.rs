//! The handler `claim-recorder`: leaves one record in a table for every claim it is given.
//!
//! It takes claims from an SQS event, from an event of S3, SNS or EventBridge itself, or, when a schedule wakes it,
//! from the queue. Whatever happens twice, late or out of order leaves the table as if it had happened once.

mod after_processing;
mod claim;
mod config;
mod poll;
mod reconcile;
mod table;

use std::sync::Arc;

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use serde_json::{Value, json};

use crate::Env;
use crate::aws::{self, Aws};
use crate::event::{self, Invocation, Message, Trigger};
use claim::Problem;
use config::Config;
use table::Table;

/// The handler. One per cold start.
struct Recorder {
    aws: Arc<Aws>,
    table: Table,
    config: Config,
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
            Trigger::Queue(messages) => Ok(event::answer(event::handle_batch(self, messages, &invocation).await)),
            Trigger::Schedule => poll::empty_queue(self, &invocation).await.map(|summary| summary.to_json()),
            Trigger::Direct(event) => {
                let claims = event::handle_message(&**self, &Message::direct(event), &invocation).await?;
                Ok(json!({ "claims": claims }))
            }
        }
    }
}

/// Runs the handler in the Lambda runtime until Lambda ends the process.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    let env: Env = &|name| std::env::var(name).ok();
    let recorder = Recorder::from_env(env, aws::http_client(env));
    event::run(recorder, async |recorder, event, invocation| recorder.handle(event, invocation).await).await
}

#[cfg(test)]
mod tests;
