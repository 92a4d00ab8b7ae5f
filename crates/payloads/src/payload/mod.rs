//! From a claim to its payload: finding the message, fetching the object, and putting it where it was asked for.

pub mod fetch;
pub mod find;
pub mod save;

use claimctl_aws::policy::{ArnBuilder, Statement};

/// What IAM has to allow to fetch any object of a bucket, or of every bucket.
///
/// Who may not list a bucket is told "denied" where an object is missing (Amazon S3 API Reference, GetObject).
pub fn permissions(arns: &ArnBuilder, bucket: &str, key: Option<&str>) -> Vec<Statement> {
    let objects = key.map_or_else(|| arns.objects(bucket, ""), |key| arns.object(bucket, key));
    vec![
        Statement::allow("GetPayload", &[fetch::GET, fetch::GET_VERSION], [objects]),
        Statement::allow("TellMissingFromDenied", &["s3:ListBucket"], [arns.bucket(bucket)]),
    ]
}
