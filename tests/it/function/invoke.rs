//! invoke calls a function once, and tells what came of it.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::dead_letters::{BUCKET, claim, put, world};
use crate::proxy::{Fault, Proxy, Rule};
use crate::run::{Running, eventually, finish, signal};
use crate::server::Server;
use crate::world::{World, wait_for};

const INVOKE: [&str; 3] = ["function", "invoke", "claim-recorder"];

fn is_recorded(world: &World, key: &str) -> bool {
    let id = aws_sdk_dynamodb::types::AttributeValue::S(format!("{BUCKET}/{key}"));
    let get = world.dynamodb().get_item().table_name(world.table()).key("claim_id", id);
    wait_for(get.send()).unwrap().item.is_some()
}

/// The event of an object that is there.
fn event(world: &World, key: &str) -> String {
    let etag = put(world, key, key);
    json!({"Records": [claim("ObjectCreated:Put", BUCKET, key, &etag)]}).to_string()
}

#[test]
fn a_function_is_invoked_and_its_answer_its_error_and_its_lines_are_told() {
    let world = world();
    world.file("event.json", event(&world, "a"));
    let mut invoke = world.claimctl(INVOKE);
    let answer = invoke.args(["--event", "event.json", "-o", "json"]).run().exits(0).json();
    assert!(is_recorded(&world, "a"), "{answer:#}");
    assert_eq!((&answer["error"], &answer["qualifier"]), (&Value::Null, &json!("live")));
    assert!(answer["request_id"].is_string() && answer["elapsed_ms"].is_u64(), "{answer:#}");

    let run = world.claimctl(INVOKE).args(["--event", "-"]).run_with(br#"{"secret": "s3cr3t"}"#).exits(3);
    let run = run.says("failed: Unreadable: ").says("what it said, 1 line at the end:").says("\"level\":\"ERROR\"");
    assert!(run.stdout.contains("\"errorType\": \"Unreadable\""), "{}", run.stdout);
    let failed = world.claimctl(INVOKE).args(["-o", "json"]).run().exits(3).json();
    assert_eq!(failed["error"]["type"], json!("Unreadable"), "{failed:#}");

    // The change log keeps how it went, and nothing that the function said.
    let log = world.claimctl(["log", "-o", "json"]).run().exits(0);
    log.says("invoke function claim-check-local-claim-recorder:live");
    let log = world.claimctl(["log", "-o", "json"]).run().exits(0).stdout;
    assert!(log.contains("failed: Unreadable") && !log.contains("errorType") && !log.contains("ERROR"), "{log}");
}

#[test]
fn nobody_waits_for_an_asynchronous_invocation_and_a_rehearsal_invokes_nothing() {
    let world = world();
    world.file("event.json", event(&world, "b"));
    let dry = world.claimctl(INVOKE).args(["--event", "event.json", "--dry-run"]).run().exits(0);
    dry.says("may be invoked; nothing was");
    assert!(!is_recorded(&world, "b"));
    let mut invoke = world.claimctl(INVOKE);
    let answer = invoke.args(["--event", "event.json", "--async", "-o", "json"]).run().exits(0).json();
    assert_eq!((&answer["answer"], &answer["error"]), (&Value::Null, &Value::Null));
    eventually("the record", || is_recorded(&world, "b").then_some(()));
}

#[test]
fn what_cannot_be_invoked_is_told_before_or_by_name() {
    let world = World::up();
    let invoke = |more: &[&str]| world.claimctl(["function", "invoke"]).args(more).run();
    world.file("no.json", "{\"a\":");
    world.file("large.json", format!("\"{}\"", "x".repeat(7 << 20)));
    world.file("larger.json", format!("\"{}\"", "x".repeat(2 << 20)));
    invoke(&["claim-recorder", "--event", "no.json"]).fails_with(2, "the event in no.json is not JSON");
    invoke(&["claim-recorder", "--event", "large.json"]).fails_with(2, "Lambda takes 6291456 bytes");
    let large = invoke(&["claim-recorder", "--event", "larger.json", "--async"]);
    large.fails_with(2, "Lambda takes 1048576 bytes").says("of an event that somebody waits for, 6291456");
    invoke(&["claim-recorder", "--event", "nowhere.json"]).exits(5).says("nowhere.json");
    for (nobody, meant) in [
        ("claim-recoder", "claim-recoder"),
        // A logical name with an alias of its own.
        ("claim-recorder:nobody", "claim-check-local-claim-recorder:nobody"),
    ] {
        let run = invoke(&[nobody]).fails_with(5, &format!("cannot invoke function {meant}: "));
        run.says("claimctl function ls --all");
        invoke(&[nobody, "--dry-run"]).exits(5);
    }
    let elsewhere = "arn:aws:lambda:eu-west-1:000000000000:function:claim-check-local-claim-recorder";
    invoke(&[elsewhere]).fails_with(2, "is in region eu-west-1");
}

#[test]
fn a_call_that_may_have_arrived_is_not_made_again() {
    let world = world();
    world.file("event.json", event(&world, "c"));
    let proxy = Proxy::before(&world.endpoint, 1, &[Rule { fault: Fault::CutAfter, share: 1.0, actions: &["Invoke"] }]);
    let mut invoke = world.claimctl(INVOKE);
    let run = invoke.args(["--event", "event.json", "--endpoint-url", &proxy.endpoint]).run();
    run.fails_with(7, "cannot invoke function").says("it may have been invoked all the same").says("function logs");
    assert!(is_recorded(&world, "c"));
    assert_eq!(proxy.calls("Invoke"), 1);
}

#[test]
fn an_interrupt_stops_waiting_and_says_what_may_still_be_at_work() {
    let world = world();
    let slow = Rule { fault: Fault::Slow(Duration::from_secs(120)), share: 1.0, actions: &["Invoke"] };
    let proxy = Proxy::before(&world.endpoint, 1, &[slow]);
    let child = world.claimctl(INVOKE).args(["--endpoint-url", &proxy.endpoint]).start();
    eventually("the call", || (proxy.calls("Invoke") > 0).then_some(()));
    signal(&child, Signal::INT);
    let run = finish(child, "invoke, interrupted".to_owned()).exits(130);
    run.says("may be at work still").says("claimctl function logs claim-check-local-claim-recorder");
}

#[test]
fn a_function_of_another_account_is_not_invoked() {
    let server = Server::up();
    let project = server.project("[environments.dev]\nregion = \"us-east-1\"\naccount = \"111111111111\"\n");
    let run = project.run("222222222222", "function invoke f --env dev --yes");
    run.fails_with(4, "environment dev is account 111111111111");
    // Who does not agree changes nothing either.
    project.run("111111111111", "function invoke f --env dev").fails_with(4, "invoke function f");
}
