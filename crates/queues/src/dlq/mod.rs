//! Engines for dead letters. They return values; nothing here knows a terminal.

pub mod expiry;
pub mod inspect;
pub mod letters;
pub mod mark;
pub mod preflight;
pub mod replay;
pub mod setting;
pub mod shape;
pub mod sources;
pub mod suggest;
pub mod verdict;
pub mod why;
