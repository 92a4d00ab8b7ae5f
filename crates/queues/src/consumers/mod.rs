//! Engines for Lambda functions. They return values; nothing here knows a terminal.

pub mod failures;
pub mod logs;
pub mod mapping;
pub mod pause;
