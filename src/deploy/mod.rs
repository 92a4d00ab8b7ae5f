//! Engines that make and keep what a pipeline is deployed with: state buckets, lock tables, Terraform's backend.

pub mod backend;
pub mod bootstrap;
