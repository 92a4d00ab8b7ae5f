//! Receiving from an SQS queue, and deleting what is done.

use serde_json::{Value, json};

use super::{Aws, Deadline, Failure, Service};

/// The most that one receive or one batch may hold. Source: "Amazon SQS message quotas".
const BATCH: usize = 10;
/// A long poll asks all of a queue's servers, so that an empty answer means an empty queue.
const WAIT_SECONDS: u32 = 2;
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

impl Aws {
    /// Up to ten messages; none after a short wait on an empty queue.
    pub async fn receive_messages(&self, queue_url: &str, deadline: Deadline) -> Result<Vec<Received>, Failure> {
        let input = json!({
            "QueueUrl": queue_url,
            "MaxNumberOfMessages": BATCH,
            "WaitTimeSeconds": WAIT_SECONDS,
            "MessageSystemAttributeNames": ["ApproximateReceiveCount", "MessageGroupId"],
        });
        let answer = self.json(Service::Sqs, "ReceiveMessage", &input, deadline).await?;
        Ok(answer["Messages"].as_array().into_iter().flatten().map(read_message).collect())
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
        let entries: Vec<_> = handles
            .iter()
            .enumerate()
            .map(|(at, handle)| json!({ "Id": at.to_string(), "ReceiptHandle": handle }))
            .collect();
        let input = json!({ "QueueUrl": queue_url, "Entries": entries });
        let answer = self.json(Service::Sqs, "DeleteMessageBatch", &input, deadline).await?;
        let failed = answer["Failed"].as_array().into_iter().flatten();
        let position = |entry: &Value| entry["Id"].as_str()?.parse().ok();
        Ok(failed.filter_map(|entry| Some((position(entry)?, entry["SenderFault"] == true))).collect())
    }
}

fn read_message(message: &Value) -> Received {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let attributes = &message["Attributes"];
    Received {
        message_id: text(&message["MessageId"]),
        receipt_handle: text(&message["ReceiptHandle"]),
        body: text(&message["Body"]),
        receive_count: attributes["ApproximateReceiveCount"].as_str().and_then(|count| count.parse().ok()),
        group: attributes["MessageGroupId"].as_str().map(Into::into),
    }
}
