//! The lock table's checksum of a state (Terraform documentation, "Backend Type: s3", DynamoDB state locking): it stays
//! when the state is deleted by hand, and Terraform then refuses to work.

use aws_sdk_dynamodb::types::AttributeValue;
use claimctl_aws::policy::ArnBuilder;
use claimctl_aws::target::{Change, Target};
use claimctl_aws::{Explain, code};
use claimctl_core::error::{Error, Result};

use super::lock::GET_ITEM;
use super::store::Store;

const DELETE: &str = "dynamodb:DeleteItem";
const DIGEST: &str = "Digest";

/// A checksum as the table has it, in hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksum(String);

/// That of a stack's state, where the table keeps one.
pub async fn read(target: &Target, store: &Store, stack: &str) -> Result<Option<Checksum>> {
    let Some(table) = &store.lock_table else { return Ok(None) };
    let get = target.dynamodb().get_item().table_name(table).key("LockID", id(store, stack)).consistent_read(true);
    let resource = ArnBuilder::of(target).await?.arn("dynamodb", &format!("table/{table}"));
    let answer =
        get.send().await.or_needs(&format!("read the checksum of the state from {table}"), GET_ITEM, &resource)?;
    let digest = answer.item.as_ref().and_then(|item| item.get(DIGEST)?.as_s().ok());
    Ok(digest.cloned().map(Checksum))
}

/// Removes the checksum of a state that is gone, where it is still the one that was read.
pub async fn forget(target: &Target, store: &Store, stack: &str, read: &Checksum, _agreed: &Change) -> Result<()> {
    let Some(table) = &store.lock_table else { return Ok(()) };
    let delete = target.dynamodb().delete_item().table_name(table).key("LockID", id(store, stack));
    let delete = delete
        .condition_expression("#digest = :read")
        .expression_attribute_names("#digest", DIGEST)
        .expression_attribute_values(":read", AttributeValue::S(read.0.clone()));
    let resource = ArnBuilder::of(target).await?.arn("dynamodb", &format!("table/{table}"));
    let doing = format!("remove the checksum of the state that is gone from {table}");
    let answer = delete.send().await;
    if answer.as_ref().err().and_then(code) == Some("ConditionalCheckFailedException") {
        return Err(Error::refused(format!("the state of {stack} in {} was written meanwhile", store.environment))
            .caused_by(format!("its checksum in {table} is another one"))
            .hint("nothing was done; run the same command again to see what is there now"));
    }
    answer.or_needs(&doing, DELETE, &resource)?;
    Ok(())
}

/// The key of the item.
fn id(store: &Store, stack: &str) -> AttributeValue {
    AttributeValue::S(format!("{}/{}-md5", store.bucket, store.key(stack)))
}
