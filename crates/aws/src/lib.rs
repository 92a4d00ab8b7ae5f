//! How claimctl talks to AWS: one client configuration, one retry policy, one way to explain a failure.

pub mod account;
mod client;
pub mod credentials;
pub mod endpoint;
mod failure;
pub mod objects;
pub mod policy;
mod session;
pub mod shape;
pub mod sinks;
pub mod target;

pub use client::{Credentials, DoubtIsFinal, RefusedIsFinal, Service, service};
pub use failure::{Explain, code, is_denied_a_key, is_unknown_call, may_have_arrived};
pub use session::Sessions;
