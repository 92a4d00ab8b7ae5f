//! What every part of claimctl stands on. Nothing here knows AWS, and nothing writes to a terminal.

pub mod cancel;
pub mod changes;
pub mod child;
pub mod context;
pub mod error;
pub mod exit;
pub mod folder;
pub mod lock;
pub mod names;
pub mod next;
pub mod progress;
pub mod run_report;
pub mod spool;
pub mod time;
pub mod units;
