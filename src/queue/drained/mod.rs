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

/// Lines of so many bytes are written at once, or a single one that is longer.
pub const COMMIT: usize = 2 << 20;

/// No commit has more bytes: a line of the longest message, all of it escaped, behind others.
const LARGEST_COMMIT: u64 = 32 << 20;
