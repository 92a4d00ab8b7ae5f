//! Poll mode: empties the queue by itself when a schedule says so.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Recorder;
use super::claim::Problem;
use crate::aws::Received;
use crate::event::{Content, Invocation, Message, handle_batch};
use crate::log::{self, Level};

/// No new receive with less time than this: what is received should also be recorded and deleted.
const TIME_FOR_A_BATCH: Duration = Duration::from_secs(5);

/// What one run has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub received: usize,
    /// Their claims are in the table; test events have none.
    pub handled: usize,
    /// Left in the queue, to be received again or moved to the dead-letter queue.
    pub failed: usize,
    /// Handled, but still in the queue: they come back and are found to be recorded.
    pub undeleted: usize,
    /// The queue was empty at the end; otherwise time was nearly up.
    pub emptied: bool,
}

impl Summary {
    pub fn to_json(&self) -> Value {
        json!({
            "received": self.received, "handled": self.handled, "failed": self.failed,
            "undeleted": self.undeleted, "emptied": self.emptied,
        })
    }
}

/// Receives, records and deletes until the queue is empty or time is nearly up.
pub async fn empty_queue(recorder: &Arc<Recorder>, invocation: &Invocation) -> Result<Summary, Problem> {
    let started = Instant::now();
    let queue_url = recorder.config.queue_url.as_deref().ok_or(Problem::NoQueueUrl)?;
    let fifo = queue_url.ends_with(".fifo");
    let mut summary = Summary::default();
    while invocation.deadline.allows(TIME_FOR_A_BATCH) {
        let received = recorder.aws.receive_messages(queue_url, invocation.deadline).await?;
        if received.is_empty() {
            summary.emptied = true;
            break;
        }
        let messages = received.iter().map(|received| message(received, fifo)).collect();
        let failed = handle_batch(recorder, messages, invocation).await;
        let handles: Vec<_> =
            received.iter().filter(|r| !failed.contains(&r.message_id)).map(|r| r.receipt_handle.clone()).collect();
        summary.received += received.len();
        summary.failed += received.len() - handles.len();
        summary.handled += handles.len();
        summary.undeleted += recorder.aws.delete_messages(queue_url, &handles, invocation.deadline).await?;
    }
    let fields = vec![
        ("request_id", invocation.request_id.as_str().into()),
        ("summary", summary.to_json()),
        ("duration_ms", (started.elapsed().as_millis() as u64).into()),
    ];
    log::line(Level::Info, "queue polled", fields);
    Ok(summary)
}

fn message(received: &Received, fifo: bool) -> Message {
    Message {
        id: Some(received.message_id.clone()),
        content: Content::Body(received.body.clone()),
        receive_count: received.receive_count,
        group: received.group.clone().filter(|_| fifo),
    }
}
