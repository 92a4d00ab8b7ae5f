//! The handler `payment-stream`: makes messages of what happens to payments, in order for each payment.
//!
//! Its trigger is the stream of the table, and its messages go to a FIFO queue whose groups are the payments. What cannot
//! be made a message, or not be sent within the invocation's time, goes to a second queue as it came, together with what
//! follows of the same payment in the batch: so nothing is dropped, nothing is tried for ever, and nothing overtakes.
//! Invoked with the body of such a message, the function handles the record again. What cannot be kept there either is
//! named in the answer, so that the stream comes back to it. Environment variables: `QUEUE_URL`, `DIVERTED_QUEUE_URL`.

mod config;
mod diverted;
mod record;

use std::fmt;
use std::sync::Arc;

use lambda_runtime::Diagnostic;
use serde_json::Value;

use super::Env;
use super::aws::{self, Aws, Outgoing};
use super::event::{self, Invocation};
use super::log::{self, Level};
use super::payments::in_order::{self, Failed, Outcome};
use config::Config;
use record::Record;

/// All messages of one call together, in bytes. SQS has allowed more since 2025, but not everywhere.
const LARGEST_CALL: usize = 256 << 10;
/// Of the invocation's time; the rest is for diverting what was not sent.
const SENDING: f64 = 0.6;

/// The handler. One per cold start.
struct PaymentStream {
    aws: Aws,
    config: Config,
}

/// The event is no batch of a stream.
#[derive(Debug)]
struct Unreadable;

impl PaymentStream {
    async fn handle(self: &Arc<Self>, event: Value, invocation: Invocation) -> Result<Value, Unreadable> {
        let records = event["Records"].as_array().ok_or(Unreadable)?;
        let records: Vec<Record<'_>> = records.iter().filter_map(Record::read).collect();
        let outcomes = self.send(&records, &invocation).await;
        let unsent: Vec<_> = records.iter().zip(&outcomes).filter(|(_, outcome)| **outcome != Outcome::Sent).collect();
        let failed = self.divert(&unsent, &invocation).await;
        Ok(event::answer(failed))
    }

    /// Sends the messages, and tells of those that went.
    async fn send(&self, records: &[Record<'_>], invocation: &Invocation) -> Vec<Outcome> {
        let entries: Vec<_> = records.iter().map(Record::entry).collect();
        let deadline = invocation.deadline.part(SENDING);
        let outcomes = in_order::send(&entries, LARGEST_CALL, deadline, async |messages: &[&Outgoing]| {
            self.aws.send_messages(&self.config.queue_url, messages, deadline).await
        })
        .await;
        for (record, _) in records.iter().zip(&outcomes).filter(|(_, outcome)| **outcome == Outcome::Sent) {
            log::line(Level::Info, "message sent", record.fields(invocation));
        }
        outcomes
    }

    /// Returns what names those records to the stream that could not even be diverted.
    async fn divert(&self, unsent: &[(&Record<'_>, &Outcome)], invocation: &Invocation) -> Vec<String> {
        let entries: Vec<_> =
            unsent.iter().map(|(record, outcome)| diverted::entry(record, outcome, invocation)).collect();
        let outcomes = in_order::send(&entries, LARGEST_CALL, invocation.deadline, async |messages: &[&Outgoing]| {
            self.aws.send_messages(&self.config.diverted_queue_url, messages, invocation.deadline).await
        })
        .await;
        let mut failed = Vec::new();
        for ((record, why), outcome) in unsent.iter().zip(outcomes) {
            let mut fields = record.fields(invocation);
            fields.push(("error", diverted::reason(why).reason.into()));
            match outcome {
                Outcome::Sent => log::line(Level::Error, "record diverted", fields),
                Outcome::Failed(Failed { reason, .. }) => {
                    fields.push(("not_diverted", reason.into()));
                    log::line(Level::Error, "record failed", fields);
                    failed.push(record.sequence_number.to_owned());
                }
                Outcome::Behind => failed.push(record.sequence_number.to_owned()),
            }
        }
        failed
    }
}

/// Runs the handler in the Lambda runtime until Lambda ends the process.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    let env: Env = &|name| std::env::var(name).ok();
    event::run(handler(env), async |stream, event, invocation| stream.handle(event, invocation).await).await
}

fn handler(env: Env) -> Result<PaymentStream, String> {
    Ok(PaymentStream { config: Config::from_env(env)?, aws: Aws::from_env(env, aws::http_client(env))? })
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event has no records of a stream")
    }
}

impl From<Unreadable> for Diagnostic {
    fn from(unreadable: Unreadable) -> Self {
        Self { error_type: "Unreadable".into(), error_message: unreadable.to_string() }
    }
}

#[cfg(test)]
mod tests;
