//! What a flow ends in, read by the engines that compare it with what went in.

pub mod logs;
pub mod record;
pub mod rows;
mod scan;
pub mod table;
