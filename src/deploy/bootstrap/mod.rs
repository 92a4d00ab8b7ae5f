//! Bootstrap: an environment's state bucket, lock table, artifact bucket and backend file, made or brought up to what
//! they have to be.
//!
//! [`plan`] looks and compares, [`apply`] does the steps. What is there is adopted: what is missing is added, nothing is
//! loosened, and what others put there stays.

mod apply;
mod bucket;
mod destroy;
mod lifecycle;
mod name;
mod plan;
mod s3;
mod settle;
mod spec;
mod table;
mod tls;

use aws_smithy_types::error::operation::BuildError;

pub use apply::{Applied, apply};
pub use destroy::{Demolition, Remains, demolition, destroy};
pub use plan::{Plan, Progress, Step, plan};
pub use spec::{Request, Spec};

use crate::error::{Error, Result};
use crate::policy::Statement;

/// What IAM has to allow to bootstrap.
pub fn permissions(spec: &Spec) -> Vec<Statement> {
    let mut statements = s3::permissions(spec.buckets());
    statements.extend(spec.table.iter().flat_map(table::permissions));
    statements
}

/// What IAM has to allow to take it all down again.
pub fn permissions_to_destroy(spec: &Spec) -> Vec<Statement> {
    destroy::permissions(spec)
}

/// A request of the SDK that lacks a part it must have.
fn built<T>(request: Result<T, BuildError>) -> Result<T> {
    request.map_err(|error| Error::unexpected("a request could not be made").caused_by(error))
}
