//! peek selects and counts by what is in a message, and says what it did not see.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::QueueAttributeName as Name;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::queues::{claim, ids};
use crate::run::{Running, eventually, finish, signal};
use crate::seeded::seeds;
use crate::world::{World, wait_for};

/// 40 messages: half of them about CSV files, three of them no claim.
fn mixed(world: &World, name: &str) -> String {
    let url = world.queue(name, &[]);
    for number in 0..37 {
        let end = if number % 2 == 0 { "csv" } else { "json" };
        world.send(&url, &claim(&format!("in/{number}.{end}")));
    }
    for kind in ["a", "b"] {
        world.send(&url, &json!({"kind": kind}).to_string());
    }
    world.send(&url, "not json");
    url
}

fn keys(messages: &[Value]) -> HashSet<&str> {
    messages.iter().map(|message| message["claims"][0]["key"].as_str().unwrap()).collect()
}

#[test]
fn messages_are_selected_by_an_expression_on_what_they_hold() {
    let world = World::up();
    let url = mixed(&world, "mixed");
    let csv = r#"any(.claims[]; .key | endswith(".csv"))"#;
    let all = world.claimctl(["queue", "peek", "mixed", "--all", "--where", csv, "-o", "jsonl"]).run().exits(0);
    let lines = all.json_lines();
    assert_eq!((lines.len(), keys(&lines).len()), (19, 19));
    assert!(lines.iter().all(|line| line["claims"][0]["key"].as_str().unwrap().ends_with(".csv")));
    all.says("looked at 40 of about 40 visible").says("showed 19").says("given back: 40 messages");

    // The limit is of what is shown, and the look goes on until there is as much.
    let last = r#".claims[0].key == "in/36.csv" or .claims[0].key == "in/35.json""#;
    let two = world.claimctl(["queue", "peek", "mixed", "--where", last, "--limit", "2", "-o", "json"]).run();
    let two = two.exits(0).json();
    assert_eq!((&two["shown"], &two["ended"], &two["missing"]), (&json!(2), &json!("stopped"), &json!([])));
    assert_eq!(keys(two["messages"].as_array().unwrap()), HashSet::from(["in/35.json", "in/36.csv"]));
    assert!(two["seen"].as_u64().unwrap() >= 2);

    let none = world.claimctl(["queue", "peek", "mixed", "--where", ".receive_count > 1000"]).run().exits(0);
    none.says("looked at 40 of about 40 visible").says("showed 0");
    let kinds = "(.body | fromjson | .kind)? != null";
    let text = world.claimctl(["queue", "peek", "mixed", "--where", kinds, "--full"]).run().exits(0);
    text.says(r#"{"kind":"a"}"#).says(r#"{"kind":"b"}"#);
    assert_eq!(world.depth(&url), (40, 0));
}

#[test]
fn messages_are_found_by_id_and_those_not_seen_are_named() {
    let world = World::up();
    let url = world.queue("named", &[]);
    world.send_claims(&url, 200);
    let one = world.claimctl(["queue", "peek", "named", "--limit", "1", "-o", "json"]).run().exits(0).json();
    let id = one["messages"][0]["message_id"].as_str().unwrap();
    let found = world.claimctl(["queue", "peek", "named", "--id", id, "-o", "json"]).run().exits(0).json();
    assert_eq!((ids(found["messages"].as_array().unwrap()), &found["missing"]), (HashSet::from([id]), &json!([])));

    let nobody = "00000000-aaaa-bbbb-cccc-000000000000";
    let missing = world.claimctl(["queue", "peek", "named", "--id", nobody, "--id", id]).run().exits(3);
    missing.says(&format!("not seen among 200 of about 200: {nobody}")).says("showed 1");
    world.claimctl(["queue", "peek", "named", "--id", "../x"]).run().exits(2).says("a message id looks like");
    // Seen is seen, whether it is selected or not.
    let other = world.claimctl(["queue", "peek", "named", "--id", id, "--where", "false", "-o", "json"]).run();
    let other = other.exits(0).json();
    assert_eq!((&other["missing"], &other["shown"]), (&json!([]), &json!(0)));
    assert_eq!(world.depth(&url), (200, 0));
}

#[test]
fn messages_are_selected_by_their_age() {
    let world = World::up();
    let url = world.queue("aged", &[]);
    world.send(&url, &claim("old"));
    let sent = Instant::now();
    eventually("an age", || (sent.elapsed() > Duration::from_secs(3)).then_some(()));
    world.send(&url, &claim("new"));
    let old =
        world.claimctl(["queue", "peek", "aged", "--older-than", "2s", "-o", "jsonl"]).run().exits(0).json_lines();
    assert_eq!(keys(&old), HashSet::from(["old"]));
    let none = world.claimctl(["queue", "peek", "aged", "--older-than", "1h", "-o", "jsonl"]).run().exits(0);
    assert_eq!(none.stdout, "");
    for age in ["soon", "-1s", "99999999999999999999d"] {
        world.claimctl(["queue", "peek", "aged", "--older-than", age]).run().exits(2);
    }
}

#[test]
fn messages_are_counted_by_what_an_expression_says() {
    let world = World::up();
    let url = mixed(&world, "counted-by");
    let count = |by: &str, format: &str| {
        world.claimctl(["queue", "peek", "counted-by", "--all", "--count-by", by, "-o", format]).run().exits(0)
    };
    let by_end = r#"(.claims[0].key | split(".") | last)? // "no claim""#;
    let counted = count(by_end, "json").json();
    let counts: Vec<_> =
        counted["counts"].as_array().unwrap().iter().map(|it| (&it["label"], &it["messages"])).collect();
    assert_eq!(json!(counts), json!([["csv", 19], ["json", 18], ["no claim", 3]]),);
    assert_eq!((&counted["uncounted"], &counted["messages"], &counted["shown"]), (&json!(0), &json!([]), &json!(40)));
    let first = &counted["counts"][0];
    assert!(first["oldest_sent_at"].as_str().unwrap().ends_with('Z') && first["example"].is_string());
    let table = count(by_end, "table");
    table.says("LABEL").says("counted 40");
    let lines = count(by_end, "jsonl");
    assert_eq!(lines.json_lines().len(), 3);
    lines.says("seen 40 of about 40 visible");
    let by_kind = count("try (.body | fromjson | .kind) catch \"not JSON\"", "text").stdout;
    assert!(by_kind.contains("null\t37\t") && by_kind.contains("not JSON\t1\t"), "{by_kind}");
    let few = world.claimctl(["queue", "peek", "counted-by", "--count-by", ".envelope"]).run().exits(0);
    few.says("counted 10").says("--all everything");
    assert_eq!(world.depth(&url), (40, 0));
}

#[test]
fn a_wrong_expression_is_told_before_anything_is_received() {
    let world = World::up();
    let url = mixed(&world, "untouched");
    for (flag, expression, why) in [
        ("--where", ".a |", "does not parse: term is expected here"),
        ("--count-by", "nosuch", "unknown filter nosuch"),
        ("--where", "env.AWS_SECRET_ACCESS_KEY", "unknown filter env"),
        ("--where", "$ENV", "unknown variable $ENV"),
        ("--where", "input", "unknown filter input"),
        ("--where", "", "term is expected"),
    ] {
        world
            .claimctl(["queue", "peek", "untouched", flag, expression])
            .run()
            .fails_with(2, why)
            .says("hint: one that");
    }
    let look = world.claimctl(["queue", "peek", "untouched", "--limit", "40", "-o", "json"]).run().exits(0).json();
    assert!(look["messages"].as_array().unwrap().iter().all(|message| message["receive_count"] == json!(1)), "{url}");
}

#[test]
fn an_expression_that_fails_or_never_ends_gives_everything_back() {
    let world = World::up();
    let url = mixed(&world, "failing");
    for (flag, expression, why) in [
        ("--where", ".body | fromjson | .kind", "fails on message "),
        ("--count-by", ".claims[0].key | ltrimstr(1) | error", "fails on message "),
        ("--where", "last(range(infinite))", "took longer than 1 s on message "),
        ("--where", "[range(infinite)]", " on message "),
        ("--where", "def f: 1 + f; f", "recurses too deep on message "),
        ("--count-by", "def f: 1 + f; f", "recurses too deep on message "),
    ] {
        let run = world.claimctl(["queue", "peek", "failing", "--all", flag, expression]).run();
        run.fails_with(2, why).says("hint: ");
        assert_eq!(world.depth(&url), (40, 0), "{expression}");
    }
}

#[test]
fn of_a_fifo_queue_the_heads_are_selected_from() {
    let world = World::up();
    let url = world.queue("selected.fifo", &[(Name::FifoQueue, "true".to_owned())]);
    world.send_claims(&url, 45);
    // The eleventh message of a group waits behind the first ten.
    let behind = r#".claims[0].key == "k12""#;
    let run = world.claimctl(["queue", "peek", "selected.fifo", "--where", behind]).run().exits(0);
    run.says("heads of message groups").says("showed 0");
    assert_eq!(world.depth(&url), (45, 0));
}

#[test]
fn what_other_consumers_hold_is_not_claimed_to_be_seen() {
    let world = World::up();
    let url = world.queue("shared", &[]);
    world.send_claims(&url, 60);
    let held = (0..3).flat_map(|_| {
        let receive = world.sqs().receive_message().queue_url(&url).max_number_of_messages(10).visibility_timeout(600);
        wait_for(receive.send()).unwrap().messages.unwrap_or_default()
    });
    let held: HashSet<_> = held.map(|message| message.message_id.unwrap()).collect();
    let look = world.claimctl(["queue", "peek", "shared", "--all", "-o", "json"]).run().exits(0).json();
    let seen = ids(look["messages"].as_array().unwrap());
    assert_eq!((seen.len(), look["about"]["before"]["in_flight"].as_u64()), (60 - held.len(), Some(held.len() as u64)));
    assert!(seen.iter().all(|id| !held.contains(*id)));
    let id = held.iter().next().unwrap();
    let run = world.claimctl(["queue", "peek", "shared", "--id", id]).run().exits(3);
    run.says(&format!("not seen among 30 of about 30: {id}")).says("30 in flight");
    assert_eq!(world.depth(&url), (30, 30), "nobody's message was taken away");
}

#[test]
fn thousands_are_each_shown_once_and_given_back() {
    let world = World::up();
    let url = world.queue("thousands", &[]);
    let number = if seeds() > 20 { 10_000 } else { 3_000 };
    world.send_claims(&url, number);
    let run =
        world.claimctl(["queue", "peek", "thousands", "--all", "--where", ".claims", "-o", "jsonl"]).run().exits(0);
    let lines = run.json_lines();
    assert_eq!((lines.len(), ids(&lines).len(), keys(&lines).len()), (number, number, number));
    run.says(&format!("given back: {number} messages"));
    assert_eq!(world.depth(&url), (number as u64, 0));
}

#[test]
fn an_interrupted_selection_gives_everything_back() {
    let world = World::up();
    let url = world.queue("interrupted", &[]);
    world.send_claims(&url, 400);
    let peek = ["queue", "peek", "interrupted", "--all", "--where", "false", "-o", "jsonl"];
    for (sent, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let child = world.claimctl(peek).start();
        eventually("the look", || (world.depth(&url).1 > 0).then_some(()));
        signal(&child, sent);
        finish(child, "a selection, interrupted".to_owned()).exits(code).says("given back: ");
        assert_eq!(world.depth(&url), (400, 0));
    }
}
