//! Takes one batch to its end: what is intended is durable before the call, and what became of it is noted after it.

use std::sync::Arc;
use std::time::Duration;

use claimctl_core::error::{Error, Result};

use super::call::{Accepted, SendBatch};
use super::outgoing::{EntryOptions, Outgoing};
use crate::journal::{Entry, ItemState, JournalWriter};
use crate::{Queue, batch};

/// How often a batch is sent again when a call may have arrived but had no answer: loss is worse than a double.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);

/// What every batch of a run shares.
#[derive(Debug)]
pub struct Lane {
    pub queue: Queue,
    pub entry_options: EntryOptions,
    pub writer: JournalWriter,
    /// What was sent is deleted elsewhere, so that its new ids have to be durable before they are told.
    pub moves: bool,
}

/// What became of the messages of a batch.
#[derive(Debug, Default)]
pub struct Delivered {
    /// With the new message id.
    pub sent: Vec<(Outgoing, String)>,
    /// With the reason. SQS does not have them.
    pub failed: Vec<(Outgoing, String)>,
    /// SQS may have them: the last call had no answer.
    pub undecided: Vec<Outgoing>,
    /// Never tried.
    pub untouched: Vec<Outgoing>,
    /// Why no other batch can be expected to fare better.
    pub error: Option<Error>,
}

pub async fn deliver(lane: Arc<Lane>, batch: Vec<Outgoing>) -> Delivered {
    let intents = batch.iter().map(|message| Entry::new(message.item.clone(), ItemState::Intent)).collect();
    if let Err(error) = lane.writer.record(intents).await {
        return Delivered { untouched: batch, error: Some(error), ..Delivered::default() };
    }
    let mut delivered = Delivered::default();
    let mut left = batch;
    for attempt in 1..=TRIES {
        let call = SendBatch::new(&lane.entry_options);
        let outcome = batch::run(&call, &lane.queue, left).await;
        let (mut done, mut failed) = (outcome.done, outcome.failed);
        let unanswered = failed.split_off(failed.len().saturating_sub(call.unanswered()));
        // An answer about this try says nothing of an earlier one that had none.
        let earlier = failed.extract_if(.., |(message, _)| attempt > 1 || message.again);
        delivered.undecided.extend(earlier.map(|(message, _)| message));
        delivered.failed.append(&mut failed);
        if let Err(error) = delivered.note_sent(&lane, &mut done).await {
            delivered.undecided.extend(unanswered.into_iter().map(|(message, _)| message));
            delivered.error = Some(error);
            break;
        }
        if unanswered.is_empty() {
            break;
        }
        if call.is_doubtful() && attempt < TRIES {
            // SQS knows a deduplication id for five minutes, so that a FIFO queue does not take it twice.
            let again = lane.entry_options.deduplicate.is_none();
            left = unanswered
                .into_iter()
                .map(|(message, _)| Outgoing { again: message.again || again, ..message })
                .collect();
            tokio::time::sleep(PAUSE * attempt).await;
            continue;
        }
        delivered.error = outcome.error;
        let open = |message: &Outgoing| call.is_doubtful() || attempt > 1 || message.again;
        for (message, why) in unanswered {
            match open(&message) {
                true => delivered.undecided.push(message),
                false => delivered.failed.push((message, why)),
            }
        }
        break;
    }
    let failures = delivered.failed.iter();
    let failures = failures.map(|(message, why)| Entry::new(message.item.clone(), ItemState::Failed).with_detail(why));
    if let Err(error) = lane.writer.note(failures.collect()).await {
        delivered.error.get_or_insert(error);
    }
    delivered
}

impl Delivered {
    /// With what became of others.
    pub fn add(&mut self, others: Delivered) {
        self.sent.extend(others.sent);
        self.failed.extend(others.failed);
        self.undecided.extend(others.undecided);
        self.untouched.extend(others.untouched);
        self.error = self.error.take().or(others.error);
    }

    async fn note_sent(&mut self, lane: &Lane, done: &mut Vec<(Outgoing, Accepted)>) -> Result<()> {
        let mut entries = Vec::with_capacity(done.len());
        let mut sent = Vec::with_capacity(done.len());
        for (message, Accepted { new_id, is_altered }) in done.drain(..) {
            // SQS answers a message that it swallows with the id of the one it takes it for.
            if message.message_id.as_deref() == Some(new_id.as_str()) {
                self.failed.push((message, format!("swallowed: SQS takes it for a copy of message {new_id}")));
                continue;
            }
            if is_altered {
                let why = format!("SQS took it as message {new_id}, and not as it was sent: the MD5 digests differ");
                self.failed.push((message, why));
                continue;
            }
            entries.push(message.sent_as(&new_id));
            sent.push((message, new_id));
        }
        let noted = match lane.moves {
            true => lane.writer.record(entries).await,
            false => lane.writer.note(entries).await,
        };
        match lane.moves && noted.is_err() {
            // Deleting what is sent wants a journal that says so.
            true => self.undecided.extend(sent.into_iter().map(|(message, _)| message)),
            false => self.sent.append(&mut sent),
        }
        noted
    }
}
