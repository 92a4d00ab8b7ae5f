//! verify of flows that divide a bucket's events, by the lines of two log groups.

use serde_json::{Value, json};

use super::{SOON, in_parts, post, put};
use crate::run::{Run, Running};
use crate::world::{World, odd_names, wait_for};

impl World {
    fn verified(&self, more: &[&str]) -> Run {
        self.claimctl(["verify", "-o", "json"]).args(more).run()
    }
}

fn counted(report: &Value, expected: Value) {
    let counts = report["counts"].as_object().unwrap();
    let some: serde_json::Map<_, _> = counts.iter().filter(|(_, number)| **number != 0).map(cloned).collect();
    assert_eq!(Value::Object(some), expected, "{report:#}");
    assert_eq!(report["balanced"], true);
}

fn cloned((name, number): (&String, &Value)) -> (String, Value) {
    (name.clone(), number.clone())
}

#[test]
fn an_object_needs_a_record_in_one_of_the_branches_and_the_newest_event_counts() {
    let world = World::of("fan-out", "event-logger", &SOON);
    odd_names().iter().for_each(|name| put(&world, name));
    in_parts(&world, "in-parts");
    post(&world, "posted");
    world.copy("plain", "copied");
    let objects = odd_names().len() + 3;
    let report = world.verified(&["--wait", "60s"]).exits(0).json();
    counted(&report, json!({"recorded": objects}));
    assert_eq!(report["flow"], "copied+created");
    assert_eq!(
        report["scope"]["sinks"][0],
        json!({"kind": "log_group", "name": "/aws/lambda/claim-check-local-log-copied"})
    );
    // By one of its flows, by its stack, and from a moment on.
    for more in [&["copied"][..], &["created"], &["fan-out"], &["--since", "1h"]] {
        counted(&world.verified(more).exits(0).json(), json!({"recorded": objects}));
    }

    // Overwritten by an event of the other branch: the record of the first content is no record of this one.
    world.copy("posted", "plain");
    let report = world.verified(&["--wait", "60s"]).exits(0).json();
    counted(&report, json!({"recorded": objects}));
    // A line stays when its object goes.
    wait_for(world.s3().delete_object().bucket(world.bucket()).key("posted").send()).unwrap();
    counted(&world.verified(&[]).exits(8).json(), json!({"recorded": objects - 1, "orphan": 1}));
}

#[test]
fn what_waits_or_is_dead_in_any_branch_is_found_there() {
    let world = World::of("fan-out", "event-logger", &SOON);
    world.claimctl(["function", "pause", "log-copied", "--yes"]).run().exits(0);
    put(&world, "one");
    world.copy("one", "copied");
    let report = world.verified(&["--look", "--wait", "5s", "--settle", "3s"]).exits(0).json();
    counted(&report, json!({"recorded": 1, "waiting": 1}));
    let queues: Vec<_> = report["queues"].as_array().unwrap().iter().map(|queue| &queue["queue"]).collect();
    for name in ["created", "copied", "created-dlq", "copied-dlq", "created-undelivered", "copied-undelivered"] {
        assert!(queues.contains(&&json!(format!("claim-check-local-{name}"))), "{name}: {queues:?}");
    }
    // Not looked into, it may be the claim of anything.
    counted(&world.verified(&[]).exits(3).json(), json!({"recorded": 1, "undetermined": 1}));

    let queue = world.queue_url("copied");
    let message = wait_for(world.sqs().receive_message().queue_url(queue).wait_time_seconds(5).send()).unwrap();
    let message = message.messages.unwrap().remove(0);
    let dead = world.queue_url("copied-undelivered");
    wait_for(world.sqs().send_message().queue_url(dead).message_body(message.body.unwrap()).send()).unwrap();
    let handle = message.receipt_handle.unwrap();
    wait_for(world.sqs().delete_message().queue_url(queue).receipt_handle(handle).send()).unwrap();
    counted(&world.verified(&[]).exits(8).json(), json!({"recorded": 1, "dead": 1}));
}
