//! Terraform as a process: which program, started with what, initialised, heard, and what it means when it fails.

pub(super) mod binary;
pub(super) mod child_environment;
pub(super) mod driver;
pub(super) mod events;
pub(super) mod failure;
pub(super) mod init;
mod installed;
pub(super) mod lock_error;
mod open;
pub(super) mod shell;
mod words;
