//! verify tells for every object where it is, and never calls lost what it could not see.

mod repair;

use std::io::{Read as _, Write as _};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::primitives::ByteStream;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::run::{Run, Running, eventually, finish, signal};
use crate::world::{World, odd_names, wait_for};

/// Keys that every codec on the way must leave alone: those of files, and those that no file can have.
fn odd_keys() -> Vec<String> {
    let more = ["trailing/", "semi;colon,comma", "tilde~", "a//b", "dir/ "].map(str::to_owned);
    odd_names().into_iter().chain(more).chain(["k".repeat(1024)]).collect()
}

impl World {
    /// Returns its ETag.
    fn put(&self, key: &str, body: &str) -> String {
        let put =
            self.s3().put_object().bucket(self.bucket()).key(key).body(ByteStream::from(body.as_bytes().to_vec()));
        wait_for(put.send()).unwrap().e_tag.unwrap().trim_matches('"').to_owned()
    }

    /// Puts an object under a key that the SDK does not send: `path` is as it stands in the request.
    fn put_raw(&self, path: &str, body: &str) {
        let host = self.endpoint.strip_prefix("http://").unwrap();
        let mut stream = std::net::TcpStream::connect(host.replace("localhost", "127.0.0.1")).unwrap();
        let length = body.len();
        let bucket = self.bucket();
        write!(
            stream,
            "PUT /{bucket}/{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Waits until so many messages are visible in the queue, and empties it.
    fn empty_queue_of(&self, number: u64) {
        eventually(&format!("{number} messages are visible"), || {
            let queues = self.claimctl(["queue", "ls", "-o", "json"]).run().exits(0).json();
            queues["queues"].as_array().unwrap().iter().any(|queue| queue["visible"] == json!(number)).then_some(())
        });
        wait_for(self.sqs().purge_queue().queue_url(self.queue_url("claims")).send()).unwrap();
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
    for key in &keys {
        world.put(key, key);
    }
    let report = world.verify(&["--wait", "60s"]).exits(0).json();
    counted(&report, json!({"recorded": keys.len()}));
    assert_eq!(report["objects"], json!(keys.len()));
    assert_eq!(report["records"], json!(keys.len()));
    assert_eq!(report["findings"], json!([]));
    world.claimctl(["verify"]).run().exits(0).says("all accounted for").says("the counts add up");
}

#[test]
fn a_key_of_blanks_is_a_key_and_ends_nothing_for_the_others() {
    let world = World::up_with(&["--var", "trigger=schedule"]);
    for (path, key) in [("%20", " "), ("%20%20", "  "), ("%09", "\t")] {
        world.put_raw(path, key);
    }
    let etag = world.put("other", "other");
    world.put_record("other", &etag, "recorded");
    world.empty_queue_of(5);
    counted(&world.verify(&[]).exits(8).json(), json!({"recorded": 1, "missing": 3}));
    let listed = wait_for(world.s3().list_objects_v2().bucket(world.bucket()).prefix(" ").send()).unwrap();
    let etag = listed.contents()[0].e_tag().unwrap().trim_matches('"');
    world.put_record(" ", etag, "recorded");
    counted(&world.verify(&[]).exits(8).json(), json!({"recorded": 2, "missing": 2}));
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
    for key in ["a", "b", "c"] {
        world.put(key, key);
    }
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
    for key in ["in/a", "in/b", "out/c"] {
        world.put(key, key);
    }
    world.verify(&["--wait", "60s"]).exits(0);
    world.delete_record("out/c");
    counted(&world.verify(&["--prefix", "in/"]).exits(0).json(), json!({"recorded": 2}));
    counted(&world.verify(&["--since", "2h"]).exits(8).json(), json!({"recorded": 2, "missing": 1}));
}

#[test]
fn a_proof_names_its_scope_and_an_empty_one_proves_nothing() {
    let world = World::up();
    world.put("in/a", "a");
    let report = world.verify(&["--wait", "60s"]).exits(0).json();
    let scope = &report["scope"];
    for (name, value) in [
        ("bucket", json!(world.bucket())),
        ("prefix", json!("")),
        ("since", Value::Null),
        ("sinks", json!([{"kind": "table", "name": world.table()}])),
        ("queues", json!(["claim-check-local-claims"])),
        ("dead_letter_queues", json!(["claim-check-local-claims-dlq"])),
    ] {
        assert_eq!(scope[name], value, "{name}");
    }
    let began_at: jiff::Timestamp = scope["began_at"].as_str().unwrap().parse().unwrap();
    assert!((jiff::Timestamp::now() - began_at).get_seconds().abs() < 60, "{began_at}");

    for nothing in [["--prefix", "nosuch/"], ["--since", "2031-01-01T00:00:00Z"]] {
        let report = world.verify(&nothing).exits(3).json();
        counted(&report, json!({}));
        assert_eq!(report["scope"][&nothing[0][2..]], json!(nothing[1]));
        let said = world.claimctl(["verify"]).args(nothing).run().exits(3);
        assert!(said.stdout.contains("nothing was compared in this scope, so nothing is proved"), "{}", said.stdout);
        assert!(!said.stdout.contains("all accounted for"), "{}", said.stdout);
    }
}

#[test]
fn a_time_without_a_zone_is_the_operators() {
    let world = World::up();
    world.put("a", "a");
    world.verify(&["--wait", "60s"]).exits(0);
    let minutes_ago = |minutes: i64| {
        let there =
            jiff::Timestamp::now() + jiff::SignedDuration::from_hours(9) - jiff::SignedDuration::from_mins(minutes);
        there.strftime("%Y-%m-%dT%H:%M:%S").to_string()
    };
    let since = minutes_ago(10);
    let run = world.claimctl(["verify", "--since", &since]).env("TZ", "JST-9").run().exits(0);
    let understood = format!("objects since {} +09:00", since.replace('T', " "));
    assert!(run.stdout.contains(&understood), "{understood}: {}", run.stdout);
    assert!(run.stdout.contains("1 object, 1 record"), "{}", run.stdout);
    world.claimctl(["verify", "--since", &minutes_ago(-10)]).env("TZ", "JST-9").run().exits(3);
}

#[test]
fn recorded_is_not_done_where_a_step_comes_after_it() {
    // Nobody consumes: what the handler left is written by hand.
    let world = World::up_with(&["--var", "trigger=schedule", "--var", "after_processing=tag"]);
    for (key, status) in [("done", "processed"), ("undone", "recorded"), ("dead", "recorded")] {
        let etag = world.put(key, key);
        world.put_record(key, &etag, status);
    }
    world.empty_queue_of(4);
    world.send_claim("claims-dlq", "dead");
    let report = world.verify(&[]).exits(8).json();
    counted(&report, json!({"recorded": 1, "unfinished": 2}));
    let why = |key: &str| {
        let findings = report["findings"].as_array().unwrap();
        findings.iter().find(|finding| finding["key"] == key).unwrap()["why"].as_str().unwrap().to_owned()
    };
    assert_eq!(why("undone"), "it is recorded, but its after-processing step has not succeeded");
    assert!(why("dead").ends_with("; its claim is in the dead-letter queue"), "{}", why("dead"));
    // The same by the names of bucket and table.
    let flags = ["--bucket", world.bucket(), "--table", world.table(), "--queue", "claims"];
    counted(&world.verify(&flags).exits(8).json(), json!({"recorded": 1, "unfinished": 2}));

    let report = world.claimctl(["dlq", "inspect", "-o", "json"]).run().exits(0).json();
    assert_eq!(report["groups"][0]["verdict"], "send", "{report:#}");
    let said = world.claimctl(["dlq", "inspect"]).run().exits(0);
    assert!(said.stdout.contains("claimctl dlq replay"), "{}", said.stdout);
    assert!(!said.stdout.contains("--on-recorded"), "nothing suggests to delete it: {}", said.stdout);
}

#[test]
fn a_dead_letter_that_cannot_be_read_raises_a_doubt_about_what_it_may_be() {
    let world = World::up_with(&["--var", "trigger=schedule"]);
    world.put("lost", "lost");
    world.empty_queue_of(2);
    counted(&world.verify(&[]).exits(8).json(), json!({"missing": 1}));
    let nonsense = world.sqs().send_message().queue_url(world.queue_url("claims-dlq")).message_body("nonsense");
    wait_for(nonsense.send()).unwrap();
    let report = world.verify(&[]).exits(3).json();
    counted(&report, json!({"undetermined": 1}));
    let why = report["findings"][0]["why"].as_str().unwrap();
    assert!(why.contains("1 message of queue") && why.contains("could not be read"), "{why}");
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

#[test]
fn rows_are_counted_only_where_records_are_of_files() {
    let world = World::up();
    world.put("a", "a");
    world.verify(&["--wait", "60s", "--rows"]).fails_with(2, "not of files with rows").says("--rows");
}
