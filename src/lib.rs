//! claimctl: operate claim-check pipelines on AWS.
//!
//! The tool (`cli`) and the Lambda handlers (`handlers`) share [`claim`], the pure types of a claim and its record.

pub mod account;
pub mod artifact;
pub mod aws;
pub mod cancel;
pub mod changes;
pub mod child;
pub mod cli;
pub mod completion;
pub mod config;
pub mod context;
pub mod demo;
pub mod deploy;
pub mod dlq;
pub mod error;
pub mod exit;
pub mod folder;
pub mod function;
pub mod inspect;
pub mod journal;
pub mod lock;
pub mod names;
pub mod output;
pub mod payload;
pub mod policy;
pub mod progress;
pub mod queue;
pub mod sandbox;
pub mod seen;
pub mod sinks;
pub mod surface;
pub mod target;
pub mod time;
pub mod upload;
pub mod verify;
