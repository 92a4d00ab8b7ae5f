//! A sandbox whose dead letters are of a test's own making, each with the verdict that it deserves.

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName as Name};
use serde_json::{Value, json};

use crate::world::{World, wait_for};

/// Payloads lie in a bucket that notifies nobody, so that only the test writes records.
pub const BUCKET: &str = "payloads-of-dead-letters";

pub fn put(world: &World, key: &str, body: &str) -> String {
    let put = world.s3().put_object().bucket(BUCKET).key(key).body(ByteStream::from(body.as_bytes().to_vec()));
    wait_for(put.send()).unwrap().e_tag.unwrap().trim_matches('"').to_owned()
}

pub fn delete(world: &World, key: &str) {
    wait_for(world.s3().delete_object().bucket(BUCKET).key(key).send()).unwrap();
}

pub fn record(world: &World, key: &str, etag: &str, sequencer: &str) {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let put = world.dynamodb().put_item().table_name(world.table()).item("claim_id", text(&format!("{BUCKET}/{key}")));
    let put = put.item("bucket", text(BUCKET)).item("object_key", text(key)).item("etag", text(etag));
    wait_for(put.item("sequencer", text(sequencer)).item("status", text("recorded")).send()).unwrap();
}

pub fn claim(event: &str, bucket: &str, key: &str, etag: &str) -> Value {
    json!({"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": event,
        "s3": {"bucket": {"name": bucket}, "object": {"key": key, "eTag": etag, "sequencer": "0b"}}})
}

/// Sends a dead letter; its message id.
pub fn send(world: &World, body: &str, replays: Option<u64>) -> String {
    let mark = |replays: u64| {
        let value = json!({"n": replays, "run": "r"}).to_string();
        MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap()
    };
    let mut send = world.sqs().send_message().queue_url(world.queue_url("claims-dlq")).message_body(body);
    if let Some(replays) = replays {
        send = send.message_attributes("claimctl.replay", mark(replays));
    }
    wait_for(send.send()).unwrap().message_id.unwrap()
}

/// Visible dead letters, and those in flight.
pub fn depth(world: &World) -> (u64, u64) {
    let read = world.sqs().get_queue_attributes().queue_url(world.queue_url("claims-dlq")).attribute_names(Name::All);
    let attributes = wait_for(read.send()).unwrap().attributes.unwrap();
    let number = |name| attributes[&name].parse().unwrap();
    (number(Name::ApproximateNumberOfMessages), number(Name::ApproximateNumberOfMessagesNotVisible))
}

pub fn world() -> World {
    let world = World::up();
    wait_for(world.s3().create_bucket().bucket(BUCKET).send()).unwrap();
    world
}

/// Puts one claim of a kind into the world; the claim and the verdict that it deserves.
pub fn member(world: &World, kind: u64, key: &str) -> (Value, &'static str) {
    let etag = put(world, key, key);
    let created = claim("ObjectCreated:Put", BUCKET, key, &etag);
    let removed = claim("ObjectRemoved:Delete", BUCKET, key, &etag);
    match kind {
        0 => (created, "send"),
        1 => {
            delete(world, key);
            (created, "payload_gone")
        }
        2 => {
            put(world, key, "another content");
            (created, "payload_changed")
        }
        3 => {
            record(world, key, &etag, "0B");
            (created, "already_recorded")
        }
        4 => {
            record(world, key, "a later content's", "0C");
            delete(world, key);
            (created, "already_recorded")
        }
        5 => {
            record(world, key, &etag, "0A");
            (created, "send")
        }
        6 => {
            delete(world, key);
            (removed, "send")
        }
        _ => (removed, "payload_changed"),
    }
}
