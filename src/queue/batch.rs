//! Changes to received messages in batches of ten, and the one policy for entries that fail.

use std::time::Duration;

use aws_sdk_sqs::types::{BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry};

use super::Queue;
use crate::aws::Explain;

/// The most entries that a batch call takes (Amazon SQS API Reference, ChangeMessageVisibilityBatch).
pub const SIZE: usize = 10;

/// Of the single call and of the batch.
pub const CHANGE_VISIBILITY: &str = "sqs:ChangeMessageVisibility";

/// A whole call is retried by the client; this is for the entries that a call was answered without.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// A received message: its id, and the handle that stands for this receipt of it.
#[derive(Debug, Clone)]
pub struct Receipt {
    pub message_id: Box<str>,
    pub handle: Box<str>,
}

/// What became of each entry.
#[derive(Debug, Default)]
pub struct Outcome {
    pub done: Vec<Box<str>>,
    /// The handle no longer holds the message: it is visible again, was deleted, or was received by someone else.
    pub gone: Vec<Box<str>>,
    /// Message id and reason.
    pub failed: Vec<(Box<str>, String)>,
}

/// Hides up to ten messages for `timeout` from now; zero makes them visible at once.
pub async fn change_visibility(queue: &Queue, receipts: Vec<Receipt>, timeout: Duration) -> Outcome {
    let mut outcome = Outcome::default();
    let mut left = receipts;
    let mut pause = FIRST_PAUSE;
    for attempt in 1..=ATTEMPTS {
        let failures = match attempt_once(queue, &left, timeout).await {
            Ok(failures) => failures,
            Err(error) => {
                let reason = error.chain().join(": ");
                outcome.failed.extend(left.into_iter().map(|receipt| (receipt.message_id, reason.clone())));
                return outcome;
            }
        };
        let mut again = Vec::new();
        for (index, receipt) in left.into_iter().enumerate() {
            match failures.iter().find(|failure| failure.id == index.to_string()) {
                None => outcome.done.push(receipt.message_id),
                Some(failure) if is_gone(failure) => outcome.gone.push(receipt.message_id),
                Some(failure) if attempt == ATTEMPTS || failure.sender_fault => {
                    outcome.failed.push((receipt.message_id, reason(failure)));
                }
                Some(_) => again.push(receipt),
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

async fn attempt_once(
    queue: &Queue,
    receipts: &[Receipt],
    timeout: Duration,
) -> Result<Vec<BatchResultErrorEntry>, crate::error::Error> {
    let entries = receipts.iter().enumerate().map(|(index, receipt)| {
        ChangeMessageVisibilityBatchRequestEntry::builder()
            .id(index.to_string())
            .receipt_handle(&*receipt.handle)
            .visibility_timeout(timeout.as_secs().try_into().unwrap_or(i32::MAX))
            .build()
    });
    let doing = format!("change the visibility of messages in queue {}", queue.name());
    let entries = entries
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| crate::error::Error::unexpected(format!("cannot {doing}")).caused_by(error))?;
    let call = queue.sqs.change_message_visibility_batch().queue_url(&*queue.url).set_entries(Some(entries));
    Ok(call.send().await.or_needs(&doing, CHANGE_VISIBILITY, &queue.arn_pattern())?.failed)
}

fn is_gone(failure: &BatchResultErrorEntry) -> bool {
    let code = failure.code.rsplit('.').next().unwrap_or_default();
    ["MessageNotInflight", "ReceiptHandleIsInvalid", "InvalidParameterValue"].contains(&code)
}

fn reason(failure: &BatchResultErrorEntry) -> String {
    match &failure.message {
        Some(message) => format!("{message} ({})", failure.code),
        None => failure.code.clone(),
    }
}
