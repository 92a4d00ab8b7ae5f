//! What is sent, what is left, deleted or quarantined: by verdict. The consumer runs.

use serde_json::{Value, json};

use crate::dead_letters::{BUCKET, claim, delete, depth, member, put, record, send, world};
use crate::queues::messages;
use crate::run::Running;
use crate::terminal::Terminal;
use crate::world::World;

/// Dead letters of one kind each, sent: their ids.
fn dead_letters(world: &World, kind: u64, name: &str, number: usize) -> Vec<String> {
    let dead_letter = |index: usize| {
        let (claim, _) = member(world, kind, &format!("{name}/{index}"));
        send(world, &json!({"Records": [claim]}).to_string(), None)
    };
    (0..number).map(dead_letter).collect()
}

fn replay(world: &World, more: &[&str]) -> crate::run::Run {
    world.claimctl(["dlq", "replay", "claims-dlq", "--yes", "-o", "json"]).args(more).run()
}

#[test]
fn each_verdict_has_its_fate() {
    let world = world();
    dead_letters(&world, 0, "sent", 12);
    let gone = dead_letters(&world, 1, "gone", 3);
    let changed = dead_letters(&world, 2, "changed", 2);
    dead_letters(&world, 3, "recorded", 4);
    send(&world, &json!({"Event": "s3:TestEvent"}).to_string(), None);
    let unreadable = send(&world, "nonsense", None);

    let report = replay(&world, &["--canary", "2"]).exits(3).json();
    assert_eq!((&report["sent"], &report["deleted"], &report["ended"]), (&json!(12), &json!(12), &json!("complete")));
    assert_eq!(
        (&report["canary"]["fate"], report["canary"]["message_ids"].as_array().unwrap().len()),
        (&json!("recorded"), 2)
    );
    let left = json!({"already_recorded": 4, "no_claim": 1, "payload_changed": 2, "payload_gone": 3, "unreadable": 1});
    assert_eq!(report["left"], left);
    assert_eq!(depth(&world), (11, 0));

    let shown = world.claimctl(["runs", "show", report["run"].as_str().unwrap(), "-o", "json"]).run().exits(0).json();
    assert_eq!(shown["states"]["payload_gone"], json!(3));
    assert_eq!(shown["items"].as_array().unwrap().len(), 6, "what needs a decision: {shown:#}");

    let file = world.home().join("quarantine.jsonl.zst");
    let more = ["--on-recorded", "delete", "--quarantine", file.to_str().unwrap()];
    let report = replay(&world, &more).exits(3).json();
    assert_eq!((&report["recorded"], &report["quarantined"], &report["sent"]), (&json!(4), &json!(6), &json!(0)));
    assert_eq!((&report["left"], depth(&world)), (&json!({"no_claim": 1}), (1, 0)));
    let mut ids: Vec<_> = messages(&file).into_iter().map(|message| message.message_id).collect();
    let mut expected = [gone, changed, vec![unreadable]].concat();
    ids.sort();
    expected.sort();
    assert_eq!(ids, expected);
}

#[test]
fn a_verdict_that_is_old_is_made_anew_before_the_send() {
    let world = world();
    let keys: Vec<_> = (0..4).map(|number| format!("late/{number}")).collect();
    let etags: Vec<_> = keys.iter().map(|key| put(&world, key, key)).collect();
    for (key, etag) in keys.iter().zip(&etags) {
        send(&world, &json!({"Records": [claim("ObjectCreated:Put", BUCKET, key, etag)]}).to_string(), None);
    }
    // Between the look and the sends nothing can come in from outside but through the prompt: a terminal.
    let line = ["dlq", "replay", "claims-dlq", "--canary", "0", "--recheck", "0s"];
    let mut terminal = Terminal::run(&world.claimctl(line));
    terminal.sees("[y/N]");
    delete(&world, &keys[0]);
    record(&world, &keys[1], &etags[1], "0B");
    let said = terminal.enters("y").exits(3);
    assert!(said.contains("2 dead letters sent to"), "{said}");
    assert!(said.contains("1 already recorded, 1 payload gone"), "{said}");
    assert_eq!(depth(&world), (2, 0));
}

#[test]
fn a_dead_letter_that_is_thrown_back_stops_the_others() {
    let world = World::up_with(&["--var", "visibility_timeout=1s"]);
    for number in 0..20 {
        send(&world, &format!("nonsense {number}"), None);
    }
    let report = replay(&world, &["--no-preflight"]).exits(3).json();
    assert_eq!(
        (&report["canary"]["fate"], &report["sent"], &report["ended"]),
        (&json!("returned"), &json!(1), &json!("stopped"))
    );
    assert_eq!(depth(&world), (20, 0));

    // Each of these comes back, again and again, until it is not sent any more.
    let all = ["--no-preflight", "--canary", "0", "--max-returns", "0", "--max-replays", "2", "--limit", "3"];
    let sent: Vec<Value> = (0..2).map(|_| replay(&world, &all).json()).collect();
    assert!(sent.iter().all(|report| report["sent"].as_u64().unwrap() <= 3), "{sent:#?}");
}
