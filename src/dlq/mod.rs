//! Engines for dead letters. They return values; nothing here knows a terminal.

pub mod mark;
pub mod preflight;
pub mod setting;
pub mod verdict;
