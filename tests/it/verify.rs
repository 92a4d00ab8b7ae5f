//! verify tells for every object where it is, and never calls lost what it could not see.

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::primitives::ByteStream;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::run::{Run, Running, eventually, finish, signal};
use crate::world::{World, odd_names, wait_for};

/// Keys that every codec on the way must leave alone: those of files, and those that no file can have.
fn odd_keys() -> Vec<String> {
    let more = ["trailing/", "semi;colon,comma", "tilde~", "a//b"].map(str::to_owned);
    odd_names().into_iter().chain(more).chain(["k".repeat(1024)]).collect()
}

impl World {
    fn put(&self, key: &str, body: &str) {
        let put =
            self.s3().put_object().bucket(self.bucket()).key(key).body(ByteStream::from(body.as_bytes().to_vec()));
        wait_for(put.send()).unwrap();
    }

    fn delete_record(&self, key: &str) {
        let id = AttributeValue::S(format!("{}/{key}", self.bucket()));
        wait_for(self.dynamodb().delete_item().table_name(self.table()).key("claim_id", id).send()).unwrap();
    }

    fn put_record(&self, key: &str, etag: &str, status: &str) {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let put = self
            .dynamodb()
            .put_item()
            .table_name(self.table())
            .item("claim_id", text(&format!("{}/{key}", self.bucket())))
            .item("bucket", text(self.bucket()))
            .item("object_key", text(key))
            .item("etag", text(etag))
            .item("status", text(status));
        wait_for(put.send()).unwrap();
    }

    /// A claim as S3 would send it, put into a queue by hand.
    fn send_claim(&self, queue: &str, key: &str) {
        let body = json!({"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": self.bucket()}, "object": {"key": key}}}]});
        wait_for(self.sqs().send_message().queue_url(self.queue_url(queue)).message_body(body.to_string()).send())
            .unwrap();
    }

    fn verify(&self, more: &[&str]) -> Run {
        self.claimctl(["verify", "-o", "json"]).args(more).run()
    }
}

#[track_caller]
fn counted(report: &Value, expected: Value) {
    let mut counts = report["counts"].clone();
    counts.as_object_mut().unwrap().retain(|_, count| *count != json!(0));
    assert_eq!(counts, expected, "{report:#}");
    assert_eq!(report["balanced"], json!(true), "{report:#}");
}

#[track_caller]
fn finding(report: &Value, category: &str) -> String {
    let findings = report["findings"].as_array().unwrap();
    let mut found = findings.iter().filter(|finding| finding["category"] == category);
    let key = found.next().unwrap_or_else(|| panic!("no {category}: {report:#}"))["key"].as_str().unwrap().to_owned();
    assert!(found.next().is_none(), "more than one {category}: {report:#}");
    key
}

#[test]
fn what_went_in_is_recorded_under_exactly_its_key() {
    let world = World::up();
    let keys = odd_keys();
    keys.iter().for_each(|key| world.put(key, key));
    let report = world.verify(&["--wait", "60s"]).exits(0).json();
    counted(&report, json!({"recorded": keys.len()}));
    assert_eq!(report["objects"], json!(keys.len()));
    assert_eq!(report["records"], json!(keys.len()));
    assert_eq!(report["findings"], json!([]));
    world.claimctl(["verify"]).run().exits(0).says("all accounted for").says("the counts add up");
}

#[test]
fn each_kind_of_loss_has_its_name() {
    let world = World::up();
    for key in ["fine", "missing", "stale", "dead", "history"] {
        world.put(key, key);
    }
    world.verify(&["--wait", "60s"]).exits(0);
    world.delete_record("missing");
    world.put_record("stale", "0123456789abcdef0123456789abcdef", "recorded");
    world.delete_record("dead");
    world.send_claim("claims-dlq", "dead");
    world.put_record("orphan", "0123456789abcdef0123456789abcdef", "recorded");
    world.put_record("gone-after-processing", "0123456789abcdef0123456789abcdef", "processed");

    let report = world.verify(&[]).exits(8).json();
    counted(&report, json!({"recorded": 2, "missing": 1, "stale": 1, "dead": 1, "orphan": 1, "retired": 1}));
    for category in ["missing", "stale", "dead", "orphan"] {
        assert_eq!(finding(&report, category), category);
    }
    // The look gave the dead letter back.
    eventually("the dead letter is visible again", || {
        let queues = world.claimctl(["queue", "ls", "-o", "json"]).run().exits(0).json();
        let dead = queues["queues"].as_array().unwrap().iter().find(|queue| queue["logical"] == "claims-dlq").cloned();
        (dead.unwrap()["visible"] == json!(1)).then_some(())
    });
    let table = world.claimctl(["verify"]).run().exits(8);
    assert!(table.stdout.contains("not all accounted for"), "{}", table.stdout);
}

#[test]
fn what_may_be_waiting_is_not_called_missing() {
    let world = World::up_with(&["--var", "trigger=schedule"]);
    let visible = |number: u64| {
        eventually(&format!("{number} messages are visible"), || {
            let queues = world.claimctl(["queue", "ls", "-o", "json"]).run().exits(0).json();
            queues["queues"].as_array().unwrap().iter().any(|queue| queue["visible"] == json!(number)).then_some(())
        });
    };
    // S3 tests the notification with a message of its own.
    visible(1);
    wait_for(world.sqs().purge_queue().queue_url(world.queue_url("claims")).send()).unwrap();
    ["a", "b", "c"].iter().for_each(|key| world.put(key, key));
    visible(3);
    let report = world.verify(&[]).exits(3).json();
    counted(&report, json!({"undetermined": 3}));
    let report = world.verify(&["--look"]).exits(0).json();
    counted(&report, json!({"waiting": 3}));

    // A consumer takes one and keeps it.
    let receive = world.sqs().receive_message().queue_url(world.queue_url("claims")).visibility_timeout(120);
    let held = wait_for(receive.max_number_of_messages(1).send()).unwrap();
    assert_eq!(held.messages().len(), 1);
    let report = world.verify(&["--look"]).exits(3).json();
    counted(&report, json!({"waiting": 2, "in_flight": 1}));
}

#[test]
fn a_prefix_and_an_age_narrow_the_look() {
    let world = World::up();
    ["in/a", "in/b", "out/c"].iter().for_each(|key| world.put(key, key));
    world.verify(&["--wait", "60s"]).exits(0);
    world.delete_record("out/c");
    counted(&world.verify(&["--prefix", "in/"]).exits(0).json(), json!({"recorded": 2}));
    counted(&world.verify(&["--since", "2h"]).exits(8).json(), json!({"recorded": 2, "missing": 1}));
    let future = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    counted(&world.verify(&["--since", &future.to_string()]).exits(0).json(), json!({}));
}

#[test]
fn a_wrong_table_bucket_or_flow_is_no_loss() {
    let world = World::up();
    let (bucket, table) = (world.bucket().to_owned(), world.table().to_owned());
    world.claimctl(["verify", "nonsense"]).run().fails_with(5, "no flow \"nonsense\"").says("claims");
    world.claimctl(["verify", "--table", "nothing", "--bucket", &bucket]).run().exits(5).says("nothing");
    world.claimctl(["verify", "--bucket", "nothing-there", "--table", &table]).run().exits(5).says("nothing-there");
    let create = world
        .dynamodb()
        .create_table()
        .table_name("other")
        .billing_mode(aws_sdk_dynamodb::types::BillingMode::PayPerRequest)
        .attribute_definitions(definition("pk"))
        .key_schema(key("pk"));
    wait_for(create.send()).unwrap();
    let run = world.claimctl(["verify", "--bucket", &bucket, "--table", "other"]).run();
    run.fails_with(2, "does not hold claim records: it has partition key pk");
}

fn definition(name: &str) -> aws_sdk_dynamodb::types::AttributeDefinition {
    aws_sdk_dynamodb::types::AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(aws_sdk_dynamodb::types::ScalarAttributeType::S)
        .build()
        .unwrap()
}

fn key(name: &str) -> aws_sdk_dynamodb::types::KeySchemaElement {
    aws_sdk_dynamodb::types::KeySchemaElement::builder()
        .attribute_name(name)
        .key_type(aws_sdk_dynamodb::types::KeyType::Hash)
        .build()
        .unwrap()
}

#[test]
fn an_interrupt_ends_the_wait_and_proves_nothing() {
    let world = World::up_with(&["--var", "trigger=schedule"]);
    world.put("a", "a");
    let mut command = world.claimctl(["verify", "--wait", "10m", "-v"]);
    let child = command.start();
    // The wait has begun once the listing is over; a signal before that ends it just the same.
    std::thread::park_timeout(std::time::Duration::from_millis(300));
    signal(&child, Signal::INT);
    finish(child, "verify --wait 10m".to_owned()).exits(130).says("nothing is proved");
}
