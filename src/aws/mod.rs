//! How claimctl talks to AWS: one client configuration, one retry policy, one way to explain a failure.

mod client;
pub mod credentials;
mod failure;

pub use client::{Credentials, RefusedIsFinal, Service, service};
pub use failure::{Explain, code};
