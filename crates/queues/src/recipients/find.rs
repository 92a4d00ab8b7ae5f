//! Finds to whom a dead letter is to be given, by what it says itself: a rule's target by the attributes that EventBridge
//! writes beside an event, the function of a stream's mapping by the record that Lambda leaves (Amazon EventBridge User
//! Guide, "Using dead-letter queues to process undelivered events"; AWS Lambda Developer Guide, "Retain discarded records
//! for a DynamoDB event source in Lambda").

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_eventbridge::types::Target as TargetOfRule;
use claimctl_aws::target::Target;
use claimctl_aws::{rules, streams};
use claimctl_claim::Event;
use claimctl_claim::event::DiscardedRecords;
use claimctl_core::error::{Kind, Result};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, Semaphore};

use super::Recipient;
use super::input::Input;
use crate::consumers::invoke::Manner;
use crate::message::Message;

/// The message attributes that EventBridge writes beside an event that it could not deliver.
pub const RULE: &str = "RULE_ARN";
pub const TARGET: &str = "TARGET_ARN";
/// AWS Step Functions API Reference, StartExecution.
const LONGEST_NAME: usize = 80;
/// A shard can be read five times a second (Amazon DynamoDB Developer Guide, "DynamoDB Streams quotas").
const READS_AT_ONCE: usize = 4;

/// What a dead letter says itself of where it belongs.
#[derive(Debug, Clone, Copy)]
pub enum Named<'a> {
    /// A rule could not deliver it. Both are ARNs.
    Target { rule: &'a str, target: &'a str },
    /// A stream's mapping gave the records up that it tells the place of.
    Discarded(&'a DiscardedRecords),
}

/// None: it says nothing.
pub fn named_by(message: &Message) -> Option<Named<'_>> {
    if let Some(Event::DiscardedRecords(records)) = &message.event {
        return Some(Named::Discarded(records));
    }
    Some(Named::Target { rule: message.attribute(RULE)?, target: message.attribute(TARGET)? })
}

/// Why nobody can be given a dead letter, in words that end a sentence about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unaddressed {
    /// It is for somebody whom a replay cannot give it to.
    NoTarget(String),
    /// The records are no longer there.
    Gone(String),
    /// It could not be found out.
    Undetermined(String),
}

/// Somebody to be given dead letters.
#[derive(Debug, Clone)]
pub enum Found {
    Target(RuleTarget),
    /// A function, and the records that it failed at.
    Records {
        recipient: Recipient,
        records: Vec<Value>,
    },
}

/// A target of a rule, and what the rule gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleTarget {
    /// What depends on the event is filled in once there is one.
    pub recipient: Recipient,
    input: Input,
}

/// A dead letter as it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressed {
    pub recipient: Recipient,
    pub body: String,
}

/// Asks each rule once.
pub struct Recipients {
    eventbridge: aws_sdk_eventbridge::Client,
    streams: aws_sdk_dynamodbstreams::Client,
    region: String,
    account: Option<String>,
    asked: Mutex<HashMap<(String, String), Result<RuleTarget, Unaddressed>>>,
    reads: Semaphore,
}

impl std::fmt::Debug for Recipients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recipients").field("region", &self.region).finish_non_exhaustive()
    }
}

impl Found {
    pub fn recipient(&self) -> &Recipient {
        match self {
            Found::Target(target) => &target.recipient,
            Found::Records { recipient, .. } => recipient,
        }
    }

    /// What is given of the dead letter. An error says why nothing is.
    pub fn address(self, message: &Message) -> Result<Addressed, String> {
        match self {
            Found::Target(target) => target.address(&message.body),
            Found::Records { recipient, records } => {
                Ok(Addressed { recipient, body: json!({"Records": records}).to_string() })
            }
        }
    }
}

impl Recipients {
    pub fn new(target: &Target) -> Arc<Recipients> {
        Arc::new(Recipients {
            eventbridge: target.eventbridge(),
            streams: target.dynamodb_streams(),
            region: target.region.clone(),
            account: target.expected_account().map(str::to_owned),
            asked: Mutex::default(),
            reads: Semaphore::new(READS_AT_ONCE),
        })
    }

    /// Whom the dead letter names, and, of records that were given up, the records. None: it names nobody. Fails where a
    /// service gives no answer at all.
    pub async fn find(&self, message: &Message) -> Result<Option<Result<Found, Unaddressed>>> {
        Ok(Some(match named_by(message) {
            None => return Ok(None),
            Some(Named::Target { rule, target }) => self.target(rule, target).await?.map(Found::Target),
            Some(Named::Discarded(discarded)) => self.records(discarded).await?,
        }))
    }

    async fn target(&self, rule: &str, target: &str) -> Result<Result<RuleTarget, Unaddressed>> {
        let mut asked = self.asked.lock().await;
        let key = (rule.to_owned(), target.to_owned());
        if let Some(known) = asked.get(&key) {
            return Ok(known.clone());
        }
        let found = match self.recipient(target) {
            Err(why) => Err(Unaddressed::NoTarget(why)),
            Ok(recipient) => self.as_the_rule_has_it(rule, target, recipient).await?,
        };
        asked.insert(key, found.clone());
        Ok(found)
    }

    async fn as_the_rule_has_it(
        &self,
        rule: &str,
        target: &str,
        recipient: Recipient,
    ) -> Result<Result<RuleTarget, Unaddressed>> {
        let no_target = |why: String| Ok(Err(Unaddressed::NoTarget(why)));
        let Some((bus, name)) = bus_and_rule(rule) else {
            return no_target(format!("its rule has an ARN of no known form: {rule}"));
        };
        let mut targets: Vec<TargetOfRule> = match rules::targets_of(&self.eventbridge, bus, name, rule).await {
            Ok(targets) => targets,
            Err(error) if error.kind() == Kind::Unreachable => return Err(error),
            Err(error) if error.kind() == Kind::NotFound => {
                return no_target(format!("rule {name} is gone, so that nobody knows what it gave its target"));
            }
            Err(error) => return Ok(Err(Unaddressed::Undetermined(error.chain().join(": ")))),
        };
        targets.retain(|it| it.arn == target);
        let mut found: Vec<Result<RuleTarget, String>> =
            targets.iter().map(|it| RuleTarget::of(recipient.clone(), it)).collect();
        found.dedup();
        match found.as_slice() {
            [] => no_target(format!("rule {name} does not have the target {target} any more")),
            [one] => Ok(one.clone().map_err(Unaddressed::NoTarget)),
            _ => no_target(format!("rule {name} has the target {target} several times, and gives it different things")),
        }
    }

    async fn records(&self, discarded: &DiscardedRecords) -> Result<Result<Found, Unaddressed>> {
        let recipient = match self.recipient(&discarded.function_arn) {
            // Whether it could handle them is in its answer, and nobody reads the answer of an asynchronous invocation.
            Ok(Recipient::Function { name, qualifier, .. }) => {
                Recipient::Function { name, qualifier, manner: Manner::Synchronous }
            }
            Ok(other) => return Ok(Err(Unaddressed::NoTarget(format!("{} is no function", other.words())))),
            Err(why) => return Ok(Err(Unaddressed::NoTarget(why))),
        };
        let permit = self.reads.acquire().await;
        let read = streams::records(&self.streams, &discarded.position()).await;
        drop(permit);
        match read {
            Ok(Some(records)) => Ok(Ok(Found::Records { recipient, records })),
            Ok(None) => Ok(Err(Unaddressed::Gone(
                "it tells only where in the stream its records were, and the stream, which keeps records for 24 hours, \
                 does not have them any more; the items are in the table as they are now"
                    .to_owned(),
            ))),
            Err(error) if error.kind() == Kind::Unreachable => Err(error),
            Err(error) => Ok(Err(Unaddressed::Undetermined(error.chain().join(": ")))),
        }
    }

    /// By ARN. An error says why a replay cannot give it anything.
    fn recipient(&self, arn: &str) -> Result<Recipient, String> {
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", _, service, region, account, resource @ ..] = parts.as_slice() else {
            return Err(format!("its target {arn} has no ARN of a known form"));
        };
        if *region != self.region {
            return Err(format!("its target {arn} is in region {region}, and this environment in {}", self.region));
        }
        if let Some(ours) = self.account.as_ref().filter(|ours| ours.as_str() != *account) {
            return Err(format!("its target {arn} is of account {account}, and this environment of {ours}"));
        }
        match (*service, resource) {
            ("lambda", ["function", name, qualifier @ ..]) => Ok(Recipient::Function {
                name: (*name).to_owned(),
                qualifier: qualifier.first().filter(|it| **it != "$LATEST").map(|it| (*it).to_owned()),
                manner: Manner::Asynchronous,
            }),
            ("sns", [name]) if !name.ends_with(".fifo") => Ok(Recipient::Topic(arn.to_owned())),
            ("sqs", [_]) => Ok(Recipient::Queue { arn: arn.to_owned(), group: None }),
            ("states", ["stateMachine", ..]) => {
                Ok(Recipient::StateMachine { arn: arn.to_owned(), execution: String::new() })
            }
            ("logs", ["log-group", name, ..]) => Ok(Recipient::LogGroup { name: (*name).to_owned(), at: 0 }),
            _ => Err(format!(
                "a replay gives events to functions, topics, queues, state machines and log groups, and its \
                              target {arn} is none"
            )),
        }
    }
}

impl RuleTarget {
    fn of(recipient: Recipient, target: &TargetOfRule) -> Result<RuleTarget, String> {
        let group = target.sqs_parameters().and_then(|parameters| parameters.message_group_id.clone());
        let recipient = match recipient {
            Recipient::Queue { arn, .. } if arn.ends_with(".fifo") && group.is_none() => {
                return Err(format!("its target {arn} is a FIFO queue, and the rule names no message group"));
            }
            Recipient::Queue { arn, .. } => Recipient::Queue { arn, group },
            other => other,
        };
        Ok(RuleTarget { recipient, input: Input::of(target)? })
    }

    fn address(self, event: &str) -> Result<Addressed, String> {
        let body = self.input.apply(event)?;
        let parsed: Value = serde_json::from_str(event).unwrap_or_default();
        let recipient = match self.recipient {
            Recipient::StateMachine { arn, .. } => {
                Recipient::StateMachine { arn, execution: execution_name(parsed["id"].as_str(), event) }
            }
            Recipient::LogGroup { name, .. } => {
                let time = parsed["time"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
                Recipient::LogGroup { name, at: time.unwrap_or_else(Timestamp::now).as_millisecond() }
            }
            other => other,
        };
        Ok(Addressed { recipient, body })
    }
}

/// The event's id, where it can be the name of an execution; else a digest of the event.
fn execution_name(id: Option<&str>, event: &str) -> String {
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    match id.filter(|id| (1..=LONGEST_NAME).contains(&id.len()) && id.bytes().all(is_plain)) {
        Some(id) => id.to_owned(),
        None => Sha256::digest(event).iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// Of `arn:…:rule/NAME` on the default bus, or `arn:…:rule/BUS/NAME`.
fn bus_and_rule(arn: &str) -> Option<(&str, &str)> {
    let (_, rule) = arn.split_once(":rule/")?;
    Some(rule.rsplit_once('/').unwrap_or(("default", rule)))
}

impl From<Unaddressed> for String {
    fn from(unaddressed: Unaddressed) -> String {
        match unaddressed {
            Unaddressed::NoTarget(why) | Unaddressed::Gone(why) | Unaddressed::Undetermined(why) => why,
        }
    }
}

#[cfg(test)]
mod tests;
