//! How many calls may be in flight, learned from how long they take. Knows no clock: it is told.
//!
//! By Little's law the calls in flight are throughput times latency. While more of them raise the throughput, latency
//! stays; once they only wait for each other, latency grows with them. So the limit grows as long as calls take less
//! than twice the time that they take alone, and shrinks with the gradient beyond that, as Netflix's gradient limit
//! does. What a call takes alone is the lowest mean of late, which a look with half the calls keeps true, as BBR does.
//! A throttled call halves the limit; it comes back fast to just below where that was, and slowly beyond, as CUBIC does.

use std::time::Duration;

/// At first, and at least: what costs nothing where more is of no use. A throttled call sleeps before it is tried again and
/// counts as in flight all the while, so that of fewer calls all would be asleep at times.
const LEAST: usize = 8;
/// Latency may be so many times that of a call alone. Less, and what is only noise would keep the limit low.
const TOLERANCE: f64 = 2.0;
/// Answers in a window at least: the mean of fewer says little.
const ANSWERS: u32 = 16;
/// Windows for which a latency counts as of late, at least; the last of them has half the calls.
const EPOCH: u32 = 16;
/// A limit grows by this at least, unless it was throttled there.
const STEP: f64 = 4.0;

#[derive(Debug)]
pub struct Control {
    floor: f64,
    ceiling: f64,
    limit: f64,
    /// Nothing has said yet that more is of no use.
    doubling: bool,
    /// Half the limit, to learn what a call takes alone.
    looking: bool,
    /// The limit at which calls were throttled last.
    throttled_at: Option<f64>,
    in_flight: usize,
    begun: u64,
    window: Window,
    windows: u32,
    /// The lowest mean latency in this epoch and in the one before, in seconds.
    lowest: [f64; 2],
}

/// Calls that began under the same limit.
#[derive(Debug, Default)]
struct Window {
    /// Calls before this number belong to an earlier one.
    first: u64,
    answers: u32,
    latency: Duration,
    /// The limit was what held back calls, so that it matters.
    is_full: bool,
}

impl Control {
    pub fn adaptive(ceiling: usize) -> Control {
        Control::between(LEAST.min(ceiling), ceiling)
    }

    pub fn fixed(calls: usize) -> Control {
        Control::between(calls, calls)
    }

    fn between(floor: usize, ceiling: usize) -> Control {
        let (floor, ceiling) = (floor.max(1) as f64, ceiling.max(1) as f64);
        Control {
            floor,
            ceiling,
            limit: floor,
            doubling: true,
            looking: false,
            throttled_at: None,
            in_flight: 0,
            begun: 0,
            window: Window::default(),
            windows: 0,
            lowest: [f64::INFINITY; 2],
        }
    }

    pub fn limit(&self) -> usize {
        let limit = if self.looking { self.limit / 2.0 } else { self.limit };
        limit.max(self.floor) as usize
    }

    pub fn has_room(&self) -> bool {
        self.in_flight < self.limit()
    }

    /// A call begins. Its number is what tells of it later.
    pub fn begin(&mut self) -> u64 {
        self.in_flight += 1;
        self.window.is_full |= self.in_flight >= self.limit();
        self.begun += 1;
        self.begun
    }

    /// It is over. Without a latency it tells nothing: it failed, was throttled, or waited for what was not there.
    pub fn end(&mut self, call: u64, latency: Option<Duration>) {
        self.in_flight -= 1;
        let Some(latency) = latency.filter(|_| call > self.window.first) else { return };
        self.window.answers += 1;
        self.window.latency += latency;
        if self.window.answers >= ANSWERS.max(self.limit() as u32) {
            self.judge();
        }
    }

    /// A call was told to come back later. Those that were on their way then say the same, and count as one.
    pub fn throttled(&mut self, call: u64) {
        if call <= self.window.first && self.throttled_at.is_some() {
            return;
        }
        self.throttled_at = Some(self.limit);
        self.limit = (self.limit / 2.0).max(self.floor);
        (self.doubling, self.looking) = (false, false);
        self.next_window();
    }

    fn judge(&mut self) {
        let mean = self.window.latency.as_secs_f64() / f64::from(self.window.answers);
        self.lowest[0] = self.lowest[0].min(mean);
        if self.window.is_full && !self.looking {
            let alone = self.lowest[0].min(self.lowest[1]);
            // Never by more than half: the service may have become slow for a moment.
            let gradient = (TOLERANCE * alone / mean).clamp(0.5, 1.0);
            self.doubling &= gradient == 1.0;
            self.limit = self.grown(self.limit * gradient).clamp(self.floor, self.ceiling);
        }
        self.looking = false;
        self.windows += 1;
        if self.windows.is_multiple_of(EPOCH) {
            self.lowest = [f64::INFINITY, self.lowest[0]];
            self.looking = true;
        }
        self.next_window();
    }

    fn grown(&mut self, limit: f64) -> f64 {
        let fast = if self.doubling { limit * 2.0 } else { limit + STEP.max(limit / 4.0) };
        let Some(at) = self.throttled_at else { return fast };
        let safe = at * 0.9;
        if limit < safe {
            return fast.min(safe);
        }
        let slow = limit + at / 128.0;
        if slow > at + (at / 20.0).max(1.0) {
            // It is not throttled there any more.
            self.throttled_at = None;
        }
        slow
    }

    fn next_window(&mut self) {
        self.window = Window { first: self.begun, ..Window::default() };
    }
}
