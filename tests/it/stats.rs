//! stats tells what the counts tell, sample after sample, and nothing that they do not.

use std::io::{BufRead, BufReader};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::run::{Running, finish, signal};
use crate::terminal::Terminal;
use crate::world::{World, wait_for};

/// Reads lines until one of them will do.
#[track_caller]
fn find(lines: &mut impl Iterator<Item = std::io::Result<String>>, wanted: impl Fn(&Value) -> bool) -> Value {
    for line in lines {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if wanted(&line) {
            return line;
        }
    }
    panic!("stdout ended before");
}

#[test]
fn one_sample_has_counts_and_two_have_a_rate() {
    let world = World::up();
    let url = world.queue_with_dead_letters("counted", 3);
    world.send_claims(&url, 30);
    let one = world.claimctl(["queue", "stats", "counted", "-o", "json"]).run().exits(0).json();
    let queues = one["queues"].as_array().unwrap();
    assert_eq!(queues.iter().map(|queue| &queue["queue"]).collect::<Vec<_>>(), ["counted", "counted-dlq"]);
    assert_eq!(queues[0]["counts"], json!({"visible": 30, "in_flight": 0, "delayed": 0, "total": 30}));
    assert_eq!((&queues[0]["motion"], &queues[0]["dead_letter"]), (&Value::Null, &json!("counted-dlq")));
    assert_eq!((&queues[0]["takes_dead_letters"], &queues[1]["takes_dead_letters"]), (&json!(false), &json!(true)));
    assert!(queues[0]["at"].as_str().unwrap().ends_with('Z'));

    let two = world.claimctl(["queue", "stats", "counted", "--interval", "1s", "-o", "jsonl"]).run().exits(0);
    let lines = two.json_lines();
    assert_eq!((lines.len(), &lines[0]["motion"]["net_per_second"]), (2, &json!(0.0)));
    assert!(lines[0]["motion"]["over_seconds"].as_f64().unwrap() >= 1.0);
    let table = world.claimctl(["queue", "stats", "counted", "--interval", "1s"]).run().exits(0).stdout;
    assert!(table.contains("NET/S") && table.contains("counted-dlq "), "{table}");
    assert!(table.contains("net: what came in less what went out, over 1."), "{table}");
}

#[test]
fn a_watch_writes_a_line_per_queue_and_sample_until_it_is_stopped() {
    let world = World::up();
    let url = world.queue("watched", &[]);
    let watch = ["queue", "stats", "watched", "--watch", "--interval", "1s"];
    let mut child = world.claimctl(watch).start();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(find(&mut lines, |_| true)["motion"], Value::Null);
    world.send_claims(&url, 500);
    let grown = find(&mut lines, |line| line["counts"]["total"] == json!(500));
    let motion = &grown["motion"];
    assert!(motion["net_per_second"].as_f64().unwrap() > 0.0 && motion["empty_in_seconds"].is_null(), "{motion}");

    wait_for(world.sqs().purge_queue().queue_url(&url).send()).unwrap();
    world.send_claims(&url, 10);
    find(&mut lines, |line| line["counts"]["total"] == json!(10));
    wait_for(world.sqs().delete_queue().queue_url(&url).send()).unwrap();
    let gone = find(&mut lines, |line| line["why"].is_string());
    assert_eq!((&gone["counts"], &gone["motion"], &gone["queue"]), (&Value::Null, &Value::Null, &json!("watched")));
    signal(&child, Signal::INT);
    let rest = std::thread::spawn(move || lines.map(Result::unwrap).collect::<Vec<_>>());
    finish(child, "stats --watch, interrupted".to_owned()).exits(130);
    assert!(rest.join().unwrap().iter().all(|line| serde_json::from_str::<Value>(line).is_ok()));
}

#[test]
fn a_watch_ends_when_its_reader_goes_away() {
    let world = World::up();
    let mut child = world.claimctl(["queue", "stats", "--watch", "--interval", "1s"]).start();
    let mut lines = BufReader::with_capacity(1, child.stdout.take().unwrap()).lines();
    assert_eq!(find(&mut lines, |_| true)["logical"], json!("claims"));
    drop(lines);
    let run = finish(child, "stats --watch | head -1".to_owned()).exits(0);
    assert!(!run.stderr.contains("error"), "{}", run.stderr);
}

#[test]
fn on_a_terminal_the_table_is_drawn_in_place_and_fits() {
    let world = World::up();
    let url = world.queue_with_dead_letters("drawn", 3);
    let mut command = world.claimctl(["queue", "stats", "drawn", "--watch", "--interval", "1s"]);
    command.env("TERM", "xterm").env("NO_COLOR", "1");
    let mut terminal = Terminal::run(&command);
    terminal.sees("QUEUE").sees("drawn-dlq ").sees("every 1.0s");
    world.send_claims(&url, 50);
    // Five lines without a rate, six with one.
    terminal.sees("\u{1b}[5A").sees("net: what came in").sees("\u{1b}[6A").sees("50 ");
    terminal.becomes(50, 24).sees("\u{1b}[2J").sees("QUEUE");
    let narrow = terminal.sees_until("\u{1b}[J");
    let rows: Vec<_> = narrow.split("\u{1b}[K").map(str::trim).collect();
    assert!(rows.len() > 5 && rows.iter().all(|row| row.chars().count() <= 50), "{rows:?}");
    terminal.gets(Signal::INT).exits(130);
}

#[test]
fn what_cannot_be_watched_is_said() {
    let world = World::up();
    world.claimctl(["queue", "stats", "clams"]).run().fails_with(5, "clams").says("did you mean claims");
    world.claimctl(["queue", "stats", "--watch", "-o", "json"]).run().fails_with(2, "not one JSON document");
    for interval in ["0", "999ms", "soon"] {
        world.claimctl(["queue", "stats", "--interval", interval]).run().exits(2).says("--interval");
    }
}
