//! A table of the rows of files, each with the `claim_id` of its file.

use std::pin::pin;

use aws_sdk_dynamodb::Client;
use claimctl_claim::claim_id;
use claimctl_claim::record::attribute;
use claimctl_core::error::Result;
use futures_util::TryStreamExt;

use super::scan;
use crate::policy::{ArnBuilder, Statement};

/// What IAM has to allow to count the rows of files.
pub fn permissions(arns: &ArnBuilder, table: &str) -> Statement {
    Statement::allow("CountRows", &[scan::SCAN], [arns.arn("dynamodb", &format!("table/{table}"))])
}

/// Hands over, for every row, the key of its file in the bucket; only of keys that begin with `prefix`.
pub async fn keys_of_files(
    client: &Client,
    table: &str,
    bucket: &str,
    prefix: &str,
    mut each: impl FnMut(&str) -> Result<()>,
) -> Result<()> {
    let call = client.scan().table_name(table).projection_expression("#id");
    let call = call.expression_attribute_names("#id", attribute::CLAIM_ID);
    let mut pages = pin!(scan::beginning_with(call, table, claim_id(bucket, prefix), None));
    while let Some(page) = pages.try_next().await? {
        for item in page {
            let id = item.get(attribute::CLAIM_ID).and_then(|value| value.as_s().ok());
            if let Some((_, key)) = id.and_then(|id| id.split_once('/')) {
                each(key)?;
            }
        }
    }
    Ok(())
}
