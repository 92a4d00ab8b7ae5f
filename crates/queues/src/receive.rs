//! The one receive loop: full batches, several at once, each message once, hidden for as long as it is looked at.
//!
//! Whoever uses it calls [`Receiver::next`] until there is nothing more, then [`Receiver::finish`], which gives back
//! what is held. A receiver that is only dropped leaves its messages to their visibility timeout.

mod calls;
mod options;
#[cfg(test)]
mod tests;
mod visibility;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::{Message as Received, MessageSystemAttributeName as System};
use claimctl_aws::limiter::Limiter;
use claimctl_core::boot_time::BootTime;
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Result};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::task::JoinHandle;

use super::Queue;
use super::batch::{self, Receipt};
use super::deletes::Left;
use super::digest;
use super::in_flight::InFlight;
use super::peek::Counts;
use calls::{Answer, NotReceived};

pub use options::{Finished, ReceiveEnd, ReceiveOptions, Until};
pub use visibility::{HIDDEN, HIDDEN_DEFAULT, parse_visibility};

/// The most messages that are held at a time. SQS itself allows about 120,000 in flight (Amazon SQS Developer Guide,
/// "Amazon SQS standard queue quotas").
pub const CAP: usize = 100_000;

/// Receives that wait for an answer at once, at most.
const MOST_AT_ONCE: usize = 64;
/// Calls at once that keep messages hidden.
const EXTENSIONS: usize = 8;
/// Answers without anything new, one after the other, before the counts are asked.
const MISSES: u32 = 2;
/// The counts lag behind. When they still promise messages after so long without one, the look ends incomplete.
const PATIENCE: Duration = Duration::from_secs(20);

/// What IAM has to allow so that messages are received, kept hidden and given back: a batch is checked by the
/// permission of the single call (Amazon SQS Developer Guide, "Amazon SQS API permissions").
pub const CALLS: [&str; 2] = [RECEIVE, batch::CHANGE_VISIBILITY];
const RECEIVE: &str = "sqs:ReceiveMessage";

/// Bytes that the open receives may bring, judged by the heaviest message of late: an answer is ten messages of up to a
/// mebibyte each.
const MOST_BYTES: usize = 4 << 20;

pub struct Receiver<'a> {
    queue: Queue,
    options: ReceiveOptions,
    cancel: &'a Cancel,
    in_flight: InFlight,
    /// Each is a task of its own, so that answers are read on every core.
    calls: FuturesUnordered<JoinHandle<Answer>>,
    receives: usize,
    limiter: Limiter,
    one_at_a_time: bool,
    paused: bool,
    /// Something is still done that may make messages visible.
    busy: bool,
    /// Messages that the open receives may still bring.
    asked: usize,
    counting: bool,
    given: usize,
    again: u64,
    altered: Vec<Left>,
    misses: u32,
    /// Since when nothing was counted, and nothing came.
    zero_since: Option<Instant>,
    /// Bytes of the heaviest message of late.
    heaviest: usize,
    /// The last answer held less than was asked for: the queue may be near its end.
    short: bool,
    last_found: Instant,
    patience: Duration,
    /// The service's own time when the look began, in milliseconds of the epoch; the clock here may be another.
    began: Option<i64>,
    to_extend: VecDeque<Vec<Receipt>>,
    extensions: usize,
    next_check: Instant,
    end: Option<Result<ReceiveEnd>>,
}

impl<'a> Receiver<'a> {
    pub fn new(queue: Queue, options: ReceiveOptions, cancel: &'a Cancel) -> Self {
        let now = Instant::now();
        Receiver {
            queue,
            next_check: now + options.visibility / 4,
            cancel,
            in_flight: InFlight::default(),
            calls: FuturesUnordered::new(),
            receives: 0,
            limiter: Limiter::adaptive(MOST_AT_ONCE),
            one_at_a_time: false,
            paused: false,
            busy: false,
            asked: 0,
            counting: false,
            given: 0,
            again: 0,
            altered: Vec::new(),
            misses: 0,
            zero_since: None,
            heaviest: 1,
            short: options.expected < batch::SIZE as u64,
            last_found: now,
            patience: PATIENCE,
            began: None,
            to_extend: VecDeque::new(),
            extensions: 0,
            end: None,
            options,
        }
    }

    /// The next messages, none of which was given before. None: nothing more will come, and no call is open. May be
    /// dropped while it waits, and loses nothing.
    pub async fn next(&mut self) -> Option<Vec<Received>> {
        loop {
            self.start_calls();
            if self.calls.is_empty() && self.end.is_some() {
                return None;
            }
            let check = tokio::time::sleep_until(self.next_check.into());
            tokio::select! {
                Some(answer) = self.calls.next() => match answer {
                    Ok(answer) => {
                        let new = self.take(answer);
                        if !new.is_empty() {
                            return Some(new);
                        }
                    }
                    Err(died) => {
                        self.end = Some(Err(Error::unexpected("a call to the queue ended early").caused_by(died)));
                    }
                },
                () = check => self.check_deadlines(),
                () = self.cancel.cancelled(), if self.end.is_none() => {}
            }
        }
    }

    /// Receives no more. What is on its way is still given by [`Receiver::next`], because it has been received.
    pub fn stop(&mut self) {
        self.end.get_or_insert(Ok(ReceiveEnd::Stopped));
    }

    /// Receives no more until told otherwise. What is held stays hidden, for as long as [`Receiver::next`] is awaited.
    pub fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// While messages are written and deleted the end is not there: in a FIFO queue the rest of a group comes when its
    /// head is deleted, and what is deleted too late comes again.
    pub fn expect_more(&mut self, busy: bool) {
        self.busy = busy;
    }

    /// Whether a receive waits for the one before it.
    pub fn one_at_a_time(&mut self, so: bool) {
        self.one_at_a_time = so;
    }

    /// The receipt of a held message that surely stays hidden while it is deleted. None: it is visible again, or soon.
    pub fn receipt(&self, message_id: &str) -> Option<Receipt> {
        self.in_flight.receipt(message_id, self.options.visibility / 10)
    }

    /// Holds a message no longer: another receipt of it has to be waited for.
    pub fn let_go(&mut self, message_id: &str) {
        self.in_flight.let_go(message_id);
    }

    /// A delete by this receipt was answered. False: the message was visible by now, or came again under a newer
    /// receipt, so that the delete may have been answered without deleting.
    pub fn confirm_deleted(&mut self, receipt: &Receipt) -> bool {
        self.in_flight.confirm_deleted(receipt)
    }

    /// Gives back everything that is held.
    pub async fn finish(mut self) -> Finished {
        // A receive or an extension that is still open would hide messages again after their release.
        self.stop();
        while self.next().await.is_some() {}
        let returned = self.in_flight.release(&self.queue).await;
        let ended = self.end.unwrap_or(Ok(ReceiveEnd::Stopped));
        Finished { ended, returned, again: self.again, altered: self.altered }
    }

    fn start_calls(&mut self) {
        if self.cancel.is_cancelled() {
            self.end.get_or_insert(Ok(ReceiveEnd::Interrupted));
        }
        if self.end.is_some() {
            self.to_extend.clear();
            return;
        }
        while self.extensions < EXTENSIONS
            && let Some(receipts) = self.to_extend.pop_front()
        {
            self.extensions += 1;
            self.calls.push(tokio::spawn(calls::extend(self.queue.clone(), receipts, self.options.visibility)));
        }
        if self.counting || self.paused {
            return;
        }
        while self.receives < self.at_once()
            && self.room() > 0
            && (self.receives == 0 || self.light() >= batch::SIZE)
            && let Some(turn) = self.limiter.begin()
        {
            let ask = self.next_ask();
            self.receives += 1;
            self.asked += ask;
            let call = calls::receive(self.queue.clone(), ask, self.options.visibility);
            // One that waits for messages does not tell how busy the service is.
            self.calls.push(tokio::spawn(turn.run_if(call, move |answer| answer.messages() == ask)));
        }
        if self.receives == 0 {
            let wanted = self.options.limit.is_some_and(|limit| self.given >= limit);
            self.end = Some(Ok(if wanted { ReceiveEnd::Limit } else { ReceiveEnd::Cap }));
        }
    }

    /// How many receives wait side by side. After a miss only those that can prove the end of the queue: each takes
    /// a whole poll.
    fn at_once(&self) -> usize {
        match self.misses {
            0 if self.one_at_a_time => 1,
            0 => usize::try_from(self.options.expected / 10 + 2).unwrap_or(MOST_AT_ONCE),
            misses => MISSES.saturating_sub(misses).max(1) as usize,
        }
    }

    /// How many more messages fit into the memory that the open receives may fill.
    fn light(&self) -> usize {
        (MOST_BYTES / self.heaviest).saturating_sub(self.asked)
    }

    /// A full batch. Near the end of a queue two halves, so that the empty answers that prove it come side by side.
    fn next_ask(&self) -> usize {
        let room = self.room().min(self.light().max(1));
        if self.short && self.receives == 0 { room.div_ceil(2).min(batch::SIZE) } else { room.min(batch::SIZE) }
    }

    /// How many more may be asked for. Never more than are wanted: each receive counts against its message.
    fn room(&self) -> usize {
        let wanted = self.options.limit.map_or(CAP, |limit| limit.saturating_sub(self.given));
        wanted.min(CAP.saturating_sub(self.in_flight.len())).saturating_sub(self.asked)
    }

    fn take(&mut self, answer: Answer) -> Vec<Received> {
        match answer {
            Answer::Received { called, asked, answer } => {
                self.receives -= 1;
                self.asked -= asked;
                match answer {
                    Ok(messages) => {
                        self.short = messages.len() < asked;
                        return self.take_messages(messages, called + self.options.visibility);
                    }
                    Err(NotReceived::OverLimit) => drop(self.end.get_or_insert(Ok(ReceiveEnd::Cap))),
                    Err(NotReceived::Failed(error)) => drop(self.end.get_or_insert(Err(error))),
                }
            }
            Answer::Counted(counts) => {
                self.counting = false;
                self.judge(counts);
            }
            Answer::Extended { called, outcome } => {
                self.extensions -= 1;
                self.in_flight.extended(&outcome.done, called + self.options.visibility);
            }
        }
        Vec::new()
    }

    fn take_messages(&mut self, messages: Vec<Received>, hidden_until: BootTime) -> Vec<Received> {
        let mut new = Vec::with_capacity(messages.len());
        let mut from_before = false;
        self.heaviest -= self.heaviest / 8;
        for mut message in messages {
            self.heaviest = self.heaviest.max(message.body.as_ref().map_or(0, String::len));
            let receipt = Receipt {
                message_id: message.message_id.as_deref().unwrap_or_default().into(),
                handle: message.receipt_handle.take().unwrap_or_default().into(),
            };
            if self.in_flight.hold(receipt, hidden_until) {
                from_before |= self.was_there_before(&message);
                // Held like any other, so that it is met once and given back; but nobody may act on it.
                match digest::check_received(&message) {
                    Ok(()) => new.push(message),
                    Err(why) => self
                        .altered
                        .push(Left { message_id: message.message_id.unwrap_or_default(), why: why.to_owned() }),
                }
            } else {
                self.again += 1;
            }
        }
        self.given += new.len();
        if from_before {
            self.misses = 0;
            self.zero_since = None;
            self.last_found = Instant::now();
        } else {
            self.misses += 1;
            if self.misses >= MISSES && !self.counting && self.end.is_none() {
                self.counting = true;
                self.calls.push(tokio::spawn(calls::count(self.queue.clone())));
            }
        }
        new
    }

    /// Whether a message was sent before the look began. Where producers never rest, only these bring it to an end.
    ///
    /// The first message that nobody had received before tells the service's time: it is received right now.
    fn was_there_before(&mut self, message: &Received) -> bool {
        if matches!(self.options.until, Until::EmptyFor(_)) {
            return true;
        }
        let number = |name: System| message.attributes.as_ref()?.get(&name)?.parse::<i64>().ok();
        if self.began.is_none() && number(System::ApproximateReceiveCount) == Some(1) {
            self.began = number(System::ApproximateFirstReceiveTimestamp);
        }
        match (number(System::SentTimestamp), self.began) {
            (Some(sent), Some(began)) => sent <= began,
            _ => true,
        }
    }

    /// After several answers without anything new: do the counts agree that nothing is left?
    fn judge(&mut self, counts: Result<Counts>) {
        if self.end.is_some() || self.misses < MISSES {
            return;
        }
        let counts = match counts {
            Ok(counts) => counts,
            Err(error) => return self.end = Some(Err(error)),
        };
        let waits = self.last_found.elapsed() < self.patience;
        let behind_heads = self.queue.name().ends_with(".fifo") && counts.visible > 0;
        match self.options.until {
            Until::EmptyFor(quiet) => {
                self.misses = MISSES - 1;
                // What is held and cannot be settled stays in flight until the end.
                let is_zero = counts.total() <= self.altered.len() as u64;
                self.zero_since = is_zero.then(|| self.zero_since.unwrap_or_else(Instant::now));
                if self.zero_since.is_some_and(|since| since.elapsed() >= quiet) {
                    self.end = Some(Ok(ReceiveEnd::Empty));
                }
            }
            Until::Gone if self.busy => self.misses = MISSES - 1,
            _ if counts.visible == 0 => self.end = Some(Ok(ReceiveEnd::Empty)),
            Until::Seen if behind_heads => self.end = Some(Ok(ReceiveEnd::Heads)),
            _ if waits => self.misses = 0,
            _ => self.end = Some(Ok(ReceiveEnd::Unanswered)),
        }
    }

    fn check_deadlines(&mut self) {
        self.next_check = Instant::now() + self.options.visibility / 4;
        if self.to_extend.is_empty() && self.extensions == 0 {
            self.to_extend.extend(self.in_flight.due(self.options.visibility / 2));
        }
    }
}
