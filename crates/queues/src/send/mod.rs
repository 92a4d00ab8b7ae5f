//! Sends messages into a queue: read from files or given by hand, packed into full batches, journaled before and after.

pub mod by_hand;
pub mod call;
pub mod check;
pub mod deliver;
pub mod engine;
pub mod feed;
pub mod input;
pub mod limits;
pub mod line;
pub mod outgoing;
pub mod pack;
pub mod pointer;
pub mod queue;
mod repeated;
pub mod report;
mod run;
pub mod source;

pub use run::{Options, Single, intent, rehearse, run};

#[cfg(test)]
mod tests;
