//! claimctl: operate claim-check pipelines on AWS. The tool itself, and nothing that another program could use.

pub mod cli;
pub mod completion;
mod config;
pub mod context;
mod demo;
mod inspect;
pub mod output;
pub mod sandbox;
mod session;
mod stacks;
