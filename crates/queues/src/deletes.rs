//! Deleting what is safe elsewhere: full batches, several at once, and only while the messages are surely hidden.

use std::collections::{BTreeMap, VecDeque};

use claimctl_aws::limiter::Limiter;
use claimctl_core::error::{Error, Result};
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde::Serialize;
use tokio::task::{JoinError, JoinHandle};

use super::Queue;
use super::batch::{self, Outcome, Receipt};
use super::receive::Receiver;
use crate::journal::{Entry, ItemState, JournalWriter};

/// Calls at once at most.
const MOST_AT_ONCE: usize = 64;

const TOO_LATE: &str = "its visibility timeout was over before it could be deleted";
const NOT_HELD: &str = "its receipt no longer held it: another consumer has it, or it was deleted";
const NOT_TRIED: &str = "it was not tried any more";

/// A message that is left in the queue, or may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    pub message_id: String,
    pub why: String,
}

/// What one answer said.
#[derive(Debug, Default)]
pub struct Taken {
    pub deleted: Vec<Box<str>>,
    /// One that every further call would meet.
    pub error: Option<Error>,
}

pub struct Deletes {
    queue: Queue,
    writer: JournalWriter,
    ready: VecDeque<Box<str>>,
    calls: FuturesUnordered<JoinHandle<Outcome<Receipt>>>,
    limiter: Limiter,
    have_worked: bool,
    given_up: bool,
    /// Messages that are not known to be deleted, with the reason. They may be received again.
    not_deleted: BTreeMap<Box<str>, String>,
}

impl Deletes {
    pub fn new(queue: Queue, writer: JournalWriter) -> Self {
        Deletes {
            queue,
            writer,
            ready: VecDeque::new(),
            calls: FuturesUnordered::new(),
            limiter: Limiter::adaptive(MOST_AT_ONCE),
            have_worked: false,
            given_up: false,
            not_deleted: BTreeMap::new(),
        }
    }

    pub fn add(&mut self, ids: Vec<Box<str>>) {
        self.ready.extend(ids);
    }

    /// Starts as many calls as help. What is no longer surely hidden is let go: it is received again.
    pub fn start(&mut self, receiver: &mut Receiver<'_>, whole_batches: bool) {
        while !self.given_up
            && let Some(turn) = self.limiter.begin()
        {
            let mut receipts = Vec::with_capacity(batch::SIZE);
            if whole_batches && self.ready.len() < batch::SIZE {
                return;
            }
            while receipts.len() < batch::SIZE
                && let Some(id) = self.ready.pop_front()
            {
                match receiver.receipt(&id) {
                    Some(receipt) => receipts.push(receipt),
                    None => {
                        receiver.let_go(&id);
                        self.not_deleted.insert(id, TOO_LATE.to_owned());
                    }
                }
            }
            if receipts.is_empty() {
                return;
            }
            let queue = self.queue.clone();
            self.calls.push(tokio::spawn(turn.run(async move { batch::delete(&queue, receipts).await })));
        }
    }

    /// The answer of a call. None: no call is open.
    pub async fn next(&mut self) -> Option<Result<Outcome<Receipt>, JoinError>> {
        self.calls.next().await
    }

    /// Takes note of an answer.
    pub async fn take(&mut self, outcome: Result<Outcome<Receipt>, JoinError>, receiver: &mut Receiver<'_>) -> Taken {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(died) => {
                let error = Error::unexpected("a call to the queue ended early").caused_by(died);
                return Taken { error: Some(error), ..Taken::default() };
            }
        };
        let mut deleted = Vec::with_capacity(outcome.done.len());
        for (receipt, ()) in outcome.done {
            // A delete that was answered too late may have deleted nothing.
            if receiver.confirm_deleted(&receipt) {
                self.not_deleted.remove(&receipt.message_id);
                deleted.push(receipt.message_id);
            } else {
                self.doubt(receipt, receiver, TOO_LATE);
            }
        }
        for receipt in outcome.gone {
            receiver.confirm_deleted(&receipt);
            self.doubt(receipt, receiver, NOT_HELD);
        }
        for (Receipt { message_id, .. }, why) in outcome.failed {
            self.not_deleted.insert(message_id, why);
        }
        self.have_worked |= !deleted.is_empty();
        let entries = deleted.iter().map(|id| Entry::new(id.clone(), ItemState::Deleted)).collect();
        let noted = self.writer.note(entries).await;
        Taken { deleted, error: outcome.error.or(noted.err()) }
    }

    /// What came again meanwhile is deleted by its newer receipt.
    fn doubt(&mut self, receipt: Receipt, receiver: &Receiver<'_>, why: &str) {
        if receiver.receipt(&receipt.message_id).is_some() {
            self.ready.push_back(receipt.message_id.clone());
        }
        self.not_deleted.insert(receipt.message_id, why.to_owned());
    }

    /// Whether one was deleted: only then is it known that it may be.
    pub fn have_worked(&self) -> bool {
        self.have_worked
    }

    /// Starts no more: what is not deleted yet stays in the queue.
    pub fn give_up(&mut self) {
        self.given_up = true;
    }

    pub fn are_done(&self) -> bool {
        self.calls.is_empty() && (self.given_up || self.ready.is_empty())
    }

    /// What is not known to be deleted, in the order of the ids.
    pub fn not_deleted(self) -> Vec<Left> {
        let not_tried = self.ready.into_iter().map(|id| (id, NOT_TRIED.to_owned()));
        let all: BTreeMap<_, _> = not_tried.chain(self.not_deleted).collect();
        all.into_iter().map(|(message_id, why)| Left { message_id: message_id.into(), why }).collect()
    }
}
