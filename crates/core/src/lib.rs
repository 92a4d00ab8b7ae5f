//! What every part of claimctl stands on. Nothing here knows AWS, and nothing writes to a terminal.

pub mod cancel;
pub mod change_log;
pub mod child;
pub mod context;
pub mod error;
pub mod exit;
pub mod lock;
pub mod nearest;
pub mod next;
pub mod private_files;
pub mod progress;
pub mod redact;
pub mod shell;
pub mod spool;
pub mod time;
pub mod units;
