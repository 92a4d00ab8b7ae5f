//! How far the items of a table have come, read by their keys.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use claimctl_core::error::Result;

use super::by_key::{self, GET};
use super::scan::Item;
use crate::policy::{ArnBuilder, Statement};

/// A table by its real name, with its partition key, which is text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyedTable {
    pub name: String,
    pub partition_key: String,
}

impl KeyedTable {
    /// What IAM has to allow to read its items by their keys.
    pub fn permissions(&self, arns: &ArnBuilder) -> Statement {
        Statement::allow("ReadItems", &[GET], [arns.arn("dynamodb", &format!("table/{}", self.name))])
    }

    /// The `status` of the items with these keys, read consistently; none of one that has none. Keys without an item are
    /// absent from the answer. At most [`by_key::BATCH`] keys, each once.
    pub async fn statuses(&self, client: &Client, keys: &[String]) -> Result<BTreeMap<String, Option<String>>> {
        let names = [("#key", self.partition_key.as_str()), ("#status", "status")];
        let names = names.map(|(of, name)| (of.to_owned(), name.to_owned())).into();
        let items =
            by_key::get(client, &self.name, &self.partition_key, keys.to_vec(), "#key, #status", names, None).await?;
        let text = |item: &Item, name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
        let of_item = |item: &Item| Some((text(item, &self.partition_key)?, text(item, "status")));
        Ok(items.iter().filter_map(of_item).collect())
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
        let table = KeyedTable { name: "t".to_owned(), partition_key: "id".to_owned() };
        let keys = ["a", "gone", "bare"].map(str::to_owned);
        let found = table.statuses(&client, &keys).await.unwrap();
        let expected = [("a".to_owned(), Some("pending".to_owned())), ("bare".to_owned(), None)];
        assert_eq!(found, expected.into());
    }
}
