//! How large a table is, as DynamoDB counted it some hours ago, and what reading all of it takes.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::BillingMode;
use claimctl_core::error::Result;
use serde::Serialize;

use super::by_key::DESCRIBE;
use super::scan::arn_pattern;
use crate::Explain;

/// A consistent read takes one unit for so many bytes (Amazon DynamoDB Developer Guide, "DynamoDB read and write
/// operations").
const BYTES_OF_UNIT: u64 = 4096;
/// A call of Scan reads so many bytes at most (Amazon DynamoDB API Reference, Scan).
const BYTES_OF_CALL: u64 = 1 << 20;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableSize {
    pub table: String,
    pub items: u64,
    pub bytes: u64,
    /// Read units a second that are provisioned. None: paid by use.
    pub provisioned: Option<u64>,
}

impl TableSize {
    pub async fn read(client: &Client, table: &str) -> Result<TableSize> {
        let described = client.describe_table().table_name(table).send().await;
        let described = described.or_needs(&format!("describe table {table}"), DESCRIBE, &arn_pattern(table))?;
        let number = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default();
        let described = described.table.as_ref();
        let mode = described.and_then(|table| table.billing_mode_summary()?.billing_mode().cloned());
        let provisioned = described.and_then(|table| table.provisioned_throughput()?.read_capacity_units());
        Ok(TableSize {
            table: table.to_owned(),
            items: number(described.and_then(|table| table.item_count())),
            bytes: number(described.and_then(|table| table.table_size_bytes())),
            provisioned: match mode {
                Some(BillingMode::PayPerRequest) => None,
                _ => Some(number(provisioned)).filter(|units| *units > 0),
            },
        })
    }

    /// Of one consistent scan.
    pub fn read_units(&self) -> u64 {
        self.bytes.div_ceil(BYTES_OF_UNIT)
    }

    /// Of one scan, apart from the few that its segments take more.
    pub fn calls(&self) -> u64 {
        self.bytes.div_ceil(BYTES_OF_CALL)
    }
}
