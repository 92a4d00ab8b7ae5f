//! Engines for queues and dead letters, and the journal by which they go on after a kill. They return values; nothing
//! here knows a terminal.

pub mod batch;
pub mod consumers;
pub mod dead_letters;
pub mod deletes;
pub mod depth;
mod digest;
pub mod drain;
pub mod drained;
pub mod expression;
#[cfg(test)]
mod fake;
pub mod histogram;
mod in_flight;
pub mod journal;
pub mod message;
pub mod peek;
pub mod policy;
pub mod purge;
pub mod rate;
pub mod receive;
pub mod recipients;
pub mod resolve;
pub mod select;
pub mod send;
pub mod stats;

use std::sync::Arc;

pub use in_flight::{NotReleased, Returned};

/// A queue and the client to reach it. Cheap to clone, so that calls can run beside each other.
#[derive(Debug, Clone)]
pub struct Queue {
    pub sqs: aws_sdk_sqs::Client,
    pub url: Arc<str>,
}

impl Queue {
    pub fn new(sqs: aws_sdk_sqs::Client, url: &str) -> Self {
        Queue { sqs, url: url.into() }
    }

    pub fn name(&self) -> &str {
        depth::name_of(&self.url)
    }

    /// For a statement that allows what was denied.
    fn arn_pattern(&self) -> String {
        format!("arn:*:sqs:*:*:{}", self.name())
    }
}
