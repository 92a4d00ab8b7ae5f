//! peek shows each message once, gives all of them back, and tells what it cost.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader};

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName as Name};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::queues::{claim, ids};
use crate::run::{Running, eventually, finish, signal};
use crate::world::{World, wait_for};

#[test]
fn each_message_is_shown_once_and_all_are_visible_again() {
    let world = World::up();
    let url = world.queue("many", &[]);
    world.send_claims(&url, 500);
    let run = world.claimctl(["queue", "peek", "many", "--all", "-o", "jsonl"]).run().exits(0);
    let messages = run.json_lines();
    assert_eq!((messages.len(), ids(&messages).len()), (500, 500));
    let keys: HashSet<_> = messages.iter().map(|message| message["claims"][0]["key"].as_str().unwrap()).collect();
    assert_eq!(keys.len(), 500);
    assert!(run.stderr.contains("seen 500 of about 500 visible"), "{}", run.stderr);
    assert!(run.stderr.contains("given back: 500 messages"), "{}", run.stderr);
    assert_eq!(world.depth(&url), (500, 0));

    let few =
        world.claimctl(["queue", "peek", "--queue-url", &url, "--limit", "7", "-o", "json"]).run().exits(0).json();
    assert_eq!((&few["seen"], &few["ended"], &few["complete"]), (&json!(7), &json!("limit"), &json!(false)));
    assert_eq!((&few["about"]["before"]["visible"], &few["released"]), (&json!(500), &json!(7)));
    assert_eq!(ids(few["messages"].as_array().unwrap()).len(), 7);
    assert_eq!(world.depth(&url), (500, 0));
}

#[test]
fn whoever_stops_reading_or_looking_leaves_nothing_hidden() {
    let world = World::up();
    let url = world.queue("stopped", &[]);
    world.send_claims(&url, 400);
    let look = ["queue", "peek", "stopped", "--all", "-o", "jsonl"];

    let mut child = world.claimctl(look).start();
    let mut first = String::new();
    BufReader::with_capacity(1, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let run = finish(child, "peek | head -1".to_owned()).exits(0);
    assert!(serde_json::from_str::<Value>(&first).is_ok(), "{first}");
    assert!(!run.stderr.contains("error"), "{}", run.stderr);
    assert_eq!(world.depth(&url), (400, 0));

    for (sent, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let child = world.claimctl(look).start();
        eventually("the look", || (world.depth(&url).1 > 0).then_some(()));
        signal(&child, sent);
        finish(child, "peek, interrupted".to_owned()).exits(code).says("given back: ");
        assert_eq!(world.depth(&url), (400, 0));
    }
}

#[test]
fn the_cost_of_a_look_is_told() {
    let world = World::up();
    let url = world.queue_with_dead_letters("counted", 3);
    world.send_claims(&url, 4);
    let peek = || world.claimctl(["queue", "peek", "counted", "-o", "json"]).run().exits(0).json();
    for receives in [1, 2] {
        let look = peek();
        let messages = look["messages"].as_array().unwrap();
        assert!(messages.iter().all(|message| message["receive_count"] == json!(receives)), "{look:#}");
        assert_eq!((&look["cost"]["receives"], &look["cost"]["at_maximum"]), (&json!(4), &json!([])));
        assert_eq!((&look["complete"], &look["ended"]), (&json!(true), &json!("empty")));
    }
    let last = peek();
    let at_maximum: HashSet<_> =
        last["cost"]["at_maximum"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    assert_eq!(at_maximum, ids(last["messages"].as_array().unwrap()));
    assert_eq!(at_maximum.len(), 4);
    assert_eq!(last["cost"]["dead_letter"], json!({"queue": "counted-dlq", "growth": 0}));

    let moved = world.claimctl(["queue", "peek", "counted"]).run().exits(0).says("seen 0 of about 4 visible");
    moved.says("counted-dlq changed by +4 during the look");
}

#[test]
fn a_queue_that_allows_two_receives_is_looked_at_by_force_only() {
    let world = World::up();
    let url = world.queue_with_dead_letters("strict", 2);
    world.send_claims(&url, 1);
    world.claimctl(["queue", "peek", "strict"]).run().fails_with(4, "after 2 receives").says("--force");
    let forced = world.claimctl(["queue", "peek", "strict", "--force", "-o", "json"]).run().exits(0).json();
    assert_eq!(forced["messages"][0]["receive_count"], json!(1), "the refusal was a receive");
}

#[test]
fn every_body_is_shown_and_none_is_fatal() {
    let world = World::up();
    let url = world.queue("bodies", &[]);
    let null_key = json!({"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": null}}}]}).to_string();
    let big = "x".repeat(1024 * 1024);
    for body in
        ["not json", " ", big.as_str(), &null_key, "{}", r#"{"Event":"s3:TestEvent"}"#, &claim("a+b%2B%1B%5B2J")]
    {
        world.send(&url, body);
    }
    let run = world.claimctl(["queue", "peek", "bodies", "-o", "jsonl"]).run().exits(0);
    let by_body: BTreeMap<_, _> =
        run.json_lines().into_iter().map(|message| (message["body"].as_str().unwrap().to_owned(), message)).collect();
    assert_eq!(by_body.len(), 7);
    for body in ["not json", " ", big.as_str(), &null_key, "{}"] {
        assert_eq!(by_body[body]["claims"], json!([]));
        assert!(by_body[body]["unreadable"].is_string());
    }
    let table = world.claimctl(["queue", "peek", "bodies"]).run().exits(0).stdout;
    assert_eq!(table.matches("  unreadable  ").count(), 5, "{table}");
    assert!(table.contains("b/a b+\\e[2J") && table.contains("s3:TestEvent") && !table.contains('\u{1b}'), "{table}");
    assert!(!table.contains(r#""sequencer""#));
    world.claimctl(["queue", "peek", "bodies", "--full"]).run().exits(0).says(r#""sequencer":"0a""#);
}

#[test]
fn a_line_holds_what_was_promised() {
    let world = World::up();
    let url = world.queue("shape", &[]);
    let binary =
        MessageAttributeValue::builder().data_type("Binary").binary_value(Blob::new([0, 255])).build().unwrap();
    let notification =
        json!({"Type": "Notification", "TopicArn": "arn:aws:sns:us-east-1:000000000000:t", "Message": claim("k")});
    let send = world.sqs().send_message().queue_url(&url).message_body(notification.to_string());
    wait_for(send.message_attributes("raw", binary).send()).unwrap();
    let run = world.claimctl(["queue", "peek", "shape", "-o", "jsonl"]).run().exits(0);
    let message = &run.json_lines()[0];
    let keys: Vec<_> = message.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "attributes",
            "body",
            "claims",
            "envelope",
            "first_received_at",
            "md5",
            "message_id",
            "receive_count",
            "sent_at",
            "system"
        ]
    );
    assert_eq!(message["attributes"], json!({"raw": {"type": "Binary", "value": "AP8="}}));
    assert_eq!(message["envelope"], json!(["sns", "s3"]));
    assert_eq!(
        message["claims"],
        json!([{"bucket": "b", "key": "k", "version_id": null, "etag": "e", "size": 5, "sequencer": "0A",
            "event_name": "ObjectCreated:Put", "event_time": "2026-01-01T00:00:00Z"}])
    );
    assert_eq!(message["system"]["ApproximateReceiveCount"], json!("1"));
    assert!(message["sent_at"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn of_a_fifo_queue_the_heads_are_shown() {
    let world = World::up();
    let url = world.queue("ordered.fifo", &[(Name::FifoQueue, "true".to_owned())]);
    world.send_claims(&url, 45);
    let run = world.claimctl(["queue", "peek", "ordered.fifo", "--all"]).run().exits(0);
    assert!(
        run.stdout.contains("of about 45 visible") && run.stdout.contains("heads of message groups"),
        "{}",
        run.stdout
    );
    assert_eq!(world.depth(&url), (45, 0));
}

#[test]
fn a_queue_is_found_by_every_name_it_has() {
    let world = World::up();
    let url = world.queue_url("claims-dlq").to_owned();
    let arn = world.surface["queues"]["claims-dlq"]["arn"].as_str().unwrap();
    let real = url.rsplit('/').next().unwrap();
    for name in ["claims-dlq", "claim-check/claims-dlq", real, arn, &url] {
        let look = world.claimctl(["queue", "peek", name, "-o", "json"]).run().exits(0).json();
        assert_eq!(look["queue"], json!(real), "{name}");
    }
    // The only queue that is no dead-letter queue.
    let look = world.claimctl(["queue", "peek", "-o", "json"]).run().exits(0).json();
    assert_eq!(look["queue"], world.queue_url("claims").rsplit('/').next().unwrap());

    let typo = world.claimctl(["queue", "peek", "claimz"]).run();
    typo.fails_with(5, "no queue \"claimz\"").says("did you mean claims?");
    world.claimctl(["queue", "ls", "claimz"]).run().fails_with(5, "no queue \"claimz\"");
    let listed = world.claimctl(["queue", "ls", "claims", "-o", "json"]).run().exits(0).json();
    assert_eq!(listed["queues"][0]["logical"], json!("claims"));
    world.claimctl(["queue", "ls"]).run().exits(0).says("DEAD LETTERS TO");
    let elsewhere = "arn:aws:sqs:eu-west-9:000000000000:claims";
    world.claimctl(["queue", "peek", elsewhere]).run().fails_with(2, "region eu-west-9");
    let gone = format!("{url}-gone");
    world.claimctl(["queue", "peek", "--queue-url", &gone]).run().exits(5).says("error: ");
}
