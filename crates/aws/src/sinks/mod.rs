//! What a flow ends in, read by the engines that compare it with what went in.

pub(crate) mod backoff;
pub mod table;
