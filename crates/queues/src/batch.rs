//! Calls of up to ten entries, and the one policy for entries that fail.

use std::time::Duration;

use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
};
use claimctl_aws::Explain;
use claimctl_core::error::{Error, Result};

use super::Queue;

/// The most entries that a batch call takes (Amazon SQS API Reference, ChangeMessageVisibilityBatch).
pub const SIZE: usize = 10;

/// Of the single call and of the batch.
pub const CHANGE_VISIBILITY: &str = "sqs:ChangeMessageVisibility";
pub const DELETE: &str = "sqs:DeleteMessage";

/// A whole call is retried by the client; this is for the entries that a call was answered without.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

const NO_LONGER_HELD: [&str; 3] = ["MessageNotInflight", "ReceiptHandleIsInvalid", "InvalidParameterValue"];

/// A received message: its id, and the handle that stands for this receipt of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub message_id: Box<str>,
    pub handle: Box<str>,
}

/// A batch call of SQS. An entry's id in the call is its index.
pub trait Call: Sync {
    type Entry: Send + Sync;
    /// What SQS says of an entry that worked.
    type Done: Send;
    /// The codes, without a prefix, that say that a handle no longer holds its message.
    const GONE: &[&str] = &[];

    fn call(&self, queue: &Queue, entries: &[Self::Entry]) -> impl Future<Output = Result<Answer<Self::Done>>> + Send;
}

/// What one call said of its entries, each by its id.
#[derive(Debug)]
pub struct Answer<D> {
    pub successful: Vec<(String, D)>,
    pub failed: Vec<BatchResultErrorEntry>,
}

/// What became of each entry.
#[derive(Debug)]
pub struct Outcome<E, D = ()> {
    pub done: Vec<(E, D)>,
    /// The handle no longer holds the message: it is visible again, was deleted, or was received by someone else.
    pub gone: Vec<E>,
    /// With the reason.
    pub failed: Vec<(E, String)>,
    /// Why a whole call failed; its entries are among the failed ones.
    pub error: Option<Error>,
}

impl<E, D> Default for Outcome<E, D> {
    fn default() -> Self {
        Outcome { done: Vec::new(), gone: Vec::new(), failed: Vec::new(), error: None }
    }
}

/// Hides up to ten messages for `timeout` from now; zero makes them visible at once.
pub async fn change_visibility(queue: &Queue, receipts: Vec<Receipt>, timeout: Duration) -> Outcome<Receipt> {
    run(&ChangeVisibility { timeout }, queue, receipts).await
}

/// Deletes up to ten messages. An expired handle may be answered with success and delete nothing, so that the caller
/// has to know that the messages are still hidden.
pub async fn delete(queue: &Queue, receipts: Vec<Receipt>) -> Outcome<Receipt> {
    run(&Delete, queue, receipts).await
}

/// Calls until every entry is decided. Entries that failed through no fault of the sender are tried again.
pub async fn run<C: Call>(call: &C, queue: &Queue, entries: Vec<C::Entry>) -> Outcome<C::Entry, C::Done> {
    let mut outcome = Outcome::default();
    let mut left = entries;
    let mut pause = FIRST_PAUSE;
    for attempt in 1..=ATTEMPTS {
        let mut answer = match call.call(queue, &left).await {
            Ok(answer) => answer,
            Err(error) => {
                let reason = error.chain().join(": ");
                outcome.failed.extend(left.into_iter().map(|entry| (entry, reason.clone())));
                outcome.error = Some(error);
                return outcome;
            }
        };
        let mut again = Vec::new();
        for (index, entry) in left.into_iter().enumerate() {
            let id = index.to_string();
            if let Some(at) = answer.successful.iter().position(|(done, _)| *done == id) {
                outcome.done.push((entry, answer.successful.swap_remove(at).1));
                continue;
            }
            match answer.failed.iter().find(|failure| failure.id == id) {
                Some(failure) if C::GONE.contains(&code(failure)) => outcome.gone.push(entry),
                Some(failure) if attempt == ATTEMPTS || failure.sender_fault => {
                    outcome.failed.push((entry, reason(failure)));
                }
                None if attempt == ATTEMPTS => {
                    outcome.failed.push((entry, "the service said nothing about it".to_owned()));
                }
                _ => again.push(entry),
            }
        }
        if again.is_empty() {
            break;
        }
        left = again;
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    outcome
}

struct ChangeVisibility {
    timeout: Duration,
}

impl Call for ChangeVisibility {
    type Entry = Receipt;
    type Done = ();
    const GONE: &[&str] = &NO_LONGER_HELD;

    async fn call(&self, queue: &Queue, receipts: &[Receipt]) -> Result<Answer<()>> {
        let doing = format!("change the visibility of messages in queue {}", queue.name());
        let timeout = self.timeout.as_secs().try_into().unwrap_or(i32::MAX);
        let entries = receipts.iter().enumerate().map(|(index, receipt)| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(&*receipt.handle)
                .visibility_timeout(timeout)
                .build()
        });
        let entries = entries.collect::<Result<_, _>>().map_err(|error| incomplete(&doing, error))?;
        let call = queue.sqs.change_message_visibility_batch().queue_url(&*queue.url).set_entries(Some(entries));
        let answer = call.send().await.or_needs(&doing, CHANGE_VISIBILITY, &queue.arn_pattern())?;
        let successful = answer.successful.into_iter().map(|done| (done.id, ())).collect();
        Ok(Answer { successful, failed: answer.failed })
    }
}

struct Delete;

impl Call for Delete {
    type Entry = Receipt;
    type Done = ();
    const GONE: &[&str] = &NO_LONGER_HELD;

    async fn call(&self, queue: &Queue, receipts: &[Receipt]) -> Result<Answer<()>> {
        let doing = format!("delete messages from queue {}", queue.name());
        let entries = receipts.iter().enumerate().map(|(index, receipt)| {
            DeleteMessageBatchRequestEntry::builder().id(index.to_string()).receipt_handle(&*receipt.handle).build()
        });
        let entries = entries.collect::<Result<_, _>>().map_err(|error| incomplete(&doing, error))?;
        let call = queue.sqs.delete_message_batch().queue_url(&*queue.url).set_entries(Some(entries));
        let answer = call.send().await.or_needs(&doing, DELETE, &queue.arn_pattern())?;
        let successful = answer.successful.into_iter().map(|done| (done.id, ())).collect();
        Ok(Answer { successful, failed: answer.failed })
    }
}

fn incomplete(doing: &str, error: aws_sdk_sqs::error::BuildError) -> Error {
    Error::unexpected(format!("cannot {doing}")).caused_by(error)
}

fn code(failure: &BatchResultErrorEntry) -> &str {
    failure.code.rsplit('.').next().unwrap_or_default()
}

fn reason(failure: &BatchResultErrorEntry) -> String {
    match &failure.message {
        Some(message) => format!("{message} ({})", failure.code),
        None => failure.code.clone(),
    }
}
