//! Engines that make and keep what a pipeline is deployed with: state buckets, lock tables, Terraform's backend,
//! and Terraform itself.

pub mod artifact;
pub mod backend;
pub mod bootstrap;
pub mod deployment;
pub mod migrations;
pub mod next;
pub mod project;
pub mod state;
pub mod surfaces;
pub mod terraform;
#[cfg(test)]
mod testing;
pub mod versions;

pub use project::Project;

use aws_smithy_types::error::operation::BuildError;
use claimctl_core::error::{Error, Result};

/// A request of the SDK that lacks a part it must have.
fn built<T>(request: Result<T, BuildError>) -> Result<T> {
    request.map_err(|error| Error::unexpected("a request could not be made").caused_by(error))
}
