//! Services that throttle and networks that break: nothing is lost, and what is said stays true.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::dead_letters;
use crate::proxy::{Fault, Proxy, Rule};
use crate::run::{Run, Running, eventually, finish, signal};
use crate::world::World;

const SOME_OF_EVERYTHING: [Rule; 4] = [
    Rule { fault: Fault::Throttled, share: 0.08, actions: &[] },
    Rule { fault: Fault::Unavailable, share: 0.08, actions: &[] },
    Rule { fault: Fault::CutBefore, share: 0.06, actions: &[] },
    Rule { fault: Fault::Slow(Duration::from_millis(150)), share: 0.05, actions: &[] },
];

#[test]
fn a_look_survives_throttling_and_cut_connections_and_gives_all_back() {
    let world = World::up();
    let url = world.queue("faulty", &[]);
    world.send_claims(&url, 600);
    let lost_answers = Rule { fault: Fault::CutAfter, share: 0.1, actions: &["ChangeMessageVisibilityBatch"] };
    let rules = [&SOME_OF_EVERYTHING[..], &[lost_answers]].concat();
    let proxy = Proxy::before(&world.endpoint, 20, &rules);
    let mut look = world.claimctl(["queue", "peek", "faulty", "--all", "-o", "jsonl", "--endpoint-url"]);
    let run = look.arg(&proxy.endpoint).run().exits(0).says("seen 600 of about 600 visible");
    let lines = run.json_lines();
    let ids: HashSet<_> = lines.iter().map(|message| message["message_id"].as_str().unwrap()).collect();
    assert_eq!((lines.len(), ids.len()), (600, 600));
    assert_eq!(world.depth(&url), (600, 0), "{}", run.stderr);
    for rule in SOME_OF_EVERYTHING {
        assert!(proxy.hit(rule.fault, "ReceiveMessage") > 0, "{:?} did not happen", rule.fault);
    }
    assert!(proxy.hit(Fault::CutAfter, "ChangeMessageVisibilityBatch") > 0, "no answer was lost");
}

#[test]
fn a_look_that_lost_an_answer_does_not_claim_to_have_seen_all() {
    let world = World::up();
    let url = world.queue("lossy", &[]);
    world.send_claims(&url, 200);
    let lost = Rule { fault: Fault::CutAfter, share: 0.3, actions: &["ReceiveMessage"] };
    let proxy = Proxy::before(&world.endpoint, 3, &[lost]);
    let mut look = world.claimctl(["queue", "peek", "lossy", "--all", "-o", "json", "--endpoint-url"]);
    let run = look.arg(&proxy.endpoint).run();
    let told = run.json();
    let lost = proxy.hit(Fault::CutAfter, "ReceiveMessage");
    assert!(lost > 0 && told["seen"].as_u64().unwrap() < 200, "{lost} answers were lost: {}", told["seen"]);
    // What was received and never arrived is hidden until its visibility timeout ends, and then back.
    let (visible, in_flight) = world.depth(&url);
    assert_eq!(visible + in_flight, 200);
    assert_eq!((&told["complete"], &told["released"]), (&json!(false), &told["seen"]));
}

#[test]
fn a_service_that_always_throttles_is_told_as_such() {
    let world = World::up();
    world.queue("closed", &[]);
    let always = Rule { fault: Fault::Throttled, share: 1.0, actions: &["GetQueueAttributes"] };
    let proxy = Proxy::before(&world.endpoint, 1, &[always]);
    let mut look = world.claimctl(["queue", "peek", "closed", "--endpoint-url"]);
    look.arg(&proxy.endpoint).run().fails_with(7, "throttl");
    assert!(proxy.calls("GetQueueAttributes") > 1, "it was not tried again");
    assert_eq!(proxy.hits(), proxy.calls("GetQueueAttributes"));
}

/// How often a command that ended before its time is given again.
const AGAIN: usize = 12;

/// The same command through the proxy until it is done: what each run told, as JSON.
#[track_caller]
fn until_done(world: &World, proxy: &Proxy, line: &[&str]) -> Vec<Value> {
    let mut told = Vec::new();
    for _ in 0..AGAIN {
        let mut command = world.claimctl(line.iter().copied());
        let run: Run = command.args(["--yes", "-o", "json", "--endpoint-url", &proxy.endpoint]).run();
        told.extend((!run.stdout.is_empty()).then(|| run.json()));
        match run.code {
            0 => return told,
            3 | 7 => {}
            _ => drop(run.exits(0)),
        }
    }
    panic!("not done after {AGAIN} runs: {told:#?}");
}

/// How often each body is among these lines.
fn bodies(lines: impl Iterator<Item = Value>) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    for line in lines {
        *count.entry(line["body"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    count
}

fn lines_of(file: &Path) -> impl Iterator<Item = Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>().into_iter()
}

/// What is in the queue now, seen without the proxy.
fn in_queue(world: &World, queue: &str) -> BTreeMap<String, usize> {
    let look = world.claimctl(["queue", "peek", queue, "--all", "-o", "jsonl"]).run().exits(0);
    bodies(look.json_lines().into_iter())
}

/// Nothing is lost, nothing is in the file twice, though deletions were done whose answers were lost, and messages were
/// received that never arrived.
#[test]
fn a_drain_survives_throttling_cut_connections_and_lost_answers() {
    let world = World::up();
    let url = world.queue("drained", &[]);
    world.send_claims(&url, 600);
    let sent = in_queue(&world, "drained");
    let lost_answers = Rule { fault: Fault::CutAfter, share: 0.1, actions: &["DeleteMessageBatch", "ReceiveMessage"] };
    let proxy = Proxy::before(&world.endpoint, 7, &[&SOME_OF_EVERYTHING[..], &[lost_answers]].concat());
    let file = world.home().join("drained.jsonl");
    let line = ["queue", "drain", "drained", "--until-empty=2s", "--visibility-timeout", "10s", "--to"];
    until_done(&world, &proxy, &[&line[..], &[file.to_str().unwrap()]].concat());
    for action in ["ReceiveMessage", "DeleteMessageBatch"] {
        assert!(proxy.hit(Fault::CutAfter, action) > 0, "no answer to {action} was lost");
        assert!(proxy.hit(Fault::Throttled, action) + proxy.hit(Fault::CutBefore, action) > 0, "{action} was let pass");
    }
    assert_eq!(world.depth(&url), (0, 0));
    assert_eq!(sent.len(), 600);
    assert_eq!(bodies(lines_of(&file)), sent, "lost, or twice in the file");
}

/// Nothing is lost, and nothing is sent twice but what a report has named as doubtful.
#[test]
fn a_send_survives_throttling_and_doubles_only_what_it_names() {
    let world = World::up();
    world.queue("target", &[]);
    let lines: Vec<_> = (0..600).map(|n| json!({"message_id": format!("m{n}"), "body": format!("body {n}")})).collect();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let file = world.file("messages.jsonl", text);
    let lost_answers = Rule { fault: Fault::CutAfter, share: 0.08, actions: &["SendMessageBatch"] };
    let proxy = Proxy::before(&world.endpoint, 11, &[&SOME_OF_EVERYTHING[..], &[lost_answers]].concat());
    let told = until_done(&world, &proxy, &["queue", "send", "target", file.to_str().unwrap()]);
    assert!(proxy.hit(Fault::CutAfter, "SendMessageBatch") > 0, "no answer was lost");
    assert!(proxy.hit(Fault::Throttled, "SendMessageBatch") > 0, "nothing was throttled");

    let arrived = in_queue(&world, "target");
    let expected: BTreeSet<_> = lines.iter().map(|line| line["body"].as_str().unwrap().to_owned()).collect();
    assert_eq!(arrived.keys().cloned().collect::<BTreeSet<_>>(), expected, "lost, or made up");
    let named: HashSet<_> = told
        .iter()
        .flat_map(|report| ["doubles", "open"].map(|list| report[list].as_array().cloned().unwrap_or_default()))
        .flatten()
        .map(|id| id.as_str().unwrap().replace('m', "body "))
        .collect();
    let doubled: Vec<_> = arrived.iter().filter(|(body, times)| **times > 1 && !named.contains(*body)).collect();
    assert_eq!(doubled, Vec::<(&String, &usize)>::new(), "twice, and in no report: {told:#?}");
}

/// Dead letters whose payload is there and has no record, so that only the table can tell.
fn world_of_dead_letters(number: usize) -> World {
    let world = dead_letters::world();
    let etag = dead_letters::put(&world, "k", "content");
    for _ in 0..number {
        let claim = dead_letters::claim("ObjectCreated:Put", dead_letters::BUCKET, "k", &etag);
        dead_letters::send(&world, &json!({"Records": [claim]}).to_string(), None);
    }
    world
}

/// Runs it against a table that answers with this fault for ever, and stops it once.
#[track_caller]
fn interrupted(world: &World, fault: Fault, line: &[&str]) -> Run {
    let proxy = Proxy::before(&world.endpoint, 1, &[Rule { fault, share: 1.0, actions: &["BatchGetItem"] }]);
    let mut command = world.claimctl(line.iter().copied());
    let child = command.args(["--endpoint-url", &proxy.endpoint]).start();
    eventually("the table is asked again", || (proxy.hit(fault, "BatchGetItem") > 3).then_some(()));
    signal(&child, Signal::INT);
    let run = finish(child, format!("{line:?}, {fault:?}, interrupted")).exits(130);
    assert_eq!(run.stderr.matches("error: ").count(), 1, "{}", run.stderr);
    run
}

/// The first Ctrl-C is enough, whichever verb waits for the table, and however the table says no: nothing stays hidden,
/// nothing is sent.
#[test]
fn an_interrupt_ends_what_waits_for_a_table_that_throttles_for_ever() {
    let world = world_of_dead_letters(20);
    let verify = ["verify", "--bucket", dead_letters::BUCKET, "--table", world.table(), "--settle", "0s"];
    for fault in [Fault::Unprocessed, Fault::Throttled] {
        interrupted(&world, fault, &verify).says("nothing is proved");
        let replayed = interrupted(&world, fault, &["dlq", "replay", "claims-dlq", "--yes"]);
        replayed.says("nothing was sent").says("again: claimctl dlq replay claims-dlq --yes");
        assert_eq!(dead_letters::depth(&world), (20, 0), "{fault:?}");
    }
    let inspected = interrupted(&world, Fault::Throttled, &["dlq", "inspect", "claims-dlq"]);
    inspected.says("again: claimctl dlq inspect claims-dlq");
    let rehearsed = interrupted(&world, Fault::Unprocessed, &["dlq", "replay", "claims-dlq", "--dry-run"]);
    rehearsed.says("again: claimctl dlq replay claims-dlq --dry-run");
    assert_eq!(dead_letters::depth(&world), (20, 0));
    world.claimctl(["queue", "drain", "claims-dlq", "--to", "drained.jsonl", "--yes"]).run().exits(0);
    let from_file = ["dlq", "replay", "--from", "drained.jsonl", "--to", "claims", "--yes"];
    interrupted(&world, Fault::Unprocessed, &from_file).says("nothing was sent");
    assert_eq!(world.depth(world.queue_url("claims")), (0, 0));
}

/// Its canary is away, and nobody can tell how it fares: what is settled stays so, and the same command goes on.
#[test]
fn an_interrupt_ends_the_wait_for_a_canary_at_a_table_that_throttles_for_ever() {
    let world = world_of_dead_letters(20);
    let nobody_listens = world.queue("nobody-listens", &[]);
    let proxy = Proxy::before(&world.endpoint, 1, &[]);
    let line = ["dlq", "replay", "claims-dlq", "--to", "nobody-listens", "--yes", "--endpoint-url", &proxy.endpoint];
    let child = world.claimctl(line).start();
    eventually("the canary is away", || (world.depth(&nobody_listens) == (1, 0)).then_some(()));
    proxy.obey(&[Rule { fault: Fault::Unprocessed, share: 1.0, actions: &["BatchGetItem"] }]);
    eventually("the table throttles", || (proxy.hit(Fault::Unprocessed, "BatchGetItem") > 3).then_some(()));
    signal(&child, Signal::INT);
    let run = finish(child, "a replay that waits for its canary, interrupted".to_owned()).exits(130);
    let run = run.says("to go on: claimctl dlq replay claims-dlq");
    assert!(!run.stdout.contains("throttles"), "it was waited for to the end: {}", run.stdout);
    assert_eq!((dead_letters::depth(&world), world.depth(&nobody_listens)), ((19, 0), (1, 0)));
}

/// What is about to be sent is looked at once more, and the table throttles by then. With a rate, some dead letters are
/// received only when others are sent.
#[test]
fn an_interrupt_ends_a_replay_whose_second_look_is_throttled_for_ever() {
    const DEAD_LETTERS: u64 = 300;
    let world = world_of_dead_letters(DEAD_LETTERS as usize);
    let to = world.queue("to", &[]);
    let proxy = Proxy::before(&world.endpoint, 1, &[]);
    let line = "dlq replay claims-dlq --to to --yes --canary 0 --recheck 0s --rate 40/s --endpoint-url";
    let child = world.claimctl(line.split(' ').chain([proxy.endpoint.as_str()])).start();
    eventually("some are sent", || (world.depth(&to).0 > 0).then_some(()));
    proxy.obey(&[Rule { fault: Fault::Unprocessed, share: 1.0, actions: &["BatchGetItem"] }]);
    eventually("the table throttles", || (proxy.hit(Fault::Unprocessed, "BatchGetItem") > 3).then_some(()));
    signal(&child, Signal::INT);
    let run = finish(child, "a replay that looks again, interrupted".to_owned()).exits(130);
    let run = run.says("to go on: claimctl dlq replay claims-dlq");
    assert!(!run.stdout.contains("throttles"), "it was waited for to the end: {}", run.stdout);
    let (sent, left) = (world.depth(&to).0, dead_letters::depth(&world));
    assert_eq!((sent + left.0, left.1), (DEAD_LETTERS, 0), "{}", run.stderr);
    assert!(sent < DEAD_LETTERS);
}
