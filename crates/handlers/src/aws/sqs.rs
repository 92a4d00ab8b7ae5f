//! Receiving from an SQS queue, deleting what is done, and sending.

use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, Message, MessageAttributeValue, MessageSystemAttributeName,
    SendMessageBatchRequestEntry,
};

use super::failure::is_throttle;
use super::{Aws, Deadline, Failure, NotTaken};

/// The most that one receive or one batch may hold. Source: "Amazon SQS message quotas".
const BATCH: usize = 10;
/// A long poll asks all of a queue's servers, so that an empty answer means an empty queue.
const WAIT_SECONDS: i32 = 2;
const DELETE_TRIES: u32 = 3;

/// A message as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    pub message_id: String,
    pub receipt_handle: String,
    pub body: String,
    pub receive_count: Option<u64>,
    /// The message group, in a FIFO queue.
    pub group: Option<String>,
}

/// A message to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    pub body: String,
    /// The message group and the deduplication id: of a FIFO queue's messages only.
    pub fifo: Option<(String, String)>,
    /// Attributes of the type String.
    pub attributes: Vec<(&'static str, String)>,
}

impl Aws {
    /// `SendMessageBatch`: at most [`MOST_ENTRIES`](super::MOST_ENTRIES), and what became of each.
    pub async fn send_messages(
        &self,
        queue_url: &str,
        messages: &[&Outgoing],
        deadline: Deadline,
    ) -> Result<Vec<Result<(), NotTaken>>, Failure> {
        let mut call = self.sqs().send_message_batch().queue_url(queue_url);
        for (at, message) in messages.iter().enumerate() {
            let mut entry =
                SendMessageBatchRequestEntry::builder().id(at.to_string()).message_body(message.body.as_str());
            if let Some((group, deduplication)) = &message.fifo {
                entry = entry.message_group_id(group).message_deduplication_id(deduplication);
            }
            for (name, value) in &message.attributes {
                let value = MessageAttributeValue::builder().data_type("String").string_value(value).build()?;
                entry = entry.message_attributes(*name, value);
            }
            call = call.entries(entry.build()?);
        }
        let answer = deadline.bound(call.send()).await??;
        let mut results = vec![Err(NotTaken::unanswered()); messages.len()];
        for (id, result) in
            answer.successful.iter().map(|sent| (sent.id(), Ok(()))).chain(answer.failed.iter().map(|failed| {
                let passes = !failed.sender_fault() || is_throttle(failed.code());
                (failed.id(), Err(NotTaken::new(failed.code(), failed.message(), passes)))
            }))
        {
            if let Some(place) = id.parse::<usize>().ok().and_then(|at| results.get_mut(at)) {
                *place = result;
            }
        }
        Ok(results)
    }

    /// Up to ten messages; none after a short wait on an empty queue.
    pub async fn receive_messages(&self, queue_url: &str, deadline: Deadline) -> Result<Vec<Received>, Failure> {
        let call = self
            .sqs()
            .receive_message()
            .queue_url(queue_url)
            .max_number_of_messages(BATCH as i32)
            .wait_time_seconds(WAIT_SECONDS)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::MessageGroupId);
        let answer = deadline.bound(call.send()).await??;
        Ok(answer.messages.unwrap_or_default().into_iter().map(Received::from).collect())
    }

    /// Deletes messages by their receipt handles and returns how many could not be deleted.
    ///
    /// Those come back after their visibility timeout; whoever handles them again finds them handled.
    pub async fn delete_messages(
        &self,
        queue_url: &str,
        receipt_handles: &[String],
        deadline: Deadline,
    ) -> Result<usize, Failure> {
        let mut undeletable = 0;
        for batch in receipt_handles.chunks(BATCH) {
            let mut left: Vec<&String> = batch.iter().collect();
            for _ in 0..DELETE_TRIES {
                let failed = self.delete_batch(queue_url, &left, deadline).await?;
                undeletable += failed.iter().filter(|(_, for_good)| *for_good).count();
                left = failed
                    .iter()
                    .filter(|(_, for_good)| !for_good)
                    .filter_map(|(at, _)| left.get(*at).copied())
                    .collect();
                if left.is_empty() {
                    break;
                }
            }
            undeletable += left.len();
        }
        Ok(undeletable)
    }

    /// The entries that failed, by position, and whether trying again is pointless.
    async fn delete_batch(
        &self,
        queue_url: &str,
        handles: &[&String],
        deadline: Deadline,
    ) -> Result<Vec<(usize, bool)>, Failure> {
        let mut call = self.sqs().delete_message_batch().queue_url(queue_url);
        for (at, handle) in handles.iter().enumerate() {
            let entry = DeleteMessageBatchRequestEntry::builder().id(at.to_string()).receipt_handle(*handle);
            call = call.entries(entry.build()?);
        }
        let answer = deadline.bound(call.send()).await??;
        Ok(answer.failed.iter().filter_map(|entry| Some((entry.id().parse().ok()?, entry.sender_fault()))).collect())
    }
}

impl From<Message> for Received {
    fn from(message: Message) -> Self {
        let mut attributes = message.attributes.unwrap_or_default();
        let receive_count = attributes.get(&MessageSystemAttributeName::ApproximateReceiveCount);
        Self {
            receive_count: receive_count.and_then(|count| count.parse().ok()),
            group: attributes.remove(&MessageSystemAttributeName::MessageGroupId),
            message_id: message.message_id.unwrap_or_default(),
            receipt_handle: message.receipt_handle.unwrap_or_default(),
            body: message.body.unwrap_or_default(),
        }
    }
}
