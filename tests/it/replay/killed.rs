//! Killed at any moment, or interrupted: nothing is lost, and what may be doubled is listed.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{ACCOUNT, Pair, TOML};
use crate::run::{Running, eventually, finish, signal};
use crate::seeded::{Seeded, each_seed, killed_after, seeds, soon};
use crate::server::{Project, Server};

const DEAD_LETTERS: usize = 1000;
const BUCKET: &str = "payloads";
/// What comes back after a kill comes back soon.
const QUICKLY: &str = "--canary 0 --visibility-timeout 2s";

/// Dead letters whose claims are all of one object, so that the preflight has something to look at.
fn bodies() -> impl Iterator<Item = String> {
    (0..DEAD_LETTERS).map(|number| {
        let object = json!({"key": "k", "eTag": "5d41402abc4b2a76b9719d911017c592", "size": 5});
        let record = json!({"eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": BUCKET}, "object": object}});
        json!({"Records": [record], "number": number}).to_string()
    })
}

fn server() -> Server {
    let server = Server::up();
    let s3 = server.s3(ACCOUNT, "us-east-1");
    crate::world::wait_for(s3.create_bucket().bucket(BUCKET).send()).unwrap();
    let put = s3.put_object().bucket(BUCKET).key("k").body(b"hello".to_vec().into());
    crate::world::wait_for(put.send()).unwrap();
    server
}

/// The same command until nothing is left to do: what the last one said.
fn until_done(pair: &Pair, project: &Project<'_>, more: &str) -> Value {
    eventually("the end of the replay", || {
        let run = pair.replay(project, more).args(["-o", "json"]).run();
        assert!([0, 3].contains(&run.code), "{}{}", run.stdout, run.stderr);
        (run.code == 0).then(|| run.json())
    })
}

/// Ids of the dead letters that the journal lists as perhaps doubled, over all runs of a queue.
fn doubles(project: &Project<'_>, pair: &Pair) -> HashSet<String> {
    let runs = project.run(ACCOUNT, "runs ls -o json").exits(0).json();
    let ours = runs["runs"].as_array().unwrap().iter().filter(|run| {
        run["verb"] == "dlq replay"
            && run["target"].as_str().unwrap().starts_with(&format!("{} ", pair.dead_letters.name))
    });
    let of_run = |run: &Value| {
        let id = run["id"].as_str().unwrap();
        let shown = project.run(ACCOUNT, &format!("runs show {id} --limit 5000 -o json")).exits(0).json();
        assert_eq!((&shown["standing"], &shown["undecided"]), (&json!("done"), &json!(0)), "{shown:#}");
        shown["doubles"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    ours.flat_map(of_run).collect()
}

/// Every dead letter once in the source queue, or more often where the journal says that it may be.
#[track_caller]
fn check(project: &Project<'_>, pair: &Pair, dead_letters: &std::collections::HashMap<String, String>) {
    assert_eq!(pair.dead_letters.depth(), (0, 0));
    let arrived = pair.arrived(project);
    let lost = dead_letters.values().filter(|body| !arrived.contains_key(*body)).count();
    let listed = doubles(project, pair);
    let unlisted =
        dead_letters.iter().filter(|(id, body)| arrived.get(*body) > Some(&1) && !listed.contains(*id)).count();
    assert_eq!((lost, unlisted, arrived.len()), (0, 0, dead_letters.len()), "lost, doubled unawares, arrived");
}

#[test]
fn killed_at_any_moment_and_run_again_nothing_is_lost_and_no_double_is_unlisted() {
    let server = server();
    let project = server.project(TOML);
    let killed = AtomicU64::new(0);
    // How long a replay takes on this machine at this time, in milliseconds.
    let usual = AtomicU64::new(3000);
    let try_seed = |seed: u64| {
        let pair = Pair::new(&server, &format!("killed-{seed}"));
        let dead_letters = pair.fill(bodies());
        let preflight = if seed.is_multiple_of(5) { "" } else { " --no-preflight" };
        let more = format!("--canary 0 --visibility-timeout {}{preflight}", soon(&usual));
        let mut random = Seeded::of(seed);
        for _ in 0..=seed % 3 {
            let moment = Duration::from_millis(random.below(usual.load(Ordering::Relaxed)));
            killed.fetch_add(u64::from(killed_after(&mut pair.replay(&project, &more), moment)), Ordering::Relaxed);
        }
        let report = until_done(&pair, &project, &more);
        assert_eq!((&report["to_do"], &report["next"]), (&json!(0), &Value::Null), "{report:#}");
        check(&project, &pair, &dead_letters);
    };
    let began = Instant::now();
    let pair = Pair::new(&server, "unharmed");
    let dead_letters = pair.fill(bodies());
    let report = pair.replay(&project, "--canary 0 --no-preflight -o json").run().exits(0).json();
    assert_eq!(
        (&report["sent"], &report["deleted"], &report["perhaps_twice"]),
        (&json!(DEAD_LETTERS), &json!(DEAD_LETTERS), &json!(0))
    );
    usual.store(began.elapsed().as_millis() as u64, Ordering::Relaxed);
    check(&project, &pair, &dead_letters);
    each_seed(seeds(), try_seed);
    assert!(killed.into_inner() >= seeds() / 2, "hardly any was killed at work");
}

#[test]
fn an_interrupt_loses_nothing_doubles_nothing_and_leaves_every_dead_letter_visible() {
    let server = server();
    let project = server.project(TOML);
    for (number, (sent, code)) in [(Signal::INT, 130), (Signal::TERM, 143)].into_iter().enumerate() {
        let pair = Pair::new(&server, &format!("stopped-{number}"));
        let dead_letters = pair.fill(bodies());
        let more = format!("{QUICKLY} --no-preflight --rate 400");
        let child = pair.replay(&project, &more).start();
        eventually("some dead letters in the source", || (pair.source.depth().0 > 20).then_some(()));
        signal(&child, sent);
        let run = finish(child, "replay, interrupted".to_owned()).exits(code);
        let run = run.says("interrupted: there may be more").says("to go on: claimctl dlq replay stopped-");
        let (visible, in_flight) = pair.dead_letters.depth();
        assert_eq!((pair.source.depth().0 + visible, in_flight), (DEAD_LETTERS, 0), "{}", run.stdout);
        let report = until_done(&pair, &project, &format!("{QUICKLY} --no-preflight"));
        assert_eq!(report["perhaps_twice"], json!(0));
        let arrived = pair.arrived(&project);
        assert_eq!((arrived.len(), arrived.values().sum::<usize>()), (DEAD_LETTERS, dead_letters.len()));
    }
}

#[test]
fn an_interrupt_during_the_look_sends_nothing_and_leaves_every_dead_letter_visible() {
    let server = server();
    let project = server.project(TOML);
    let pair = Pair::new(&server, "looked-at");
    pair.fill(bodies());
    let child = pair.replay(&project, "").start();
    eventually("the look", || (pair.dead_letters.depth().1 > 0).then_some(()));
    signal(&child, Signal::INT);
    finish(child, "replay, interrupted".to_owned()).exits(130).says("nothing was sent");
    assert_eq!((pair.dead_letters.depth(), pair.source.depth()), ((DEAD_LETTERS, 0), (0, 0)));
}

#[test]
fn a_file_whose_replay_was_killed_while_it_waited_for_the_canary_is_gone_on_with() {
    let server = Server::up();
    let project = server.project(TOML);
    let pair = Pair::new(&server, "from-file");
    let dead_letters = pair.fill((0..30).map(|number| number.to_string()));
    let file = pair.drained(&project);
    let child = pair.replay_file(&project, &file, "--canary 1 --no-preflight").start();
    let standing = eventually("the canary in the journal", || {
        let runs = project.run(ACCOUNT, "runs ls -o json").exits(0).json();
        let id = runs["runs"].as_array()?.iter().find(|run| run["verb"] == "dlq replay")?["id"].as_str()?.to_owned();
        let shown = project.run(ACCOUNT, &format!("runs show {id} -o json")).exits(0).json();
        (shown["states"]["sent"] == 1 && pair.source.depth().0 == 1).then(|| shown["standing"].clone())
    });
    signal(&child, Signal::KILL);
    assert_eq!((finish(child, "the killed replay".to_owned()).code, standing), (-9, json!("live")));
    let rest = pair.replay_file(&project, &file, &format!("{QUICKLY} --no-preflight -o json")).run().exits(0).json();
    assert_eq!((&rest["sent"], &rest["sent_before"]), (&json!(29), &json!(1)), "{rest:#}");
    let arrived = pair.arrived(&project);
    assert!(dead_letters.values().all(|body| arrived.get(body) == Some(&1)), "{arrived:?}");
}
