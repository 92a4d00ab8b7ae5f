//! One pass over the dead-letter queue: receive, sort, send, and delete what was sent.
//!
//! A dead letter is held, hidden, from its receipt until it is deleted or the pass is over. So it is sorted once, and
//! what is left alone is not met again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use claimctl_aws::limiter::Limiter;
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Result};
use claimctl_core::progress::Progress;
use claimctl_core::run_report::RunEnd;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::task::{JoinError, JoinHandle};

use super::canary::Sent;
use super::destination::Delivery;
use super::quarantine::Quarantine;
use super::report::ReplayReport;
use super::sort::{Action, LeaveReason, Sorted, Sorter};
use super::watch::{Alarm, rung};
use super::{Order, Share, too_many_returned};
use crate::deletes::Deletes;
use crate::journal::{Entry, ItemState, JournalWriter};
use crate::message::Message;
use crate::rate::RateLimit;
use crate::receive::{ReceiveOptions, Receiver, Until};
use crate::send::deliver::Delivered;
use crate::send::engine::until;
use crate::send::outgoing::Outgoing;
use crate::send::pack::Packer;

/// Batches on their way at once, at most.
const LANES: usize = 128;
/// Batches that are sorted at once; beyond it nothing is received.
const SORTED_AT_ONCE: usize = 32;
/// Bodies that are received and not yet sent, in bytes. Beyond it nothing is received.
const MOST_WAITING: usize = 8 << 20;
/// With a rate, dead letters that wait for their turn; the others stay visible until then.
const MOST_PACED: usize = 20;
/// Begins the name by which the journal counts the replays of a message without a mark.
pub const UNMARKED: &str = "unmarked ";

type Call<T> = FuturesUnordered<JoinHandle<T>>;

/// What a pass is made with.
pub struct Means<'a> {
    pub order: &'a Arc<Order>,
    pub sorter: Arc<Sorter>,
    pub delivery: Delivery,
    pub writer: JournalWriter,
    pub quarantine: Option<&'a mut Quarantine>,
    /// What this command sent without a mark, by what it is known by when it comes back.
    pub unmarked: &'a mut HashSet<String>,
    pub cancel: &'a Cancel,
    pub progress: &'a dyn Progress,
    /// Dead letters that the look saw and that are still there: once all of them are met, nothing else is to be done.
    /// None: nobody looked.
    pub to_meet: Option<u64>,
    pub alarm: Alarm<'a>,
}

/// Sends a share of the dead letters, and gives back what it has not settled. Returns the canaries.
pub async fn pass(means: Means<'_>, share: Share, expected: u64, report: &mut ReplayReport) -> Vec<Sent> {
    let Means { order, cancel, .. } = means;
    let options = ReceiveOptions { limit: None, expected, visibility: order.settings.visibility, until: Until::Gone };
    let mut pass = Pass {
        receiver: Receiver::new(order.queue.clone(), options, cancel),
        received_all: false,
        sorting: Call::new(),
        packer: Packer::new(false),
        rate_limit: order.settings.rate.map(RateLimit::of),
        begin_at: None,
        calls: Call::new(),
        limiter: Limiter::adaptive(LANES),
        deletes: Deletes::new(order.queue.clone(), means.writer.clone()),
        share,
        taken: 0,
        waiting: 0,
        packed: 0,
        on_their_way: 0,
        enough: false,
        aborted: false,
        counted: HashMap::new(),
        canaries: HashMap::new(),
        sent: Vec::new(),
        means,
        report,
    };
    pass.work().await;
    let Pass { receiver, deletes, sent, report, .. } = pass;
    let finished = receiver.finish().await;
    report.not_deleted.extend(deletes.not_deleted());
    report.set_ended(finished.ended);
    report.set_returned(finished.returned);
    report.set_altered(finished.altered);
    sent
}

struct Pass<'a, 'r> {
    means: Means<'a>,
    receiver: Receiver<'a>,
    /// Nothing more will be received.
    received_all: bool,
    sorting: Call<Result<Vec<Sorted>>>,
    packer: Packer,
    rate_limit: Option<RateLimit>,
    /// The rate allows no batch before that.
    begin_at: Option<Instant>,
    calls: Call<(usize, Delivered)>,
    limiter: Limiter,
    deletes: Deletes,
    share: Share,
    /// Dead letters to be sent so far.
    taken: u64,
    /// Bytes of what is packed and on its way.
    waiting: usize,
    /// Dead letters that wait to be sent, and those in a call.
    packed: usize,
    on_their_way: usize,
    /// Nothing more is to be received.
    enough: bool,
    /// Nothing more is sent.
    aborted: bool,
    /// Replays of those dead letters that go without a mark, this one included.
    counted: HashMap<Box<str>, u32>,
    canaries: HashMap<Box<str>, Sent>,
    sent: Vec<Sent>,
    report: &'r mut ReplayReport,
}

impl Pass<'_, '_> {
    /// Until nothing more is received, and everything that was is sorted, sent and settled.
    async fn work(&mut self) {
        loop {
            if self.means.cancel.is_cancelled() && !self.aborted {
                self.report.run.ended = RunEnd::Interrupted;
                self.abort();
            }
            while self.begin_batch() {}
            self.set_limits();
            let idle = self.sorting.is_empty() && self.calls.is_empty() && self.packer.weight() == 0;
            if self.received_all && idle && self.deletes.are_done() {
                return;
            }
            let begin_at = self.begin_at.take();
            tokio::select! {
                received = self.receiver.next(), if !self.received_all => match received {
                    Some(dead_letters) => {
                        self.sorting.push(tokio::spawn(self.means.sorter.clone().sort(dead_letters)));
                    }
                    None => self.received_all = true,
                },
                Some(sorted) = self.sorting.next() => match flat(sorted) {
                    Ok(sorted) => self.take(sorted).await,
                    Err(error) => self.fail(&error),
                },
                Some(ended) = self.calls.next() => self.delivered(ended).await,
                Some(outcome) = self.deletes.next() => {
                    let taken = self.deletes.take(outcome, &mut self.receiver).await;
                    self.report.deleted += taken.deleted.len() as u64;
                    self.means.progress.advance(taken.deleted.len() as u64);
                    if let Some(error) = taken.error {
                        self.deletes.give_up();
                        self.fail(&error);
                    }
                },
                why = rung(&mut self.means.alarm), if !self.aborted => self.stop(why),
                () = until(begin_at), if begin_at.is_some() => {}
                () = self.means.cancel.cancelled(), if !self.aborted => {}
            }
        }
    }

    /// Deletes what was sent, and receives as much as memory and the rate allow.
    fn set_limits(&mut self) {
        let busy = self.packed + self.on_their_way > 0 || !self.sorting.is_empty();
        self.deletes.start(&mut self.receiver, busy);
        self.receiver.expect_more(busy || !self.deletes.are_done());
        let canary = matches!(self.share, Share::Canary(_));
        self.receiver.one_at_a_time(canary);
        let paced = self.rate_limit.is_some() || canary;
        let sorting = self.sorting.len() > if paced { 0 } else { SORTED_AT_ONCE };
        let full = self.waiting > MOST_WAITING || (paced && self.packed > MOST_PACED);
        self.receiver.pause(sorting || full || self.enough);
        // Until then what waits for its turn stays hidden.
        if self.enough && !busy && self.deletes.are_done() {
            self.receiver.stop();
        }
    }

    /// Sends no more. What is on its way is waited for, and deleted if it was sent.
    fn abort(&mut self) {
        self.aborted = true;
        self.waiting -= std::mem::replace(&mut self.packer, Packer::new(false)).weight();
        self.packed = 0;
        self.receiver.stop();
    }

    fn stop(&mut self, why: String) {
        self.report.run.stop(why);
        self.abort();
    }

    fn fail(&mut self, error: &Error) {
        self.report.run.fail(error);
        self.abort();
    }

    async fn take(&mut self, sorted: Vec<Sorted>) {
        let mut to_quarantine = Vec::new();
        for Sorted { dead_letter, action, replays } in sorted {
            let id: Box<str> = dead_letter.message_id.as_str().into();
            self.report.missing.retain(|missing| **missing != *id);
            let is_back = !self.means.unmarked.is_empty()
                && self.means.order.to.known_by(&dead_letter).any(|name| self.means.unmarked.contains(&name));
            let action = if is_back { Action::Returned } else { action };
            if !matches!(action, Action::Returned | Action::Leave(LeaveReason::NotJudged)) {
                self.means.to_meet = self.means.to_meet.map(|dead_letters| dead_letters.saturating_sub(1));
            }
            match action {
                Action::Leave(why) => self.report.leave(why),
                Action::Returned => self.come_back(dead_letter.message_id),
                Action::DeleteSent => {
                    self.report.sent_before += 1;
                    self.deletes.add(vec![id]);
                }
                // Neither is undone by what stops a send; but the operator wants an end.
                _ if self.aborted => {}
                Action::DeleteRecorded => {
                    self.report.recorded += 1;
                    self.deletes.add(vec![id]);
                }
                Action::Quarantine => to_quarantine.push(dead_letter),
                Action::Send { again } => self.push(dead_letter, replays, again).await,
            }
        }
        if let Err(error) = self.quarantine(to_quarantine).await {
            self.fail(&error);
        }
        self.enough |= self.means.to_meet == Some(0);
    }

    fn come_back(&mut self, message_id: String) {
        self.report.returned(message_id);
        if let Some(why) = too_many_returned(self.means.order, self.report.returned).filter(|_| !self.aborted) {
            self.stop(why);
        }
    }

    async fn push(&mut self, dead_letter: Message, replays: u32, again: bool) {
        if self.is_enough() {
            return;
        }
        let outgoing = match self.means.sorter.outgoing(&dead_letter, replays, again).await {
            Ok(Ok((outgoing, true))) => outgoing,
            Ok(Ok((outgoing, false))) => {
                self.counted.insert(outgoing.item.clone(), replays + 1);
                outgoing
            }
            Ok(Err(why)) => return self.fail_one(dead_letter.message_id, why).await,
            Err(error) => return self.fail(&error),
        };
        self.taken += 1;
        if let Share::Canary(_) = self.share {
            match Sent::first(self.means.order, dead_letter, outgoing.recipient.as_deref()).await {
                Ok(canary) => drop(self.canaries.insert(outgoing.item.clone(), canary)),
                Err(error) => return self.fail(&error),
            }
        }
        self.waiting += outgoing.weight();
        self.packed += 1;
        self.packer.push(outgoing);
        if self.is_enough() {
            if let Share::UpTo(_) = self.share {
                self.report.run.ended = RunEnd::Limit;
            }
            self.enough = true;
        }
    }

    fn is_enough(&self) -> bool {
        self.share.room().is_some_and(|most| self.taken >= most)
    }

    async fn fail_one(&mut self, message_id: String, why: String) {
        let entry = Entry::new(message_id.as_str(), ItemState::Failed).with_detail(&why);
        self.report.failed(message_id, why);
        if let Err(error) = self.means.writer.note(vec![entry]).await {
            self.fail(&error);
        }
    }

    /// Sends a batch, if there is one worth sending, a lane for it, and leave to send now.
    fn begin_batch(&mut self) -> bool {
        let of_pace = self.rate_limit.as_ref().map_or(usize::MAX, |rate_limit| rate_limit.batch.get() as usize);
        let most = self.means.order.to.batch().min(of_pace);
        let (number, full) = self.packer.next_batch(most);
        // A batch that is not full waits for what is on its way to it.
        let waits = !self.sorting.is_empty() || (!self.received_all && !self.calls.is_empty());
        if number == 0 || (!full && waits && self.rate_limit.is_none()) {
            return false;
        }
        let Some(turn) = self.limiter.begin() else { return false };
        if let Some(Err(wait)) = self.rate_limit.as_ref().map(|rate_limit| rate_limit.go(number)) {
            self.begin_at = Some(Instant::now() + wait);
            return false;
        }
        let batch = self.packer.take(most);
        self.packed -= batch.len();
        self.on_their_way += batch.len();
        let weight = batch.iter().map(Outgoing::weight).sum();
        let delivery = self.means.delivery.clone();
        self.calls.push(tokio::spawn(turn.run(async move { (weight, delivery.deliver(batch).await) })));
        true
    }

    async fn delivered(&mut self, ended: Result<(usize, Delivered), JoinError>) {
        let (weight, delivered) = match ended {
            Ok(ended) => ended,
            Err(died) => return self.fail(&Error::unexpected("a batch ended early").caused_by(died)),
        };
        self.waiting -= weight;
        let Delivered { sent, failed, undecided, untouched, error } = delivered;
        self.on_their_way -= sent.len() + failed.len() + undecided.len() + untouched.len();
        let mut unmarked = Vec::new();
        let mut ids = Vec::with_capacity(sent.len());
        for (message, new_id) in sent {
            self.report.sent += 1;
            if message.again {
                self.report.twice(message.name());
            }
            if let Some(replays) = self.counted.remove(&message.item) {
                let name = format!("{UNMARKED}{new_id}");
                unmarked.push(Entry::new(name, ItemState::Unmarked).with_detail(replays.to_string()));
                self.means.unmarked.insert(new_id.clone());
            }
            if let Some(recipient) = &message.recipient {
                self.report.sent_to(recipient.words());
            }
            if let Some(canary) = self.canaries.remove(&message.item) {
                self.sent.push(Sent { new_id, ..canary });
            }
            ids.push(message.item);
        }
        if !unmarked.is_empty() {
            self.report.unmarked += unmarked.len() as u64;
            if let Err(error) = self.means.writer.record(unmarked).await {
                self.fail(&error);
            }
        }
        self.deletes.add(ids);
        for (message, why) in failed {
            self.report.failed(message.name(), why);
        }
        undecided.iter().for_each(|message| self.report.undecided(message.name()));
        if let Some(error) = error {
            self.fail(&error);
        }
    }

    /// On the disk first, then out of the queue.
    async fn quarantine(&mut self, dead_letters: Vec<Message>) -> Result<()> {
        let Some(quarantine) = self.means.quarantine.as_mut().filter(|_| !dead_letters.is_empty()) else {
            return Ok(());
        };
        let ids: Vec<Box<str>> =
            dead_letters.iter().map(|dead_letter| dead_letter.message_id.as_str().into()).collect();
        quarantine.take(dead_letters).await?;
        self.means.writer.note(ids.iter().map(|id| Entry::new(id.clone(), ItemState::Written)).collect()).await?;
        self.report.quarantined += ids.len() as u64;
        self.deletes.add(ids);
        Ok(())
    }
}

fn flat<T>(joined: Result<Result<T>, JoinError>) -> Result<T> {
    joined.map_err(|died| Error::unexpected("a look at a dead letter ended early").caused_by(died))?
}
