//! The handler from event to answer, against a fake AWS.

mod fake;
mod order;

use std::time::Duration;

use claimctl_claim::synthetic;
use serde_json::{Value, json};

use super::*;
use crate::aws::Deadline;
use crate::fake_http::env;
use fake::Fake;

fn recorder(fake: &Fake, variables: &[(&str, &str)]) -> Arc<Recorder> {
    let variables = [&[("TABLE_NAME", "t"), ("QUEUE_URL", "q")], variables].concat();
    Arc::new(Recorder::from_env(&env(&variables), fake.http.client()).unwrap())
}

fn invocation() -> Invocation {
    Invocation { request_id: "r".into(), deadline: Deadline::after(Duration::from_secs(60)) }
}

async fn handle(recorder: &Arc<Recorder>, event: Value) -> Result<Value, Problem> {
    recorder.handle(event, invocation()).await
}

/// An event of S3 for the key `k` of the bucket `b`.
fn event(name: &str, sequencer: &str, etag: &str) -> Value {
    json!({ "Records": [{
        "eventVersion": "2.1", "eventName": name,
        "s3": { "bucket": { "name": "b" }, "object": { "key": "k", "sequencer": sequencer, "eTag": etag, "size": 4 } },
    }]})
}

fn created(sequencer: &str, etag: &str) -> Value {
    event("ObjectCreated:Put", sequencer, etag)
}

fn repair() -> Value {
    synthetic::event("eu-west-1", "2026-01-02T03:04:05Z", "b", "k")
}

fn queue_record(id: &str, body: &str, arn: &str, group: &str) -> Value {
    json!({
        "messageId": id, "body": body, "eventSource": "aws:sqs", "eventSourceARN": arn,
        "attributes": { "ApproximateReceiveCount": "2", "MessageGroupId": group },
    })
}

fn failed_ids(answer: &Value) -> Vec<&str> {
    let failures = answer["batchItemFailures"].as_array().unwrap();
    failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_record_has_everything_that_is_known() {
    let fake = Fake::new();
    let recorder = recorder(&fake, &[("RECORD_TTL_DAYS", "2")]);
    let record = queue_record("m", &created("0A", "e").to_string(), "arn:aws:sqs:r:a:q", "");
    assert_eq!(handle(&recorder, json!({ "Records": [record] })).await.unwrap(), json!({ "batchItemFailures": [] }));

    let item = fake.state.lock().unwrap().items["b/k"].clone();
    for (name, value) in [
        ("bucket", "b"),
        ("object_key", "k"),
        ("etag", "e"),
        ("sequencer", "0A"),
        ("event_name", "ObjectCreated:Put"),
        ("message_id", "m"),
        ("request_id", "r"),
        ("status", "recorded"),
    ] {
        assert_eq!(item[name]["S"], value, "{name}");
    }
    assert_eq!((&item["size"]["N"], &item["receive_count"]["N"]), (&json!("4"), &json!("2")));
    let expires_at: i64 = item["expires_at"]["N"].as_str().unwrap().parse().unwrap();
    let recorded_at: jiff::Timestamp = item["recorded_at"]["S"].as_str().unwrap().parse().unwrap();
    assert_eq!(expires_at - recorded_at.as_second(), 2 * 86_400);
}

#[tokio::test]
async fn only_what_failed_comes_back() {
    let fake = Fake::new();
    let recorder = recorder(&fake, &[]);
    let null_key = r#"{"Records":[{"s3":{"bucket":{"name":"b"},"object":{"key":null}}}]}"#;
    let good = created("0A", "e").to_string();
    let test = r#"{"Service":"Amazon S3","Event":"s3:TestEvent"}"#;
    let bodies = [("1", "poison"), ("2", &good), ("3", null_key), ("4", ""), ("5", test)];
    let records: Vec<_> = bodies.iter().map(|(id, body)| queue_record(id, body, "arn:aws:sqs:r:a:q", "same")).collect();
    let answer = handle(&recorder, json!({ "Records": records })).await.unwrap();
    assert_eq!(failed_ids(&answer), ["1", "3", "4"]);
    assert_eq!(fake.attribute("b/k", "status").as_deref(), Some("recorded"));
}

#[tokio::test]
async fn in_a_fifo_queue_the_rest_of_a_group_waits_behind_a_failure() {
    let fake = Fake::new();
    let recorder = recorder(&fake, &[]);
    let good = created("0A", "e").to_string();
    let messages = [("1", "a", good.as_str()), ("2", "a", "poison"), ("3", "b", &good), ("4", "a", &good)];
    let records: Vec<_> =
        messages.iter().map(|(id, group, body)| queue_record(id, body, "arn:aws:sqs:r:a:q.fifo", group)).collect();
    let answer = handle(&recorder, json!({ "Records": records })).await.unwrap();
    assert_eq!(failed_ids(&answer), ["2", "4"]);
}

#[tokio::test]
async fn a_message_without_an_id_fails_its_batch() {
    let fake = Fake::new();
    let record = json!({ "body": "poison", "eventSource": "aws:sqs" });
    let answer = handle(&recorder(&fake, &[]), json!({ "Records": [record] })).await.unwrap();
    assert_eq!(failed_ids(&answer), [""], "Lambda takes an empty id for the whole batch");
}

#[tokio::test]
async fn a_batch_larger_than_what_is_worked_on_at_a_time_is_done_whole() {
    let fake = Fake::new();
    let body = |n: usize| created("0A", "e").to_string().replace("\"k\"", &format!("\"k{n}\""));
    let records: Vec<_> = (0..35).map(|n| queue_record(&n.to_string(), &body(n), "arn:aws:sqs:r:a:q", "")).collect();
    let answer = handle(&recorder(&fake, &[]), json!({ "Records": records })).await.unwrap();
    assert_eq!(failed_ids(&answer), [""; 0]);
    assert_eq!(fake.state.lock().unwrap().items.len(), 35);
}

#[tokio::test]
async fn a_claim_that_fails_does_not_keep_its_neighbours_from_being_recorded() {
    let fake = Fake::new();
    let mut two = repair();
    two["Records"].as_array_mut().unwrap().extend(created("0A", "e")["Records"].as_array().unwrap().clone());
    two["Records"][0]["s3"]["object"]["key"] = "gone".into();
    let problem = handle(&recorder(&fake, &[]), two).await.unwrap_err();
    assert!(matches!(problem, Problem::MissingObject(id) if id == "b/gone"));
    assert_eq!(fake.attribute("b/k", "status").as_deref(), Some("recorded"));
}

#[tokio::test]
async fn nothing_is_started_when_time_is_up() {
    let fake = Fake::new();
    let late = Invocation { deadline: Deadline::after(Duration::ZERO), ..invocation() };
    let record = queue_record("m", &created("0A", "e").to_string(), "arn:aws:sqs:r:a:q", "");
    let answer = recorder(&fake, &[]).handle(json!({ "Records": [record] }), late.clone()).await.unwrap();
    assert_eq!(failed_ids(&answer), ["m"]);
    let summary = recorder(&fake, &[]).handle(json!({ "claimctl": "poll" }), late).await.unwrap();
    assert_eq!((&summary["received"], &summary["emptied"]), (&json!(0), &json!(false)));
    assert!(fake.http.operations().is_empty());
}

#[tokio::test]
async fn polling_deletes_only_what_is_recorded() {
    let fake = Fake::new();
    let body = |n: usize| created("0A", "e").to_string().replace("\"k\"", &format!("\"k{n}\""));
    let mut queue: Vec<_> = (0..23).map(|n| (format!("m{n}"), body(n))).collect();
    queue.insert(7, ("bad".into(), "poison".into()));
    fake.state.lock().unwrap().queue = queue;
    let summary = handle(&recorder(&fake, &[]), json!({ "claimctl": "poll" })).await.unwrap();
    assert_eq!(summary, json!({ "received": 24, "handled": 23, "failed": 1, "undeleted": 0, "emptied": true }));
    let state = fake.state.lock().unwrap();
    assert_eq!(state.items.len(), 23);
    assert_eq!(state.received, [("bad".to_owned(), "poison".to_owned())]);
}

#[tokio::test]
async fn polling_needs_a_queue() {
    let fake = Fake::new();
    let problem = handle(&recorder(&fake, &[("QUEUE_URL", "")]), json!({ "claimctl": "poll" })).await.unwrap_err();
    assert!(matches!(problem, Problem::NoQueueUrl));
}

#[tokio::test]
async fn tagging_marks_the_record_as_processed_and_is_not_done_twice() {
    let fake = Fake::new();
    fake.put_object("b/k", "e");
    let recorder = recorder(&fake, &[("AFTER_PROCESSING", "tag")]);
    for _ in 0..2 {
        handle(&recorder, created("0A", "e")).await.unwrap();
    }
    assert_eq!(fake.attribute("b/k", "status").as_deref(), Some("processed"));
    assert_eq!(fake.state.lock().unwrap().tagged, ["b/k"]);
}

#[tokio::test]
async fn an_after_step_cut_short_is_run_by_the_redelivery() {
    for cut in ["DELETE", "UpdateItem"] {
        for event in [created("0A", "e"), repair()] {
            let fake = Fake::new();
            fake.put_object("b/k", "e");
            fake.state.lock().unwrap().refuse_once = vec![cut];
            let recorder = recorder(&fake, &[("AFTER_PROCESSING", "delete")]);
            assert!(handle(&recorder, event.clone()).await.is_err(), "{cut}");
            assert_eq!(fake.attribute("b/k", "status").as_deref(), Some("recorded"), "{cut}");
            handle(&recorder, event).await.unwrap();
            assert_eq!(fake.attribute("b/k", "status").as_deref(), Some("processed"), "{cut}");
            assert!(fake.state.lock().unwrap().objects.is_empty(), "{cut}");
        }
    }
}

#[tokio::test]
async fn a_newer_object_is_never_deleted_for_an_older_claim() {
    let fake = Fake::new();
    fake.put_object("b/k", "newer");
    let recorder = recorder(&fake, &[("AFTER_PROCESSING", "delete")]);
    handle(&recorder, created("0A", "e")).await.unwrap();
    assert_eq!(fake.attribute("b/k", "status").as_deref(), Some("recorded"));
    assert_eq!(fake.state.lock().unwrap().objects.len(), 1);
}

#[tokio::test]
async fn a_step_that_can_never_succeed_kills_no_message_and_the_record_says_why() {
    let invalid = "<Code>InvalidTag</Code><Message>System tags cannot be added</Message>";
    let many = "<Code>BadRequest</Code><Message>Object tags cannot be greater than 10</Message>";
    for (step, etag, other_tags, refusal, why) in [
        ("tag", "e", 10, None, "the object has 10 tags, and S3 allows no more"),
        ("tag", "e", 2, Some((400, invalid)), "S3 refuses it: System tags cannot be added"),
        ("tag", "e", 9, Some((400, many)), "S3 refuses it: Object tags cannot be greater than 10"),
        ("tag", "e", 0, Some((501, "<Code>NotImplemented</Code>")), "S3 refuses it: NotImplemented"),
        ("delete", "e", 0, Some((501, "<Code>NotImplemented</Code>")), "S3 refuses it: NotImplemented"),
        ("delete", "", 0, None, "the record has no ETag to know the object by"),
    ] {
        let fake = Fake::new();
        fake.put_object("b/k", "e");
        (fake.state.lock().unwrap().other_tags, fake.state.lock().unwrap().s3_refuses) = (other_tags, refusal);
        let recorder = recorder(&fake, &[("AFTER_PROCESSING", step)]);
        let record = queue_record("m", &created("0A", etag).to_string(), "arn:aws:sqs:r:a:q", "");
        let answer = handle(&recorder, json!({ "Records": [record] })).await.unwrap();
        assert_eq!(failed_ids(&answer), [""; 0], "{why}");
        assert_eq!(fake.attribute("b/k", "status").as_deref(), Some("recorded"), "it is not done: {why}");
        assert_eq!(fake.attribute("b/k", "step_error").as_deref(), Some(why));
        assert_eq!(fake.state.lock().unwrap().objects.len(), 1, "{why}");
    }
}

#[tokio::test]
async fn a_step_that_may_succeed_later_comes_back() {
    for (status, error) in [(403, "<Code>AccessDenied</Code>"), (409, "<Code>OperationAborted</Code>")] {
        for step in ["tag", "delete"] {
            let fake = Fake::new();
            fake.put_object("b/k", "e");
            fake.state.lock().unwrap().s3_refuses = Some((status, error));
            let recorder = recorder(&fake, &[("AFTER_PROCESSING", step)]);
            assert!(handle(&recorder, created("0A", "e")).await.is_err(), "{step}: {error}");
            assert_eq!(fake.attribute("b/k", "step_error"), None, "{step}: {error}");
            fake.state.lock().unwrap().s3_refuses = None;
            handle(&recorder, created("0A", "e")).await.unwrap();
            assert_eq!(fake.attribute("b/k", "status").as_deref(), Some("processed"), "{step}: {error}");
        }
    }
}

#[tokio::test]
async fn nine_tags_of_others_leave_room_for_one() {
    let fake = Fake::new();
    fake.put_object("b/k", "e");
    fake.state.lock().unwrap().other_tags = 9;
    handle(&recorder(&fake, &[("AFTER_PROCESSING", "tag")]), created("0A", "e")).await.unwrap();
    assert_eq!(fake.attribute("b/k", "status").as_deref(), Some("processed"));
}

#[tokio::test]
async fn the_mark_of_a_removal_outlives_the_last_late_delivery() {
    for (name, ttl, kept) in [
        ("ObjectCreated:Put", "2", 2),
        ("ObjectCreated:Put", "30", 30),
        ("ObjectRemoved:Delete", "2", 14),
        ("ObjectRemoved:Delete", "14", 14),
        ("ObjectRemoved:DeleteMarkerCreated", "1", 14),
        ("LifecycleExpiration:Delete", "1", 14),
        ("ObjectRemoved:Delete", "30", 30),
    ] {
        let fake = Fake::new();
        handle(&recorder(&fake, &[("RECORD_TTL_DAYS", ttl)]), event(name, "0A", "e")).await.unwrap();
        let item = fake.state.lock().unwrap().items["b/k"].clone();
        let expires_at: i64 = item["expires_at"]["N"].as_str().unwrap().parse().unwrap();
        let recorded_at: jiff::Timestamp = item["recorded_at"]["S"].as_str().unwrap().parse().unwrap();
        assert_eq!(expires_at - recorded_at.as_second(), kept * 86_400, "{name} {ttl}");
    }
}

#[tokio::test]
async fn a_wrong_configuration_is_named_before_anything_is_handled() {
    let fake = Fake::new();
    for (variables, named) in [
        (vec![], "TABLE_NAME"),
        (vec![("TABLE_NAME", "t"), ("AWS_REGION", "")], "AWS_DEFAULT_REGION"),
        (vec![("TABLE_NAME", "t"), ("AWS_SECRET_ACCESS_KEY", "")], "AWS_SECRET_ACCESS_KEY"),
    ] {
        let error = Recorder::from_env(&env(&variables), fake.http.client()).err().unwrap();
        assert!(error.starts_with(named), "{error}");
    }
}
