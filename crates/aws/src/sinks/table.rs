//! A DynamoDB table of records: its schema checked, scanned in segments, read by key in full batches.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeyType, KeysAndAttributes, ScalarAttributeType};
use claimctl_claim::record::attribute;
use claimctl_claim::{Status, claim_id, sequencer};
use claimctl_core::error::{Error, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::Explain;
use crate::policy::{ArnBuilder, Statement};

/// Segments of a parallel scan.
const SEGMENTS: i32 = 4;
/// Keys in a call (Amazon DynamoDB API Reference, BatchGetItem).
pub const BATCH: usize = 100;
const BATCHES_AT_ONCE: usize = 8;
/// Only what a comparison needs is sent over the wire.
const PROJECTION: &str = "#key, #etag, #size, #status";
/// The same, with what tells two events of one key apart.
const WITH_SEQUENCER: &str = "#key, #etag, #size, #status, #id, #sequencer";

const DESCRIBE: &str = "dynamodb:DescribeTable";
const SCAN: &str = "dynamodb:Scan";
const GET: &str = "dynamodb:BatchGetItem";

/// What IAM has to allow to read a table of records, by key and (`scans`) as a whole.
pub fn permissions(arns: &ArnBuilder, table: &str, scans: bool) -> Statement {
    let scan: &[&str] = if scans { &[SCAN] } else { &[] };
    Statement::allow(
        "ReadRecords",
        &[&[DESCRIBE, GET], scan].concat(),
        [arns.arn("dynamodb", &format!("table/{table}"))],
    )
}

/// For a statement that allows what was denied.
fn arn_pattern(table: &str) -> String {
    format!("arn:*:dynamodb:*:*:table/{table}")
}

/// What a comparison needs to know of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordEntry {
    pub key: String,
    pub etag: Option<String>,
    pub size: Option<u64>,
    /// Processed or removed: a record whose object may be gone for a good reason.
    pub retired: bool,
    /// Removed: the object was gone when this was written.
    pub removed: bool,
}

/// What the table holds for a claim, and which event of its key wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    pub entry: RecordEntry,
    /// Normalized; none in a record that a repair wrote.
    pub sequencer: Option<String>,
}

/// An item as DynamoDB gives it.
type Item = HashMap<String, AttributeValue>;

#[derive(Clone)]
pub struct RecordTable {
    client: Client,
    pub name: String,
    pub bucket: String,
}

impl RecordTable {
    /// Checks that the table can hold records at all, so that a wrong table is not read as "everything is missing".
    pub async fn open(client: Client, name: &str, bucket: &str) -> Result<RecordTable> {
        let described = client.describe_table().table_name(name).send().await;
        let described = described.or_needs(&format!("describe table {name}"), DESCRIBE, &arn_pattern(name))?;
        let table = described.table.unwrap_or_else(|| aws_sdk_dynamodb::types::TableDescription::builder().build());
        let keys: Vec<String> = table
            .key_schema()
            .iter()
            .map(|key| {
                let role = if *key.key_type() == KeyType::Hash { "partition" } else { "sort" };
                format!("{role} key {}", key.attribute_name())
            })
            .collect();
        let is_text = table.attribute_definitions().iter().any(|attribute| {
            attribute.attribute_name() == attribute::CLAIM_ID && *attribute.attribute_type() == ScalarAttributeType::S
        });
        if keys != [format!("partition key {}", attribute::CLAIM_ID)] || !is_text {
            return Err(Error::usage(format!("table {name} does not hold claim records: it has {}", keys.join(", ")))
                .hint(format!(
                    "a record table has the partition key {} (a string) and no sort key",
                    attribute::CLAIM_ID
                )));
        }
        Ok(RecordTable { client, name: name.to_owned(), bucket: bucket.to_owned() })
    }

    /// Hands over every record of the bucket whose key begins with `prefix`, in no order.
    pub async fn scan(&self, prefix: &str, mut each: impl FnMut(RecordEntry) -> Result<()>) -> Result<()> {
        let segments = (0..SEGMENTS).map(|segment| Box::pin(self.segment(segment, prefix)));
        let mut pages = stream::select_all(segments);
        while let Some(page) = pages.try_next().await? {
            page.into_iter().try_for_each(&mut each)?;
        }
        Ok(())
    }

    fn segment(&self, segment: i32, prefix: &str) -> impl stream::Stream<Item = Result<Vec<RecordEntry>>> {
        let mut request = self
            .client
            .scan()
            .table_name(&self.name)
            .segment(segment)
            .total_segments(SEGMENTS)
            .consistent_read(true)
            .projection_expression(PROJECTION)
            .set_expression_attribute_names(Some(placeholders(PROJECTION)))
            .expression_attribute_names("#bucket", attribute::BUCKET)
            .expression_attribute_values(":bucket", AttributeValue::S(self.bucket.clone()));
        request = match prefix {
            "" => request.filter_expression("#bucket = :bucket"),
            _ => request
                .filter_expression("#bucket = :bucket AND begins_with(#key, :prefix)")
                .expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned())),
        };
        let (doing, arn) = (format!("scan table {}", self.name), arn_pattern(&self.name));
        let pages = request.into_paginator().send();
        stream::unfold(pages, |mut pages| async move { pages.next().await.map(|page| (page, pages)) })
            .map(move |page| Ok(page.or_needs(&doing, SCAN, &arn)?.items().iter().filter_map(entry).collect()))
    }

    /// The records of these keys, read consistently. Keys without a record are absent from the answer.
    pub async fn get(&self, keys: &[&str]) -> Result<HashMap<String, RecordEntry>> {
        let ids = |keys: &[&str]| keys.iter().map(|key| claim_id(&self.bucket, key)).collect();
        let batches = keys.chunks(BATCH).map(|batch| self.get_batch(ids(batch), PROJECTION));
        let found: Vec<Vec<Item>> = stream::iter(batches).buffer_unordered(BATCHES_AT_ONCE).try_collect().await?;
        Ok(found.iter().flatten().filter_map(entry).map(|entry| (entry.key.clone(), entry)).collect())
    }

    /// The records with these partition keys, of any bucket, read consistently; by partition key. At most [`BATCH`]
    /// ids, each once. Ids without a record are absent from the answer.
    pub async fn get_by_id(&self, ids: Vec<String>) -> Result<HashMap<String, StoredRecord>> {
        let items = self.get_batch(ids, WITH_SEQUENCER).await?;
        let recorded = |item: &Item| {
            let sequencer = text(item, attribute::SEQUENCER).and_then(|sequencer| sequencer::normalize(sequencer));
            Some((text(item, attribute::CLAIM_ID)?.clone(), StoredRecord { entry: entry(item)?, sequencer }))
        };
        Ok(items.iter().filter_map(recorded).collect())
    }

    async fn get_batch(&self, ids: Vec<String>, projection: &str) -> Result<Vec<Item>> {
        let mut found = Vec::with_capacity(ids.len());
        let keys = ids.into_iter().map(|id| HashMap::from([(attribute::CLAIM_ID.to_owned(), AttributeValue::S(id))]));
        let wanted = KeysAndAttributes::builder()
            .set_keys(Some(keys.collect()))
            .consistent_read(true)
            .projection_expression(projection)
            .set_expression_attribute_names(Some(placeholders(projection)))
            .build()
            .map_err(|error| Error::unexpected("cannot build the call").caused_by(error))?;
        let mut left = HashMap::from([(self.name.clone(), wanted)]);
        // An answer holds 16 MB at most; what did not fit comes back unprocessed.
        while !left.is_empty() {
            let answer = self.client.batch_get_item().set_request_items(Some(left)).send().await;
            let answer =
                answer.or_needs(&format!("read records of table {}", self.name), GET, &arn_pattern(&self.name))?;
            found.extend(answer.responses.unwrap_or_default().into_values().flatten());
            left = answer.unprocessed_keys.unwrap_or_default();
        }
        Ok(found)
    }
}

/// The names behind a projection's placeholders. DynamoDB refuses one that is not used.
fn placeholders(projection: &str) -> HashMap<String, String> {
    [
        ("#key", attribute::OBJECT_KEY),
        ("#etag", attribute::ETAG),
        ("#size", attribute::SIZE),
        ("#status", attribute::STATUS),
        ("#id", attribute::CLAIM_ID),
        ("#sequencer", attribute::SEQUENCER),
    ]
    .into_iter()
    .filter(|(placeholder, _)| projection.contains(placeholder))
    .map(|(placeholder, name)| (placeholder.to_owned(), name.to_owned()))
    .collect()
}

fn text<'a>(item: &'a Item, name: &str) -> Option<&'a String> {
    item.get(name).and_then(|value| value.as_s().ok())
}

/// None for an item that is no record: it has no object key.
fn entry(item: &Item) -> Option<RecordEntry> {
    let status = text(item, attribute::STATUS).and_then(|status| Status::parse(status));
    Some(RecordEntry {
        key: text(item, attribute::OBJECT_KEY)?.clone(),
        etag: text(item, attribute::ETAG).cloned(),
        size: item.get(attribute::SIZE).and_then(|value| value.as_n().ok()).and_then(|digits| digits.parse().ok()),
        retired: matches!(status, Some(Status::Processed | Status::Removed)),
        removed: status == Some(Status::Removed),
    })
}
