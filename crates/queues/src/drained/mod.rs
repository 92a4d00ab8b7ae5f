//! Drained files: messages on disk, one per line, so that a torn or an edited line is known for what it is.

pub mod file;
pub mod line;
pub mod lines;
mod packing;
mod raw;
mod scan;
mod series;
#[cfg(test)]
mod tests;

pub use file::{Appender, Existing};
pub use line::Drained;
pub use lines::Lines;
pub use raw::RawLines;

use claimctl_core::units;

/// Smaller files would be many: each is synced, and counted with four digits.
const LEAST_FILE: u64 = 64 << 10;

/// The size beyond which the next file is begun, as operators type it.
pub fn parse_rotate_size(text: &str) -> Result<u64, String> {
    units::parse_bytes_in(text, LEAST_FILE..)
}

/// Lines of so many bytes are written at once, or a single one that is longer.
pub const COMMIT: usize = 2 << 20;

/// No commit has more bytes: a line of the longest message, all of it escaped, behind others.
const LARGEST_COMMIT: u64 = 32 << 20;
