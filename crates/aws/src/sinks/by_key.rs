//! A DynamoDB table by its partition key: its schema checked, its items read in full batches.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeValue, KeyType, KeysAndAttributes, ReturnConsumedCapacity, ScalarAttributeType, TableDescription,
};
use claimctl_core::error::{Error, Result};

use super::read_rate::{ReadRate, used};
use super::scan::{Item, arn_pattern};
use crate::Explain;
use crate::backoff::{Backoff, is_throttled};

/// Keys in a call (Amazon DynamoDB API Reference, BatchGetItem).
pub const BATCH: usize = 100;

pub const DESCRIBE: &str = "dynamodb:DescribeTable";
pub const GET: &str = "dynamodb:BatchGetItem";
pub const GET_ONE: &str = "dynamodb:GetItem";

/// Refuses a table that cannot hold this at all, so that a wrong one is not read as "everything is missing".
pub async fn check(client: &Client, table: &str, partition_key: &str, holds: &str) -> Result<()> {
    let described = client.describe_table().table_name(table).send().await;
    let described = described.or_needs(&format!("describe table {table}"), DESCRIBE, &arn_pattern(table))?;
    let described = described.table.unwrap_or_else(|| TableDescription::builder().build());
    let keys: Vec<String> = described
        .key_schema()
        .iter()
        .map(|key| {
            let role = if *key.key_type() == KeyType::Hash { "partition" } else { "sort" };
            format!("{role} key {}", key.attribute_name())
        })
        .collect();
    let is_text = described.attribute_definitions().iter().any(|attribute| {
        attribute.attribute_name() == partition_key && *attribute.attribute_type() == ScalarAttributeType::S
    });
    if keys == [format!("partition key {partition_key}")] && is_text {
        return Ok(());
    }
    Err(Error::usage(format!("table {table} does not hold {holds}: it has {}", keys.join(", ")))
        .hint(format!("a table of {holds} has the partition key {partition_key} (a string) and no sort key")))
}

/// All that the item of a key holds, read consistently.
pub async fn get_one(client: &Client, table: &str, partition_key: &str, key: String) -> Result<Option<Item>> {
    let call = client.get_item().table_name(table).key(partition_key, AttributeValue::S(key)).consistent_read(true);
    Ok(call.send().await.or_needs(&format!("read table {table}"), GET_ONE, &arn_pattern(table))?.item)
}

/// The items with these keys, each key once and at most [`BATCH`] of them, read consistently. Keys without an item are
/// absent from the answer.
pub async fn get(
    client: &Client,
    table: &str,
    partition_key: &str,
    keys: Vec<String>,
    projection: &str,
    placeholders: HashMap<String, String>,
    rate: Option<&ReadRate>,
) -> Result<Vec<Item>> {
    let keys = keys.into_iter().map(|key| HashMap::from([(partition_key.to_owned(), AttributeValue::S(key))]));
    get_items(client, table, keys.collect(), Some(projection), Some(placeholders), rate).await
}

/// The same by whole keys, of any schema.
pub async fn get_items(
    client: &Client,
    table: &str,
    keys: Vec<Item>,
    projection: Option<&str>,
    placeholders: Option<HashMap<String, String>>,
    rate: Option<&ReadRate>,
) -> Result<Vec<Item>> {
    let mut found = Vec::with_capacity(keys.len());
    let wanted = KeysAndAttributes::builder()
        .set_keys(Some(keys))
        .consistent_read(true)
        .set_projection_expression(projection.map(str::to_owned))
        .set_expression_attribute_names(placeholders)
        .build()
        .map_err(|error| Error::unexpected("cannot build the call").caused_by(error))?;
    let mut left = HashMap::from([(table.to_owned(), wanted)]);
    let mut backoff = Backoff::new();
    // An answer holds 16 MB at most; what did not fit, or is throttled, comes back unprocessed.
    loop {
        let call = client.batch_get_item().set_request_items(Some(left.clone()));
        let answer = match rate {
            None => call.send().await,
            Some(rate) => {
                let call = call.return_consumed_capacity(ReturnConsumedCapacity::Total).send();
                let items = left.values().map(|wanted| wanted.keys().len()).sum();
                rate.paced(call, |answer| answer.as_ref().map_or(0.0, |got| used(got.consumed_capacity(), items))).await
            }
        };
        let answer = match answer {
            Err(error) if is_throttled(&error) && backoff.pause().await => continue,
            answer => answer.or_needs(&format!("read records of table {table}"), GET, &arn_pattern(table))?,
        };
        let before = found.len();
        found.extend(answer.responses.unwrap_or_default().into_values().flatten());
        left = answer.unprocessed_keys.unwrap_or_default();
        if left.is_empty() {
            return Ok(found);
        }
        if found.len() > before {
            backoff.reset();
        }
        if !backoff.pause().await {
            return Err(Error::unreachable(format!("table {table} throttles: it leaves keys unprocessed"))
                .hint("raise its read capacity, or run the same command again later"));
        }
    }
}
