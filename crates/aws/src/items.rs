//! How far the items of a table have come, read by their keys.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use claimctl_core::error::{Error, Result};

use crate::Explain;
use crate::backoff::{Backoff, is_throttled};
use crate::policy::{ArnBuilder, Statement};
use crate::sinks::table::BATCH;

const GET: &str = "dynamodb:BatchGetItem";

/// A table by its real name, with its partition key, which is text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ItemTable {
    pub name: String,
    pub partition_key: String,
}

impl ItemTable {
    /// What IAM has to allow to read its items by their keys.
    pub fn permissions(&self, arns: &ArnBuilder) -> Statement {
        Statement::allow("ReadItems", &[GET], [arns.arn("dynamodb", &format!("table/{}", self.name))])
    }

    /// The `status` of the items with these keys, read consistently; none of one that has none. Keys without an item are
    /// absent from the answer. At most [`BATCH`] keys, each once.
    pub async fn statuses(&self, client: &Client, keys: &[String]) -> Result<BTreeMap<String, Option<String>>> {
        let mut found = BTreeMap::new();
        let key = |key: &String| HashMap::from([(self.partition_key.clone(), AttributeValue::S(key.clone()))]);
        let names = [("#key", self.partition_key.as_str()), ("#status", "status")];
        let wanted = KeysAndAttributes::builder()
            .set_keys(Some(keys.iter().take(BATCH).map(key).collect()))
            .consistent_read(true)
            .projection_expression("#key, #status")
            .set_expression_attribute_names(Some(names.map(|(of, name)| (of.to_owned(), name.to_owned())).into()))
            .build()
            .map_err(|error| Error::unexpected("cannot build the call").caused_by(error))?;
        let mut left = HashMap::from([(self.name.clone(), wanted)]);
        let mut backoff = Backoff::new();
        loop {
            let answer = match client.batch_get_item().set_request_items(Some(left.clone())).send().await {
                Err(error) if is_throttled(&error) && backoff.pause().await => continue,
                answer => {
                    let arn = format!("arn:*:dynamodb:*:*:table/{}", self.name);
                    answer.or_needs(&format!("read items of table {}", self.name), GET, &arn)?
                }
            };
            let before = found.len();
            for item in answer.responses.unwrap_or_default().into_values().flatten() {
                let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
                found.extend(text(&self.partition_key).map(|key| (key, text("status"))));
            }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fake;

    #[tokio::test]
    async fn items_come_with_their_status_however_many_calls_it_takes() {
        let client = Client::new(&fake::answers(move |_, asked| {
            let wanted = &asked["RequestItems"]["t"];
            assert_eq!(wanted["ConsistentRead"], true);
            let keys = wanted["Keys"].as_array().unwrap();
            let item = |key: &serde_json::Value| match key["id"]["S"].as_str() {
                Some("gone") => None,
                Some("bare") => Some(json!({"id": {"S": "bare"}})),
                _ => Some(json!({"id": key["id"], "status": {"S": "pending"}})),
            };
            let items: Vec<_> = item(&keys[0]).into_iter().collect();
            let left = match &keys[1..] {
                [] => json!({}),
                left => json!({"t": {"Keys": left, "ConsistentRead": true}}),
            };
            (200, json!({"Responses": {"t": items}, "UnprocessedKeys": left}))
        }));
        let table = ItemTable { name: "t".to_owned(), partition_key: "id".to_owned() };
        let keys = ["a", "gone", "bare"].map(str::to_owned);
        let found = table.statuses(&client, &keys).await.unwrap();
        let expected = [("a".to_owned(), Some("pending".to_owned())), ("bare".to_owned(), None)];
        assert_eq!(found, expected.into());
    }
}
