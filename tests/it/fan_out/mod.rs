//! The fan-out in the sandbox: each event comes to one branch, and what cannot be delivered is not lost.

mod killed;
mod verified;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;

use crate::run::{Running, eventually};
use crate::world::{World, odd_names, wait_for};

/// As the demo has them.
const SOON: [&str; 4] = ["--var", "copied_delay=1s", "--var", "visibility_timeout=1s"];

impl World {
    /// The records in the log of a branch, by key; one that is there twice is the last one.
    fn records(&self, branch: &str) -> BTreeMap<String, Value> {
        let group = self.surface["log_groups"][branch]["name"].as_str().unwrap();
        let read = self.logs().filter_log_events().log_group_name(group).filter_pattern("claim_record");
        let events = wait_for(read.send()).unwrap().events.unwrap();
        let lines = events.iter().filter_map(|event| serde_json::from_str::<Value>(event.message()?).ok());
        let records = lines.filter(|line| line["kind"] == "claim_record");
        records.map(|record| (record["object_key"].as_str().unwrap().to_owned(), record)).collect()
    }

    fn copy(&self, from: &str, to: &str) {
        let source = format!("{}/{from}", self.bucket());
        wait_for(self.s3().copy_object().bucket(self.bucket()).key(to).copy_source(source).send()).unwrap();
    }
}

fn put(world: &World, key: &str) {
    let body = ByteStream::from(key.as_bytes().to_vec());
    wait_for(world.s3().put_object().bucket(world.bucket()).key(key).body(body).send()).unwrap();
}

fn in_parts(world: &World, key: &str) {
    let (s3, bucket) = (world.s3(), world.bucket());
    let upload = wait_for(s3.create_multipart_upload().bucket(bucket).key(key).send()).unwrap().upload_id.unwrap();
    let part = s3.upload_part().bucket(bucket).key(key).upload_id(&upload).part_number(1);
    let etag = wait_for(part.body(ByteStream::from_static(b"part")).send()).unwrap().e_tag.unwrap();
    let parts = CompletedPart::builder().part_number(1).e_tag(etag).build();
    let parts = CompletedMultipartUpload::builder().parts(parts).build();
    let complete = s3.complete_multipart_upload().bucket(bucket).key(key).upload_id(upload).multipart_upload(parts);
    wait_for(complete.send()).unwrap();
}

/// As a form in a browser sends it.
fn post(world: &World, key: &str) {
    let field = |name: &str, value: &str| {
        format!("--form\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body = format!("{}{}--form--\r\n", field("key", key), field("file", "posted"));
    let address = world.endpoint.strip_prefix("http://").unwrap();
    let head = format!(
        "POST /{} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\
         Content-Type: multipart/form-data; boundary=form\r\n\r\n",
        world.bucket(),
        body.len()
    );
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
}

#[test]
fn each_event_is_in_the_log_of_exactly_one_branch_however_the_object_came_to_be() {
    let world = World::of("fan-out", "event-logger", &SOON);
    let mut names = odd_names();
    names.iter().for_each(|name| put(&world, name));
    in_parts(&world, "in-parts");
    post(&world, "posted");
    world.copy("plain", "copied");
    names.extend(["in-parts".to_owned(), "posted".to_owned()]);
    names.sort();

    let copied = eventually("the copy", || Some(world.records("copied")).filter(|records| !records.is_empty()));
    assert_eq!(copied.keys().collect::<Vec<_>>(), ["copied"]);
    assert_eq!((&copied["copied"]["event_name"], &copied["copied"]["size"]), (&"ObjectCreated:Copy".into(), &5.into()));
    let created =
        eventually("all others", || Some(world.records("created")).filter(|records| records.len() >= names.len()));
    assert_eq!(created.keys().collect::<Vec<_>>(), names.iter().collect::<Vec<_>>());
    let event = |key: &str| created[key]["event_name"].as_str().unwrap();
    assert_eq!(event("plain"), "ObjectCreated:Put");
    assert_eq!(event("posted"), "ObjectCreated:Post");
    assert_eq!(event("in-parts"), "ObjectCreated:CompleteMultipartUpload");
}

#[test]
fn what_the_topic_cannot_deliver_is_kept_listed_and_sent_again() {
    let world = World::of("fan-out", "event-logger", &SOON);
    let takes = |bytes: &str| {
        let set = world.sqs().set_queue_attributes().queue_url(world.queue_url("copied"));
        wait_for(set.attributes(QueueAttributeName::MaximumMessageSize, bytes).send()).unwrap();
    };
    takes("1024");
    let kept = "k".repeat(1000);
    put(&world, "one");
    world.copy("one", &kept);

    eventually("what could not be delivered", || {
        let listed = world.claimctl(["dlq", "ls", "-o", "json"]).run().exits(0).json();
        let queues = listed["queues"].as_array().unwrap().clone();
        let of = |name: &str| queues.iter().find(|queue| queue["logical"] == name).unwrap().clone();
        assert_eq!(of("created-undelivered")["sources"][0]["kind"], "subscription");
        assert_eq!(of("created-dlq")["sources"][0]["kind"], "queue");
        (of("copied-undelivered")["visible"] == 1).then_some(())
    });
    world.claimctl(["dlq", "ls"]).run().exits(0).says("subscription of copied");
    world.claimctl(["dlq", "inspect", "copied-undelivered"]).run().exits(0).says(&kept[..20]);

    takes("1048576");
    world.claimctl(["dlq", "replay", "copied-undelivered", "--yes"]).run().exits(0).says("sent");
    let copied = eventually("the copy", || Some(world.records("copied")).filter(|records| !records.is_empty()));
    assert_eq!(copied.keys().collect::<Vec<_>>(), [&kept]);
}
