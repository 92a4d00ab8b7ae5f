//! The messages that a look holds: their receipt handles, and until when each stays hidden, by a clock that goes on in
//! suspend.
//!
//! Bodies are not kept, so that 100,000 held messages fit into tens of megabytes.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use claimctl_core::boot_time::BootTime;
use claimctl_core::units::count;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::Queue;
use super::batch::{self, Receipt};

/// Batches that are given back at once.
const CONCURRENCY: usize = 8;

#[derive(Debug, Default)]
pub struct InFlight(HashMap<Box<str>, InFlightMessage>);

#[derive(Debug)]
struct InFlightMessage {
    handle: Box<str>,
    hidden_until: BootTime,
}

impl InFlightMessage {
    fn receipt(&self, message_id: &str) -> Receipt {
        Receipt { message_id: message_id.into(), handle: self.handle.clone() }
    }
}

/// What became of the messages that were held. Every report on a look or a drain has these keys.
#[derive(Debug, Default, Serialize)]
pub struct Returned {
    /// Made visible by us.
    pub released: u64,
    /// Visible before we could make them so: their visibility timeout had passed, or someone took them away.
    pub already_visible: u64,
    pub not_released: Vec<NotReleased>,
}

impl Returned {
    /// Reads like "given back: 12 dead letters".
    pub fn sentence(&self, noun: &str) -> String {
        let released = count(self.released, noun);
        match self.already_visible {
            0 => format!("given back: {released}"),
            already => format!("given back: {released}; visible again or gone before that: {already}"),
        }
    }
}

/// A message that could not be given back and comes back by itself.
#[derive(Debug, Clone, Serialize)]
pub struct NotReleased {
    pub message_id: String,
    /// When its visibility timeout ends; RFC 3339, UTC.
    #[serde(serialize_with = "as_text")]
    pub visible_at: Timestamp,
    pub why: String,
}

impl fmt::Display for NotReleased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NotReleased { message_id, visible_at, why } = self;
        write!(f, "not given back: {message_id}, visible again by itself at {visible_at} ({why})")
    }
}

impl InFlight {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// False when it was held before: SQS delivered it a second time, and only the newest handle counts.
    pub fn hold(&mut self, receipt: Receipt, hidden_until: BootTime) -> bool {
        self.0.insert(receipt.message_id, InFlightMessage { handle: receipt.handle, hidden_until }).is_none()
    }

    /// Still hidden now, but for less than `margin`: in batches, to be extended.
    pub fn due(&self, margin: Duration) -> Vec<Vec<Receipt>> {
        let now = BootTime::now();
        let due = |hold: &InFlightMessage| now < hold.hidden_until && hold.hidden_until < now + margin;
        let receipts: Vec<_> = self.0.iter().filter(|(_, hold)| due(hold)).map(|(id, hold)| hold.receipt(id)).collect();
        in_batches(&receipts)
    }

    pub fn extended(&mut self, receipts: &[(Receipt, ())], hidden_until: BootTime) {
        for (receipt, ()) in receipts {
            if let Some(hold) = self.0.get_mut(&receipt.message_id).filter(|hold| hold.handle == receipt.handle) {
                hold.hidden_until = hidden_until;
            }
        }
    }

    /// The receipt of a message that stays hidden for at least `margin`.
    pub fn receipt(&self, message_id: &str, margin: Duration) -> Option<Receipt> {
        let hold = self.0.get(message_id).filter(|hold| hold.hidden_until > BootTime::now() + margin)?;
        Some(hold.receipt(message_id))
    }

    pub fn let_go(&mut self, message_id: &str) {
        self.0.remove(message_id);
    }

    /// A call by this receipt was answered: it is held no longer. False: it was visible by now, or came again under a
    /// newer receipt, which stays, so that what was done to it may not have worked.
    pub fn confirm_deleted(&mut self, receipt: &Receipt) -> bool {
        match self.0.get(&receipt.message_id) {
            Some(hold) if hold.handle == receipt.handle => {
                let hidden = hold.hidden_until > BootTime::now();
                self.0.remove(&receipt.message_id);
                hidden
            }
            _ => false,
        }
    }

    /// Makes everything visible again, except what is visible already: an old handle could take a message from
    /// whoever received it since.
    pub async fn release(self, queue: &Queue) -> Returned {
        let mut returned = Returned::default();
        let now = BootTime::now();
        let (hidden, expired): (Vec<_>, Vec<_>) = self.0.iter().partition(|(_, hold)| now < hold.hidden_until);
        returned.already_visible = expired.len() as u64;
        let hidden: Vec<_> = hidden.into_iter().map(|(id, hold)| hold.receipt(id)).collect();
        let mut batches = stream::iter(in_batches(&hidden))
            .map(|receipts| self.release_batch(queue, receipts))
            .buffer_unordered(CONCURRENCY);
        while let Some(outcome) = batches.next().await {
            returned.released += outcome.done.len() as u64;
            returned.already_visible += outcome.gone.len() as u64;
            for (Receipt { message_id, .. }, why) in outcome.failed {
                let hold = self.0.get(&message_id);
                let visible_at = hold.map_or_else(Timestamp::now, |hold| wall_clock(hold.hidden_until));
                returned.not_released.push(NotReleased { message_id: message_id.into(), visible_at, why });
            }
        }
        returned.not_released.sort_by(|a, b| a.message_id.cmp(&b.message_id));
        returned
    }

    /// One batch. What has expired while it waited for its turn is left alone.
    async fn release_batch(&self, queue: &Queue, mut receipts: Vec<Receipt>) -> batch::Outcome<Receipt> {
        let now = BootTime::now();
        let expired = |receipt: &Receipt| self.0.get(&receipt.message_id).is_none_or(|hold| hold.hidden_until <= now);
        let gone: Vec<_> = receipts.extract_if(.., |receipt| expired(receipt)).collect();
        if receipts.is_empty() {
            return batch::Outcome { gone, ..Default::default() };
        }
        let mut outcome = batch::change_visibility(queue, receipts, Duration::ZERO).await;
        outcome.gone.extend(gone);
        outcome
    }
}

fn in_batches(receipts: &[Receipt]) -> Vec<Vec<Receipt>> {
    receipts.chunks(batch::SIZE).map(<[Receipt]>::to_vec).collect()
}

/// The second in which a moment will come.
fn wall_clock(at: BootTime) -> Timestamp {
    let seconds = at.since(BootTime::now()).as_secs() + 1;
    Timestamp::from_second(Timestamp::now().as_second() + i64::try_from(seconds).unwrap_or(0)).unwrap_or(Timestamp::MAX)
}

fn as_text<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}
