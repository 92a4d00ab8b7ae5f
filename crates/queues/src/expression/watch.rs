//! What an evaluation may use: time, stack and memory.
//!
//! The evaluator asks for its table of terms at each step, and that is where [`Watch::step`] is called. It cannot make
//! the evaluation fail from there, and unwinding is not available in a release; so an evaluation that goes too far is
//! reported and then stands still for the rest of the process, which costs no time and no more memory.

use std::cell::Cell;
use std::fmt;
use std::time::{Duration, Instant};

/// For one message. Most expressions take microseconds.
pub const TIME: Duration = Duration::from_secs(1);
/// A small part of the thread's stack: freeing and printing deep values recurses between two steps.
const STACK: usize = 32 << 20;
/// By how many bytes the process may grow meanwhile.
const MEMORY: u64 = 64 << 20;
/// How often the memory is looked at: this reads a file.
const MEMORY_EVERY: Duration = Duration::from_millis(1);

/// A limit that an evaluation went past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    Time,
    Recursion,
    Memory,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Time => write!(f, "took longer than {} s", TIME.as_secs()),
            Limit::Recursion => f.write_str("recurses too deep"),
            Limit::Memory => write!(f, "needs more than {} MiB of memory", MEMORY >> 20),
        }
    }
}

/// The limits of the evaluation on one message.
pub struct Watch<'a> {
    began: Instant,
    /// Where the stack was when the evaluation began.
    top: usize,
    next_memory: Cell<Instant>,
    /// Resident bytes at the first look. The start itself is not worth one: few evaluations last that long.
    memory: Cell<Option<u64>>,
    report: Box<dyn Fn(Limit) + 'a>,
}

impl<'a> Watch<'a> {
    pub fn start(report: impl Fn(Limit) + 'a) -> Self {
        let began = Instant::now();
        Watch {
            began,
            top: stack_pointer(),
            next_memory: Cell::new(began + MEMORY_EVERY),
            memory: Cell::new(None),
            report: Box::new(report),
        }
    }

    /// Returns while the evaluation is within its limits, and never once it is not.
    pub fn step(&self) {
        if let Some(limit) = self.past() {
            (self.report)(limit);
            loop {
                std::thread::park();
            }
        }
    }

    fn past(&self) -> Option<Limit> {
        if stack_pointer().abs_diff(self.top) > STACK {
            return Some(Limit::Recursion);
        }
        let now = Instant::now();
        if now.duration_since(self.began) > TIME {
            return Some(Limit::Time);
        }
        if now >= self.next_memory.get() {
            self.next_memory.set(now + MEMORY_EVERY);
            let resident = resident()?;
            match self.memory.get() {
                None => self.memory.set(Some(resident)),
                Some(before) if resident.saturating_sub(before) > MEMORY => return Some(Limit::Memory),
                Some(_) => {}
            }
        }
        None
    }
}

/// About where the stack is: the address of something on it.
#[inline(never)]
fn stack_pointer() -> usize {
    let here = 0_u8;
    std::hint::black_box(&raw const here).addr()
}

/// Bytes of this process that are in memory, where the system tells (proc(5), "/proc/pid/status": in kB).
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = resident.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes << 10)
}
