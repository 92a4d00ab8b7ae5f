//! Engines for Lambda functions. They return values; nothing here knows a terminal.

pub mod failures;
