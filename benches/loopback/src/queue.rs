//! A standard queue in memory: visibility timeouts, receive counts, delays, long polls.
//!
//! As in SQS a receipt handle stands for one receipt: after the message was received again, the old one is accepted
//! and does nothing.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use md5::{Digest, Md5};

/// A message as it was sent. Body and attributes are JSON, so that they need not be written anew for each receive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub body: Box<str>,
    pub attributes: Option<Box<str>>,
    pub md5: String,
}

#[derive(Debug)]
pub struct Received<'a> {
    pub id: u64,
    pub receipt: u64,
    pub sent: &'a Sent,
    /// Milliseconds since 1970.
    pub sent_at: u128,
    pub first_received_at: u128,
    pub receives: u32,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub visible: usize,
    pub in_flight: usize,
    pub delayed: usize,
}

pub struct Queue {
    pub name: String,
    /// Seconds.
    pub visibility: u64,
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    /// By id, which is never used again; the front is the oldest that is not deleted.
    messages: VecDeque<Option<Message>>,
    first_id: u64,
    ready: VecDeque<u64>,
    /// When which message becomes visible, if its receipt is still the last and the time was not changed.
    hidden: BinaryHeap<Reverse<(Instant, u64, u64)>>,
    in_flight: usize,
    delayed: usize,
}

struct Message {
    sent: Sent,
    sent_at: u128,
    first_received_at: u128,
    receives: u32,
    /// Grows with every receive and every change of visibility, so that older entries of `hidden` are void.
    epoch: u64,
    receipt: u64,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Ready,
    InFlight,
    Delayed,
}

impl Sent {
    /// `body` is a JSON string with its quotes.
    pub fn new(body: &str, attributes: Option<&str>) -> serde_json::Result<Sent> {
        let text: std::borrow::Cow<'_, str> = Text::parse(body)?;
        let md5 = Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Sent { body: body.into(), attributes: attributes.map(Into::into), md5 })
    }
}

/// Borrows where nothing is escaped.
struct Text;

impl Text {
    fn parse(json: &str) -> serde_json::Result<std::borrow::Cow<'_, str>> {
        match serde_json::from_str::<&str>(json) {
            Ok(text) => Ok(text.into()),
            Err(_) => serde_json::from_str::<String>(json).map(Into::into),
        }
    }
}

impl Queue {
    pub fn new(name: &str, visibility: u64) -> Queue {
        Queue { name: name.to_owned(), visibility, state: Mutex::default(), arrived: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ids, in order.
    pub fn send(&self, batch: Vec<(Sent, u64)>) -> Vec<u64> {
        let mut state = self.lock();
        let ids = batch.into_iter().map(|(sent, delay)| state.send(sent, Duration::from_secs(delay))).collect();
        self.arrived.notify_all();
        ids
    }

    /// Up to `most` messages, after waiting for at most `wait` seconds where there is none; hands each to `take`.
    pub fn receive(&self, most: usize, visibility: u64, wait: u64, mut take: impl FnMut(Received<'_>)) {
        let until = Instant::now() + Duration::from_secs(wait);
        let visibility = Duration::from_secs(visibility);
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            state.wake(now);
            let mut taken = 0;
            // Those hidden for no time at all are ready again only when all are taken.
            let mut back = Vec::new();
            while taken < most
                && let Some(id) = state.ready.pop_front()
            {
                if state.take(id, now + visibility, &mut take) {
                    taken += 1;
                    back.extend(visibility.is_zero().then_some(id));
                }
            }
            for id in back {
                state.show(id);
            }
            if taken > 0 || now >= until {
                return;
            }
            let next = state.hidden.peek().map_or(until, |Reverse((at, ..))| until.min(*at));
            let pause = next.saturating_duration_since(now).max(Duration::from_millis(1));
            (state, _) = self.arrived.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Deletes each message whose last receipt this is.
    pub fn delete(&self, receipts: impl Iterator<Item = (u64, u64)>) {
        let mut state = self.lock();
        for (id, receipt) in receipts {
            state.delete(id, receipt);
        }
    }

    /// Hides each message, if this is its last receipt, for so many seconds from now; zero shows it.
    pub fn change_visibility(&self, receipts: impl Iterator<Item = (u64, u64, u64)>) {
        let mut state = self.lock();
        for (id, receipt, seconds) in receipts {
            let is_held = |message: &Message| message.receipt == receipt && message.place == Place::InFlight;
            match state.get(id).is_some_and(|message| is_held(message)) {
                true if seconds == 0 => state.show(id),
                true => state.hide(id, Instant::now() + Duration::from_secs(seconds)),
                false => {}
            }
        }
        self.arrived.notify_all();
    }

    pub fn purge(&self) {
        let mut state = self.lock();
        let first_id = state.first_id + state.messages.len() as u64;
        *state = State { first_id, ..State::default() };
    }

    pub fn counts(&self) -> Counts {
        let mut state = self.lock();
        state.wake(Instant::now());
        let all = state.messages.iter().flatten().count();
        let State { in_flight, delayed, .. } = *state;
        Counts { visible: all - in_flight - delayed, in_flight, delayed }
    }
}

impl State {
    fn get(&mut self, id: u64) -> Option<&mut Message> {
        let index = usize::try_from(id.checked_sub(self.first_id)?).ok()?;
        self.messages.get_mut(index)?.as_mut()
    }

    fn send(&mut self, sent: Sent, delay: Duration) -> u64 {
        let id = self.first_id + self.messages.len() as u64;
        let place = if delay.is_zero() { Place::Ready } else { Place::Delayed };
        let sent_at = milliseconds();
        let message = Message { sent, sent_at, first_received_at: 0, receives: 0, epoch: 0, receipt: 0, place };
        self.messages.push_back(Some(message));
        if place == Place::Ready {
            self.ready.push_back(id);
        } else {
            self.delayed += 1;
            self.hidden.push(Reverse((Instant::now() + delay, id, 0)));
        }
        id
    }

    /// Shows whatever was hidden until now.
    fn wake(&mut self, now: Instant) {
        while let Some(Reverse((at, id, epoch))) = self.hidden.peek().copied()
            && at <= now
        {
            self.hidden.pop();
            if self.get(id).is_some_and(|message| message.epoch == epoch) {
                self.show(id);
            }
        }
    }

    /// False: it was deleted while it was ready.
    fn take(&mut self, id: u64, until: Instant, take: &mut impl FnMut(Received<'_>)) -> bool {
        let Some(message) = self.get(id) else { return false };
        message.receives += 1;
        message.place = Place::InFlight;
        message.epoch += 1;
        message.receipt = message.epoch;
        if message.receives == 1 {
            message.first_received_at = milliseconds();
        }
        let Message { sent, sent_at, first_received_at, receives, epoch, receipt, .. } = message;
        take(Received {
            id,
            receipt: *receipt,
            sent,
            sent_at: *sent_at,
            first_received_at: *first_received_at,
            receives: *receives,
        });
        let entry = Reverse((until, id, *epoch));
        self.in_flight += 1;
        self.hidden.push(entry);
        true
    }

    fn hide(&mut self, id: u64, until: Instant) {
        if let Some(message) = self.get(id) {
            message.epoch += 1;
            let entry = Reverse((until, id, message.epoch));
            self.hidden.push(entry);
        }
    }

    fn show(&mut self, id: u64) {
        let Some(message) = self.get(id) else { return };
        let before = std::mem::replace(&mut message.place, Place::Ready);
        message.epoch += 1;
        self.leave(before);
        self.ready.push_back(id);
    }

    fn delete(&mut self, id: u64, receipt: u64) {
        let Some(place) = self.get(id).filter(|message| message.receipt == receipt).map(|message| message.place) else {
            return;
        };
        self.leave(place);
        if let Some(slot) = id.checked_sub(self.first_id).and_then(|index| self.messages.get_mut(index as usize)) {
            *slot = None;
        }
        while let Some(None) = self.messages.front() {
            self.messages.pop_front();
            self.first_id += 1;
        }
    }

    fn leave(&mut self, place: Place) {
        match place {
            Place::InFlight => self.in_flight -= 1,
            Place::Delayed => self.delayed -= 1,
            Place::Ready => {}
        }
    }
}

fn milliseconds() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(number: usize) -> Queue {
        let queue = Queue::new("q", 30);
        queue.send((0..number).map(|n| (Sent::new(&format!("\"{n}\""), None).unwrap(), 0)).collect());
        queue
    }

    fn receive(queue: &Queue, most: usize, visibility: u64) -> Vec<(u64, u64)> {
        let mut taken = Vec::new();
        queue.receive(most, visibility, 0, |message| taken.push((message.id, message.receipt)));
        taken
    }

    fn counts(visible: usize, in_flight: usize) -> Counts {
        Counts { visible, in_flight, delayed: 0 }
    }

    #[test]
    fn what_is_received_is_hidden_until_it_is_deleted_or_given_back() {
        let queue = filled(3);
        let taken = receive(&queue, 10, 30);
        assert_eq!((taken.len(), receive(&queue, 10, 30).len(), queue.counts()), (3, 0, counts(0, 3)));
        queue.delete(taken[..1].iter().copied());
        queue.change_visibility(taken[1..2].iter().map(|(id, receipt)| (*id, *receipt, 0)));
        assert_eq!(queue.counts(), counts(1, 1));
        assert_eq!(receive(&queue, 10, 30)[0].0, taken[1].0);
    }

    #[test]
    fn an_old_receipt_does_nothing() {
        let queue = filled(1);
        let old = receive(&queue, 1, 0);
        let new = receive(&queue, 1, 30);
        assert_eq!((old[0].0, old[0].1 == new[0].1), (new[0].0, false));
        queue.delete(old.iter().copied());
        queue.change_visibility(old.iter().map(|(id, receipt)| (*id, *receipt, 0)));
        assert_eq!(queue.counts(), counts(0, 1));
        queue.delete(new.into_iter());
        assert_eq!(queue.counts(), counts(0, 0));
    }

    #[test]
    fn a_visibility_timeout_ends_and_a_long_poll_waits_for_it() {
        let queue = filled(1);
        let first = receive(&queue, 1, 1);
        let began = Instant::now();
        let mut again = Vec::new();
        queue.receive(1, 30, 20, |message| again.push((message.id, message.receives)));
        assert_eq!(again, [(first[0].0, 2)]);
        assert!((900..5_000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    }

    #[test]
    fn a_delayed_message_comes_later_and_a_purge_takes_all() {
        let queue = filled(1);
        queue.send(vec![(Sent::new("\"later\"", None).unwrap(), 900)]);
        assert_eq!(queue.counts(), Counts { visible: 1, in_flight: 0, delayed: 1 });
        let held = receive(&queue, 10, 30);
        queue.purge();
        queue.delete(held.into_iter());
        assert_eq!(queue.counts(), counts(0, 0));
        let ids = queue.send(vec![(Sent::new("\"new\"", None).unwrap(), 0)]);
        assert_eq!((ids, queue.counts()), (vec![2], counts(1, 0)));
    }

    #[test]
    fn the_digest_is_of_the_text_and_not_of_its_json() {
        assert_eq!(Sent::new("\"hello\"", None).unwrap().md5, "5d41402abc4b2a76b9719d911017c592");
        assert_eq!(Sent::new(r#""hel\u006co""#, None).unwrap().md5, "5d41402abc4b2a76b9719d911017c592");
    }
}
