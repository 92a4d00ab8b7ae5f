//! One SendMessageBatch, and whether SQS may have taken what it did not answer.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use aws_sdk_sqs::types::SendMessageBatchResultEntry;
use claimctl_aws::Explain;
use claimctl_core::error::Result;

use super::outgoing::{EntryOptions, Outgoing};
use crate::batch::{Answer, Call};
use crate::{Queue, digest};

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

/// What SQS says of a message that it took.
#[derive(Debug)]
pub struct Accepted {
    pub new_id: String,
    /// It took something else than was sent, as its digests tell.
    pub is_altered: bool,
}

impl Accepted {
    fn of(done: SendMessageBatchResultEntry, message: Option<&Outgoing>) -> Accepted {
        let is_altered = message.is_some_and(|message| {
            let trace = message.trace.as_deref().and_then(digest::of_trace);
            let attributes = digest::of_attributes(&message.attributes);
            digest::differs(Some(&done.md5_of_message_body), Some(&digest::of_body(&message.body)))
                || digest::differs(done.md5_of_message_attributes.as_deref(), attributes.as_deref())
                || digest::differs(done.md5_of_message_system_attributes.as_deref(), trace.as_deref())
        });
        Accepted { new_id: done.message_id, is_altered }
    }
}

impl Call for SendBatch<'_> {
    type Entry = Outgoing;
    type Done = Accepted;

    async fn call(&self, queue: &Queue, messages: &[Outgoing]) -> Result<Answer<Accepted>> {
        // Whatever fails before an answer leaves all of them without one.
        self.unanswered.store(messages.len(), Ordering::Relaxed);
        let entries = messages.iter().enumerate().map(|(index, message)| message.to_entry(index, self.entry_options));
        let entries = entries.collect::<Result<_>>()?;
        let call = queue.sqs.send_message_batch().queue_url(&*queue.url).set_entries(Some(entries));
        let sent = call.send().await;
        self.doubtful.store(sent.as_ref().is_err_and(claimctl_aws::may_have_arrived), Ordering::Relaxed);
        let answer = sent.or_needs(&format!("send to queue {}", queue.name()), SEND, &queue.arn_pattern())?;
        self.unanswered.store(0, Ordering::Relaxed);
        let accepted = |done: SendMessageBatchResultEntry| {
            let message = done.id.parse::<usize>().ok().and_then(|index| messages.get(index));
            (done.id.clone(), Accepted::of(done, message))
        };
        let successful = answer.successful.into_iter().map(accepted).collect();
        Ok(Answer { successful, failed: answer.failed })
    }
}
