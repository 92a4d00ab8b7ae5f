//! Bootstrap: an environment's state bucket, lock table, artifact bucket and backend file, made or brought up to what
//! they have to be.
//!
//! [`plan`] looks and compares, [`apply`] does the steps. What is there is adopted: what is missing is added, nothing is
//! loosened, and what others put there stays.

mod apply;
mod bucket;
mod busy;
mod destroy;
mod lifecycle;
mod plan;
mod s3;
mod spec;
mod table;
mod tls;

pub use apply::{Applied, apply};
pub use destroy::{DestroyPlan, RemainingResource, destroy, destroy_plan};
pub use plan::{Plan, Step, StepState, plan};
pub use spec::{Request, Spec};

use claimctl_aws::policy::{ArnBuilder, Statement};

use super::built;

/// What IAM has to allow to bootstrap.
pub fn permissions(spec: &Spec) -> Vec<Statement> {
    let mut statements = s3::permissions(spec.buckets());
    statements.extend(spec.table.iter().flat_map(|table| table::permissions(table, &spec.arns)));
    statements
}

/// What IAM has to allow to take it all down again.
pub fn permissions_to_destroy(spec: &Spec) -> Vec<Statement> {
    destroy::permissions(spec)
}

/// What IAM calls a key: an alias is no resource of its own.
pub(super) fn key_arn(key: &str, arns: &ArnBuilder) -> String {
    match key {
        arn if arn.starts_with("arn:") && !is_alias(arn) => arn.to_owned(),
        alias if is_alias(alias) => arns.arn("kms", "key/*"),
        id => arns.arn("kms", &format!("key/{id}")),
    }
}

fn is_alias(key: &str) -> bool {
    key.contains("alias/")
}

/// Whether a key's ARN or name is of the key that is wanted, as far as that can be seen without asking KMS.
fn is_same_key(is: &str, wanted: &str) -> bool {
    is == wanted || is.rsplit_once(":key/").is_some_and(|(_, id)| id == wanted)
}
