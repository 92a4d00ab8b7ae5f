//! The lock table's checksum of a state (Terraform documentation, "Backend Type: s3", DynamoDB state locking): it stays
//! when the state is deleted by hand, and Terraform then refuses to work.

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use super::store::Store;
use crate::aws::Explain;
use crate::error::Result;
use crate::policy::Place;
use crate::target::{Change, Target};

const DELETE: &str = "dynamodb:DeleteItem";

/// Removes the checksum of a state that is gone. Whether there was one.
pub async fn forget(target: &Target, store: &Store, stack: &str, _agreed: &Change) -> Result<bool> {
    let Some(table) = &store.lock_table else { return Ok(false) };
    let id = format!("{}/{}-md5", store.bucket, store.key(stack));
    let delete = target.dynamodb().delete_item().table_name(table).key("LockID", AttributeValue::S(id));
    let resource = Place::of(target).await?.arn("dynamodb", &format!("table/{table}"));
    let doing = format!("remove the checksum of the state that is gone from {table}");
    let answer = delete.return_values(ReturnValue::AllOld).send().await.or_needs(&doing, DELETE, &resource)?;
    Ok(answer.attributes.is_some_and(|item| !item.is_empty()))
}
