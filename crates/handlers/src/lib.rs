//! The Lambda handlers: one module each, and the little that they share.
//!
//! They are built small, because a cold start loads every byte: the AWS SDK comes without what a function does not need.

mod aws;
pub mod claim_recorder;
mod csv;
pub mod csv_importer;
mod csv_load;
pub mod csv_loader;
mod event;
pub mod event_logger;
#[cfg(test)]
mod fake_http;
mod log;
pub mod payment_events;
pub mod payment_stream;
mod payments;
pub mod payments_api;
pub mod quotes;
pub mod settlement;

/// Reads one environment variable; tests pass a closure over values of their own.
type Env<'a> = &'a dyn Fn(&str) -> Option<String>;
