//! claimctl: operate claim-check pipelines on AWS. The tool itself, and nothing that another program could use.

pub mod cli;
pub mod completion;
pub mod config;
pub mod context;
pub mod demo;
pub mod inspect;
pub mod output;
pub mod sandbox;
pub mod session;
pub mod stacks;
