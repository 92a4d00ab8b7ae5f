//! What to receive, and how receiving ended.

use std::time::Duration;

use claimctl_core::error::Result;

use crate::deletes::Left;
use crate::in_flight::Returned;

/// What ends the receiving, when nothing else does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// All that was visible when it began is held.
    Seen,
    /// The same, where what is held is deleted on the way: in a FIFO queue that makes room for the rest of a group.
    Gone,
    /// Nothing came, and nothing was counted in the queue for so long: not visible, not in flight, not delayed.
    EmptyFor(Duration),
}

/// What to receive, and how it is kept hidden.
#[derive(Debug, Clone)]
pub struct ReceiveOptions {
    /// None: all there is, up to [`CAP`](super::CAP).
    pub limit: Option<usize>,
    /// About how many there are: decides how many receives wait at once.
    pub expected: u64,
    /// How long a message is hidden at a time; extended at half time. Whole seconds.
    pub visibility: Duration,
    pub until: Until,
}

/// Why no more was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiveEnd {
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
    pub ended: Result<ReceiveEnd>,
    pub returned: Returned,
    /// Deliveries of a message that was held already.
    pub again: u64,
    /// Messages that did not arrive as they were sent. Nobody was given them; they are given back.
    pub altered: Vec<Left>,
}
