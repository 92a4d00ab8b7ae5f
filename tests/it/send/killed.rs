//! A send that is killed or interrupted loses nothing, and what it may have doubled was undecided.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::MessageSystemAttributeName as System;
use rustix::process::Signal;
use serde_json::json;

use super::{ACCOUNT, Queue, items, peeked, runs, send};
use crate::run::{Running, eventually, finish, signal};
use crate::seeded::{Seeded, each_seed, killed_after, seeds};
use crate::server::{Project, Server};

/// How long a send of so many messages takes on this machine at this time, in milliseconds.
fn usual_send(server: &Server, messages: usize) -> u64 {
    let project = server.project("");
    Queue::new(server, "unharmed");
    project.write("in.jsonl", &peeked(messages, |_| None));
    let began = Instant::now();
    send(&project, "unharmed in.jsonl").exits(0);
    began.elapsed().as_millis() as u64
}

/// Kills the send at some moment; true when it was at work and not yet at its end.
fn kill_once(project: &Project<'_>, line: &str, queue: &Queue, after: Duration) -> bool {
    let before = queue.visible();
    killed_after(&mut project.claimctl(ACCOUNT, &format!("queue send {line}")), after) && queue.visible() > before
}

#[test]
fn killed_at_any_moment_nothing_is_lost_and_doubles_were_undecided() {
    const MESSAGES: usize = 1_000;
    let server = Server::up();
    let usual = usual_send(&server, MESSAGES);
    let midway = AtomicU64::new(0);
    each_seed(seeds(), |seed| {
        let project = server.project("");
        let queue = Queue::new(&server, &format!("killed-{seed}"));
        project.write("in.jsonl", &peeked(MESSAGES, |_| None));
        let line = format!("killed-{seed} in.jsonl");
        let mut random = Seeded::of(seed);
        let mut undecided = BTreeSet::new();
        for _ in 0..3 {
            let moment = Duration::from_millis(random.below(usual));
            midway.fetch_add(u64::from(kill_once(&project, &line, &queue, moment)), Ordering::Relaxed);
            if runs(&project).iter().any(|run| run["standing"] == json!("done")) {
                break;
            }
            if !runs(&project).is_empty() {
                undecided.extend(items(&project, "intent"));
            }
        }
        let last = send(&project, &line);
        assert!(last.code == 0 || (last.code == 4 && last.stderr.contains("has sent all")), "{}", last.stderr);
        assert_eq!(items(&project, "sent").len(), MESSAGES, "seed {seed}: the journal knows of all");
        let bodies = queue.bodies();
        assert_eq!(bodies.len(), MESSAGES, "seed {seed}: lost {}", MESSAGES - bodies.len());
        for (body, times) in bodies {
            assert!(times == 1 || undecided.contains(&body), "seed {seed}: {body} came {times} times");
        }
    });
    let midway = midway.into_inner();
    assert!(midway >= seeds() / 4, "only {midway} of the kills met a send at work");
}

#[test]
fn a_killed_send_into_a_fifo_queue_doubles_nothing_and_keeps_every_group_in_order() {
    let server = Server::up();
    let usual = usual_send(&server, 400);
    each_seed(seeds().div_ceil(7), |seed| {
        let project = server.project("");
        let queue = Queue::new(&server, &format!("killed-{seed}.fifo"));
        project.write("in.jsonl", &peeked(400, |n| Some(format!("g{}", n % 6))));
        let line = format!("killed-{seed}.fifo in.jsonl");
        let mut random = Seeded::of(seed);
        for _ in 0..3 {
            kill_once(&project, &line, &queue, Duration::from_millis(random.below(usual)));
        }
        let last = send(&project, &line);
        assert!([0, 4].contains(&last.code), "{}", last.stderr);
        let mut groups: HashMap<String, Vec<String>> = HashMap::new();
        for message in queue.take() {
            let group = message.attributes.as_ref().unwrap()[&System::MessageGroupId].clone();
            groups.entry(group).or_default().push(message.body.unwrap());
        }
        assert_eq!(groups.values().map(Vec::len).sum::<usize>(), 400, "seed {seed}");
        assert!(groups.len() == 6 && groups.values().all(|bodies| bodies.is_sorted()), "seed {seed}: {groups:#?}");
    });
}

#[test]
fn an_interrupt_loses_nothing_and_doubles_nothing() {
    let server = Server::up();
    for (name, sent, code) in [("int", Signal::INT, 130), ("term", Signal::TERM, 143)] {
        let project = server.project("");
        let queue = Queue::new(&server, name);
        project.write("in.jsonl", &peeked(500, |_| None));
        let child = project.claimctl(ACCOUNT, &format!("queue send {name} in.jsonl --rate 200")).start();
        eventually("some messages", || (queue.visible() > 20).then_some(()));
        signal(&child, sent);
        let run = finish(child, "send, interrupted".to_owned()).exits(code);
        run.says("interrupted").says("left").says("to go on: claimctl queue send");
        assert!(items(&project, "intent").is_empty());
        let sent = items(&project, "sent").len();
        assert!((21..500).contains(&sent), "{sent}");
        send(&project, &format!("{name} in.jsonl")).exits(0).says(&format!("{sent} sent already"));
        let bodies = queue.bodies();
        assert!(bodies.len() == 500 && bodies.values().all(|times| *times == 1), "{}", bodies.len());
    }
}
