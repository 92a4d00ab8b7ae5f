//! Where letters go: back into a queue, or to the function whose asynchronous invocation failed.

use std::sync::Arc;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use claimctl_aws::Explain;
use claimctl_claim::Envelope;
use serde_json::Value;

use crate::Queue;
use crate::function::failures::{Leaves, pattern};
use crate::journal::{Entry, Scribe, State};
use crate::message::Message;
use crate::send::call::SEND;
use crate::send::deliver::{Delivered, Lane, deliver};
use crate::send::limits;
use crate::send::outgoing::{Manner, Outgoing};

pub const INVOKE: &str = "lambda:InvokeFunction";
/// Of an asynchronous invocation (AWS Lambda Developer Guide, "Lambda quotas").
const EVENT_BYTES: usize = 1 << 20;

/// Where letters go.
#[derive(Debug, Clone)]
pub enum Destination {
    Queue(SendTo),
    Function(Invocation),
}

#[derive(Debug, Clone)]
pub struct SendTo {
    /// Its client must not send again by itself where a call may have arrived.
    pub queue: Queue,
    pub arn: String,
    pub fifo: bool,
    /// Bytes of one message that the queue takes.
    pub most_bytes: usize,
}

/// A function that is invoked again.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// As for the queue: a call that may have arrived is not repeated.
    pub lambda: aws_sdk_lambda::Client,
    pub name: String,
    pub qualifier: Option<String>,
    pub leaves: Leaves,
}

impl Destination {
    pub fn name(&self) -> &str {
        match self {
            Destination::Queue(to) => to.queue.name(),
            Destination::Function(to) => &to.name,
        }
    }

    /// What IAM has to allow beside everything else.
    pub fn call(&self) -> &'static str {
        match self {
            Destination::Queue(_) => SEND,
            Destination::Function(_) => INVOKE,
        }
    }

    /// How many messages go in one call.
    pub fn batch(&self) -> usize {
        match self {
            Destination::Queue(_) => limits::ENTRIES,
            Destination::Function(_) => 1,
        }
    }

    /// Why it would not be taken, in words that end a sentence about it.
    pub fn check(&self, message: &Outgoing) -> Result<(), String> {
        match self {
            Destination::Queue(to) => limits::check(message, to.most_bytes),
            Destination::Function(_) if message.body.len() > EVENT_BYTES => {
                Err(format!("its event has {} bytes, and Lambda takes {EVENT_BYTES}", message.body.len()))
            }
            Destination::Function(_) => Ok(()),
        }
    }

    /// Whether a mark can go along: an event is handed to the function as it was.
    pub fn takes_marks(&self) -> bool {
        matches!(self, Destination::Queue(_))
    }

    /// What is sent of a letter: its body, or the event in it. An error says why there is none.
    pub fn body(&self, message: &Message) -> Result<String, String> {
        match self {
            Destination::Queue(_) => Ok(message.body.clone()),
            Destination::Function(to) => event(message, to.leaves),
        }
    }

    /// By which a letter is known that came back without a mark: its message id, which is kept when SQS moves it; of a
    /// function's failure the id of its request.
    pub fn known_by(&self, message: &Message) -> Option<String> {
        match self {
            Destination::Queue(_) => Some(message.message_id.clone()),
            Destination::Function(_) => request_id(message),
        }
    }

    pub fn way(&self, scribe: Scribe) -> Way {
        match self.clone() {
            Destination::Queue(to) => {
                let manner = Manner { deduplicate: None, delay: None };
                Way::Queue(Arc::new(Lane { queue: to.queue, manner, scribe, moves: true }))
            }
            Destination::Function(to) => Way::Function(Arc::new(to), scribe),
        }
    }
}

/// A destination with the journal that every delivery is written down in.
#[derive(Debug, Clone)]
pub enum Way {
    Queue(Arc<Lane>),
    Function(Arc<Invocation>, Scribe),
}

impl Way {
    /// Takes one batch to its end. What is told as sent is durable in the journal.
    pub async fn deliver(self, batch: Vec<Outgoing>) -> Delivered {
        match self {
            Way::Queue(lane) => deliver(lane, batch).await,
            Way::Function(function, scribe) => invoke(&function, &scribe, batch).await,
        }
    }
}

/// What AWS Lambda says of an invocation in a record on failure (AWS Lambda Developer Guide, "Capturing records of
/// Lambda asynchronous invocations").
#[derive(serde::Deserialize)]
struct Record {
    #[serde(rename = "requestPayload")]
    event: Value,
    #[serde(rename = "requestContext")]
    context: Option<Context>,
}

#[derive(serde::Deserialize)]
struct Context {
    #[serde(rename = "requestId")]
    request_id: Option<String>,
}

fn event(message: &Message, leaves: Leaves) -> Result<String, String> {
    match leaves {
        Leaves::Event if !message.envelope.contains(&Envelope::Destination) => Ok(message.body.clone()),
        Leaves::Event | Leaves::Record => serde_json::from_str::<Record>(&message.body)
            .map(|record| record.event.to_string())
            .map_err(|error| format!("it is no record of a failed invocation ({error})")),
    }
}

/// Lambda leaves it in an attribute beside a raw event, or within the record.
fn request_id(message: &Message) -> Option<String> {
    let attribute = message.attributes.get("RequestID").map(|attribute| attribute.value.clone());
    attribute.or_else(|| serde_json::from_str::<Record>(&message.body).ok()?.context?.request_id)
}

/// One asynchronous invocation for each message.
async fn invoke(function: &Invocation, scribe: &Scribe, batch: Vec<Outgoing>) -> Delivered {
    let mut delivered = Delivered::default();
    let intents = batch.iter().map(|message| Entry::new(message.item.clone(), State::Intent)).collect();
    if let Err(error) = scribe.record(intents).await {
        return Delivered { untouched: batch, error: Some(error), ..delivered };
    }
    let (mut noted, doing) = (Vec::with_capacity(batch.len()), format!("invoke function {}", function.name));
    for message in batch {
        let call = function
            .lambda
            .invoke()
            .function_name(&function.name)
            .set_qualifier(function.qualifier.clone())
            .invocation_type(InvocationType::Event)
            .payload(Blob::new(message.body.as_bytes()));
        let answer = call.send().await;
        let in_doubt = answer.as_ref().is_err_and(claimctl_aws::may_have_arrived);
        let id = answer.as_ref().ok().and_then(|answer| aws_sdk_lambda::operation::RequestId::request_id(answer));
        let id = id.unwrap_or("accepted").to_owned();
        match answer.or_needs(&doing, INVOKE, &pattern(&function.name)) {
            Ok(_) => {
                noted.push(message.sent_as(&id));
                delivered.sent.push((message, id));
            }
            Err(error) => {
                let why = error.chain().join(": ");
                delivered.error.get_or_insert(error);
                match in_doubt || message.again {
                    true => delivered.undecided.push(message),
                    false => {
                        noted.push(Entry::new(message.item.clone(), State::Failed).with_detail(&why));
                        delivered.failed.push((message, why));
                    }
                }
            }
        }
    }
    if let Err(error) = scribe.record(noted).await {
        delivered.undecided.extend(delivered.sent.drain(..).map(|(message, _)| message));
        delivered.error.get_or_insert(error);
    }
    delivered
}
