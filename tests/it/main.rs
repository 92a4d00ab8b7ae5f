//! The promises, proved through the real binary against the real sandbox.
//!
//! One test binary, because each one links the whole tool.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod run;
mod terminal;
mod server;
mod world;

mod accounts;
mod bad_input;
mod config;
mod bootstrap;
mod help;
mod init;
mod completions;
mod docs;
mod doctor;
mod help;
mod log;
mod man;
mod package;
mod policy;
mod python;
mod queue;
mod sandbox;
mod upload;
mod verify;
