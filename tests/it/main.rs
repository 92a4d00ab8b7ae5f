//! The promises, proved through the real binary against the real sandbox.
//!
//! One test binary, because each one links the whole tool.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod run;
mod world;

mod bad_input;
mod completions;
mod docs;
mod doctor;
mod help;
mod log;
mod man;
mod package;
mod python;
mod queue;
mod sandbox;
mod upload;
mod verify;
