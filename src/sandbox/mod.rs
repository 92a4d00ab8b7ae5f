//! The `local` environment: a real AWS-compatible server on loopback, started by claimctl and found again by it.
//!
//! A server belongs to a state folder. Its process holds a lock there for as long as it lives, so that who is asked
//! whether it is up is the kernel, never a file that may be stale. What is deployed in it is in `stacks`, beside this.

mod artifacts;
pub mod cloudformation;
pub mod database;
mod home;
mod http;
mod log;
pub mod python;
mod server;
mod stack;
mod venv;

pub use artifacts::{Artifacts, build, handlers};
pub use database::{DatabaseAccess, DatabaseStatus};
pub use home::{Look, Server};
pub use log::Log;
pub use server::{Sandbox, Started, Stopped};
pub use stack::{Deployed, Removed, Request, surfaces};

/// The account and region that `local` is.
pub const ACCOUNT: &str = "000000000000";
pub const REGION: &str = "us-east-1";
