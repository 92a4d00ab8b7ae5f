//! Tests at moments, and with choices, that look random and are the same for the same seed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::run::{Running, finish, signal};

/// How many seeds are tried at once: enough to keep a small machine busy while others wait.
const AT_ONCE: usize = 3;

/// Numbers from a seed (SplitMix64).
pub struct Seeded(u64);

impl Seeded {
    pub fn of(seed: u64) -> Seeded {
        Seeded(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to, and without, the limit.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// From 0 up to, and without, 1.
    pub fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// How many seeds a kill test tries: 20, or `CLAIMCTL_TEST_SEEDS`.
pub fn seeds() -> u64 {
    std::env::var("CLAIMCTL_TEST_SEEDS").map_or(20, |seeds| seeds.parse().unwrap())
}

/// Tries the seeds from 0 on, some at once, all of them even where one fails; says which failed.
#[track_caller]
pub fn each_seed(seeds: u64, try_seed: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(0);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(seed) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < seeds) {
                    if catch_unwind(AssertUnwindSafe(|| try_seed(seed))).is_err() {
                        failed.lock().unwrap().push(seed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "of {seeds} seeds these failed: {failed:?}");
}

/// A visibility timeout after which messages of a killed run come back: soon, and not before a run that usually takes so
/// many milliseconds can have dealt with them.
pub fn soon(usual: &AtomicU64) -> String {
    format!("{}s", (usual.load(Ordering::Relaxed) / 1000).max(2))
}

/// Starts a command and kills it so much later; whether it was still at work then.
pub fn killed_after(command: &mut Command, after: Duration) -> bool {
    let until = Instant::now() + after;
    let child = command.start();
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
    signal(&child, Signal::KILL);
    finish(child, format!("{command:?}, killed")).code == -9
}
