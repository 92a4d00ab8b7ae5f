//! A DynamoDB table of records: its schema checked, scanned in segments, read by key in full batches.

use std::collections::HashMap;
use std::pin::pin;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeyType, KeysAndAttributes, ScalarAttributeType};
use claimctl_claim::record::attribute;
use claimctl_claim::{Status, claim_id, sequencer};
use claimctl_core::error::{Error, Result};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::record::{RecordEntry, WholeRecord};
use super::scan::{self, Item, SCAN, arn_pattern};
use crate::Explain;
use crate::backoff::{Backoff, is_throttled};
use crate::policy::{ArnBuilder, Statement};

mod json;

/// Keys in a call (Amazon DynamoDB API Reference, BatchGetItem).
pub const BATCH: usize = 100;
const BATCHES_AT_ONCE: usize = 8;
/// Only what a comparison needs is sent over the wire.
const PROJECTION: &str = "#id, #etag, #size, #sequencer, #status, #step_error, #rows";

const DESCRIBE: &str = "dynamodb:DescribeTable";
const GET: &str = "dynamodb:BatchGetItem";
const GET_ONE: &str = "dynamodb:GetItem";

/// What IAM has to allow to read a table of records, by key and (`scans`) as a whole.
pub fn permissions(arns: &ArnBuilder, table: &str, scans: bool) -> Statement {
    let scan: &[&str] = if scans { &[SCAN] } else { &[] };
    Statement::allow(
        "ReadRecords",
        &[&[DESCRIBE, GET], scan].concat(),
        [arns.arn("dynamodb", &format!("table/{table}"))],
    )
}

/// What IAM has to allow to read all that the records hold: of one, or of all.
pub fn whole_permissions(arns: &ArnBuilder, table: &str, scans: bool) -> Statement {
    let read = if scans { SCAN } else { GET_ONE };
    Statement::allow("ReadRecords", &[DESCRIBE, read], [arns.arn("dynamodb", &format!("table/{table}"))])
}

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
        let mut pages = pin!(self.pages(prefix, Some(PROJECTION)));
        while let Some(page) = pages.try_next().await? {
            page.iter().filter_map(entry).try_for_each(&mut each)?;
        }
        Ok(())
    }

    /// The same with all that each record holds.
    pub async fn scan_whole(&self, prefix: &str, mut each: impl FnMut(WholeRecord) -> Result<()>) -> Result<()> {
        let mut pages = pin!(self.pages(prefix, None));
        while let Some(page) = pages.try_next().await? {
            page.iter().filter_map(whole).try_for_each(&mut each)?;
        }
        Ok(())
    }

    /// All that the record of a key holds.
    pub async fn get_whole(&self, key: &str) -> Result<Option<WholeRecord>> {
        let id = AttributeValue::S(claim_id(&self.bucket, key));
        let call = self.client.get_item().table_name(&self.name).key(attribute::CLAIM_ID, id).consistent_read(true);
        let answer =
            call.send().await.or_needs(&format!("read table {}", self.name), GET_ONE, &arn_pattern(&self.name))?;
        Ok(answer.item.as_ref().and_then(whole))
    }

    /// By the partition key, which every record has: one that lacks other attributes is a record all the same.
    fn pages(&self, prefix: &str, projection: Option<&str>) -> impl stream::Stream<Item = Result<Vec<Item>>> {
        let names = match projection {
            Some(_) => placeholders(),
            None => HashMap::from([("#id".to_owned(), attribute::CLAIM_ID.to_owned())]),
        };
        let scan = self.client.scan().table_name(&self.name).set_projection_expression(projection.map(str::to_owned));
        scan::of_claims(scan.set_expression_attribute_names(Some(names)), &self.name, claim_id(&self.bucket, prefix))
    }

    /// The records of these keys, read consistently. Keys without a record are absent from the answer.
    pub async fn get(&self, keys: &[&str]) -> Result<HashMap<String, RecordEntry>> {
        let ids = |keys: &[&str]| keys.iter().map(|key| claim_id(&self.bucket, key)).collect();
        let batches = keys.chunks(BATCH).map(|batch| self.get_batch(ids(batch)));
        let found: Vec<Vec<Item>> = stream::iter(batches).buffer_unordered(BATCHES_AT_ONCE).try_collect().await?;
        Ok(found.iter().flatten().filter_map(entry).map(|entry| (entry.key.clone(), entry)).collect())
    }

    /// The records with these partition keys, of any bucket, read consistently; by partition key. At most [`BATCH`]
    /// ids, each once. Ids without a record are absent from the answer.
    pub async fn get_by_id(&self, ids: Vec<String>) -> Result<HashMap<String, RecordEntry>> {
        let items = self.get_batch(ids).await?;
        Ok(items.iter().filter_map(|item| Some((text(item, attribute::CLAIM_ID)?.clone(), entry(item)?))).collect())
    }

    async fn get_batch(&self, ids: Vec<String>) -> Result<Vec<Item>> {
        let mut found = Vec::with_capacity(ids.len());
        let keys = ids.into_iter().map(|id| HashMap::from([(attribute::CLAIM_ID.to_owned(), AttributeValue::S(id))]));
        let wanted = KeysAndAttributes::builder()
            .set_keys(Some(keys.collect()))
            .consistent_read(true)
            .projection_expression(PROJECTION)
            .set_expression_attribute_names(Some(placeholders()))
            .build()
            .map_err(|error| Error::unexpected("cannot build the call").caused_by(error))?;
        let mut left = HashMap::from([(self.name.clone(), wanted)]);
        let mut backoff = Backoff::new();
        // An answer holds 16 MB at most; what did not fit, or is throttled, comes back unprocessed.
        loop {
            let answer = match self.client.batch_get_item().set_request_items(Some(left.clone())).send().await {
                Err(error) if is_throttled(&error) && backoff.pause().await => continue,
                answer => {
                    answer.or_needs(&format!("read records of table {}", self.name), GET, &arn_pattern(&self.name))?
                }
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
                return Err(Error::unreachable(format!("table {} throttles: it leaves keys unprocessed", self.name))
                    .hint("raise its read capacity, or run the same command again later"));
            }
        }
    }
}

/// The names behind the projection's placeholders.
fn placeholders() -> HashMap<String, String> {
    [
        ("#etag", attribute::ETAG),
        ("#size", attribute::SIZE),
        ("#status", attribute::STATUS),
        ("#id", attribute::CLAIM_ID),
        ("#step_error", attribute::STEP_ERROR),
        ("#sequencer", attribute::SEQUENCER),
        ("#rows", attribute::ROWS),
    ]
    .map(|(placeholder, name)| (placeholder.to_owned(), name.to_owned()))
    .into()
}

fn text<'a>(item: &'a Item, name: &str) -> Option<&'a String> {
    item.get(name).and_then(|value| value.as_s().ok())
}

fn number(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// None for an item that is no record: its partition key names no object. Only that is asked for, because the other
/// attributes are what somebody wrote beside it.
fn entry(item: &Item) -> Option<RecordEntry> {
    let (_, key) = text(item, attribute::CLAIM_ID)?.split_once('/')?;
    Some(RecordEntry {
        key: key.to_owned(),
        etag: text(item, attribute::ETAG).cloned(),
        sequencer: text(item, attribute::SEQUENCER).and_then(|sequencer| sequencer::normalize(sequencer)),
        recorded_at: None,
        size: number(item, attribute::SIZE),
        rows: number(item, attribute::ROWS),
        status: text(item, attribute::STATUS).and_then(|status| Status::parse(status)),
        step_error: text(item, attribute::STEP_ERROR).cloned(),
    })
}

fn whole(item: &Item) -> Option<WholeRecord> {
    Some(WholeRecord { entry: entry(item)?, attributes: json::of_item(item) })
}

#[cfg(test)]
mod tests;
