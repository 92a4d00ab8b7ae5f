//! Sending dead letters again: looked at and judged first, then received again and sent, each step in the journal.
//!
//! What is intended is durable before a send, the new id before the deletion. So whatever ends a replay, every letter
//! is in the queue or was sent; where nobody can tell, the journal lists it.

mod canary;
mod from_file;
mod guard;
mod pass;
pub mod plan;
mod quarantine;
pub mod report;
pub mod run;
mod sort;
pub mod watch;
mod way;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use claimctl_core::units;

use self::watch::Gauges;
use self::way::Destination;
use super::preflight::Preflight;
use crate::Queue;
use crate::pace::Rate;
use crate::select::Selection;

pub use self::way::{Destination as To, INVOKE, Invocation, SendTo};

/// What becomes of a letter whose record is there already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnRecorded {
    /// Leave it in the dead-letter queue
    #[default]
    Skip,
    /// Delete it: nothing is left to do for it
    Delete,
    /// Send it all the same; a handler that works as promised changes nothing
    Send,
}

/// What to replay, and how carefully.
pub struct Order {
    /// The dead-letter queue.
    pub letters: Queue,
    pub letters_arn: String,
    pub to: Destination,
    pub selection: Arc<Selection>,
    /// A drained file, instead of what is in the queue now.
    pub file: Option<PathBuf>,
    /// The most letters that are taken.
    pub limit: Option<u64>,
    pub gauges: Gauges,
    /// None: neither payloads nor records are looked at, and every letter that is selected is sent.
    pub preflight: Option<Arc<Preflight>>,
    pub on_recorded: OnRecorded,
    /// Takes what must not be sent.
    pub quarantine: Option<PathBuf>,
    pub max_replays: u32,
    /// The most letters that may come back while it sends.
    pub max_returns: u64,
    /// How many are sent first and waited for.
    pub canary: u64,
    /// How long.
    pub canary_wait: Duration,
    pub rate: Option<Rate>,
    /// A verdict that is older is made anew before its letter is sent.
    pub recheck: Duration,
    /// How long received letters are hidden at a time. Whole seconds.
    pub visibility: Duration,
}

impl Order {
    /// Why no more is sent once so many letters of this command are back. None: as many may be.
    fn too_many_returned(&self, returned: u64) -> Option<String> {
        (returned > self.max_returns).then(|| {
            format!(
                "{} came back to the dead-letter queue, and --max-returns is {}",
                units::count(returned, "letter"),
                self.max_returns
            )
        })
    }
}

/// How much a pass sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Share {
    /// So many, which are told: somebody waits for what becomes of them.
    Canary(u64),
    UpTo(u64),
    All,
}

impl Share {
    /// How many may be sent. None: any number.
    fn room(self) -> Option<u64> {
        match self {
            Share::Canary(most) | Share::UpTo(most) => Some(most),
            Share::All => None,
        }
    }
}
