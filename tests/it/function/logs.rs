//! logs shows what a function said: every line once, whether it was there before or comes by and by.

use std::io::{BufRead, BufReader};

use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use jiff::Timestamp;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::proxy::{Fault, Proxy, Rule};
use crate::run::{Run, Running, eventually, finish, signal};
use crate::world::{World, wait_for};

const GROUP: &str = "/aws/lambda/talker";

/// A function that has talked, and is gone: its log group outlives it.
fn talker() -> World {
    let world = World::up();
    wait_for(world.logs().create_log_group().log_group_name(GROUP).send()).unwrap();
    for stream in ["one", "two"] {
        wait_for(world.logs().create_log_stream().log_group_name(GROUP).log_stream_name(stream).send()).unwrap();
    }
    world
}

/// Says these lines, so many milliseconds ago.
fn say(world: &World, stream: &str, lines: &[(i64, &str)]) {
    let now = Timestamp::now().as_millisecond();
    let events =
        lines.iter().map(|(ago, text)| InputLogEvent::builder().timestamp(now - ago).message(*text).build().unwrap());
    let put = world.logs().put_log_events().log_group_name(GROUP).log_stream_name(stream);
    wait_for(put.set_log_events(Some(events.collect())).send()).unwrap();
}

fn logs(world: &World, more: &[&str]) -> Run {
    world.claimctl(["function", "logs", "talker"]).args(more).run()
}

fn texts(run: &Run) -> Vec<String> {
    run.json_lines().iter().map(|line| line["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn lines_are_shown_in_their_order_since_then_and_those_that_contain_a_text() {
    let world = talker();
    say(
        &world,
        "one",
        &[(7_200_000, "long ago"), (3_000, "REPORT\tDuration: 1 ms\n"), (1_000, r#"{"error":"no payload"}"#)],
    );
    say(&world, "two", &[(2_000, "ERROR in the middle \u{1b}[2J"), (500, r#"{"payload":"error","no":1}"#)]);
    let all = [
        "REPORT\tDuration: 1 ms",
        "ERROR in the middle \u{1b}[2J",
        r#"{"error":"no payload"}"#,
        r#"{"payload":"error","no":1}"#,
    ];
    assert_eq!(texts(&logs(&world, &["-o", "jsonl"]).exits(0)), all);
    assert_eq!(texts(&logs(&world, &["-o", "jsonl", "--since", "3h"]).exits(0))[0], "long ago");
    let quoted = r#""error":"no payload""#;
    assert_eq!(texts(&logs(&world, &["-o", "jsonl", "--grep", quoted]).exits(0)), [all[2]]);
    assert_eq!(texts(&logs(&world, &["-o", "jsonl", "--grep", "error", "--grep", "\"no\""]).exits(0)), [all[3]]);
    let document = logs(&world, &["-o", "json"]).exits(0).json();
    assert_eq!((&document["log_group"], document["lines"].as_array().unwrap().len()), (&json!(GROUP), 4));
    let shown = logs(&world, &[]).exits(0).stdout;
    let shown: Vec<_> = shown.lines().map(|line| line.split_once("  ").unwrap().1).collect();
    assert_eq!(shown[..2], ["REPORT  Duration: 1 ms", "ERROR in the middle \\e[2J"]);
    assert_eq!(shown.len(), 4);
}

#[test]
fn what_comes_is_shown_once_whenever_it_becomes_visible() {
    let world = talker();
    say(&world, "one", &[(3_000, "before"), (3_000, "before too")]);
    let mut child = world.claimctl(["function", "logs", "talker", "--follow", "-o", "jsonl"]).start();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || -> String {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        line["text"].as_str().unwrap().to_owned()
    };
    assert_eq!([next(), next()], ["before", "before too"]);
    // Newer ones, one that comes late, and two at one moment.
    say(&world, "two", &[(10_000, "late"), (0, "now"), (0, "now too")]);
    assert_eq!([next(), next(), next()], ["late", "now", "now too"]);
    say(&world, "one", &[(20_000, "later still"), (0, "the last")]);
    assert_eq!([next(), next()], ["later still", "the last"]);
    signal(&child, Signal::INT);
    assert!(lines.next().is_none(), "a line came twice");
    let run = finish(child, "function logs --follow".to_owned()).exits(130);
    assert!(!run.stderr.contains("error"), "{}", run.stderr);
}

#[test]
fn throttles_are_waited_for_and_an_interrupt_ends_the_wait() {
    let world = talker();
    say(&world, "one", &[(1_000, "a line")]);
    let throttled = |share| Rule { fault: Fault::Throttled, share, actions: &["FilterLogEvents"] };
    let proxy = Proxy::before(&world.endpoint, 1, &[throttled(0.6)]);
    let run = logs(&world, &["-o", "jsonl", "--endpoint-url", &proxy.endpoint]).exits(0);
    assert_eq!(texts(&run), ["a line"]);
    proxy.obey(&[throttled(1.0)]);
    let more = ["--endpoint-url", proxy.endpoint.as_str()];
    let child = world.claimctl(["function", "logs", "talker"]).args(more).start();
    let before = proxy.hit(Fault::Throttled, "FilterLogEvents");
    eventually("a throttle", || (proxy.hit(Fault::Throttled, "FilterLogEvents") > before + 2).then_some(()));
    signal(&child, Signal::INT);
    finish(child, "function logs, throttled".to_owned()).exits(130).says("stopped before all lines were read");
}

#[test]
fn what_is_not_there_or_cannot_be_is_told() {
    let world = talker();
    let nobody = world.claimctl(["function", "logs", "nobody"]).run();
    nobody.fails_with(5, "cannot read log group /aws/lambda/nobody").says("claimctl function ls --all");
    logs(&world, &["--grep", " "]).fails_with(2, "the text is empty");
    logs(&world, &["--grep", &"x".repeat(1_100)]).fails_with(2, "too long: a filter pattern of 1102 characters");
    logs(&world, &["--follow", "-o", "json"]).fails_with(2, "not one JSON document");
    logs(&world, &["--since", "never"]).exits(2);
    // A reader that goes away is no failure.
    say(&world, "one", &[(1_000, "a line")]);
    let mut child = world.claimctl(["function", "logs", "talker", "--follow"]).start();
    drop(child.stdout.take());
    let run = finish(child, "function logs | true".to_owned()).exits(0);
    assert!(!run.stderr.contains("error"), "{}", run.stderr);
}
