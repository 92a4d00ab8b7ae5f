//! Drained files: messages on disk, one per line, so that a torn or an edited line is known for what it is.

pub mod line;
pub mod lines;
mod packing;
mod raw;

pub use line::Drained;
pub use lines::Lines;
pub use packing::Packing;
pub use raw::RawLines;
