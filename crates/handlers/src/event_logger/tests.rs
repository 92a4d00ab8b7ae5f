//! The handler from event to answer and log.

use std::time::Duration;

use claimctl_claim::{key, synthetic};
use proptest::prelude::*;

use super::*;
use crate::aws::Deadline;

/// A log that can be looked at, and that takes only so many writes.
#[derive(Clone)]
struct Log {
    writes: Arc<Mutex<Vec<String>>>,
    room: usize,
}

impl Log {
    fn new() -> Log {
        Log::with_room_for(usize::MAX)
    }

    fn with_room_for(room: usize) -> Log {
        Log { writes: Arc::default(), room }
    }

    /// Every write, which has to be one whole line.
    fn lines(&self) -> Vec<Value> {
        let writes = self.writes.lock().unwrap();
        writes
            .iter()
            .map(|write| {
                let line = write.strip_suffix('\n').unwrap();
                assert!(!line.contains('\n'), "{line}");
                serde_json::from_str(line).unwrap()
            })
            .collect()
    }

    fn keys(&self) -> Vec<String> {
        let mut keys: Vec<_> =
            self.lines().iter().map(|line| line["object_key"].as_str().unwrap().to_owned()).collect();
        keys.sort();
        keys
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut writes = self.writes.lock().unwrap();
        if writes.len() == self.room {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        writes.push(String::from_utf8(bytes.to_vec()).unwrap());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn handle(log: &Log, event: Value) -> Result<Value, Problem> {
    let invocation = Invocation { request_id: "r".into(), deadline: Deadline::after(Duration::from_secs(60)) };
    Arc::new(EventLogger::new(log.clone())).handle(event, invocation).await
}

/// One record of a notification of S3, for this key of the bucket `b`.
fn record(name: &str, object_key: &str) -> Value {
    json!({ "eventVersion": "2.1", "eventName": name, "eventTime": "2026-01-02T03:04:05.678Z",
        "s3": { "bucket": { "name": "b" }, "object": { "key": key::encode_form(object_key), "sequencer": "0a00",
            "eTag": "e", "size": 4, "versionId": "v" } } })
}

fn notification(keys: &[&str]) -> String {
    json!({ "Records": keys.iter().map(|key| record("ObjectCreated:Put", key)).collect::<Vec<_>>() }).to_string()
}

/// The event of a mapping, with these messages by id and body.
fn batch(arn: &str, messages: &[(&str, &str)]) -> Value {
    let records = messages.iter().map(|(id, body)| {
        json!({ "messageId": id, "body": body, "eventSource": "aws:sqs", "eventSourceARN": arn,
            "attributes": { "ApproximateReceiveCount": "2", "MessageGroupId": "g" } })
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}

const QUEUE: &str = "arn:aws:sqs:r:a:q";

fn failed(ids: &[&str]) -> Value {
    event::answer(ids.iter().map(|id| (*id).to_owned()).collect())
}

#[tokio::test]
async fn a_line_has_everything_that_is_known() {
    let log = Log::new();
    let answer = handle(&log, batch(QUEUE, &[("m", &notification(&["dir/a b+c"]))])).await.unwrap();
    assert_eq!(answer, failed(&[]));
    let mut line = log.lines().pop().unwrap();
    let recorded_at: jiff::Timestamp = line["recorded_at"].as_str().unwrap().parse().unwrap();
    assert!(jiff::Timestamp::now().duration_since(recorded_at).as_secs() < 60);
    line.as_object_mut().unwrap().remove("recorded_at");
    assert_eq!(
        line,
        json!({
            "kind": "claim_record", "claim_id": "b/dir/a b+c", "bucket": "b", "object_key": "dir/a b+c", "size": 4,
            "etag": "e", "version_id": "v", "sequencer": "0A", "event_name": "ObjectCreated:Put",
            "event_time": "2026-01-02T03:04:05.678Z", "message_id": "m", "request_id": "r", "receive_count": 2,
            "status": "recorded",
        })
    );
}

#[tokio::test]
async fn claims_are_found_in_every_envelope_and_each_has_its_line() {
    let inner = notification(&["one", "two"]);
    let sns = json!({ "Type": "Notification", "TopicArn": "arn", "Message": inner }).to_string();
    let eventbridge = json!({ "source": "aws.s3", "detail-type": "Object Created",
        "detail": { "bucket": { "name": "b" }, "object": { "key": "bus" } } });
    let destination = json!({ "requestPayload": { "Records": [record("ObjectCreated:Copy", "destination")] } });
    let pointer = r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"b","s3Key":"pointer"}]"#;
    let test_event = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}"#;
    let (eventbridge, destination) = (eventbridge.to_string(), destination.to_string());
    let bodies = [("1", inner.as_str()), ("2", &sns), ("3", &eventbridge), ("4", &destination), ("5", pointer)];
    for (id, body) in bodies {
        let log = Log::new();
        assert_eq!(handle(&log, batch(QUEUE, &[(id, body)])).await.unwrap(), failed(&[]), "{body}");
        let expected: &[&str] = match id {
            "3" => &["bus"],
            "4" => &["destination"],
            "5" => &["pointer"],
            _ => &["one", "two"],
        };
        assert_eq!(log.keys(), expected);
    }
    let log = Log::new();
    assert_eq!(handle(&log, batch(QUEUE, &[("6", test_event)])).await.unwrap(), failed(&[]));
    assert_eq!(log.keys(), [""; 0], "a test event is no claim");
}

#[tokio::test]
async fn what_cannot_be_read_fails_alone() {
    let log = Log::new();
    let good = notification(&["good"]);
    let half = json!({ "Records": [record("ObjectCreated:Put", "half"), { "s3": {} }] }).to_string();
    let messages = [("1", "poison"), ("2", good.as_str()), ("3", ""), ("4", &half)];
    assert_eq!(handle(&log, batch(QUEUE, &messages)).await.unwrap(), failed(&["1", "3", "4"]));
    assert_eq!(log.keys(), ["good"]);
}

#[tokio::test]
async fn in_a_fifo_queue_the_rest_of_a_group_waits_behind_a_failure() {
    let log = Log::new();
    let (first, last) = (notification(&["first"]), notification(&["last"]));
    let messages = [("1", first.as_str()), ("2", "poison"), ("3", &last)];
    assert_eq!(handle(&log, batch("arn:aws:sqs:r:a:q.fifo", &messages)).await.unwrap(), failed(&["2", "3"]));
    assert_eq!(log.keys(), ["first"]);
}

#[tokio::test]
async fn lines_come_in_the_order_of_the_batch() {
    let log = Log::new();
    let bodies: Vec<_> = (0..12).map(|n| notification(&[&format!("{n:02}/a"), &format!("{n:02}/b")])).collect();
    let messages: Vec<_> = bodies.iter().map(|body| ("m", body.as_str())).collect();
    handle(&log, batch(QUEUE, &messages)).await.unwrap();
    let written: Vec<_> = log.lines().iter().map(|line| line["object_key"].as_str().unwrap().to_owned()).collect();
    assert_eq!(written, log.keys());
}

#[tokio::test]
async fn an_object_that_went_away_is_logged_as_removed() {
    for name in ["ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated", "LifecycleExpiration:Delete"] {
        let log = Log::new();
        handle(&log, json!({ "Records": [record(name, "gone")] })).await.unwrap();
        let line = &log.lines()[0];
        assert_eq!((&line["status"], &line["event_name"]), (&json!("removed"), &json!(name)));
    }
}

#[tokio::test]
async fn a_message_whose_line_cannot_be_written_is_not_done() {
    let log = Log::with_room_for(1);
    let (one, two) = (notification(&["one"]), notification(&["two"]));
    let messages = [("1", one.as_str()), ("2", &two)];
    let answer = handle(&log, batch(QUEUE, &messages)).await.unwrap();
    assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 1);
    let problem = handle(&Log::with_room_for(1), json!({ "Records": [record("x", "1"), record("x", "2")] })).await;
    assert!(matches!(problem, Err(Problem::Unwritten(_))));
}

#[tokio::test]
async fn an_event_may_come_without_a_queue_but_a_clock_has_none() {
    let log = Log::new();
    let repair = synthetic::event("eu-west-1", "2026-01-02T03:04:05Z", "b", "k");
    assert_eq!(handle(&log, repair).await.unwrap(), json!({ "claims": 1 }));
    let line = &log.lines()[0];
    assert_eq!((&line["event_name"], line.get("sequencer")), (&json!("ObjectCreated:Synthetic"), None));
    assert!(matches!(handle(&log, json!({ "claimctl": "poll" })).await, Err(Problem::NothingToLog)));
    assert!(matches!(handle(&log, json!({ "x": 1 })).await, Err(Problem::Unreadable(_))));
}

proptest! {
    /// Every message of a batch of any mixture is either named as failed and not a line of it is lost, or all its claims
    /// have their lines.
    #[test]
    fn a_message_is_done_exactly_when_each_of_its_claims_has_a_line(
        batch_of in proptest::collection::vec((proptest::collection::vec("\\PC{1,12}", 0..4), any::<bool>()), 1..25)
    ) {
        let log = Log::new();
        let messages: Vec<(String, String)> = batch_of.iter().enumerate().map(|(at, (keys, readable))| {
            let keys: Vec<String> = keys.iter().map(|key| format!("{at}/{key}")).collect();
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let body = notification(&keys);
            (at.to_string(), if *readable { body } else { body[..body.len() - 1].to_owned() })
        }).collect();
        let by_reference: Vec<(&str, &str)> = messages.iter().map(|(id, body)| (id.as_str(), body.as_str())).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let answer = runtime.block_on(handle(&log, batch(QUEUE, &by_reference))).unwrap();
        let failed: Vec<&str> = answer["batchItemFailures"].as_array().unwrap().iter()
            .map(|failure| failure["itemIdentifier"].as_str().unwrap()).collect();
        let mut expected = Vec::new();
        for (at, (keys, readable)) in batch_of.iter().enumerate() {
            // A notification without records is none.
            let done = *readable && !keys.is_empty();
            prop_assert_eq!(done, !failed.contains(&at.to_string().as_str()));
            expected.extend(keys.iter().filter(|_| done).map(|key| format!("{at}/{key}")));
        }
        expected.sort();
        prop_assert_eq!(log.keys(), expected);
    }
}
