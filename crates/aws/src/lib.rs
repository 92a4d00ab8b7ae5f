//! How claimctl talks to AWS: one client configuration, one retry policy, one way to explain a failure.

pub mod account;
pub mod api;
mod backoff;
mod client;
pub mod credentials;
pub mod endpoint;
pub mod executions;
mod failure;
#[cfg(test)]
mod fake;
pub mod limiter;
pub mod logs;
mod mfa_sessions;
pub mod naming;
pub mod network;
pub mod objects;
pub mod policy;
pub mod rules;
pub mod sinks;
pub mod streams;
pub mod target;
mod user_config;

pub(crate) use client::RetryRules;
pub use client::{CredentialSource, DoubtIsFinal, SdkSettings, sdk_config};
pub use failure::{Explain, code, elsewhere, is_denied_a_key, is_unknown_call, may_have_arrived};
pub use mfa_sessions::MfaSessions;
pub use user_config::UserConfig;
