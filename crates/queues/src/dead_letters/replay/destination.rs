//! Where dead letters go: back into a queue, or to the function whose asynchronous invocation failed.

use std::sync::Arc;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use claimctl_aws::Explain;
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::target::Target;
use claimctl_claim::Envelope;
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use serde_json::Value;

use crate::consumers::failures::{FailingFunction, Leaves, pattern};
use crate::consumers::invoke::{self, ASYNCHRONOUS_BYTES, INVOKE};
use crate::dead_letters::drain_command;
use crate::dead_letters::sources::{self, Source};
use crate::depth::{self, QueueDepth};
use crate::journal::{Entry, ItemState, JournalWriter};
use crate::message::Message;
use crate::policy::PolicyQueue;
use crate::resolve;
use crate::send::call::SEND;
use crate::send::deliver::{Delivered, Lane, deliver};
use crate::send::limits;
use crate::send::outgoing::{EntryOptions, Outgoing};
use crate::send::queue::SendQueue;

/// Where dead letters go.
#[derive(Debug, Clone)]
pub enum Destination {
    Queue(Box<SendQueue>),
    Function(Invocation),
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
    /// The queue or the function that was named, else where the dead letters came from; and what the operator should
    /// know of it.
    pub async fn find(
        target: &Target,
        dead_letters: &QueueDepth,
        named: Option<&str>,
    ) -> Result<(Destination, Vec<String>)> {
        let (to, notes) = match named {
            Some(name) => (by_name(target, dead_letters, name).await?, Vec::new()),
            None => by_source(target, dead_letters).await?,
        };
        if let Destination::Queue(to) = &to {
            refuse_circles(dead_letters, &to.depth)?;
        }
        Ok((to, notes))
    }

    pub fn name(&self) -> &str {
        match self {
            Destination::Queue(to) => &to.depth.name,
            Destination::Function(to) => &to.name,
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
            Destination::Queue(to) => limits::check(message, to.most_bytes()),
            Destination::Function(_) if message.body.len() > ASYNCHRONOUS_BYTES => {
                Err(format!("its event has {} bytes, and Lambda takes {ASYNCHRONOUS_BYTES}", message.body.len()))
            }
            Destination::Function(_) => Ok(()),
        }
    }

    /// Whether a mark can go along: an event is handed to the function as it was.
    pub fn takes_marks(&self) -> bool {
        matches!(self, Destination::Queue(_))
    }

    /// What is sent of a dead letter: its body, or the event in it. An error says why there is none.
    pub fn body(&self, message: &Message) -> Result<String, String> {
        match self {
            Destination::Queue(_) => Ok(message.body.clone()),
            Destination::Function(to) => event(message, to.leaves),
        }
    }

    /// By which a dead letter is known that came back without a mark: its message id, which is kept when SQS moves it;
    /// of a function's failure the id of its request.
    pub fn known_by(&self, message: &Message) -> Option<String> {
        match self {
            Destination::Queue(_) => Some(message.message_id.clone()),
            Destination::Function(_) => request_id(message),
        }
    }

    pub fn journaled(&self, writer: JournalWriter) -> Delivery {
        match self.clone() {
            Destination::Queue(to) => {
                let entry_options = EntryOptions { deduplicate: None, delay: None };
                Delivery::Queue(Arc::new(Lane { queue: to.queue, entry_options, writer, moves: true }))
            }
            Destination::Function(to) => Delivery::Function(Arc::new(to), writer),
        }
    }
}

/// A queue, or the function of a deployed stack or among those that leave their failures here.
async fn by_name(target: &Target, dead_letters: &QueueDepth, name: &str) -> Result<Destination> {
    match resolve::resolve(target, name).await {
        Ok(url) => Ok(queue(target, depth::read(&target.sqs(), &url).await?)),
        Err(not_a_queue) => {
            let sources = sources::of(target, dead_letters).await?;
            let is_called = |function: &&FailingFunction| function.name == name || function.arn == name;
            let found = sources.functions().find(is_called);
            found.map(|found| function(target, found)).ok_or(not_a_queue)
        }
    }
}

/// The function that all sources are, with or without its alias: what services invoke is the alias.
fn one_function(sources: &[Source]) -> Option<&FailingFunction> {
    let functions: Vec<&FailingFunction> = sources
        .iter()
        .map(|source| match source {
            Source::Function(function) => Some(function),
            Source::Queue(_) | Source::Subscription(_) => None,
        })
        .collect::<Option<_>>()?;
    let first = functions.first()?;
    let by_alias = |found: &&FailingFunction| found.qualifier.as_deref().is_some_and(|name| name != "$LATEST");
    functions
        .iter()
        .all(|found| found.name == first.name)
        .then(|| *functions.iter().find(|found| by_alias(found)).unwrap_or(first))
}

async fn by_source(target: &Target, dead_letters: &QueueDepth) -> Result<(Destination, Vec<String>)> {
    let found = sources::of(target, dead_letters).await?;
    let to = |name: &str| Next::again().flag("--to", name);
    if let Some(source) = one_function(&found.sources) {
        return Ok((function(target, source), found.unseen));
    }
    match found.sources.as_slice() {
        [Source::Queue(source) | Source::Subscription(source)] => Ok((queue(target, (**source).clone()), found.unseen)),
        [] => {
            let error = Error::usage(format!("queue {} is nobody's dead-letter queue", dead_letters.name))
                .next("name the queue that its messages go to", to("QUEUE"))
                .next("dead-letter queues and their sources", Next::verb("dlq ls"));
            Err(found.unseen.into_iter().fold(error, |error, unseen| error.hint(format!("not seen: {unseen}"))))
        }
        several => {
            let names: Vec<_> = several.iter().map(Source::name).collect();
            Err(Error::usage(format!("queue {} takes the dead letters of {}", dead_letters.name, names.join(" and ")))
                .next("choose one, and select its messages by an expression", to(names[0])))
        }
    }
}

fn queue(target: &Target, depth: QueueDepth) -> Destination {
    Destination::Queue(Box::new(SendQueue::of(target, depth)))
}

fn function(target: &Target, function: &FailingFunction) -> Destination {
    Destination::Function(Invocation {
        lambda: invoke::client(target),
        name: function.name.clone(),
        qualifier: function.qualifier.clone(),
        leaves: function.leaves,
    })
}

/// Dead letters must not be sent to where they are, nor to where they come back from unread.
fn refuse_circles(from: &QueueDepth, to: &QueueDepth) -> Result<()> {
    let name_it = || Next::again().flag("--to", "QUEUE");
    if to.id().is_same(&from.id()) {
        return Err(Error::usage(format!("queue {} is where the dead letters are", from.name))
            .hint("name the queue that its messages go to, or none for their source"));
    }
    if from.dead_letter_arn.is_some() && from.dead_letter_arn.as_deref() == Some(to.arn.as_str()) {
        return Err(Error::refused(format!(
            "queue {} gives its own dead letters to {}: messages would go round in a circle",
            from.name, to.name
        ))
        .next("name another queue", name_it())
        .hint("take the redrive policy off one of the two"));
    }
    match (from.fifo, to.fifo) {
        (false, true) => Err(Error::usage(format!(
            "{} is a FIFO queue, and {} is a standard one: its messages have no order and no deduplication ids",
            to.name, from.name
        ))
        .next("drain them, and send them with a group", drain_command(&from.name))),
        (true, false) => Err(Error::usage(format!(
            "{} is a standard queue, and {} is a FIFO one: the order of its messages would be lost",
            to.name, from.name
        ))
        .next(
            "to send them without their order, drain them, then",
            Next::verb("queue send").word(&to.name).word("FILE").word("--drop-groups"),
        )),
        _ => Ok(()),
    }
}

/// What IAM has to allow to send there. Without a name it is found out by asking who gives the queue its dead letters.
pub async fn permissions(
    target: &Target,
    arns: &ArnBuilder,
    named: Option<&str>,
    rehearses: bool,
) -> Result<Vec<Statement>> {
    let send: &[&'static str] = if rehearses { &[] } else { &[SEND] };
    if let Some(name) = named {
        return Ok(vec![PolicyQueue::find(target, arns, name).await?.permissions("SendToSource", send)]);
    }
    let mut statements = sources::permissions(arns);
    if !rehearses {
        statements.push(Statement::allow("SendToSource", send, [arns.arn("sqs", "*")]));
        statements.push(Statement::allow("InvokeAgain", &[INVOKE], [arns.arn("lambda", "function:*")]));
    }
    Ok(statements)
}

/// A destination with the journal that every delivery is written down in.
#[derive(Debug, Clone)]
pub enum Delivery {
    Queue(Arc<Lane>),
    Function(Arc<Invocation>, JournalWriter),
}

impl Delivery {
    /// Takes one batch to its end. What is told as sent is durable in the journal.
    pub async fn deliver(self, batch: Vec<Outgoing>) -> Delivered {
        match self {
            Delivery::Queue(lane) => deliver(lane, batch).await,
            Delivery::Function(function, writer) => invoke(&function, &writer, batch).await,
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
async fn invoke(function: &Invocation, writer: &JournalWriter, batch: Vec<Outgoing>) -> Delivered {
    let mut delivered = Delivered::default();
    let intents = batch.iter().map(|message| Entry::new(message.item.clone(), ItemState::Intent)).collect();
    if let Err(error) = writer.record(intents).await {
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
                        noted.push(Entry::new(message.item.clone(), ItemState::Failed).with_detail(&why));
                        delivered.failed.push((message, why));
                    }
                }
            }
        }
    }
    if let Err(error) = writer.record(noted).await {
        delivered.undecided.extend(delivered.sent.drain(..).map(|(message, _)| message));
        delivered.error.get_or_insert(error);
    }
    delivered
}
