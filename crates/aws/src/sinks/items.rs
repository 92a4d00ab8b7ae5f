//! The items of a table at which a flow begins: each tells by itself what became of it.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use claimctl_core::error::Result;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::by_key::{self, BATCH, DESCRIBE, GET, GET_ONE};
use super::json;
use super::read_rate::ReadRate;
use super::scan::{self, Item, SCAN};
use super::table::text;
use crate::policy::{ArnBuilder, Statement};

const BATCHES_AT_ONCE: usize = 8;
const PROJECTION: &str = "#id, #status, #created_at, #reason, #error";

/// The attributes of an item that tell what became of it.
pub mod attribute {
    pub const STATUS: &str = "status";
    pub const CREATED_AT: &str = "created_at";
    pub const REASON: &str = "reason";
    pub const ERROR: &str = "error";
}

/// What a comparison needs to know of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemEntry {
    pub key: String,
    pub status: Option<String>,
    pub created_at: Option<Timestamp>,
    /// Of one that failed, in words.
    pub reason: Option<String>,
    /// Of one that failed, as a code.
    pub error: Option<String>,
}

/// An item with all that it holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WholeItem {
    pub key: String,
    /// By name. Numbers that JSON cannot hold are strings.
    pub attributes: Map<String, Value>,
}

#[derive(Clone)]
pub struct ItemTable {
    client: Client,
    pub name: String,
    pub partition_key: String,
    pub rate: Option<Arc<ReadRate>>,
}

/// What IAM has to allow to read what became of the items, of all and of some.
pub fn permissions(arns: &ArnBuilder, table: &str) -> Statement {
    Statement::allow("ReadItems", &[DESCRIBE, GET, SCAN], [arns.arn("dynamodb", &format!("table/{table}"))])
}

/// What IAM has to allow to read all that the items hold: of one, or of all.
pub fn whole_permissions(arns: &ArnBuilder, table: &str, scans: bool) -> Statement {
    let read = if scans { SCAN } else { GET_ONE };
    Statement::allow("ReadItems", &[DESCRIBE, read], [arns.arn("dynamodb", &format!("table/{table}"))])
}

impl ItemTable {
    pub async fn open(client: Client, name: &str, partition_key: &str) -> Result<ItemTable> {
        by_key::check(&client, name, partition_key, "items of the flow").await?;
        Ok(ItemTable { client, name: name.to_owned(), partition_key: partition_key.to_owned(), rate: None })
    }

    /// Hands over every item whose key begins so, in no order.
    pub async fn scan(&self, prefix: &str, mut each: impl FnMut(ItemEntry) -> Result<()>) -> Result<()> {
        let mut pages = pin!(self.pages(prefix, Some(PROJECTION)));
        while let Some(page) = pages.try_next().await? {
            page.iter().filter_map(|item| self.entry(item)).try_for_each(&mut each)?;
        }
        Ok(())
    }

    /// The same with all that each item holds.
    pub async fn scan_whole(&self, prefix: &str, mut each: impl FnMut(WholeItem) -> Result<()>) -> Result<()> {
        let mut pages = pin!(self.pages(prefix, None));
        while let Some(page) = pages.try_next().await? {
            page.iter().filter_map(|item| self.whole(item)).try_for_each(&mut each)?;
        }
        Ok(())
    }

    pub async fn get_whole(&self, key: &str) -> Result<Option<WholeItem>> {
        let item = by_key::get_one(&self.client, &self.name, &self.partition_key, key.to_owned()).await?;
        Ok(item.and_then(|item| self.whole(&item)))
    }

    /// The items of these keys, read consistently, by key. Keys without an item are absent from the answer.
    pub async fn get(&self, keys: &[&str]) -> Result<HashMap<String, ItemEntry>> {
        let batches = keys.chunks(BATCH).map(|batch| {
            let keys = batch.iter().map(|key| (*key).to_owned()).collect();
            by_key::get(
                &self.client,
                &self.name,
                &self.partition_key,
                keys,
                PROJECTION,
                self.placeholders(),
                self.rate.as_deref(),
            )
        });
        let found: Vec<Vec<Item>> = stream::iter(batches).buffer_unordered(BATCHES_AT_ONCE).try_collect().await?;
        let entries = found.iter().flatten().filter_map(|item| self.entry(item));
        Ok(entries.map(|entry| (entry.key.clone(), entry)).collect())
    }

    fn pages(&self, prefix: &str, projection: Option<&str>) -> impl stream::Stream<Item = Result<Vec<Item>>> {
        let names = match projection {
            Some(_) => Some(self.placeholders()),
            // DynamoDB refuses a name that no expression uses.
            None if prefix.is_empty() => None,
            None => Some(HashMap::from([("#id".to_owned(), self.partition_key.clone())])),
        };
        let scan = self.client.scan().table_name(&self.name).set_projection_expression(projection.map(str::to_owned));
        scan::beginning_with(
            scan.set_expression_attribute_names(names),
            &self.name,
            prefix.to_owned(),
            self.rate.clone(),
        )
    }

    /// The names behind the projection's placeholders.
    fn placeholders(&self) -> HashMap<String, String> {
        [
            ("#id", self.partition_key.as_str()),
            ("#status", attribute::STATUS),
            ("#created_at", attribute::CREATED_AT),
            ("#reason", attribute::REASON),
            ("#error", attribute::ERROR),
        ]
        .map(|(placeholder, name)| (placeholder.to_owned(), name.to_owned()))
        .into()
    }

    fn entry(&self, item: &Item) -> Option<ItemEntry> {
        let said = |name: &str| text(item, name).filter(|text| !text.is_empty()).cloned();
        Some(ItemEntry {
            key: text(item, &self.partition_key)?.clone(),
            status: said(attribute::STATUS),
            created_at: said(attribute::CREATED_AT).and_then(|at| at.parse().ok()),
            reason: said(attribute::REASON),
            error: said(attribute::ERROR),
        })
    }

    fn whole(&self, item: &Item) -> Option<WholeItem> {
        Some(WholeItem { key: text(item, &self.partition_key)?.clone(), attributes: json::of_item(item) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fake;

    fn table(answering: impl FnMut(&str, &Value) -> (u16, Value) + Send + 'static) -> ItemTable {
        let client = Client::new(&fake::answers(answering));
        ItemTable { client, name: "t".to_owned(), partition_key: "payment_id".to_owned(), rate: None }
    }

    #[tokio::test]
    async fn an_item_is_read_as_far_as_it_tells_what_became_of_it() {
        let failed = json!({"payment_id": {"S": "b"}, "status": {"S": "failed"}, "reason": {"S": ""}, "error": {"S": "E"},
            "created_at": {"S": "2026-01-02T03:04:05.678Z"}, "n": {"N": "1.50"}});
        let table = table(move |operation, asked| match operation {
            "Scan" if asked["Segment"] == json!(0) => {
                assert!(asked["FilterExpression"].is_null(), "{asked}");
                (200, json!({"Items": [failed, {"payment_id": {"S": "a"}, "created_at": {"S": "long ago"}}]}))
            }
            _ => (200, json!({"Items": []})),
        });
        let mut items = Vec::new();
        let each = |item| {
            items.push(item);
            Ok(())
        };
        table.scan("", each).await.unwrap();
        let said = |text: &str| Some(text.to_owned());
        let created_at = "2026-01-02T03:04:05.678Z".parse().ok();
        let failed = ItemEntry { key: "b".into(), status: said("failed"), created_at, reason: None, error: said("E") };
        assert_eq!(items[0], failed);
        let bare = ItemEntry { key: "a".into(), status: None, created_at: None, reason: None, error: None };
        assert_eq!(items[1], bare);
    }

    #[tokio::test]
    async fn more_keys_than_a_call_takes_are_asked_for_in_several() {
        let table = table(|operation, asked| {
            assert_eq!(operation, "BatchGetItem");
            let keys = asked["RequestItems"]["t"]["Keys"].as_array().unwrap().clone();
            assert!(keys.len() <= BATCH);
            (200, json!({"Responses": {"t": keys}}))
        });
        let keys: Vec<String> = (0..BATCH * 2 + 1).map(|number| number.to_string()).collect();
        let found = table.get(&keys.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
        assert_eq!(found.len(), keys.len());
    }
}
