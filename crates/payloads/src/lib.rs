//! Payloads: into the bucket, back out of it, and the proof that each has left its record.

pub mod cleanup;
pub mod flow;
pub mod generate;
pub mod payload;
pub mod records;
pub mod repair;
pub mod send;
pub mod upload;
pub mod uploads;
pub mod verify;
pub mod whole_file;
