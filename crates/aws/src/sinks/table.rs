//! A DynamoDB table of records.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use claimctl_claim::record::attribute;
use claimctl_claim::{Status, claim_id, sequencer};
use claimctl_core::error::Result;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::by_key::{self, BATCH, DESCRIBE, GET, GET_ONE};
use super::read_rate::ReadRate;
use super::record::{RecordEntry, WholeRecord};
use super::scan::{self, Item, SCAN, arn_pattern};
use crate::backoff::{Backoff, is_throttled};
use crate::policy::{ArnBuilder, Statement};
use crate::{Explain, code};

const DELETE: &str = "dynamodb:DeleteItem";
/// What every write of a handler changes.
const TELLING: [&str; 4] = [attribute::ETAG, attribute::STATUS, attribute::SEQUENCER, attribute::RECORDED_AT];

const BATCHES_AT_ONCE: usize = 8;
/// Only what a comparison needs is sent over the wire.
const PROJECTION: &str = "#id, #etag, #size, #sequencer, #status, #step_error, #rows";

/// What IAM has to allow to read a table of records, by key and (`scans`) as a whole.
pub fn permissions(arns: &ArnBuilder, table: &str, scans: bool) -> Statement {
    let scan: &[&str] = if scans { &[SCAN] } else { &[] };
    Statement::allow(
        "ReadRecords",
        &[&[DESCRIBE, GET], scan].concat(),
        [arns.arn("dynamodb", &format!("table/{table}"))],
    )
}

/// What IAM has to allow to say in records that their objects are gone.
pub const UPDATE: &str = "dynamodb:UpdateItem";

/// What IAM has to allow to read all that the records hold: of one, or of all.
pub fn whole_permissions(arns: &ArnBuilder, table: &str, scans: bool) -> Statement {
    let read = if scans { SCAN } else { GET_ONE };
    Statement::allow("ReadRecords", &[DESCRIBE, read], [arns.arn("dynamodb", &format!("table/{table}"))])
}

/// What IAM has to allow to read a record and delete it.
pub fn delete_permissions(arns: &ArnBuilder, table: &str) -> Statement {
    let arn = arns.arn("dynamodb", &format!("table/{table}"));
    Statement::allow("DeleteRecords", &[DESCRIBE, GET_ONE, DELETE], [arn])
}

#[derive(Clone)]
pub struct RecordTable {
    client: Client,
    pub name: String,
    pub bucket: String,
    pub rate: Option<Arc<ReadRate>>,
}

impl RecordTable {
    /// Checks that the table can hold records at all, so that a wrong table is not read as "everything is missing".
    pub async fn open(client: Client, name: &str, bucket: &str) -> Result<RecordTable> {
        by_key::check(&client, name, attribute::CLAIM_ID, "claim records").await?;
        Ok(RecordTable { client, name: name.to_owned(), bucket: bucket.to_owned(), rate: None })
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
        let id = claim_id(&self.bucket, key);
        let item = by_key::get_one(&self.client, &self.name, attribute::CLAIM_ID, id).await?;
        Ok(item.as_ref().and_then(whole))
    }

    /// Deletes a record, unless it is another by now; whether it was.
    pub async fn delete(&self, record: &WholeRecord) -> Result<bool> {
        let id = claim_id(&self.bucket, &record.entry.key);
        let mut call = self.client.delete_item().table_name(&self.name).key(attribute::CLAIM_ID, AttributeValue::S(id));
        let mut conditions = Vec::with_capacity(TELLING.len());
        for name in TELLING {
            call = call.expression_attribute_names(format!("#{name}"), name);
            conditions.push(match record.attributes.get(name).and_then(Value::as_str) {
                Some(text) => {
                    call = call.expression_attribute_values(format!(":{name}"), AttributeValue::S(text.to_owned()));
                    format!("#{name} = :{name}")
                }
                None => format!("attribute_not_exists(#{name})"),
            });
        }
        match call.condition_expression(conditions.join(" AND ")).send().await {
            Ok(_) => Ok(true),
            Err(error) if code(&error) == Some("ConditionalCheckFailedException") => Ok(false),
            Err(error) => Err(error).or_needs(
                &format!("delete a record of table {}", self.name),
                DELETE,
                &arn_pattern(&self.name),
            ),
        }
    }

    /// By the partition key, which every record has: one that lacks other attributes is a record all the same.
    fn pages(&self, prefix: &str, projection: Option<&str>) -> impl stream::Stream<Item = Result<Vec<Item>>> {
        let names = match projection {
            Some(_) => placeholders(),
            None => HashMap::from([("#id".to_owned(), attribute::CLAIM_ID.to_owned())]),
        };
        let scan = self.client.scan().table_name(&self.name).set_projection_expression(projection.map(str::to_owned));
        scan::beginning_with(
            scan.set_expression_attribute_names(Some(names)),
            &self.name,
            claim_id(&self.bucket, prefix),
            self.rate.clone(),
        )
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

    /// Says in the record of this key that its object is gone, if it is still the one that was read. Whether it was.
    pub async fn mark_removed(&self, key: &str, etag: &str, recorded_at: Option<&str>) -> Result<bool> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let mut backoff = Backoff::new();
        loop {
            let mut call = self
                .client
                .update_item()
                .table_name(&self.name)
                .key(attribute::CLAIM_ID, text(&claim_id(&self.bucket, key)))
                .update_expression("SET #status = :removed")
                .expression_attribute_names("#status", attribute::STATUS)
                .expression_attribute_names("#etag", attribute::ETAG)
                .expression_attribute_names("#recorded_at", attribute::RECORDED_AT)
                .expression_attribute_values(":removed", text(Status::Removed.as_str()))
                .expression_attribute_values(":etag", text(etag));
            call = match recorded_at {
                Some(at) => call
                    .condition_expression("#etag = :etag AND #recorded_at = :recorded_at")
                    .expression_attribute_values(":recorded_at", text(at)),
                None => call.condition_expression("#etag = :etag AND attribute_not_exists(#recorded_at)"),
            };
            return match call.send().await {
                Err(error) if is_throttled(&error) && backoff.pause().await => continue,
                Err(error) if code(&error) == Some("ConditionalCheckFailedException") => Ok(false),
                answer => {
                    let doing = format!("mark the record of {key}");
                    answer.or_needs(&doing, UPDATE, &arn_pattern(&self.name)).map(|_| true)
                }
            };
        }
    }

    async fn get_batch(&self, ids: Vec<String>) -> Result<Vec<Item>> {
        by_key::get(
            &self.client,
            &self.name,
            attribute::CLAIM_ID,
            ids,
            PROJECTION,
            placeholders(),
            self.rate.as_deref(),
        )
        .await
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

pub(super) fn text<'a>(item: &'a Item, name: &str) -> Option<&'a String> {
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
        item: None,
    })
}

fn whole(item: &Item) -> Option<WholeRecord> {
    Some(WholeRecord { entry: entry(item)?, attributes: super::json::of_item(item) })
}

#[cfg(test)]
mod tests;
