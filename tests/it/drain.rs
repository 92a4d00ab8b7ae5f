//! drain loses nothing and writes nothing twice, however it is ended; purge says what it does.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName as Name};
use rustix::process::Signal;
use serde_json::Value;

use crate::queues::{ACCOUNT, Queue, messages};
use crate::run::{Run, Running, eventually, finish, signal};
use crate::seeded::{Seeded, each_seed, killed_after, seeds, soon};
use crate::server::{Project, Server};
use crate::world::wait_for;

const TOML: &str = "[environments.dev]\nregion = \"us-east-1\"\naccount = \"111111111111\"\n";

impl Queue {
    fn drain(&self, project: &Project<'_>, file: &str, more: &str) -> Command {
        project.claimctl(ACCOUNT, &format!("queue drain {} --to {file} --env dev --yes {more}", self.name))
    }
}

/// The numbers in the file, in its order.
fn numbers(file: &Path) -> Vec<usize> {
    messages(file).iter().map(|message| message.body.parse().unwrap()).collect()
}

/// Every message exactly once.
#[track_caller]
fn each_once(mut numbers: Vec<usize>, expected: usize) {
    numbers.sort_unstable();
    let lost = (0..expected).filter(|number| numbers.binary_search(number).is_err()).count();
    let written = numbers.len();
    numbers.dedup();
    assert_eq!((lost, written - numbers.len()), (0, 0), "lost and doubled");
}

fn started(command: &mut Command, file: &Path) -> std::process::Child {
    let child = command.start();
    eventually("something in the file", || (std::fs::metadata(file).ok()?.len() > 2000).then_some(()));
    child
}

fn said(run: &Run) -> String {
    format!("{}{}", run.stdout, run.stderr)
}

/// A delete that is answered after its two seconds on a busy machine is not believed: then there is something to do again.
fn until_done(mut drain: impl FnMut() -> Run) -> Value {
    for _ in 0..5 {
        let run = drain();
        if run.code != 3 {
            return run.exits(0).json();
        }
        let report = run.json();
        assert!(report["error"].is_null() && !report["next"].is_null(), "{report:#}");
    }
    panic!("not done after five runs");
}

#[test]
fn killed_at_any_moment_and_run_again_nothing_is_lost_or_doubled() {
    const MESSAGES: usize = 1000;
    let server = Server::up();
    let project = server.project(TOML);
    let killed = AtomicU64::new(0);
    // How long a drain takes on this machine at this time, in milliseconds.
    let usual = AtomicU64::new(3000);
    let try_seed = |seed: u64| {
        let queue = Queue::new(&server, &format!("killed-{seed}"));
        queue.fill(MESSAGES);
        let file = format!("killed-{seed}.jsonl{}", ["", ".zst", ".gz"][seed as usize % 3]);
        let more = format!("--visibility-timeout {} --until-empty=2s --rotate-size 150KiB", soon(&usual));
        let drain = || queue.drain(&project, &file, &more);
        let mut random = Seeded::of(seed);
        for _ in 0..=seed % 3 {
            let moment = Duration::from_millis(random.below(usual.load(Ordering::Relaxed)));
            killed.fetch_add(u64::from(killed_after(&mut drain(), moment)), Ordering::Relaxed);
        }
        let report = until_done(|| drain().args(["-o", "json"]).run());
        assert_eq!((report["after"]["visible"].as_u64(), report["next"].as_str()), (Some(0), None), "{report:#}");
        let first = project.path().join(&file);
        let number_of = |number: u64| match number {
            1 => first.clone(),
            number => PathBuf::from(first.to_str().unwrap().replace(".jsonl", &format!(".{number:04}.jsonl"))),
        };
        let files = 1..=report["files"].as_u64().unwrap();
        each_once(files.flat_map(|number| numbers(&number_of(number))).collect(), MESSAGES);
        assert_eq!(queue.depth(), (0, 0));
        let runs = project.run(ACCOUNT, "runs ls -o json").exits(0).json();
        let run = runs["runs"].as_array().unwrap().iter().find(|run| run["target"].as_str().unwrap().contains(&file));
        assert_eq!(run.unwrap()["standing"], "done");
        wait_for(queue.sqs.delete_queue().queue_url(&queue.url).send()).unwrap();
    };
    let began = Instant::now();
    let queue = Queue::new(&server, "unharmed");
    queue.fill(MESSAGES);
    queue.drain(&project, "unharmed.jsonl", "").run().exits(0);
    usual.store(began.elapsed().as_millis() as u64, Ordering::Relaxed);
    each_seed(seeds(), try_seed);
    assert!(killed.into_inner() >= seeds() / 2, "hardly any was killed at work");
}

#[test]
fn an_interrupt_leaves_every_message_visible_or_in_the_file() {
    let server = Server::up();
    let project = server.project(TOML);
    for (number, (sent, code)) in [(Signal::INT, 130), (Signal::TERM, 143)].into_iter().enumerate() {
        let queue = Queue::new(&server, &format!("stopped-{number}"));
        queue.fill(2000);
        let name = format!("stopped-{number}.jsonl");
        let file = project.path().join(&name);
        let child = started(&mut queue.drain(&project, &name, ""), &file);
        signal(&child, sent);
        let run = finish(child, "drain, interrupted".to_owned()).exits(code);
        assert!(said(&run).contains("to go on: claimctl queue drain stopped-"), "{}", said(&run));
        let (visible, in_flight) = queue.depth();
        assert_eq!((numbers(&file).len() + visible, in_flight), (2000, 0));
        queue.drain(&project, &name, "").run().exits(0).says("going on behind ");
        each_once(numbers(&file), 2000);
        assert_eq!(queue.depth(), (0, 0));
    }
}

#[test]
fn a_full_disk_ends_a_drain_that_goes_on_when_there_is_room() {
    let server = Server::up();
    let project = server.project(TOML);
    let queue = Queue::new(&server, "full");
    let body = "x".repeat(50_000);
    for _ in 0..60 {
        wait_for(queue.sqs.send_message().queue_url(&queue.url).message_body(&body).send()).unwrap();
    }
    let plain = queue.drain(&project, "full.jsonl", "");
    // 1 MiB in blocks of 512 bytes; the signal that comes with the limit would end the process.
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 2048; exec \"$0\" \"$@\""]).arg(plain.get_program());
    limited.args(plain.get_args()).current_dir(project.path());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    let run = limited.run().exits(3).says("cannot write").says("to go on: claimctl queue drain full");
    let written = messages(&project.path().join("full.jsonl")).len();
    assert!((1..60).contains(&written), "{written} {}", said(&run));
    let (visible, in_flight) = queue.depth();
    assert!(visible + written >= 60 && in_flight == 0, "{visible} visible, {in_flight} in flight, {written} written");
    queue.drain(&project, "full.jsonl", "").run().exits(0);
    let mut ids: Vec<_> =
        messages(&project.path().join("full.jsonl")).into_iter().map(|message| message.message_id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), messages(&project.path().join("full.jsonl")).len(), queue.depth()), (60, 60, (0, 0)));
}

#[test]
fn what_another_consumer_takes_is_not_missed() {
    let server = Server::up();
    let project = server.project(TOML);
    let queue = Queue::new(&server, "shared");
    queue.fill(1000);
    let file = project.path().join("shared.jsonl");
    let child = started(&mut queue.drain(&project, "shared.jsonl", ""), &file);
    let mut theirs = Vec::new();
    for _ in 0..20 {
        let receive = queue.sqs.receive_message().queue_url(&queue.url).max_number_of_messages(10);
        for message in wait_for(receive.send()).unwrap().messages.unwrap_or_default() {
            theirs.push(message.body.unwrap().parse().unwrap());
            let delete = queue.sqs.delete_message().queue_url(&queue.url);
            wait_for(delete.receipt_handle(message.receipt_handle.unwrap()).send()).unwrap();
        }
    }
    finish(child, "drain beside a consumer".to_owned()).exits(0);
    each_once([numbers(&file), theirs].concat(), 1000);
}

#[test]
fn every_group_of_a_fifo_queue_keeps_its_order() {
    let server = Server::up();
    let project = server.project(TOML);
    let queue = Queue::with(&server, "ordered.fifo", &[(Name::FifoQueue, "true")]);
    queue.fill(300);
    queue.drain(&project, "ordered.jsonl.gz", "").run().exits(0).says("300 deleted");
    let drained = numbers(&project.path().join("ordered.jsonl.gz"));
    let mut last = HashMap::new();
    for number in &drained {
        let before = last.insert(number % 10, number);
        assert!(before.is_none_or(|before| before < number), "{before:?} and then {number}");
    }
    each_once(drained, 300);
    for more in ["--keep", "--where true", "--id m"] {
        queue.drain(&project, "ordered.jsonl.gz", more).run().fails_with(2, "is a FIFO queue");
    }
}

#[test]
fn a_message_is_whole_in_the_file() {
    let server = Server::up();
    let project = server.project(TOML);
    let queue = Queue::new(&server, "whole");
    let value = |kind: &str| MessageAttributeValue::builder().data_type(kind);
    let mut send = queue.sqs.send_message().queue_url(&queue.url).message_body("\"quoted\"\n\t\u{1f642} \u{85}");
    for number in 0..8 {
        let text = value("Number.int").string_value(number.to_string()).build().unwrap();
        send = send.message_attributes(format!("n{number}"), text);
    }
    send = send.message_attributes("text", value("String.label").string_value("naïve").build().unwrap());
    let raw = value("Binary.png").binary_value(Blob::new([0, 255, 10])).build().unwrap();
    wait_for(send.message_attributes("raw", raw).send()).unwrap();
    let big = "x".repeat(1024 * 1024);
    wait_for(queue.sqs.send_message().queue_url(&queue.url).message_body(&big).send()).unwrap();
    queue.drain(&project, "whole.jsonl.zst", "").run().exits(0);
    let mut whole = messages(&project.path().join("whole.jsonl.zst"));
    whole.sort_by_key(|message| message.body.len());
    assert_eq!((whole.len(), whole[1].body == big), (2, true));
    let small = &whole[0];
    assert_eq!(small.body, "\"quoted\"\n\t\u{1f642} \u{85}");
    assert_eq!(small.attributes.len(), 10);
    let attribute = |name: &str| (small.attributes[name].data_type.as_str(), small.attributes[name].value.as_str());
    assert_eq!(attribute("n3"), ("Number.int", "3"));
    assert_eq!(attribute("text"), ("String.label", "naïve"));
    assert_eq!(attribute("raw"), ("Binary.png", "AP8K"));
    assert!(small.system.contains_key("SentTimestamp"));
}

#[test]
fn what_is_not_selected_or_kept_stays() {
    let server = Server::up();
    let project = server.project(TOML);
    let queue = Queue::new(&server, "chosen");
    queue.fill(50);
    let kept = queue.drain(&project, "kept.jsonl", "--keep -o json").run().exits(0).json();
    assert_eq!((&kept["kept"], &kept["released"], &kept["deleted"]), (&50.into(), &50.into(), &0.into()));
    assert_eq!(queue.depth(), (50, 0));
    let some = queue.drain(&project, "some.jsonl", "").args(["--where", ".body | endswith(\"3\")"]).run().exits(0);
    some.says("5 deleted").says("still in the queue: about 45 visible, 0 in flight");
    assert_eq!(numbers(&project.path().join("some.jsonl")).iter().filter(|number| *number % 10 == 3).count(), 5);
    let limited = queue.drain(&project, "few.jsonl", "--limit 7 -o json").run().exits(0).json();
    assert_eq!((&limited["drained"], &limited["ended"]), (&7.into(), &"limit".into()));
    assert_eq!(queue.depth(), (38, 0));
    queue.drain(&project, "none.jsonl", "--dry-run").run().exits(0).says("about 38 messages would be drained");
    assert!(!project.path().join("none.jsonl").exists());
}

#[test]
fn a_file_that_a_drain_may_not_write_to_is_refused_with_its_line() {
    let server = Server::up();
    let project = server.project(TOML);
    let queue = Queue::new(&server, "refused");
    queue.fill(20);
    queue.drain(&project, "good.jsonl", "--limit 3").run().exits(0);
    let good = project.read("good.jsonl");
    let refused = |name: &str, content: &str, code: i32, message: &str| {
        project.write(name, content);
        queue.drain(&project, name, "").run().fails_with(code, message);
        queue.drain(&project, name, "--dry-run").run().fails_with(code, message);
        assert_eq!(project.read(name), content);
    };
    refused("foreign.jsonl", &format!("{good}not ours\n"), 2, "foreign.jsonl, line 4: this is not a drained message");
    refused("edited.jsonl", &good.replacen("\"body\":\"", "\"body\":\"1", 1), 2, "edited.jsonl, line 1: the checksum");
    let elsewhere = Queue::new(&server, "elsewhere");
    elsewhere.fill(2);
    elsewhere.drain(&project, "elsewhere.jsonl", "").run().exits(0);
    refused("other.jsonl", &project.read("elsewhere.jsonl"), 2, "holds messages of arn:aws:sqs:us-east-1:");
    let busy = std::fs::File::open(project.path().join("good.jsonl")).unwrap();
    busy.lock().unwrap();
    queue.drain(&project, "good.jsonl", "").run().fails_with(4, "is being written by another drain");
    drop(busy);
    queue.drain(&project, "no/such/folder.jsonl", "").run().fails_with(5, "cannot read the folder");
    queue.drain(&project, ".", "").run().exits(2);
    queue.drain(&project, "/dev/null", "").run().fails_with(2, "is not a regular file");
    assert_eq!(queue.depth(), (17, 0), "nothing was touched");

    project.write("torn.jsonl", &good[..good.len() - 30]);
    queue.drain(&project, "torn.jsonl", "").run().exits(0).says("a torn end of ").says("17 messages drained");
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_is_received() {
    let server = Server::up();
    let project = server.project(TOML);
    let queue = Queue::new(&server, "asked");
    queue.fill(3);
    project.run(ACCOUNT, "queue drain nowhere --to o --env dev --yes").fails_with(5, "no queue \"nowhere\"");
    project.run(ACCOUNT, "queue drain asked --to o --env dev").fails_with(4, "--yes");
    queue.drain(&project, "o", "").args(["--where", ".a |"]).run().exits(2);
    queue.drain(&project, "o", "--until-empty --keep").run().exits(2);
    queue.drain(&project, "o", "--visibility-timeout 13h").run().exits(2);
    queue.drain(&project, "o", "--limit 0").run().exits(2);
    queue.drain(&project, "o", "--rotate-size 0").run().exits(2).says("it must be at least 64KiB");
    queue.drain(&project, "o", "--rotate-size 63KiB").run().exits(2);
    project.run(ACCOUNT, "queue drain asked --env dev --yes").exits(2);
    assert!(!project.path().join("o").exists());
    assert_eq!(queue.depth(), (3, 0));
    let failing = queue.drain(&project, "o", "").args(["--where", ".body | error"]).run().exits(3);
    failing.says("left, because --where failed: 3 messages");
    assert_eq!((queue.depth(), numbers(&project.path().join("o")).len()), ((3, 0), 0));
}

#[test]
fn a_purge_is_confirmed_by_name_and_tells_what_it_deletes() {
    let server = Server::up();
    let project = server.project(TOML);
    let queue = Queue::new(&server, "purged");
    queue.fill(25);
    wait_for(queue.sqs.receive_message().queue_url(&queue.url).max_number_of_messages(3).send()).unwrap();
    let line = "queue purge purged --env dev";
    let dry = project.run(ACCOUNT, &format!("{line} --dry-run")).exits(0).says("about 25 messages (22 visible)");
    dry.says("3 in flight would be deleted too").says("may be deleted too");
    project.run(ACCOUNT, line).fails_with(4, "about 22 messages visible, 3 in flight").says("--confirm purged");
    // The same name elsewhere is another queue.
    let elsewhere = format!("https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/purged");
    let purge = |name: &str, confirm: &str| {
        project.claimctl(ACCOUNT, "queue purge --env dev").args(["--queue-url", name, "--confirm", confirm]).run()
    };
    purge(&elsewhere, "purged").fails_with(2, "the queue is in region eu-west-1");
    purge("https://sqs.us-east-1.amazonaws.com/222222222222/purged", "purged").fails_with(2, "in account 222222222222");
    purge("https://sqs.us-east-1.amazonaws.com/111111111111/", "").fails_with(2, "is not the URL of a queue");
    project.run(ACCOUNT, &format!("{line} --yes")).fails_with(4, "No terminal");
    project.run(ACCOUNT, &format!("{line} --confirm purge")).fails_with(4, "\"purge\" was typed and purged is meant");
    assert_eq!(queue.depth(), (22, 3));
    let report = project.run(ACCOUNT, &format!("{line} --confirm purged -o json")).exits(0).json();
    assert_eq!((&report["purged"], &report["before"]["in_flight"]), (&true.into(), &3.into()));
    assert_eq!(queue.depth(), (0, 0));

    queue.fill(12);
    let backup = format!("{line} --backup saved.jsonl --confirm purged -o json");
    let report = project.run(ACCOUNT, &backup).exits(0).json();
    assert_eq!((&report["drained"], &report["deleted"]), (&12.into(), &12.into()));
    each_once(numbers(&project.path().join("saved.jsonl")), 12);
    queue.fill(3);
    wait_for(queue.sqs.receive_message().queue_url(&queue.url).max_number_of_messages(2).send()).unwrap();
    let in_part = project.run(ACCOUNT, &format!("{line} --backup saved.jsonl --confirm purged")).exits(3);
    in_part.says("agreed to were about 3 messages; 2 not met");
    project.run(ACCOUNT, "queue purge gone --env dev --confirm gone").fails_with(5, "no queue \"gone\"");
}
