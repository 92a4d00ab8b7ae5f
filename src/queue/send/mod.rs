//! Sends messages into a queue: read from files or given by hand, packed into full batches, journaled before and after.

pub mod limits;
pub mod outgoing;
pub mod pack;
