//! Sending dead letters again: looked at and judged first, then received again and sent, each step in the journal.
//!
//! What is intended is durable before a send, the new id before the deletion. So whatever ends a replay, every message
//! is in the queue or was sent; where nobody can tell, the journal lists it.

mod canary;
mod destination;
pub mod effects;
mod from_file;
mod guard;
mod order;
mod pass;
pub mod plan;
mod quarantine;
pub mod report;
mod resume;
mod run;
mod sort;
#[cfg(test)]
mod tests;
mod watch;

pub use order::{OnRecorded, Order, Request, Settings, permissions};
pub use resume::resumable;
pub use run::{rehearse, run};

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

/// Why no more is sent once so many messages of this command are back. None: as many may be.
fn too_many_returned(order: &Order, returned: u64) -> Option<String> {
    let most = order.settings.max_returns;
    (returned > most).then(|| {
        let returned = claimctl_core::units::count(returned, "message");
        format!("{returned} came back to the dead-letter queue, and at most {most} may")
    })
}
