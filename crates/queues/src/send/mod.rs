//! Sends messages into a queue: read from files or given by hand, packed into full batches, journaled before and after.

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
mod repeated;
pub mod report;

#[cfg(test)]
mod tests;
