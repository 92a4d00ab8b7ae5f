use serde_json::{Value, json};

use super::*;
use crate::fake;

fn mapping(bucket: Option<&str>) -> Mapping {
    let owned = |name: &str| Some(name.to_owned());
    Mapping {
        key: KeySource::Attributes { key: "k".to_owned(), bucket: bucket.map(str::to_owned) },
        etag: owned("etag"),
        size: owned("size"),
        status: None,
        time: owned("at"),
        done: Vec::new(),
    }
}

async fn table(
    schema: Value,
    mapping: Mapping,
    mut answering: impl FnMut(&str, &Value) -> (u16, Value) + Send + 'static,
) -> MappedTable {
    let keys = schema.as_array().unwrap().iter().map(|part| json!({"AttributeName": part[0], "KeyType": part[1]}));
    let types =
        schema.as_array().unwrap().iter().map(|part| json!({"AttributeName": part[0], "AttributeType": part[2]}));
    let described = json!({"Table": {"KeySchema": keys.collect::<Vec<_>>(),
        "AttributeDefinitions": types.collect::<Vec<_>>()}});
    let answering = move |operation: &str, asked: &Value| match operation {
        "DescribeTable" => (200, described.clone()),
        _ => answering(operation, asked),
    };
    MappedTable::open(Client::new(&fake::answers(answering)), "t", "b", mapping).await.unwrap()
}

#[tokio::test]
async fn every_item_is_counted_once_and_read_as_far_as_it_goes() {
    let items = json!([
        {"id": {"N": "1"}, "k": {"S": "one"}, "etag": {"S": "\"e\""}, "size": {"N": "5"}, "at": {"N": "1767225600"}},
        {"id": {"N": "2"}, "k": {"N": "42"}, "size": {"S": "7"}, "at": {"S": "2026-01-01T01:00:00+01:00"}},
        {"id": {"N": "3"}, "k": {"BOOL": true}},
        {"id": {"N": "4"}},
        {"id": {"N": "5"}, "k": {"S": ""}},
    ]);
    let table = table(json!([["id", "HASH", "N"]]), mapping(None), move |_, asked| {
        assert_eq!(asked["ProjectionExpression"], "#a0, #a1, #a2, #a3, #a4");
        match asked["Segment"].as_i64() {
            Some(0) => (200, json!({"Items": items})),
            _ => (200, json!({"Items": []})),
        }
    })
    .await;
    let mut records = Vec::new();
    let each = |record| {
        records.push(record);
        Ok(())
    };
    let counts = table.scan(each).await.unwrap();
    let read: Vec<_> = records.iter().map(|it| (it.key.as_str(), it.etag.as_deref(), it.size)).collect();
    assert_eq!(read, [("one", Some("e"), Some(5)), ("42", None, Some(7))]);
    assert_eq!(records[0].recorded_at, records[1].recorded_at, "one moment, however it is written");
    let example = Some("id 3: its attribute k is neither text nor a number".to_owned());
    let expected =
        ItemCounts { items: 5, records: 2, unreadable: 3, example, without_content: 1, ..ItemCounts::default() };
    assert_eq!(counts, expected);
}

#[tokio::test]
async fn an_item_is_asked_for_by_the_key_that_it_has_whatever_its_types() {
    let item = json!({"id": {"B": "AP8="}, "n": {"N": "1.50"}, "k": {"S": "x"}});
    let of_item = item.clone();
    let table =
        table(
            json!([["n", "RANGE", "N"], ["id", "HASH", "B"]]),
            mapping(None),
            move |operation, asked| match operation {
                "Scan" if asked["Segment"] != json!(0) => (200, json!({"Items": []})),
                "Scan" => (200, json!({"Items": [of_item]})),
                _ => {
                    let keys = &asked["RequestItems"]["t"]["Keys"];
                    assert_eq!(*keys, json!([{"id": {"B": "AP8="}, "n": {"N": "1.50"}}]));
                    (200, json!({"Responses": {"t": [item]}}))
                }
            },
        )
        .await;
    let mut keys = Vec::new();
    let each = |record: RecordEntry| {
        keys.push(record.item.unwrap().key);
        Ok(())
    };
    table.scan(each).await.unwrap();
    let keys: Vec<ItemKey> = serde_json::from_str(&serde_json::to_string(&keys).unwrap()).unwrap();
    assert_eq!(keys[0].words(), "id AP8=, n 1.50");
    assert!(table.get(&keys).await.unwrap().contains_key("x"));
}

#[tokio::test]
async fn only_where_bucket_and_key_are_the_primary_key_an_object_names_its_item() {
    for (schema, bucket, is_by_key) in [
        (json!([["k", "HASH", "S"]]), None, true),
        (json!([["k", "HASH", "N"]]), None, false),
        (json!([["k", "HASH", "S"], ["at", "RANGE", "S"]]), None, false),
        // Another bucket's item may stand in its place.
        (json!([["k", "HASH", "S"]]), Some("bucket"), false),
        (json!([["bucket", "HASH", "S"], ["k", "RANGE", "S"]]), Some("bucket"), true),
        (json!([["bucket", "HASH", "S"]]), Some("bucket"), false),
    ] {
        let table = table(schema.clone(), mapping(bucket), |_, _| unreachable!()).await;
        assert_eq!(table.is_by_key(), is_by_key, "{schema} {bucket:?}");
    }
    let schema = json!([["bucket", "HASH", "S"], ["k", "RANGE", "S"]]);
    let table = table(schema, mapping(Some("bucket")), |_, _| unreachable!()).await;
    assert_eq!(table.key_of("a/b").unwrap().words(), "bucket \"b\", k \"a/b\"");
}
