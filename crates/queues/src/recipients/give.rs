//! Gives dead letters to those that they are for, one to a call: what is intended is durable before the call, and what
//! came of it after it.

use std::sync::Arc;

use aws_sdk_cloudwatchlogs::types::{InputLogEvent, RejectedLogEventsInfo};
use aws_sdk_lambda::operation::RequestId;
use aws_sdk_lambda::primitives::Blob;
use claimctl_aws::target::Target;
use claimctl_aws::{DoubtIsFinal, Explain, may_have_arrived};
use claimctl_core::error::{Error, Kind, Result};
use serde_json::Value;

use super::{Recipient, invocation};
use crate::consumers::failures::pattern;
use crate::consumers::invoke::{self, INVOKE, Manner, says};
use crate::journal::{Entry, ItemState, JournalWriter};
use crate::send::deliver::{Delivered, Lane, deliver};
use crate::send::outgoing::{EntryOptions, Outgoing};
use crate::{Queue, resolve};

pub const PUBLISH: &str = "sns:Publish";
pub const START: &str = "states:StartExecution";
pub const PUT_EVENTS: &str = "logs:PutLogEvents";
pub const CREATE_STREAM: &str = "logs:CreateLogStream";

/// Bytes that Amazon SNS takes of a message, and Step Functions of an input (their quotas).
const SMALL_BYTES: usize = 256 << 10;
/// Bytes of one line (Amazon CloudWatch Logs API Reference, PutLogEvents).
const LINE_BYTES: usize = (1 << 20) - 26;
const QUEUE_BYTES: usize = 1 << 20;

/// Clients that do not call again by themselves where a call may have arrived: that is the journal's affair.
#[derive(Debug, Clone)]
pub struct Clients {
    lambda: aws_sdk_lambda::Client,
    /// Waits as long as a function may work.
    patient: aws_sdk_lambda::Client,
    sns: aws_sdk_sns::Client,
    sqs: aws_sdk_sqs::Client,
    sfn: aws_sdk_sfn::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
}

/// Why a dead letter was not taken.
struct Refusal {
    error: Error,
    /// It may have been taken all the same.
    in_doubt: bool,
}

impl Clients {
    pub fn new(target: &Target) -> Clients {
        let lambda = invoke::client(target);
        macro_rules! once {
            ($service:ident, $of:expr) => {
                $service::Client::from_conf($of.config().to_builder().retry_classifier(DoubtIsFinal).build())
            };
        }
        Clients {
            patient: invoke::patient(&lambda),
            lambda,
            sns: once!(aws_sdk_sns, target.sns()),
            sqs: once!(aws_sdk_sqs, target.sqs()),
            sfn: once!(aws_sdk_sfn, target.step_functions()),
            logs: once!(aws_sdk_cloudwatchlogs, target.logs()),
        }
    }

    /// The id that the service gives it.
    async fn give(&self, recipient: &Recipient, body: &str, run: &str) -> Result<String, Refusal> {
        match recipient {
            Recipient::Function { name, qualifier, manner } => {
                self.invoke(name, qualifier.as_deref(), *manner, body).await
            }
            Recipient::Topic(arn) => {
                let answer = self.sns.publish().topic_arn(arn).message(body).send().await;
                let in_doubt = answer.as_ref().is_err_and(may_have_arrived);
                let answer = answer.or_needs(&format!("publish to topic {arn}"), PUBLISH, arn);
                answer.map(|answer| answer.message_id.unwrap_or_default()).map_err(|error| Refusal { error, in_doubt })
            }
            Recipient::StateMachine { arn, execution } => self.start(arn, execution, body).await,
            Recipient::LogGroup { name, at } => self.write(name, *at, body, run).await,
            Recipient::Queue { arn, .. } => Err(Error::unexpected(format!("{arn} is sent to in batches")).into()),
        }
    }

    async fn invoke(&self, name: &str, qualifier: Option<&str>, manner: Manner, body: &str) -> Result<String, Refusal> {
        let client = if manner == Manner::Synchronous { &self.patient } else { &self.lambda };
        let call = client.invoke().function_name(name).set_qualifier(qualifier.map(str::to_owned));
        let answer = call.invocation_type(invocation(manner)).payload(Blob::new(body.as_bytes())).send().await;
        let in_doubt = answer.as_ref().is_err_and(may_have_arrived);
        let answer = answer.or_needs(&format!("invoke function {name}"), INVOKE, &pattern(name));
        let answer = answer.map_err(|error| Refusal { error, in_doubt })?;
        let id = answer.request_id().unwrap_or("accepted").to_owned();
        let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
        match failure(answer.function_error, &payload).filter(|_| manner == Manner::Synchronous) {
            // It was called and says that it failed: nothing is in doubt.
            Some(why) => Err(Error::unexpected(format!("function {name} {why}")).into()),
            None => Ok(id),
        }
    }

    async fn start(&self, arn: &str, execution: &str, body: &str) -> Result<String, Refusal> {
        let answer = self.sfn.start_execution().state_machine_arn(arn).name(execution).input(body).send().await;
        if answer.as_ref().is_err_and(|error| claimctl_aws::code(error) == Some("ExecutionAlreadyExists")) {
            return Ok(format!("{execution}, started before"));
        }
        let in_doubt = answer.as_ref().is_err_and(may_have_arrived);
        let answer = answer.or_needs(&format!("start an execution of {arn}"), START, arn);
        answer.map(|answer| answer.execution_arn).map_err(|error| Refusal { error, in_doubt })
    }

    /// As EventBridge does: the event is the line, and its time the line's (Amazon EventBridge User Guide, "Amazon
    /// CloudWatch Logs targets").
    async fn write(&self, group: &str, at: i64, body: &str, run: &str) -> Result<String, Refusal> {
        let stream = format!("claimctl-replay-{run}");
        let line = InputLogEvent::builder().timestamp(at).message(body).build();
        let line = line.map_err(|error| Error::unexpected("an event cannot be made into a line").caused_by(error))?;
        let put = self.logs.put_log_events().log_group_name(group).log_stream_name(&stream).log_events(line);
        let pattern = format!("arn:*:logs:*:*:log-group:{group}:*");
        let doing = format!("write to log group {group}");
        let mut answer = put.clone().send().await;
        if answer.as_ref().is_err_and(|error| claimctl_aws::code(error) == Some("ResourceNotFoundException")) {
            let made = self.logs.create_log_stream().log_group_name(group).log_stream_name(&stream).send().await;
            match made {
                Err(error) if claimctl_aws::code(&error) == Some("ResourceAlreadyExistsException") => {}
                made => _ = made.or_needs(&doing, CREATE_STREAM, &pattern)?,
            }
            answer = put.send().await;
        }
        let in_doubt = answer.as_ref().is_err_and(may_have_arrived);
        let answer = answer.or_needs(&doing, PUT_EVENTS, &pattern).map_err(|error| Refusal { error, in_doubt })?;
        match answer.rejected_log_events_info.as_ref().and_then(rejected) {
            Some(why) => Err(Error::unexpected(format!("log group {group} does not take its line: {why}")).into()),
            None => Ok(stream),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal { error, in_doubt: false }
    }
}

impl Recipient {
    /// Why it would not be taken, in words that end a sentence about it.
    pub fn check(&self, body: &str) -> Result<(), String> {
        let (who, most) = match self {
            Recipient::Function { manner, .. } => ("Lambda", manner.most_bytes()),
            Recipient::Topic(_) => ("Amazon SNS", SMALL_BYTES),
            Recipient::StateMachine { .. } => ("Step Functions", SMALL_BYTES),
            Recipient::Queue { .. } => ("SQS", QUEUE_BYTES),
            Recipient::LogGroup { .. } => ("CloudWatch Logs", LINE_BYTES),
        };
        match body.len() {
            bytes if bytes > most => Err(format!("its event has {bytes} bytes, and {who} takes {most}")),
            _ => Ok(()),
        }
    }
}

/// Takes dead letters to their end, one after the other. What is told as sent is durable in the journal.
pub async fn give(clients: &Clients, writer: &JournalWriter, run: &str, batch: Vec<Outgoing>) -> Delivered {
    let mut delivered = Delivered::default();
    let (to_queues, others): (Vec<_>, Vec<_>) =
        batch.into_iter().partition(|message| matches!(message.recipient.as_deref(), Some(Recipient::Queue { .. })));
    for message in to_queues {
        delivered.add(send(clients, writer, run, message).await);
    }
    let intents = others.iter().map(|message| Entry::new(message.item.clone(), ItemState::Intent)).collect();
    if let Err(error) = writer.record(intents).await {
        delivered.add(Delivered { untouched: others, error: Some(error), ..Delivered::default() });
        return delivered;
    }
    let (mut noted, mut sent) = (Vec::with_capacity(others.len()), Vec::with_capacity(others.len()));
    for message in others {
        let Some(recipient) = message.recipient.clone() else { continue };
        match clients.give(&recipient, &message.body, run).await {
            Ok(id) => {
                noted.push(message.sent_as(&id));
                sent.push((message, id));
            }
            Err(Refusal { error, in_doubt }) => {
                let why = error.chain().join(": ");
                // Others may be for somebody who takes them.
                if in_doubt || matches!(error.kind(), Kind::Unreachable | Kind::Denied) {
                    delivered.error.get_or_insert(error);
                }
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
    match writer.record(noted).await {
        Ok(()) => delivered.sent.append(&mut sent),
        Err(error) => {
            delivered.undecided.extend(sent.into_iter().map(|(message, _)| message));
            delivered.error.get_or_insert(error);
        }
    }
    delivered
}

/// Into the queue that is the target of a rule.
async fn send(clients: &Clients, writer: &JournalWriter, run: &str, message: Outgoing) -> Delivered {
    let Some(Recipient::Queue { arn, group }) = message.recipient.as_deref() else { return Delivered::default() };
    let url = match resolve::by_arn(&clients.sqs, arn).await {
        Ok(url) => url,
        Err(error) => {
            let why = error.chain().join(": ");
            let aborts = matches!(error.kind(), Kind::Unreachable | Kind::Denied);
            return Delivered { failed: vec![(message, why)], error: aborts.then_some(error), ..Delivered::default() };
        }
    };
    let entry_options = EntryOptions { deduplicate: arn.ends_with(".fifo").then(|| run.into()), delay: None };
    let queue = Queue::new(clients.sqs.clone(), &url);
    let lane = Lane { queue, entry_options, writer: writer.clone(), moves: true };
    let group = group.as_deref().map(Into::into);
    deliver(Arc::new(lane), vec![Outgoing { group, ..message }]).await
}

/// What a function that was waited for says it failed at: by an error, or by naming records that it could not handle (AWS
/// Lambda Developer Guide, "Implementing partial batch responses").
fn failure(error: Option<String>, payload: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(payload).unwrap_or_default();
    if let Some(kind) = error {
        return Some(format!("failed: {}", says(kind, &answer)));
    }
    let failures = answer["batchItemFailures"].as_array().filter(|failures| !failures.is_empty())?;
    Some(format!("could not handle all of its records: it names {}", failures.len()))
}

/// A line that is too old or too new is refused in an answer that is no error.
fn rejected(info: &RejectedLogEventsInfo) -> Option<&'static str> {
    if info.too_old_log_event_end_index.is_some() {
        return Some("it is more than 14 days old");
    }
    if info.expired_log_event_end_index.is_some() {
        return Some("it is older than the group keeps lines");
    }
    info.too_new_log_event_start_index.map(|_| "its time is in the future")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_that_could_not_handle_all_has_failed_also_without_an_error() {
        let failed = |error: Option<&str>, payload: &str| failure(error.map(str::to_owned), payload.as_bytes());
        assert_eq!(failed(None, r#"{"batchItemFailures":[]}"#), None);
        assert_eq!(failed(None, "null"), None);
        assert_eq!(failed(None, ""), None);
        let one = r#"{"batchItemFailures":[{"itemIdentifier":"1"}]}"#;
        assert_eq!(failed(None, one).as_deref(), Some("could not handle all of its records: it names 1"));
        let error = r#"{"errorType":"Unwell","errorMessage":"no queue"}"#;
        assert_eq!(failed(Some("Unhandled"), error).as_deref(), Some("failed: Unwell: no queue"));
    }

    #[test]
    fn what_is_too_large_for_its_recipient_is_not_tried() {
        let function = |manner| Recipient::Function { name: "f".into(), qualifier: None, manner };
        let large = "x".repeat((1 << 20) + 1);
        assert!(function(Manner::Synchronous).check(&large).is_ok());
        assert!(function(Manner::Asynchronous).check(&large).unwrap_err().contains("Lambda takes 1048576"));
        assert!(Recipient::Topic("t".into()).check(&large).is_err());
    }

    #[test]
    fn a_line_that_is_refused_is_not_taken_for_written() {
        let info = RejectedLogEventsInfo::builder();
        assert_eq!(rejected(&info.clone().build()), None);
        assert!(rejected(&info.clone().too_old_log_event_end_index(1).build()).is_some());
        assert!(rejected(&info.clone().expired_log_event_end_index(1).build()).is_some());
        assert!(rejected(&info.too_new_log_event_start_index(0).build()).is_some());
    }
}
