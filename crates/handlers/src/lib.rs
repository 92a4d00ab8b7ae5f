//! The Lambda handlers: one module each, and the little that they share.
//!
//! They are built small, because a cold start loads every byte: instead of the AWS SDKs there is one HTTP client that
//! signs its requests.

pub mod aws;
pub mod claim_recorder;
pub mod log;
#[cfg(test)]
mod loopback;

/// Reads one environment variable; tests pass a closure over values of their own.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;
