//! One SendMessageBatch, and whether SQS may have taken what it did not answer.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use claimctl_aws::Explain;
use claimctl_core::error::Result;

use super::outgoing::{EntryOptions, Outgoing};
use crate::Queue;
use crate::batch::{Answer, Call};

/// Of the single call and of the batch (Amazon SQS Developer Guide, "Amazon SQS API permissions").
pub const SEND: &str = "sqs:SendMessage";

pub struct SendBatch<'a> {
    entry_options: &'a EntryOptions,
    /// Entries of a call that failed as a whole.
    unanswered: AtomicUsize,
    doubtful: AtomicBool,
}

impl<'a> SendBatch<'a> {
    pub fn new(entry_options: &'a EntryOptions) -> Self {
        SendBatch { entry_options, unanswered: AtomicUsize::new(0), doubtful: AtomicBool::new(false) }
    }

    /// How many entries, the last ones of those that failed, were in a call that failed as a whole.
    pub fn unanswered(&self) -> usize {
        self.unanswered.load(Ordering::Relaxed)
    }

    /// Whether SQS may have taken those.
    pub fn is_doubtful(&self) -> bool {
        self.doubtful.load(Ordering::Relaxed)
    }
}

impl Call for SendBatch<'_> {
    type Entry = Outgoing;
    /// The new message id.
    type Done = String;

    async fn call(&self, queue: &Queue, messages: &[Outgoing]) -> Result<Answer<String>> {
        // Whatever fails before an answer leaves all of them without one.
        self.unanswered.store(messages.len(), Ordering::Relaxed);
        let entries = messages.iter().enumerate().map(|(index, message)| message.to_entry(index, self.entry_options));
        let entries = entries.collect::<Result<_>>()?;
        let call = queue.sqs.send_message_batch().queue_url(&*queue.url).set_entries(Some(entries));
        let sent = call.send().await;
        self.doubtful.store(sent.as_ref().is_err_and(claimctl_aws::may_have_arrived), Ordering::Relaxed);
        let answer = sent.or_needs(&format!("send to queue {}", queue.name()), SEND, &queue.arn_pattern())?;
        self.unanswered.store(0, Ordering::Relaxed);
        let successful = answer.successful.into_iter().map(|done| (done.id, done.message_id)).collect();
        Ok(Answer { successful, failed: answer.failed })
    }
}
