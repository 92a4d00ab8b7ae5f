//! Dead letters that are no claims: of rules, of a stream's mapping, of a function that diverts, of a FIFO queue of events.

use serde_json::{Value, json};

use crate::platform::{Platform, arn, event};
use crate::queues::messages;
use crate::server::Server;
use crate::world::wait_for;

fn inspected(platform: &Platform<'_>, queue: &str, code: i32) -> Value {
    platform.run(&format!("dlq inspect {queue} -o json")).exits(code).json()
}

#[test]
fn the_dead_letters_of_rules_are_grouped_by_rule_target_event_and_error() {
    let server = Server::up();
    let platform = Platform::of(&server);
    platform.payment("a", "pending");
    let (topic, machine) = (arn("sns", "notices"), arn("states", "stateMachine:settlement"));
    for number in 0..3 {
        platform.undelivered("undelivered", "notices", &topic, &event(&number.to_string(), "a", "pending"));
    }
    platform.undelivered("undelivered", "settlement", &machine, &event("4", "a", "pending"));
    platform.undelivered("undelivered", "transforms", &topic, &event("5", "a", "pending"));

    let report = inspected(&platform, "undelivered", 0);
    assert_eq!(report["verdicts"], json!({"send": 4, "no_target": 1}), "{report:#}");
    let groups: Vec<_> = report["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| {
            (group["messages"].clone(), group["rule"].clone(), group["event"].clone(), group["target"].clone())
        })
        .collect();
    let created = json!("PaymentCreated");
    assert_eq!(groups[0], (json!(3), json!("notices"), created.clone(), json!(topic)));
    assert!(groups.contains(&(json!(1), json!("settlement"), created.clone(), json!(machine))), "{groups:?}");
    assert!(groups.contains(&(json!(1), json!("transforms"), created, json!(topic))), "{groups:?}");
    let example = &report["groups"][0]["example"];
    assert_eq!(
        (&example["recipient"], &example["items"], &example["error"]),
        (&json!("topic notices"), &json!(["a"]), &json!("NO_PERMISSIONS: not allowed to call it"))
    );
    let run = platform.run("dlq inspect undelivered").exits(0);
    run.says("rule notices could not deliver it: NO_PERMISSIONS").says("for state machine settlement");
    // A group's own command sends that group.
    let command = report["groups"][0]["command"].as_str().unwrap();
    assert!(command.contains("endswith") && command.contains("notices"), "{command}");
    let peeked = platform.run("queue peek undelivered").exits(0);
    peeked.says("PaymentCreated").says("of payments");
    assert_eq!(platform.queue("undelivered").depth(), (5, 0), "given back");
}

#[test]
fn whose_they_are_is_told_without_asking_who_owns_each_rule() {
    let server = Server::up();
    let platform = Platform::of(&server);
    platform.undelivered("undelivered", "notices", &arn("sns", "notices"), &event("1", "a", "pending"));
    let listed = platform.run("dlq ls -o json").exits(0).json();
    let kinds = |name: &str| {
        let queues = listed["queues"].as_array().unwrap();
        let queue = queues.iter().find(|queue| queue["logical"] == name).unwrap();
        queue["sources"].as_array().unwrap().iter().map(|source| source["kind"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(kinds("undelivered"), ["rules"]);
    assert_eq!(kinds("start-undelivered"), ["undelivered"]);
    assert_eq!(kinds("stream-dlq"), ["stream"]);
    assert_eq!(kinds("diverted"), ["diverted"]);
    assert_eq!(kinds("payment-events-dlq"), ["queue"]);
    // Nothing feeds the function that diverts, so that its alias is not known; the rest is.
    let why = platform.run("dlq ls undelivered --why").exits(0);
    why.says("NO_PERMISSIONS: not allowed to call it").says("rules of bus payments");
}

#[test]
fn queues_that_take_what_rules_and_functions_leave_are_counted_as_such() {
    let server = Server::up();
    let platform = Platform::of(&server);
    let stats = platform.run("queue stats -o json").exits(0).json();
    let takes = |name: &str| {
        let queue = stats["queues"].as_array().unwrap().iter().find(|queue| queue["logical"] == name).unwrap();
        queue["takes_dead_letters"].clone()
    };
    for name in ["undelivered", "start-undelivered", "stream-dlq", "diverted", "payment-events-dlq"] {
        assert_eq!(takes(name), json!(true), "{name}");
    }
    assert_eq!(takes("payment-events"), json!(false));
}

#[test]
fn the_dead_letters_of_a_fifo_queue_of_events_are_judged_by_their_items_and_replayed_from_a_file() {
    let server = Server::up();
    let platform = Platform::of(&server);
    let dead = platform.queue("payment-events-dlq.fifo");
    for (payment, status) in [("a", "pending"), ("b", "settled"), ("c", "pending")] {
        platform.payment(payment, status);
        let body = json!({"type": "PaymentCreated", "event_id": payment, "time": "2026-01-01T00:00:00Z",
            "payment": {"payment_id": payment, "status": "pending"}});
        let send = dead.sqs.send_message().queue_url(&dead.url).message_body(body.to_string());
        wait_for(send.message_group_id(payment).message_deduplication_id(payment).send()).unwrap();
    }
    let report = inspected(&platform, "payment-events-dlq", 0);
    assert_eq!(report["verdicts"], json!({"send": 2, "already_recorded": 1}), "{report:#}");
    let drain = "claimctl queue drain payment-events-dlq --to dead-letters.jsonl";
    assert!(report["groups"][0]["command"].as_str().unwrap().starts_with(drain), "{report:#}");
    let refused = platform.run("dlq replay payment-events-dlq --yes");
    refused.fails_with(2, "is a FIFO queue").says("claimctl queue drain payment-events-dlq.fifo");
    platform.run("queue drain payment-events-dlq --to dead-letters.jsonl --yes").exits(0);
    let report = platform.run("dlq replay --from dead-letters.jsonl --yes --canary 0 -o json").exits(0).json();
    assert_eq!((&report["sent"], &report["left"]), (&json!(2), &json!({"already_recorded": 1})), "{report:#}");
    platform.run("queue drain payment-events --to arrived.jsonl --yes").exits(0);
    let arrived = messages(&platform.project.path().join("arrived.jsonl"));
    let groups: Vec<_> = arrived.iter().map(|message| message.system["MessageGroupId"].as_str()).collect();
    assert_eq!(groups, ["a", "c"]);
}
