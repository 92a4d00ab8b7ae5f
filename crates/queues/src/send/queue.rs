//! The queue that is sent to.

use claimctl_aws::DoubtIsFinal;
use claimctl_aws::target::Target;
use claimctl_core::error::Result;

use super::limits;
use crate::Queue;
use crate::depth::{self, QueueDepth};

/// A queue with a client that does not send again by itself where a call may have arrived: that is the journal's
/// affair.
#[derive(Debug, Clone)]
pub struct SendQueue {
    pub queue: Queue,
    pub depth: QueueDepth,
}

impl SendQueue {
    pub fn of(target: &Target, depth: QueueDepth) -> SendQueue {
        let config = target.sqs().config().to_builder().retry_classifier(DoubtIsFinal).build();
        SendQueue { queue: Queue::new(aws_sdk_sqs::Client::from_conf(config), &depth.url), depth }
    }

    /// By any name that [`resolve`](crate::resolve::resolve) takes.
    pub async fn find(target: &Target, name: &str) -> Result<SendQueue> {
        Ok(SendQueue::of(target, depth::find(target, name).await?))
    }

    /// Bytes of one message that the queue takes.
    pub fn most_bytes(&self) -> usize {
        let most = self.depth.maximum_message_size.and_then(|most| usize::try_from(most).ok()).filter(|most| *most > 0);
        most.map_or(limits::BYTES, |most| most.min(limits::BYTES))
    }
}
