//! What becomes of the dead letters that are sent first: recorded, or thrown back. The others wait for it.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Kind, Result};
use claimctl_core::progress::{Progress, Silent, Unit};
use serde::Serialize;

use super::Order;
use super::sort::Sorter;
use crate::dead_letters::preflight::Preflight;
use crate::message::Message;
use crate::peek::{Counts, peek_until};
use crate::recipients::Recipient;
use crate::{Queue, depth};

/// Between two questions.
const EVERY: Duration = Duration::from_millis(500);
/// A dead-letter queue that is as short as this is looked into now and then, although its counts did not rise.
const SHORT: u64 = 1_000;
const LOOK_EVERY: Duration = Duration::from_secs(20);

/// A dead letter that was sent first.
pub struct Sent {
    pub dead_letter: Message,
    /// In its destination.
    pub new_id: String,
    /// Its record was there before: that it is there afterwards proves nothing.
    pub recorded_before: bool,
    /// Whoever took it answers for it.
    pub is_delivered: bool,
}

impl Sent {
    /// A dead letter that is about to be sent, with a look at its record: afterwards nobody could tell since when it is
    /// there.
    pub async fn first(order: &Order, dead_letter: Message, recipient: Option<&Recipient>) -> Result<Sent> {
        let is_delivered = recipient.is_some_and(Recipient::answers_for_it);
        let sent = |dead_letter| Sent { dead_letter, new_id: String::new(), recorded_before: false, is_delivered };
        let Some(records) = records(order).filter(|_| !is_delivered) else { return Ok(sent(dead_letter)) };
        let judged = records.judge(vec![dead_letter.clone()]).await?.pop();
        // What it is about is known by now.
        Ok(judged.map_or_else(
            || sent(dead_letter),
            |judged| Sent { recorded_before: judged.handled, ..sent(judged.message) },
        ))
    }
}

/// How the dead letters that were sent first fared.
#[derive(Debug, Clone, Serialize)]
pub struct Canary {
    /// Ids that they had.
    pub message_ids: Vec<String>,
    /// Of those, how many had their record before they were sent, so that it proves nothing.
    pub recorded_before: u64,
    pub fate: Fate,
    pub waited_seconds: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// The records are there of those that had none before.
    Recorded,
    /// They left the queue and did not come back; no record could tell more.
    Consumed,
    /// Those that they are for have taken them, and nothing behind that throws them back.
    Delivered,
    Returned,
    /// Neither, for as long as it was waited.
    Unknown,
    Interrupted,
    /// There was nothing to send.
    NothingToSend,
}

impl Canary {
    /// Whether no record could tell what became of them.
    pub fn is_silent(&self) -> bool {
        self.recorded_before == self.message_ids.len() as u64
    }
}

impl Fate {
    /// Whether the others may follow.
    pub fn is_good(self) -> bool {
        matches!(self, Fate::Recorded | Fate::Consumed | Fate::Delivered)
    }
}

/// Waits until the canaries are recorded, or one is back, or it takes too long.
pub async fn wait(
    order: &Order,
    sorter: &Sorter,
    sent: Vec<Sent>,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<Canary> {
    let began = Instant::now();
    let message_ids = sent.iter().map(|sent| sent.dead_letter.message_id.clone()).collect();
    let recorded_before = sent.iter().filter(|sent| sent.recorded_before).count() as u64;
    let fate = match sent.is_empty() {
        true => Fate::NothingToSend,
        false if sent.iter().all(|sent| sent.is_delivered) => Fate::Delivered,
        false => {
            progress.start("waiting for the canary", None, Unit::Steps);
            let fate = Watch::of(order, sorter, &sent).await?.fate(sent, cancel).await;
            progress.finish();
            fate?
        }
    };
    Ok(Canary { message_ids, recorded_before, fate, waited_seconds: began.elapsed().as_secs_f64() })
}

struct Watch<'a> {
    order: &'a Order,
    sorter: &'a Sorter,
    /// None: no table tells, or all that was sent had its record before.
    records: Option<&'a Preflight>,
    new_ids: HashSet<String>,
    /// Dead letters in the dead-letter queue after the canaries left it.
    dead_letters: u64,
    looked: Instant,
    /// Since when nothing is counted in the destination.
    zero_since: Option<Instant>,
}

impl<'a> Watch<'a> {
    async fn of(order: &'a Order, sorter: &'a Sorter, sent: &[Sent]) -> Result<Watch<'a>> {
        let says_what = |message: &Message| !(message.claims.is_empty() && message.items.is_empty());
        let tells = sent.iter().all(|sent| sent.is_delivered || says_what(&sent.dead_letter))
            && sent.iter().any(|sent| !sent.recorded_before);
        Ok(Watch {
            order,
            sorter,
            records: records(order).filter(|_| tells),
            new_ids: sent.iter().map(|sent| sent.new_id.clone()).collect(),
            dead_letters: total(&order.queue).await?,
            looked: Instant::now(),
            zero_since: None,
        })
    }

    async fn fate(&mut self, sent: Vec<Sent>, cancel: &Cancel) -> Result<Fate> {
        let deadline = Instant::now() + self.order.settings.canary_wait;
        let mut open: Vec<Message> = sent
            .into_iter()
            .filter(|sent| !(sent.recorded_before || sent.is_delivered))
            .map(|sent| sent.dead_letter)
            .collect();
        loop {
            if let Some(records) = self.records {
                let judged = match records.judge(std::mem::take(&mut open)).await {
                    Err(error) if error.kind() == Kind::Interrupted => return Ok(Fate::Interrupted),
                    judged => judged?,
                };
                let open_ones = judged.into_iter().filter(|judged| !judged.handled);
                open = open_ones.map(|judged| judged.message).collect();
                if open.is_empty() {
                    return Ok(Fate::Recorded);
                }
            }
            if self.is_back(cancel).await? {
                return Ok(Fate::Returned);
            }
            if self.records.is_none() && self.is_consumed().await? {
                // What was thrown back at the last moment is in the dead-letter queue by now.
                return Ok(if self.look(cancel).await? { Fate::Returned } else { Fate::Consumed });
            }
            if cancel.is_cancelled() {
                return Ok(Fate::Interrupted);
            }
            if Instant::now() >= deadline {
                return Ok(Fate::Unknown);
            }
            tokio::select! {
                () = tokio::time::sleep(EVERY) => {}
                () = cancel.cancelled() => {}
            }
        }
    }

    /// Looks only where there may be something: a look costs a receive of every dead letter.
    async fn is_back(&mut self, cancel: &Cancel) -> Result<bool> {
        let now = total(&self.order.queue).await?;
        let rose = now > self.dead_letters;
        let due = now > 0 && now <= SHORT && self.looked.elapsed() >= LOOK_EVERY;
        if !rose && !due {
            return Ok(false);
        }
        let back = self.look(cancel).await?;
        // Others may be moved here meanwhile.
        self.dead_letters = now;
        Ok(back)
    }

    async fn look(&mut self, cancel: &Cancel) -> Result<bool> {
        let mut back = false;
        peek_until(&self.order.queue, None, cancel, &Silent, |dead_letter| {
            back = self.is_canary(&dead_letter);
            Ok(if back { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
        .await?;
        self.looked = Instant::now();
        Ok(back)
    }

    fn is_canary(&self, dead_letter: &Message) -> bool {
        self.sorter.has_sent(dead_letter)
            || self.order.to.known_by(dead_letter).any(|name| self.new_ids.contains(&name))
    }

    /// Whether nothing is left in the queue that was sent to, by counts that had the time to settle. Of a function nobody
    /// can say.
    async fn is_consumed(&mut self) -> Result<bool> {
        let Some(to) = self.order.to.queue() else { return Ok(false) };
        let is_zero = total(&to.queue).await? == 0;
        self.zero_since = is_zero.then(|| self.zero_since.unwrap_or_else(Instant::now));
        Ok(self.zero_since.is_some_and(|since| since.elapsed() >= self.order.settle))
    }
}

/// What can tell of records. None: nothing is looked at, or no table is known.
fn records(order: &Order) -> Option<&Preflight> {
    let tells = |preflight: &&Preflight| preflight.flows.records.is_some() || preflight.flows.items.is_some();
    order.preflight.as_deref().filter(tells)
}

/// Dead letters in a queue, whether visible or not.
pub async fn total(queue: &Queue) -> Result<u64> {
    Ok(Counts::from(&depth::read(&queue.sqs, &queue.url).await?).total())
}
