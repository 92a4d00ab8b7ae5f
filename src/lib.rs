//! claimctl: operate claim-check pipelines on AWS.
//!
//! The tool (`cli`) and the Lambda handlers (`handlers`) share [`claim`], the pure types of a claim and its record.

#[cfg(feature = "cli")]
pub mod aws;
#[cfg(feature = "cli")]
pub mod cancel;
pub mod claim;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod config;
#[cfg(feature = "cli")]
pub mod context;
#[cfg(feature = "cli")]
pub mod deploy;
#[cfg(feature = "cli")]
pub mod error;
#[cfg(feature = "cli")]
pub mod exit;
#[cfg(feature = "cli")]
pub mod names;
#[cfg(feature = "cli")]
pub mod output;
#[cfg(feature = "cli")]
pub mod policy;
#[cfg(feature = "cli")]
pub mod progress;
#[cfg(feature = "cli")]
pub mod queue;
#[cfg(feature = "cli")]
pub mod sandbox;
#[cfg(feature = "cli")]
pub mod surface;
#[cfg(feature = "cli")]
pub mod target;
