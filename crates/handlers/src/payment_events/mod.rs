//! The handler `payment-events`: puts what happened to payments onto an event bus.
//!
//! Its trigger is the FIFO queue that `payment-stream` fills. A message whose event the bus does not take is named in the
//! answer, together with those behind it in its group: they come again in their order, and what never can be taken, such
//! as an event that is too large, dies into the queue of dead letters. An event may be put twice, as EventBridge itself may
//! deliver it twice: its `event_id` stays the same. Environment variable: `EVENT_BUS`, the name or ARN of the bus.

mod message;

use std::sync::Arc;

use lambda_runtime::Diagnostic;
use serde_json::Value;

use super::Env;
use super::aws::{self, Aws, Event, LARGEST_CALL};
use super::event::{self, Invocation, Message, Trigger};
use super::log::{self, Level};
use super::payments::in_order::{self, Entry, Outcome};
use super::payments::payment::PAYMENT_ID;

/// The handler. One per cold start.
struct PaymentEvents {
    aws: Aws,
    bus: String,
}

/// The event is no batch of a queue.
#[derive(Debug)]
struct NoBatch;

impl PaymentEvents {
    async fn handle(self: &Arc<Self>, event: Value, invocation: Invocation) -> Result<Value, NoBatch> {
        let Trigger::Queue(messages) = Trigger::of(event) else {
            return Err(NoBatch);
        };
        let entries: Vec<Entry<Event>> = messages.iter().map(message::entry).collect();
        let deadline = invocation.deadline;
        let outcomes = in_order::send(&entries, LARGEST_CALL, deadline, async |events: &[&Event]| {
            self.aws.put_events(&self.bus, events, deadline).await
        })
        .await;
        let mut failed = Vec::new();
        for (message, outcome) in messages.into_iter().zip(outcomes) {
            tell(&message, &outcome, &invocation);
            if outcome != Outcome::Sent {
                failed.extend(message.id);
            }
        }
        Ok(event::answer(failed))
    }
}

fn tell(message: &Message, outcome: &Outcome, invocation: &Invocation) {
    let mut fields = vec![
        ("request_id", Value::from(invocation.request_id.as_str())),
        (PAYMENT_ID, message.group.clone().into()),
        ("message_id", message.id.clone().into()),
        ("receive_count", message.receive_count.into()),
    ];
    match outcome {
        Outcome::Sent => log::line(Level::Info, "event put", fields),
        Outcome::Failed(failed) => {
            fields.push(("code", failed.code.as_str().into()));
            fields.push(("error", failed.reason.as_str().into()));
            log::line(Level::Error, "message failed", fields);
        }
        Outcome::Behind => log::line(Level::Warn, "message held back behind a failed one of its group", fields),
    }
}

/// Runs the handler in the Lambda runtime until Lambda ends the process.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    let env: Env = &|name| std::env::var(name).ok();
    event::run(handler(env), async |events, event, invocation| events.handle(event, invocation).await).await
}

fn handler(env: Env) -> Result<PaymentEvents, String> {
    let bus = env("EVENT_BUS").filter(|bus| !bus.is_empty()).ok_or("EVENT_BUS is not set: it names the event bus")?;
    Ok(PaymentEvents { bus, aws: Aws::from_env(env, aws::http_client(env))? })
}

impl From<NoBatch> for Diagnostic {
    fn from(_: NoBatch) -> Self {
        Self { error_type: "Unreadable".into(), error_message: "the event is no batch of a queue".into() }
    }
}

#[cfg(test)]
mod tests;
