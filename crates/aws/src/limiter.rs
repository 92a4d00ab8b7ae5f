//! How many calls are in flight at once: as many as raise the throughput, fewer where the service throttles, and never
//! more than the ceiling of who makes them, whose memory they take.
//!
//! Calls that take different times, such as receives and deletes, have a limiter each.

mod control;
#[cfg(test)]
mod tests;
mod throttling;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use control::Control;
use tokio::sync::Notify;

pub(crate) use throttling::NoticeThrottling;

/// Limits calls of one kind. Cheap to clone; the clones count together.
#[derive(Debug, Clone)]
pub struct Limiter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    control: Mutex<Control>,
    /// A call has ended, or more may begin.
    room: Notify,
}

impl Limiter {
    /// For calls of one kind, at most `ceiling` of them.
    pub fn adaptive(ceiling: usize) -> Limiter {
        Limiter::of(Control::adaptive(ceiling))
    }

    /// So many calls, whatever comes of it.
    pub fn fixed(calls: usize) -> Limiter {
        Limiter::of(Control::fixed(calls))
    }

    fn of(control: Control) -> Limiter {
        Limiter(Arc::new(Shared { control: Mutex::new(control), room: Notify::new() }))
    }

    /// A call, as soon as one may begin.
    pub async fn turn(&self) -> Call {
        loop {
            if let Some(call) = self.begin() {
                // One end may have made room for several.
                self.0.room.notify_one();
                return call;
            }
            self.0.room.notified().await;
        }
    }

    /// A call, if one may begin now. Whoever is told None asks again when one of the calls has ended.
    pub fn begin(&self) -> Option<Call> {
        let mut control = self.control();
        let number = control.has_room().then(|| control.begin())?;
        let ticket = Ticket { limiter: self.clone(), number, throttled: false.into() };
        Some(Call { ticket: Arc::new(ticket), latency: None })
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        self.0.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that counts as in flight until it is dropped.
#[derive(Debug)]
pub struct Call {
    ticket: Arc<Ticket>,
    latency: Option<Duration>,
}

#[derive(Debug)]
struct Ticket {
    limiter: Limiter,
    number: u64,
    throttled: AtomicBool,
}

impl Call {
    pub async fn run<T>(self, call: impl Future<Output = T>) -> T {
        self.run_if(call, |_| true).await
    }

    /// The same, where not every answer tells by its latency how busy the service is: a long poll waits for messages.
    pub async fn run_if<T>(mut self, call: impl Future<Output = T>, tells: impl FnOnce(&T) -> bool) -> T {
        let began = Instant::now();
        let answer = throttling::noticed_by(self.ticket.clone(), call).await;
        self.latency = tells(&answer).then(|| began.elapsed());
        answer
    }
}

impl Ticket {
    fn throttled(&self) {
        self.throttled.store(true, Ordering::Relaxed);
        self.limiter.control().throttled(self.number);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // What was throttled has waited, for however long.
        let Ticket { limiter, number, throttled } = &*self.ticket;
        let latency = self.latency.filter(|_| !throttled.load(Ordering::Relaxed));
        limiter.control().end(*number, latency);
        limiter.0.room.notify_one();
    }
}
