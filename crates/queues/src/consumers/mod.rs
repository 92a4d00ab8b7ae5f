//! Engines for Lambda functions. They return values; nothing here knows a terminal.

pub mod failures;
pub mod function_name;
pub mod functions;
pub mod invoke;
pub mod logs;
pub mod mapping;
pub mod pause;
mod report_line;
