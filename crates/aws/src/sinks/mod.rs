//! What a flow ends in, read by the engines that compare it with what went in.

mod backoff;
#[cfg(test)]
mod fake;
pub mod logs;
pub mod record;
pub mod table;
