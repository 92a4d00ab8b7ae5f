//! Where dead letters go: back into a queue, to the function whose asynchronous invocation failed, or to whom each of them
//! names.

use std::sync::Arc;

use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::target::Target;
use claimctl_claim::{Envelope, Event};
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use serde_json::Value;

use crate::consumers::failures::{FailingFunction, Leaves};
use crate::consumers::invoke::{INVOKE, Manner};
use crate::consumers::mapping;
use crate::dead_letters::sources::{self, Source};
use crate::dead_letters::{by_surface, drain_command};
use crate::depth::{self, QueueDepth};
use crate::journal::JournalWriter;
use crate::message::Message;
use crate::policy::PolicyQueue;
use crate::recipients::{self, Addressed, Clients, Recipient, Recipients};
use crate::resolve;
use crate::send::call::SEND;
use crate::send::deliver::{Delivered, Lane, deliver};
use crate::send::limits;
use crate::send::outgoing::{EntryOptions, Outgoing};
use crate::send::queue::SendQueue;

const NOBODY: &str = "it does not say whom it is for, and no queue or function is known that it came from";

/// Where dead letters go.
#[derive(Debug, Clone)]
pub struct Destination {
    /// Where those go that do not say themselves whom they are for. None: nobody is known.
    of_all: Option<OfAll>,
    /// Gives the others to whom they name. None: the operator named one destination for all of them.
    pub recipients: Option<Arc<Recipients>>,
    clients: Clients,
}

#[derive(Debug, Clone)]
enum OfAll {
    Queue(Box<SendQueue>),
    /// Invoked again.
    Function(FailingFunction),
}

impl Destination {
    /// The queue or the function that was named, else where the dead letters came from; and what the operator should
    /// know of it.
    pub async fn find(
        target: &Target,
        dead_letters: &QueueDepth,
        named: Option<&str>,
    ) -> Result<(Destination, Vec<String>)> {
        let (of_all, recipients, notes) = match named {
            Some(name) => (Some(by_name(target, dead_letters, name).await?), None, Vec::new()),
            None => {
                let (of_all, notes) = by_source(target, dead_letters).await?;
                (of_all, Some(Recipients::new(target)), notes)
            }
        };
        if let Some(OfAll::Queue(to)) = &of_all {
            refuse_circles(dead_letters, &to.depth)?;
        }
        Ok((Destination { of_all, recipients, clients: Clients::new(target) }, notes))
    }

    #[cfg(test)]
    pub fn queue_of(target: &Target, to: SendQueue) -> Destination {
        Destination { of_all: Some(OfAll::Queue(Box::new(to))), recipients: None, clients: Clients::new(target) }
    }

    pub fn name(&self) -> &str {
        match &self.of_all {
            Some(OfAll::Queue(to)) => &to.depth.name,
            Some(OfAll::Function(to)) => &to.name,
            None => "those that they are for",
        }
    }

    /// The queue where those go that name nobody.
    pub fn queue(&self) -> Option<&SendQueue> {
        match &self.of_all {
            Some(OfAll::Queue(to)) => Some(to),
            Some(OfAll::Function(_)) | None => None,
        }
    }

    /// The name of the function that is invoked with those that name nobody.
    pub fn function(&self) -> Option<&str> {
        match &self.of_all {
            Some(OfAll::Function(to)) => Some(&to.name),
            Some(OfAll::Queue(_)) | None => None,
        }
    }

    /// How many messages go in one call.
    pub fn batch(&self) -> usize {
        if self.queue().is_some() { limits::ENTRIES } else { 1 }
    }

    /// Why it would not be taken, in words that end a sentence about it.
    pub fn check(&self, message: &Outgoing) -> Result<(), String> {
        match (&message.recipient, self.queue()) {
            (Some(recipient), _) => recipient.check(&message.body),
            (None, Some(to)) => limits::check(message, to.most_bytes()),
            (None, None) => Err(NOBODY.to_owned()),
        }
    }

    /// Whether it is given to somebody whom it names itself, and not to where the others go.
    pub fn is_named_by(&self, message: &Message) -> bool {
        self.recipients.is_some() && recipients::named_by(message).is_some()
    }

    /// Whom a dead letter is given to, and what of it. None: it goes to the queue, as it is. The inner error says why it
    /// goes nowhere.
    pub async fn address(&self, message: &Message) -> Result<Result<Option<Addressed>, String>> {
        let found = match &self.recipients {
            Some(recipients) => recipients.find(message).await?,
            None => None,
        };
        Ok(match (found, &self.of_all) {
            (Some(found), _) => found.map_err(String::from).and_then(|found| found.address(message)).map(Some),
            (None, Some(OfAll::Queue(_))) => Ok(None),
            (None, Some(OfAll::Function(to))) => {
                event(message, to.leaves).map(|body| Some(Addressed { recipient: function_again(to, message), body }))
            }
            (None, None) => Err(NOBODY.to_owned()),
        })
    }

    /// By which a dead letter is known that came back without a mark: its message id, which is kept when SQS moves it;
    /// of a function's failure the id of its request.
    pub fn known_by(&self, message: &Message) -> impl Iterator<Item = String> {
        let id = self.queue().is_some().then(|| message.message_id.clone());
        id.into_iter().chain(request_id(message))
    }

    pub fn journaled(&self, writer: JournalWriter, run: &str) -> Delivery {
        let lane = self.queue().map(|to| {
            let entry_options = EntryOptions { deduplicate: None, delay: None };
            Arc::new(Lane { queue: to.queue.clone(), entry_options, writer: writer.clone(), moves: true })
        });
        Delivery { lane, clients: Arc::new(self.clients.clone()), writer, run: run.into() }
    }
}

/// The function is invoked as it was, by its alias. Records of a stream want an answer: it names those that could not be
/// handled, and of an asynchronous invocation nobody reads it.
fn function_again(to: &FailingFunction, message: &Message) -> Recipient {
    let manner = match &message.event {
        Some(Event::StreamRecords(_)) => Manner::Synchronous,
        _ => Manner::Asynchronous,
    };
    Recipient::Function { name: to.name.clone(), qualifier: to.qualifier.clone(), manner }
}

/// A queue, or the function of a deployed stack or among those that leave their failures here.
async fn by_name(target: &Target, dead_letters: &QueueDepth, name: &str) -> Result<OfAll> {
    match resolve::resolve(target, name).await {
        Ok(url) => Ok(queue(target, depth::read(&target.sqs(), &url).await?)),
        Err(not_a_queue) => {
            let sources = sources::of(target, dead_letters).await?;
            let is_called = |function: &&FailingFunction| function.name == name || function.arn == name;
            let found = sources.functions().find(is_called);
            found.cloned().map(OfAll::Function).ok_or(not_a_queue)
        }
    }
}

/// The function that all sources are, with or without its alias: what services invoke is the alias.
fn one_function<'a>(functions: &[&'a FailingFunction]) -> Option<&'a FailingFunction> {
    let first = functions.first()?;
    let by_alias = |found: &&&FailingFunction| found.qualifier.as_deref().is_some_and(|name| name != "$LATEST");
    functions.iter().all(|found| found.name == first.name).then(|| *functions.iter().find(by_alias).unwrap_or(first))
}

/// None: all that comes here names whom it is for.
async fn by_source(target: &Target, dead_letters: &QueueDepth) -> Result<(Option<OfAll>, Vec<String>)> {
    let found = sources::of(target, dead_letters).await?;
    let to = |name: &str| Next::again().flag("--to", name);
    let functions: Vec<&FailingFunction> = found.functions().collect();
    // The others write beside each dead letter whom it is for.
    let nameless: Vec<&Source> = found.sources.iter().filter(|source| !source.names_recipients()).collect();
    if let Some(source) = one_function(&functions).filter(|_| functions.len() == nameless.len()) {
        return Ok((Some(OfAll::Function(source.clone())), found.unseen));
    }
    match nameless.as_slice() {
        [Source::Queue(source) | Source::Subscription(source)] => {
            Ok((Some(queue(target, (**source).clone())), found.unseen))
        }
        [] if !found.sources.is_empty() => Ok((None, found.unseen)),
        [] => {
            let error = Error::usage(format!("queue {} is nobody's dead-letter queue", dead_letters.name))
                .next("name the queue that its messages go to", to("QUEUE"))
                .next("dead-letter queues and their sources", Next::verb("dlq ls"));
            Err(found.unseen.into_iter().fold(error, |error, unseen| error.hint(format!("not seen: {unseen}"))))
        }
        several => {
            let names: Vec<_> = several.iter().map(|source| source.name()).collect();
            Err(Error::usage(format!("queue {} takes the dead letters of {}", dead_letters.name, names.join(" and ")))
                .next("choose one, and select its messages by an expression", to(names[0])))
        }
    }
}

fn queue(target: &Target, depth: QueueDepth) -> OfAll {
    OfAll::Queue(Box::new(SendQueue::of(target, depth)))
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
    dead_letters: &str,
    named: Option<&str>,
    rehearses: bool,
) -> Result<Vec<Statement>> {
    let send: &[&'static str] = if rehearses { &[] } else { &[SEND] };
    if let Some(name) = named {
        return Ok(vec![PolicyQueue::find(target, arns, name).await?.permissions("SendToSource", send)]);
    }
    let mut statements = sources::permissions(arns);
    let url = target.surfaces().await?.queue(dead_letters)?.map(|found| found.item.url.as_str());
    let given = by_surface::giving_permissions(target, arns, url.unwrap_or(dead_letters)).await?;
    if let Some(given) = given.filter(|_| !rehearses) {
        statements.push(mapping::list_permission("FindAlias"));
        statements.extend(given);
    } else if !rehearses {
        statements.push(Statement::allow("SendToSource", send, [arns.arn("sqs", "*")]));
        statements.push(Statement::allow("InvokeAgain", &[INVOKE], [arns.arn("lambda", "function:*")]));
    }
    Ok(statements)
}

/// A destination with the journal that every delivery is written down in.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Of those that go to the queue.
    lane: Option<Arc<Lane>>,
    clients: Arc<Clients>,
    writer: JournalWriter,
    run: Arc<str>,
}

impl Delivery {
    /// Takes one batch to its end. What is told as sent is durable in the journal.
    pub async fn deliver(self, batch: Vec<Outgoing>) -> Delivered {
        let (given, to_queue): (Vec<_>, Vec<_>) = batch.into_iter().partition(|message| message.recipient.is_some());
        let mut delivered = match self.lane {
            Some(lane) if !to_queue.is_empty() => deliver(lane, to_queue).await,
            _ => Delivered { untouched: to_queue, ..Delivered::default() },
        };
        if !given.is_empty() {
            delivered.add(recipients::give(&self.clients, &self.writer, &self.run, given).await);
        }
        delivered
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
