//! The calls of the receive loop, each a task of its own.

use std::time::Duration;

use aws_sdk_sqs::types::{Message as Received, MessageSystemAttributeName as System};
use claimctl_aws::Explain;
use claimctl_core::boot_time::BootTime;
use claimctl_core::error::{Error, Result};

use super::RECEIVE;
use crate::batch::{self, Receipt};
use crate::peek::Counts;
use crate::{Queue, depth};

/// Even a short poll that is not short asks every server of the queue (Amazon SQS Developer Guide, "short and long
/// polling"); waiting longer only makes the end of a look slower.
const POLL: Duration = Duration::from_secs(1);

pub enum Answer {
    Received { called: BootTime, asked: usize, answer: Result<Vec<Received>, NotReceived> },
    Counted(Result<Counts>),
    Extended { called: BootTime, outcome: batch::Outcome<Receipt> },
}

pub enum NotReceived {
    /// As many are in flight as the service allows.
    OverLimit,
    Failed(Error),
}

impl Answer {
    /// How many it brings.
    pub fn messages(&self) -> usize {
        match self {
            Answer::Received { answer: Ok(messages), .. } => messages.len(),
            _ => 0,
        }
    }
}

pub async fn receive(queue: Queue, ask: usize, visibility: Duration) -> Answer {
    // The timeout runs from the answer; counted from the call, it is never believed to be longer than it is.
    let called = BootTime::now();
    let call = queue
        .sqs
        .receive_message()
        .queue_url(&*queue.url)
        .max_number_of_messages(ask as i32)
        .visibility_timeout(visibility.as_secs() as i32)
        .wait_time_seconds(POLL.as_secs() as i32)
        .message_system_attribute_names(System::All)
        .message_attribute_names("All");
    let answer = match call.send().await {
        Err(error) if claimctl_aws::code(&error).is_some_and(|code| code.ends_with("OverLimit")) => {
            Err(NotReceived::OverLimit)
        }
        answer => answer
            .or_needs(&format!("receive from queue {}", queue.name()), RECEIVE, &queue.arn_pattern())
            .map(|answer| answer.messages.unwrap_or_default())
            .map_err(NotReceived::Failed),
    };
    Answer::Received { called, asked: ask, answer }
}

pub async fn count(queue: Queue) -> Answer {
    Answer::Counted(depth::read(&queue.sqs, &queue.url).await.map(|depth| Counts::from(&depth)))
}

pub async fn extend(queue: Queue, receipts: Vec<Receipt>, visibility: Duration) -> Answer {
    let called = BootTime::now();
    let outcome = batch::change_visibility(&queue, receipts, visibility).await;
    Answer::Extended { called, outcome }
}
