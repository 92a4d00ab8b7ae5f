//! Which items of a table a message is about: whatever travels behind a table's stream names them by their key.

use serde_json::Value;

/// How deep a message is looked into. JSON within strings counts too: a body within an SQS event.
const MAX_DEPTH: usize = 8;

/// What an item's `status` is once nothing more is to be done for it.
pub const SETTLED: &str = "settled";
pub const FAILED: &str = "failed";

/// How often the work on an item may be started again by hand: its executions are KEY-1, KEY-2 and so on.
pub const MOST_AGAIN: u64 = 10;

/// Whether an item of this status is done with.
pub fn is_outcome(status: &str) -> bool {
    [SETTLED, FAILED].contains(&status)
}

/// An item as a message tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its partition key.
    pub key: String,
    /// When the message was written.
    pub status: Option<String>,
    /// The message tells that it was deleted.
    pub is_removed: bool,
}

/// The items that a message names by the partition key, each once, in the order of the message.
pub fn items_in(body: &Value, partition_key: &str) -> Vec<Item> {
    let mut items = Vec::new();
    find(body, partition_key, 0, &mut items);
    items
}

fn find(value: &Value, partition_key: &str, depth: usize, items: &mut Vec<Item>) {
    if depth > MAX_DEPTH {
        return;
    }
    match value {
        Value::Array(values) => values.iter().for_each(|value| find(value, partition_key, depth + 1, items)),
        Value::Object(fields) => match of_change(value, partition_key).or_else(|| plain(value, partition_key)) {
            Some(item) if items.iter().any(|known| known.key == item.key) => {}
            Some(item) => items.push(item),
            None => fields.values().for_each(|value| find(value, partition_key, depth + 1, items)),
        },
        Value::String(text) if text.starts_with(['{', '[']) => {
            if let Ok(inside) = serde_json::from_str::<Value>(text) {
                find(&inside, partition_key, depth + 1, items);
            }
        }
        _ => {}
    }
}

/// A record of the table's stream, with the types of its attributes.
fn of_change(record: &Value, partition_key: &str) -> Option<Item> {
    let change = record.get("dynamodb")?;
    let text = |image: &str, name: &str| Some(change.get(image)?.get(name)?.get("S")?.as_str()?.to_owned());
    Some(Item {
        key: text("Keys", partition_key).or_else(|| text("NewImage", partition_key))?,
        status: text("NewImage", "status"),
        is_removed: record["eventName"] == "REMOVE",
    })
}

fn plain(object: &Value, partition_key: &str) -> Option<Item> {
    let key = object.get(partition_key)?.as_str()?.to_owned();
    Some(Item { key, status: object["status"].as_str().map(str::to_owned), is_removed: false })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(body: &Value) -> Vec<(String, Option<String>)> {
        items_in(body, "payment_id").into_iter().map(|item| (item.key, item.status)).collect()
    }

    #[test]
    fn an_item_is_found_in_whatever_travels_behind_its_table() {
        let payment = json!({"payment_id": "pay-1", "status": "pending"});
        let change = json!({"eventName": "INSERT", "dynamodb": {"Keys": {"payment_id": {"S": "pay-1"}},
            "NewImage": {"payment_id": {"S": "pay-1"}, "status": {"S": "pending"}}}});
        let message = json!({"type": "PaymentCreated", "payment": payment});
        for body in [
            payment.clone(),
            json!({"detail-type": "PaymentCreated", "detail": payment}),
            message.clone(),
            json!({"Records": [change]}),
            json!({"Records": [{"eventSource": "aws:sqs", "body": message.to_string()}]}),
            json!({"requestPayload": {"detail": payment}, "responsePayload": {"errorMessage": "no"}}),
        ] {
            assert_eq!(found(&body), [("pay-1".to_owned(), Some("pending".to_owned()))], "{body}");
        }
    }

    #[test]
    fn each_item_is_named_once_and_others_are_none() {
        let record = |key: &str| json!({"dynamodb": {"Keys": {"payment_id": {"S": key}}}});
        let several = json!({"Records": [record("b"), record("a"), record("b")]});
        assert_eq!(found(&several), [("b".to_owned(), None), ("a".to_owned(), None)]);
        for other in [json!({"quote_id": "q"}), json!({"payment_id": 7}), json!("payment_id"), json!(null)] {
            assert_eq!(found(&other), [], "{other}");
        }
        let removed = json!({"Records": [{"eventName": "REMOVE", "dynamodb": {"Keys": {"payment_id": {"S": "a"}}}}]});
        assert!(items_in(&removed, "payment_id")[0].is_removed);
    }

    #[test]
    fn what_is_nested_too_deeply_is_not_looked_into() {
        let nested = (0..MAX_DEPTH + 1).fold(json!({"payment_id": "a"}), |inside, _| json!({"in": inside}));
        assert_eq!(found(&nested), []);
    }
}
