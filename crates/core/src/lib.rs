//! What every part of claimctl stands on. Nothing here knows AWS, and nothing writes to a terminal.
//!
//! Errors, exit codes and names are for everybody. The rest works on an operator's machine, and is left out of the
//! Lambda handlers (feature `machine`).

pub mod error;
pub mod exit;
pub mod nearest;
pub mod next;
pub mod shell;

#[cfg(feature = "machine")]
pub mod boot_time;
#[cfg(feature = "machine")]
pub mod cancel;
#[cfg(feature = "machine")]
pub mod change_log;
#[cfg(feature = "machine")]
pub mod child;
#[cfg(feature = "machine")]
pub mod context;
#[cfg(feature = "machine")]
pub mod lock;
#[cfg(feature = "machine")]
pub mod private_files;
#[cfg(feature = "machine")]
pub mod progress;
#[cfg(feature = "machine")]
mod range;
#[cfg(feature = "machine")]
pub mod redact;
#[cfg(feature = "machine")]
pub mod run_report;
#[cfg(feature = "machine")]
pub mod spool;
#[cfg(feature = "machine")]
pub mod time;
#[cfg(feature = "machine")]
pub mod units;
#[cfg(feature = "machine")]
pub mod uuid;
