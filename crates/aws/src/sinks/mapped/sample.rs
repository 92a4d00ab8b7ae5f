//! A few items of a table, for a first look at their shape.

use aws_sdk_dynamodb::Client;
use claimctl_core::error::{Error, Result};
use serde_json::{Map, Value};

use super::super::by_key::DESCRIBE;
use super::super::json;
use super::super::scan::{SCAN, arn_pattern};
use crate::Explain;

/// Items that are looked at: one call, a few read units.
pub const SAMPLE: i32 = 10;

#[derive(Debug, Clone)]
pub struct Sample {
    /// Names of the primary key's attributes.
    pub primary: Vec<String>,
    /// By name; numbers as numbers where JSON can hold them.
    pub items: Vec<Map<String, Value>>,
}

/// Reads [`SAMPLE`] items at most. An empty table is not found.
pub async fn sample(client: &Client, table: &str) -> Result<Sample> {
    let described = client.describe_table().table_name(table).send().await;
    let described = described.or_needs(&format!("describe table {table}"), DESCRIBE, &arn_pattern(table))?;
    let schema = described.table.map(|table| table.key_schema().to_vec()).unwrap_or_default();
    let scanned = client.scan().table_name(table).limit(SAMPLE).send().await;
    let scanned = scanned.or_needs(&format!("scan table {table}"), SCAN, &arn_pattern(table))?;
    if scanned.items().is_empty() {
        return Err(Error::not_found(format!("table {table} has no items to look at"))
            .hint("the keys of [flows.NAME] are in docs/verify.md, under tables of another shape"));
    }
    Ok(Sample {
        primary: schema.iter().map(|key| key.attribute_name().to_owned()).collect(),
        items: scanned.items().iter().map(json::of_item).collect(),
    })
}
