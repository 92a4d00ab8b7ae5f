//! The one receive loop: full batches, several at once, each message once, hidden for as long as it is looked at.
//!
//! Whoever uses it calls [`Receiver::next`] until there is nothing more, then [`Receiver::finish`], which gives back
//! what is held. A receiver that is only dropped leaves its messages to their visibility timeout.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::{Message as Received, MessageSystemAttributeName as System, QueueAttributeName};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::Queue;
use super::batch::{self, Receipt};
use super::held::{Held, Returned};
use crate::aws::{self, Explain};
use crate::cancel::Cancel;
use crate::error::{Error, Result};

/// The most messages that are held at a time. SQS itself allows about 120,000 in flight (Amazon SQS Developer Guide,
/// "Amazon SQS standard queue quotas").
pub const CAP: usize = 100_000;

/// Receives that wait for an answer at once: more only wait for each other.
const MOST_AT_ONCE: usize = 8;
/// Even a short poll that is not short asks every server of the queue (Amazon SQS Developer Guide, "short and long
/// polling"); waiting longer only makes the end of a look slower.
const POLL: Duration = Duration::from_secs(1);
/// Answers without anything new, one after the other, before the counts are asked.
const MISSES: u32 = 2;
/// The counts lag behind. When they still promise messages after so long without one, the look ends incomplete.
const PATIENCE: Duration = Duration::from_secs(20);

/// What IAM has to allow so that messages are received, kept hidden and given back: a batch is checked by the permission
/// of the single call (Amazon SQS Developer Guide, "Amazon SQS API permissions").
pub const CALLS: [&str; 2] = [RECEIVE, batch::CHANGE_VISIBILITY];
const RECEIVE: &str = "sqs:ReceiveMessage";

/// What to receive, and how it is kept hidden.
#[derive(Debug, Clone)]
pub struct Wish {
    /// None: all there is, up to [`CAP`].
    pub limit: Option<usize>,
    /// About how many there are: decides how many receives wait at once.
    pub expected: u64,
    /// How long a message is hidden at a time; extended at half time. Whole seconds.
    pub visibility: Duration,
}

/// Why no more was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The counts agree: nothing visible is left that was there when the look began.
    Empty,
    Limit,
    /// As many are held as may be in flight.
    Cap,
    /// FIFO: the rest of each group waits behind its head.
    Heads,
    /// The counts promise more than the queue gives: they lag behind, or newer messages keep coming.
    Unanswered,
    Interrupted,
    /// Whoever looked had enough.
    Stopped,
}

/// How the loop ended and what became of the messages it held.
#[derive(Debug)]
pub struct Finished {
    pub ended: Result<Ended>,
    pub returned: Returned,
    /// Deliveries of a message that was held already.
    pub again: u64,
}

pub struct Receiver<'a> {
    queue: Queue,
    wish: Wish,
    cancel: &'a Cancel,
    held: Held,
    calls: FuturesUnordered<BoxFuture<'static, Answer>>,
    receives: usize,
    /// Messages that the open receives may still bring.
    asked: usize,
    counting: bool,
    given: usize,
    again: u64,
    misses: u32,
    /// The last answer held less than was asked for: the queue may be near its end.
    short: bool,
    last_found: Instant,
    patience: Duration,
    /// The service's own time when the look began, in milliseconds of the epoch; the clock here may be another.
    began: Option<i64>,
    to_extend: VecDeque<Vec<Receipt>>,
    extensions: usize,
    next_check: Instant,
    end: Option<Result<Ended>>,
}

enum Answer {
    Received { called: Instant, asked: usize, answer: Result<Vec<Received>, NotReceived> },
    Counted(Result<u64>),
    Extended { called: Instant, outcome: batch::Outcome<Receipt> },
}

enum NotReceived {
    /// As many are in flight as the service allows.
    OverLimit,
    Failed(Error),
}

impl<'a> Receiver<'a> {
    pub fn new(queue: Queue, wish: Wish, cancel: &'a Cancel) -> Self {
        let now = Instant::now();
        Receiver {
            queue,
            next_check: now + wish.visibility / 4,
            cancel,
            held: Held::default(),
            calls: FuturesUnordered::new(),
            receives: 0,
            asked: 0,
            counting: false,
            given: 0,
            again: 0,
            misses: 0,
            short: wish.expected < batch::SIZE as u64,
            last_found: now,
            patience: PATIENCE,
            began: None,
            to_extend: VecDeque::new(),
            extensions: 0,
            end: None,
            wish,
        }
    }

    /// The next messages, none of which was given before. None: nothing more will come, and no call is open.
    pub async fn next(&mut self) -> Option<Vec<Received>> {
        loop {
            self.start_calls();
            if self.calls.is_empty() {
                return None;
            }
            let check = tokio::time::sleep_until(self.next_check.into());
            tokio::select! {
                answer = self.calls.next() => {
                    let new = answer.map(|answer| self.take(answer)).unwrap_or_default();
                    if !new.is_empty() {
                        return Some(new);
                    }
                }
                () = check => self.check_deadlines(),
            }
        }
    }

    /// Receives no more. What is on its way is still given by [`Receiver::next`], because it has been received.
    pub fn stop(&mut self) {
        self.end.get_or_insert(Ok(Ended::Stopped));
    }

    /// Gives back everything that is held.
    pub async fn finish(mut self) -> Finished {
        // A receive or an extension that is still open would hide messages again after their release.
        self.stop();
        while self.next().await.is_some() {}
        let returned = self.held.release(&self.queue).await;
        Finished { ended: self.end.unwrap_or(Ok(Ended::Stopped)), returned, again: self.again }
    }

    fn start_calls(&mut self) {
        if self.cancel.is_cancelled() {
            self.end.get_or_insert(Ok(Ended::Interrupted));
        }
        if self.end.is_some() {
            self.to_extend.clear();
            return;
        }
        while self.extensions < MOST_AT_ONCE
            && let Some(receipts) = self.to_extend.pop_front()
        {
            self.extensions += 1;
            self.calls.push(Box::pin(extend(self.queue.clone(), receipts, self.wish.visibility)));
        }
        if self.counting {
            return;
        }
        while self.receives < self.at_once() && self.room() > 0 {
            let ask = self.next_ask();
            self.receives += 1;
            self.asked += ask;
            self.calls.push(Box::pin(receive(self.queue.clone(), ask, self.wish.visibility)));
        }
        if self.receives == 0 {
            let wanted = self.wish.limit.is_some_and(|limit| self.given >= limit);
            self.end = Some(Ok(if wanted { Ended::Limit } else { Ended::Cap }));
        }
    }

    /// How many receives wait side by side. After a miss only those that can prove the end of the queue: each takes
    /// a whole poll.
    fn at_once(&self) -> usize {
        match self.misses {
            0 => usize::try_from(self.wish.expected / 10 + 2).unwrap_or(MOST_AT_ONCE).min(MOST_AT_ONCE),
            misses => MISSES.saturating_sub(misses).max(1) as usize,
        }
    }

    /// A full batch. Near the end of a queue two halves, so that the empty answers that prove it come side by side.
    fn next_ask(&self) -> usize {
        let room = self.room();
        if self.short && self.receives == 0 { room.div_ceil(2).min(batch::SIZE) } else { room.min(batch::SIZE) }
    }

    /// How many more may be asked for. Never more than are wanted: each receive counts against its message.
    fn room(&self) -> usize {
        let wanted = self.wish.limit.map_or(CAP, |limit| limit.saturating_sub(self.given));
        wanted.min(CAP.saturating_sub(self.held.len())).saturating_sub(self.asked)
    }

    fn take(&mut self, answer: Answer) -> Vec<Received> {
        match answer {
            Answer::Received { called, asked, answer } => {
                self.receives -= 1;
                self.asked -= asked;
                match answer {
                    Ok(messages) => {
                        self.short = messages.len() < asked;
                        return self.take_messages(messages, called + self.wish.visibility);
                    }
                    Err(NotReceived::OverLimit) => drop(self.end.get_or_insert(Ok(Ended::Cap))),
                    Err(NotReceived::Failed(error)) => drop(self.end.get_or_insert(Err(error))),
                }
            }
            Answer::Counted(visible) => {
                self.counting = false;
                self.judge(visible);
            }
            Answer::Extended { called, outcome } => {
                self.extensions -= 1;
                self.held.extended(&outcome.done, called + self.wish.visibility);
            }
        }
        Vec::new()
    }

    fn take_messages(&mut self, messages: Vec<Received>, hidden_until: Instant) -> Vec<Received> {
        let mut new = Vec::with_capacity(messages.len());
        let mut from_before = false;
        for mut message in messages {
            let receipt = Receipt {
                message_id: message.message_id.as_deref().unwrap_or_default().into(),
                handle: message.receipt_handle.take().unwrap_or_default().into(),
            };
            if self.held.hold(receipt, hidden_until) {
                from_before |= self.was_there_before(&message);
                new.push(message);
            } else {
                self.again += 1;
            }
        }
        self.given += new.len();
        if from_before {
            self.misses = 0;
            self.last_found = Instant::now();
        } else {
            self.misses += 1;
            if self.misses >= MISSES && !self.counting && self.end.is_none() {
                self.counting = true;
                self.calls.push(Box::pin(count(self.queue.clone())));
            }
        }
        new
    }

    /// Whether a message was sent before the look began. Where producers never rest, only these bring it to an end.
    ///
    /// The first message that nobody had received before tells the service's time: it is received right now.
    fn was_there_before(&mut self, message: &Received) -> bool {
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
    fn judge(&mut self, visible: Result<u64>) {
        if self.end.is_some() || self.misses < MISSES {
            return;
        }
        match visible {
            Ok(0) => self.end = Some(Ok(Ended::Empty)),
            Ok(_) if self.queue.url.ends_with(".fifo") => self.end = Some(Ok(Ended::Heads)),
            Ok(_) if self.last_found.elapsed() >= self.patience => self.end = Some(Ok(Ended::Unanswered)),
            Ok(_) => self.misses = 0,
            Err(error) => self.end = Some(Err(error)),
        }
    }

    fn check_deadlines(&mut self) {
        self.next_check = Instant::now() + self.wish.visibility / 4;
        if self.to_extend.is_empty() && self.extensions == 0 {
            self.to_extend.extend(self.held.due(self.wish.visibility / 2));
        }
    }
}

async fn receive(queue: Queue, ask: usize, visibility: Duration) -> Answer {
    // The timeout runs from the answer; counted from the call, it is never believed to be longer than it is.
    let called = Instant::now();
    let call = queue
        .sqs
        .receive_message()
        .queue_url(&*queue.url)
        .max_number_of_messages(ask as i32)
        .visibility_timeout(visibility.as_secs() as i32)
        .wait_time_seconds(POLL.as_secs() as i32)
        .message_system_attribute_names(System::All)
        .message_attribute_names("All");
    let answer = match call.send().await {
        Err(error) if aws::code(&error).is_some_and(|code| code.ends_with("OverLimit")) => Err(NotReceived::OverLimit),
        answer => answer
            .or_needs(&format!("receive from queue {}", queue.name()), RECEIVE, &queue.arn_pattern())
            .map(|answer| answer.messages.unwrap_or_default())
            .map_err(NotReceived::Failed),
    };
    Answer::Received { called, asked: ask, answer }
}

async fn count(queue: Queue) -> Answer {
    let name = QueueAttributeName::ApproximateNumberOfMessages;
    let call = queue.sqs.get_queue_attributes().queue_url(&*queue.url).attribute_names(name.clone());
    let answer = call.send().await.or_explain(&format!("count the messages of queue {}", queue.name()));
    Answer::Counted(
        answer.map(|answer| {
            answer.attributes.and_then(|attributes| attributes.get(&name)?.parse().ok()).unwrap_or_default()
        }),
    )
}

async fn extend(queue: Queue, receipts: Vec<Receipt>, visibility: Duration) -> Answer {
    let called = Instant::now();
    let outcome = batch::change_visibility(&queue, receipts, visibility).await;
    Answer::Extended { called, outcome }
}
