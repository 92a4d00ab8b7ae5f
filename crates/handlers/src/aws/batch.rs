//! Many DynamoDB items: written in batches, found by a scan, deleted one by one.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use aws_sdk_dynamodb::operation::batch_write_item::BatchWriteItemError;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::types::{PutRequest, WriteRequest};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::{Aws, Condition, Deadline, Failure, Item};

/// Items of one call (Amazon DynamoDB API Reference, BatchWriteItem).
pub const MOST_ITEMS: usize = 25;

const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// What says "slow down", and nothing of the request (Amazon DynamoDB Developer Guide, "Error handling").
const THROTTLES: [&str; 4] =
    ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded", "InternalServerError"];

/// One page of a scan.
pub struct Page {
    pub items: Vec<Item>,
    /// Where the next page begins.
    pub next: Option<Item>,
}

impl Aws {
    /// `BatchWriteItem`, again and again for what the service did not take, until the deadline, which may move. At most
    /// [`MOST_ITEMS`], all with different keys.
    pub async fn put_items(
        &self,
        table: &str,
        items: Vec<Item>,
        deadline: &(dyn Fn() -> Deadline + Send + Sync),
    ) -> Result<(), Failure> {
        let mut left = Vec::new();
        for item in items {
            left.push(WriteRequest::builder().put_request(PutRequest::builder().set_item(Some(item)).build()?).build());
        }
        let mut pause = FIRST_PAUSE;
        while !left.is_empty() {
            let asked = left.len();
            let call = self.dynamodb().batch_write_item().request_items(table, left.clone());
            left = match deadline().bound(call.send()).await? {
                Ok(answer) => answer.unprocessed_items.unwrap_or_default().remove(table).unwrap_or_default(),
                Err(error) if is_throttle(error.as_service_error()) => left,
                Err(error) => return Err(error.into()),
            };
            if !left.is_empty() {
                deadline().bound(tokio::time::sleep(jittered(pause))).await?;
                let progress = left.len() < asked;
                pause = if progress { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
            }
        }
        Ok(())
    }

    /// `Scan`: one page of what the condition holds for, with these attributes only.
    pub async fn scan_page(
        &self,
        table: &str,
        filter: &Condition,
        attribute: &str,
        after: Option<Item>,
        deadline: Deadline,
    ) -> Result<Page, Failure> {
        let mut names = filter.names();
        names.insert("#wanted".into(), attribute.into());
        let call = self
            .dynamodb()
            .scan()
            .table_name(table)
            .consistent_read(true)
            .projection_expression("#wanted")
            .filter_expression(&filter.expression)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(filter.values()))
            .set_exclusive_start_key(after);
        let answer = deadline.bound(call.send()).await??;
        Ok(Page { items: answer.items.unwrap_or_default(), next: answer.last_evaluated_key })
    }

    /// `DeleteItem`; one for which the condition does not hold stays.
    pub async fn delete_item(
        &self,
        table: &str,
        item_key: Item,
        condition: &Condition,
        deadline: Deadline,
    ) -> Result<bool, Failure> {
        let call = self
            .dynamodb()
            .delete_item()
            .table_name(table)
            .set_key(Some(item_key))
            .condition_expression(&condition.expression)
            .set_expression_attribute_names(Some(condition.names()))
            .set_expression_attribute_values(Some(condition.values()));
        match deadline.bound(call.send()).await? {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(false),
                _ => Err(error.into()),
            },
        }
    }
}

fn is_throttle(error: Option<&BatchWriteItemError>) -> bool {
    error.and_then(ProvideErrorMetadata::code).is_some_and(|code| THROTTLES.contains(&code))
}

/// Between half of it and all of it, so that those that were refused together do not come back together.
pub fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 1000;
    pause / 2 + pause.mul_f64(random as f64 / 2000.0)
}
