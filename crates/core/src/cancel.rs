//! The two-step interrupt: the first signal asks engines to stop taking new work, the second ends the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio_util::sync::CancellationToken;

use crate::exit::Exit;

const NONE: u8 = 0;
const INTERRUPTED: u8 = 1;
const TERMINATED: u8 = 2;

/// Shared by everything that may have to stop early. Cheap to clone.
#[derive(Clone, Default)]
pub struct Cancel {
    token: CancellationToken,
    signal: Arc<AtomicU8>,
}

impl Cancel {
    pub fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }

    /// One that is cancelled with this one, and can also be stopped alone.
    pub fn child(&self) -> Cancel {
        Cancel { token: self.token.child_token(), signal: self.signal.clone() }
    }

    /// Asks what it was given to to stop, without a signal of the operator.
    pub fn stop(&self) {
        self.token.cancel();
    }

    /// Resolves once the operator has asked to stop. Safe to use in `select!`.
    pub async fn cancelled(&self) {
        self.token.cancelled().await
    }

    /// The exit code that the signal asks for, once one has arrived.
    pub fn exit(&self) -> Option<Exit> {
        match self.signal.load(Ordering::SeqCst) {
            INTERRUPTED => Some(Exit::Interrupted),
            TERMINATED => Some(Exit::Terminated),
            _ => None,
        }
    }

    /// Records the signal. False when there was one before: the operator asks a second time.
    pub fn request(&self, exit: Exit) -> bool {
        let signal = if exit == Exit::Interrupted { INTERRUPTED } else { TERMINATED };
        let first = self.signal.compare_exchange(NONE, signal, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        self.token.cancel();
        first
    }
}
