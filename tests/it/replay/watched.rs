//! A replay that is watched stops by itself; and what a canary's record proves.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::{Pair, TOML};
use crate::dead_letters::{depth, member, send, world};
use crate::proxy::Proxy;
use crate::run::{Run, Running, eventually, finish};
use crate::server::Server;
use crate::world::{World, wait_for};

const SLOWLY: &str = "--canary 0 --no-preflight --rate 20 -o json";

fn dead_letters(number: usize) -> impl Iterator<Item = String> {
    (0..number).map(|number| number.to_string())
}

/// Stopped by itself, with something left to do.
fn stopped(run: Run, why: &str) -> Value {
    let report = run.exits(3).json();
    assert_eq!(report["ended"], json!("stopped"), "{report:#}");
    assert!(report["error"].as_str().unwrap().contains(why), "{report:#}");
    assert!(report["next"].as_str().unwrap().starts_with("claimctl dlq replay"), "{report:#}");
    report
}

#[test]
fn a_source_that_nobody_keeps_up_with_stops_the_replay_of_a_queue_and_of_a_file() {
    const DEAD_LETTERS: usize = 2000;
    let server = Server::up();
    let project = server.project(TOML);
    std::thread::scope(|scope| {
        for from_file in [false, true] {
            let (server, project) = (&server, &project);
            scope.spawn(move || {
                let pair = Pair::new(server, if from_file { "late-file" } else { "late-queue" });
                pair.fill(dead_letters(DEAD_LETTERS));
                let mut replay = match from_file {
                    true => pair.replay_file(project, &pair.drained(project), SLOWLY),
                    false => pair.replay(project, SLOWLY),
                };
                let proxy = Proxy::before(&server.endpoint, 0, &[]);
                proxy.oldest_is(20.0);
                let child = replay.env("AWS_ENDPOINT_URL", &proxy.endpoint).start();
                eventually("some dead letters in the source", || (pair.source.depth().0 > 20).then_some(()));
                proxy.oldest_is(1000.0);
                let report =
                    stopped(finish(child, format!("{replay:?}")), "is 1000 seconds old by now: nobody keeps up");
                assert_eq!(report["watched"], json!(true));
                let sent = report["sent"].as_u64().unwrap() as usize;
                assert!(sent < DEAD_LETTERS, "{report:#}");
                assert_eq!(pair.source.depth().0, sent, "what was on its way is counted");
            });
        }
    });
}

#[test]
fn dead_letters_of_a_file_that_are_thrown_back_stop_the_others() {
    const DEAD_LETTERS: usize = 1000;
    let server = Server::up();
    let project = server.project(TOML);
    let pair = Pair::new(&server, "thrown-back");
    pair.fill(dead_letters(DEAD_LETTERS));
    let file = pair.drained(&project);
    // Dead letters of others are no reason to stop.
    pair.fill(dead_letters(10));
    let over = AtomicBool::new(false);
    let run = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let receive = pair.source.sqs.receive_message().queue_url(&pair.source.url).max_number_of_messages(10);
                wait_for(receive.visibility_timeout(0).wait_time_seconds(1).send()).unwrap();
            }
        });
        let run = pair.replay_file(&project, &file, &format!("{SLOWLY} --max-returns 3")).run();
        over.store(true, Ordering::Relaxed);
        run
    });
    let report = stopped(run, "came back to the dead-letter queue, and at most 3 may");
    let number = |key: &str| report[key].as_u64().unwrap() as usize;
    assert!(number("returned") > 3 && number("sent") < DEAD_LETTERS, "{report:#}");
    assert!(number("returned") <= number("sent"), "{report:#}");
    assert_eq!(pair.dead_letters.depth().1, 0, "the look has given everything back");
    assert_eq!(pair.dead_letters.depth().0 + pair.source.depth().0, number("sent") + 10);
}

fn replay(world: &World, more: &[&str]) -> Run {
    world.claimctl(["dlq", "replay", "--yes", "-o", "json"]).args(more).run()
}

/// Sends dead letters of one kind.
fn sent(world: &World, kind: u64, name: &str, number: usize) {
    for index in 0..number {
        let (claim, _) = member(world, kind, &format!("{name}/{index}"));
        send(world, &json!({"Records": [claim]}).to_string(), None);
    }
}

#[test]
fn the_canaries_of_a_file_are_not_said_to_be_an_earlier_commands() {
    let world = world();
    sent(&world, 0, "from-file", 12);
    let file = world.home().join("dead-letters.jsonl");
    let file = file.to_str().unwrap();
    world.claimctl(["queue", "drain", "claims-dlq", "--to", file, "--yes"]).run().exits(0);
    let some = replay(&world, &["--from", file, "--canary", "2", "--limit", "5"]).exits(0).json();
    assert_eq!(
        (&some["sent"], &some["sent_before"], &some["canary"]["fate"]),
        (&json!(5), &json!(0), &json!("recorded"))
    );
    let rest = replay(&world, &["--from", file, "--canary", "2"]).exits(0).json();
    assert_eq!((&rest["sent"], &rest["sent_before"]), (&json!(7), &json!(5)), "{rest:#}");
}

#[test]
fn a_record_that_was_there_before_proves_nothing_of_the_canary() {
    let world = world();
    sent(&world, 3, "recorded", 3);
    world.claimctl(["function", "pause", "claim-recorder", "--yes"]).run().exits(0);
    let all = ["claims-dlq", "--on-recorded", "send", "--canary-wait"];
    let report = replay(&world, &[&all[..], &["2s"]].concat());
    let report = stopped(report, "nobody can tell whether the canary was handled: it had its record before");
    let canary = &report["canary"];
    assert_eq!(
        (&canary["fate"], &canary["recorded_before"], &report["sent"]),
        (&json!("unknown"), &json!(1), &json!(1))
    );
    assert_eq!(depth(&world), (2, 0));

    world.claimctl(["function", "resume", "claim-recorder", "--yes"]).run().exits(0);
    let report = replay(&world, &[&all[..], &["5m"]].concat()).exits(0).json();
    let canary = &report["canary"];
    assert_eq!((&canary["fate"], &canary["recorded_before"]), (&json!("consumed"), &json!(1)), "{report:#}");
    assert_eq!((&report["sent"], depth(&world)), (&json!(2), (0, 0)));
}
