use std::sync::{Arc, Mutex};

use claimctl_claim::AfterProcessing;
use claimctl_core::error::Kind;
use serde_json::{Value, json};

use super::*;
use crate::fake;

/// A table `t` with records of the bucket `b`.
fn table(answering: impl FnMut(&str, &Value) -> (u16, Value) + Send + 'static) -> RecordTable {
    RecordTable {
        client: Client::new(&fake::answers(answering)),
        name: "t".to_owned(),
        bucket: "b".to_owned(),
        rate: None,
    }
}

fn throttled() -> (u16, Value) {
    (400, json!({"__type": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}))
}

async fn scanned(table: &RecordTable) -> Result<Vec<RecordEntry>> {
    let mut records = Vec::new();
    table
        .scan("", |record| {
            records.push(record);
            Ok(())
        })
        .await?;
    records.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(records)
}

#[tokio::test]
async fn a_record_is_what_its_partition_key_names() {
    let items = [
        json!({"claim_id": {"S": "b/ "}, "bucket": {"S": "b"}, "object_key": {"S": ""}, "etag": {"S": "e"}}),
        json!({"claim_id": {"S": "b/bare"}}),
        json!({"claim_id": {"S": "b/dir//k"}, "object_key": {"N": "7"}, "size": {"N": "5"}, "status": {"S": "other"}}),
        json!({"claim_id": {"S": "b/done"}, "status": {"S": "processed"}}),
        json!({"claim_id": {"S": "b/stuck"}, "status": {"S": "recorded"}, "step_error": {"S": "ten tags"}}),
        json!({"claim_id": {"S": "no object"}}),
    ];
    let table = table(move |_, asked| match asked["Segment"].as_i64() {
        Some(0) => (200, json!({"Items": items})),
        _ => (200, json!({"Items": []})),
    });
    let records = scanned(&table).await.unwrap();
    let keys: Vec<_> = records.iter().map(|record| record.key.as_str()).collect();
    assert_eq!(keys, [" ", "bare", "dir//k", "done", "stuck"]);
    assert_eq!((records[0].etag.as_deref(), records[2].size, records[2].status), (Some("e"), Some(5), None));
    let done = records.iter().map(|record| record.is_done(AfterProcessing::Tag)).collect::<Vec<_>>();
    assert_eq!(done, [false, false, false, true, false]);
    assert!(records.iter().all(|record| record.is_done(AfterProcessing::Keep)));
    assert!(records[4].why_not_done().ends_with("can never succeed: ten tags"));
}

#[tokio::test]
async fn a_scan_that_is_throttled_goes_on_where_it_was() {
    let mut calls = 0;
    let table = table(move |_, asked| {
        if asked["Segment"] != json!(0) {
            return (200, json!({"Items": []}));
        }
        calls += 1;
        let id = |name: &str| json!({"claim_id": {"S": name}});
        match (calls % 3, asked["ExclusiveStartKey"].is_null()) {
            (0, true) => (200, json!({"Items": [id("b/1")], "LastEvaluatedKey": id("b/1")})),
            (0, false) => (200, json!({"Items": [id("b/2")]})),
            _ => throttled(),
        }
    });
    let keys: Vec<_> = scanned(&table).await.unwrap().into_iter().map(|record| record.key).collect();
    assert_eq!(keys, ["1", "2"]);
}

#[tokio::test]
async fn keys_that_stay_unprocessed_are_asked_for_after_a_pause_and_not_for_ever() {
    let calls = Arc::new(Mutex::new(0));
    let counted = calls.clone();
    let unprocessed = table(move |_, asked| {
        *counted.lock().unwrap() += 1;
        (200, json!({"Responses": {}, "UnprocessedKeys": asked["RequestItems"]}))
    });
    let error = unprocessed.get(&["k"]).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (Kind::Unreachable, "table t throttles: it leaves keys unprocessed")
    );
    // 200 ms of patience, and pauses that double up to 8 ms.
    let calls = *calls.lock().unwrap();
    assert!((3..=40).contains(&calls), "{calls} calls");
    // Nor where it refuses the whole call.
    let refuses = table(|_, _| throttled());
    assert_eq!(refuses.get(&["k"]).await.unwrap_err().kind(), Kind::Unreachable);
}

#[tokio::test]
async fn what_comes_by_and_by_comes_whole() {
    let mut calls = 0;
    let table = table(move |_, asked| {
        calls += 1;
        let wanted = asked["RequestItems"]["t"]["Keys"].as_array().unwrap();
        match calls % 2 {
            1 => throttled(),
            _ => {
                let left = json!({"t": {"Keys": wanted[1..]}});
                let left = if wanted.len() > 1 { left } else { json!({}) };
                (200, json!({"Responses": {"t": [wanted[0]]}, "UnprocessedKeys": left}))
            }
        }
    });
    let found = table.get(&["1", "2", "3"]).await.unwrap();
    assert_eq!(found.len(), 3);
}
