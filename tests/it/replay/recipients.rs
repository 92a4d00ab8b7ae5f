//! Dead letters that say themselves whom they are for: a rule's target gets the event once, and not the bus; a function
//! gets the records that its stream's mapping gave up, as long as they are there.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName as Name;
use serde_json::{Value, json};

use crate::platform::{ACCOUNT, Platform, arn, event};
use crate::queues::{Queue, messages};
use crate::run::eventually;
use crate::seeded::{Seeded, killed_after, seeds};
use crate::server::Server;
use crate::world::wait_for;

fn replay(platform: &Platform<'_>, queue: &str, more: &str, code: i32) -> Value {
    platform.run(&format!("dlq replay {queue} --yes -o json {more}")).exits(code).json()
}

/// The bodies of what is in a queue, which is empty afterwards.
fn arrived(platform: &Platform<'_>, queue: &str) -> Vec<String> {
    let file = format!("{queue}.jsonl");
    platform.run(&format!("queue drain {queue} --to {file} --yes")).exits(0);
    messages(&platform.project.path().join(file)).into_iter().map(|message| message.body).collect()
}

#[test]
fn an_event_is_given_to_the_target_that_it_could_not_be_delivered_to_and_to_no_other() {
    let server = Server::up();
    let platform = Platform::of(&server);
    for payment in ["a", "b", "c", "d", "e"] {
        platform.payment(payment, "pending");
    }
    let events = ["a", "b", "c", "d", "e"].map(|payment| event(&format!("event-{payment}"), payment, "pending"));
    platform.undelivered("undelivered", "every-event", &arn("logs", "log-group:/aws/events/payments"), &events[0]);
    platform.undelivered("undelivered", "notices", &arn("sns", "notices"), &events[1]);
    platform.undelivered("undelivered", "arrivals", &arn("sqs", "arrivals"), &events[2]);
    let machine = arn("states", "stateMachine:settlement");
    platform.undelivered("undelivered", "settlement", &machine, &events[3]);
    platform.undelivered("undelivered", "settle", &arn("lambda", "function:start:live"), &events[4]);

    let dry = platform.run("dlq replay undelivered --dry-run").exits(0);
    dry.says("5 dead letters would be sent to those that they are for").says("1 to state machine settlement");
    // The function is not to settle anything here, so that nobody could tell of a canary.
    let report = replay(&platform, "undelivered", "--canary 0", 0);
    assert_eq!((&report["sent"], &report["deleted"]), (&json!(5), &json!(5)), "{report:#}");
    let each = json!({"function start": 1, "log group /aws/events/payments": 1, "queue arrivals": 1,
        "state machine settlement": 1, "topic notices": 1});
    assert_eq!((&report["plan"]["effects"]["sent_to"], &report["sent_to"]), (&each, &each));

    let logs = aws_sdk_cloudwatchlogs::Client::new(&platform.sdk);
    let lines = wait_for(logs.filter_log_events().log_group_name("/aws/events/payments").send()).unwrap();
    let [line] = lines.events() else { panic!("{lines:?}") };
    let at: jiff::Timestamp = events[0]["time"].as_str().unwrap().parse().unwrap();
    assert_eq!((line.message(), line.timestamp()), (Some(&*events[0].to_string()), Some(at.as_millisecond())));
    assert_eq!(arrived(&platform, "subscriber"), [events[1].to_string()]);
    // By the rule's InputPath.
    let given: Vec<Value> =
        arrived(&platform, "arrivals").iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    assert_eq!(given, [events[2]["detail"].clone()]);
    let executions = wait_for(platform.sfn().list_executions().state_machine_arn(&machine).send()).unwrap();
    let names: Vec<_> = executions.executions().iter().map(|execution| execution.name().to_owned()).collect();
    assert_eq!(names, ["event-d"]);
    eventually("the event at the function", || (platform.seen("start") == [events[4].clone()]).then_some(()));
    let log = platform.run("log -o json").stdout;
    assert!(log.contains("send 5 dead letters (1 to function start and"), "{log}");

    // The same event once more starts no second execution.
    platform.undelivered("undelivered", "settlement", &machine, &events[3]);
    assert_eq!(replay(&platform, "undelivered", "", 0)["canary"]["fate"], json!("delivered"));
    let again = wait_for(platform.sfn().list_executions().state_machine_arn(&machine).send()).unwrap();
    assert_eq!(again.executions().len(), 1);
}

#[test]
fn what_a_replay_cannot_give_is_refused_by_name_and_quarantined() {
    let server = Server::up();
    let platform = Platform::of(&server);
    let undelivered = |rule: &str, target: &str| {
        platform.undelivered("undelivered", rule, target, &event("e", "a", "pending"));
    };
    undelivered("transforms", &arn("sns", "notices"));
    undelivered("notices", &arn("events", "event-bus/other"));
    undelivered("notices", &arn("sns", "another"));
    undelivered("notices", "arn:aws:sns:eu-west-1:111111111111:notices");
    let report = replay(&platform, "undelivered", "", 3);
    assert_eq!((&report["sent"], &report["left"]), (&json!(0), &json!({"no_target": 4})), "{report:#}");
    let said = report["plan"]["examples"]["no_target"].to_string();
    for why in ["InputTransformer", "event-bus/other is none", "any more", "is in region eu-west-1"] {
        assert!(said.contains(why), "{why}: {said}");
    }
    let report = replay(&platform, "undelivered", "--quarantine kept.jsonl", 3);
    assert_eq!((&report["quarantined"], platform.queue("undelivered").depth()), (&json!(4), (0, 0)));
    // Out of the file they go back into the queue, not into another one.
    let refused = platform.run("dlq replay --from kept.jsonl --yes");
    refused.fails_with(2, "not to whom its messages are for").says("claimctl queue send undelivered /");
    platform.run("queue send undelivered kept.jsonl --yes").exits(0);
    let report = replay(&platform, "undelivered", "", 3);
    assert_eq!(report["left"], json!({"no_target": 4}), "with their attributes: {report:#}");
}

#[test]
fn what_a_rule_leaves_beside_others_goes_to_its_target_and_the_others_stay() {
    let server = Server::up();
    let platform = Platform::of(&server);
    let redrive = json!({"deadLetterTargetArn": arn("sqs", "arrivals"), "maxReceiveCount": 3}).to_string();
    Queue::with(&server, "source", &[(Name::RedrivePolicy, &redrive)]);
    let event = event("1", "a", "pending");
    platform.undelivered("arrivals", "notices", &arn("sns", "notices"), &event);
    // A text that is no claim: nothing says whether it may be sent.
    platform.dead_letter("arrivals", "a note", &[("kind", "test")]);
    let report = replay(&platform, "arrivals", "--canary 0", 3);
    assert_eq!((&report["sent"], &report["sent_to"]), (&json!(1), &json!({"topic notices": 1})), "{report:#}");
    assert_eq!(report["left"], json!({"unreadable": 1}), "{report:#}");
    assert_eq!(arrived(&platform, "subscriber"), [event.to_string()]);
    assert_eq!(arrived(&platform, "arrivals"), ["a note"]);
}

#[test]
fn an_event_about_what_has_come_to_its_end_is_recorded_and_one_that_only_tells_of_it_is_not() {
    let server = Server::up();
    let platform = Platform::of(&server);
    platform.payment("settled", "settled");
    let start = arn("lambda", "function:start:live");
    platform.undelivered("start-undelivered", "settle", &start, &event("1", "settled", "pending"));
    platform.undelivered("start-undelivered", "settle", &start, &event("2", "never", "pending"));
    let report = replay(&platform, "start-undelivered", "", 3);
    assert_eq!(report["left"], json!({"already_recorded": 1, "payload_gone": 1}), "{report:#}");
    let said = report["plan"]["examples"].to_string();
    assert!(said.contains("settled is settled by now") && said.contains("there is no item never"), "{said}");
    let report = replay(&platform, "start-undelivered", "--on-recorded delete", 3);
    assert_eq!((&report["recorded"], platform.queue("start-undelivered").depth()), (&json!(1), (1, 0)));
    assert_eq!(platform.seen("start"), [] as [Value; 0]);
    // A notice of it is owed all the same.
    platform.undelivered("undelivered", "notices", &arn("sns", "notices"), &event("3", "settled", "pending"));
    assert_eq!(replay(&platform, "undelivered", "", 0)["sent"], json!(1));
}

#[test]
fn a_canary_of_events_is_waited_for_in_the_table() {
    let server = Server::up();
    let platform = Platform::of(&server);
    platform.payment("a", "pending");
    let start = arn("lambda", "function:start:live");
    platform.undelivered("start-undelivered", "settle", &start, &event("1", "a", "pending"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            eventually("the canary", || (platform.seen("start").len() == 1).then_some(()));
            platform.payment("a", "settled");
        });
        let report = replay(&platform, "start-undelivered", "", 0);
        assert_eq!(report["canary"]["fate"], json!("recorded"), "{report:#}");
    });
}

#[test]
fn records_that_a_mapping_gave_up_are_given_to_its_function_while_the_stream_has_them() {
    let server = Server::up();
    let platform = Platform::of(&server);
    for payment in ["a", "b", "c"] {
        platform.payment(payment, "pending");
    }
    let (shard, numbers) = platform.records();
    platform.discarded(&shard, [&numbers[1], &numbers[2]], &platform.stream_arn);
    let gone = "arn:aws:dynamodb:us-east-1:111111111111:table/gone/stream/2026-01-01T00:00:00.000";
    let lost = platform.discarded(&shard, [&numbers[0], &numbers[0]], gone);

    let inspected = platform.run("dlq inspect stream-dlq").exits(0);
    inspected.says("(b and 1 more)").says("keeps records for 24 hours").says("stream:live failed");
    let report = replay(&platform, "stream-dlq", "--quarantine kept.jsonl", 3);
    assert_eq!((&report["sent"], &report["quarantined"]), (&json!(1), &json!(1)), "{report:#}");
    assert_eq!(report["canary"]["fate"], json!("delivered"));
    let seen = platform.seen("stream");
    let keys: Vec<_> =
        seen[0]["Records"].as_array().unwrap().iter().map(|record| &record["dynamodb"]["Keys"]).collect();
    assert_eq!(keys, [&json!({"payment_id": {"S": "b"}}), &json!({"payment_id": {"S": "c"}})]);
    assert_eq!(seen.len(), 1);
    let kept: Vec<_> = messages(&platform.project.path().join("kept.jsonl"));
    assert_eq!((kept.len(), &kept[0].message_id, platform.queue("stream-dlq").depth()), (1, &lost, (0, 0)));
}

#[test]
fn a_function_that_cannot_handle_all_records_keeps_their_dead_letter() {
    let server = Server::up();
    let platform = Platform::of(&server);
    platform.payment("a", "pending");
    let (shard, numbers) = platform.records();
    for (fails, why) in [("record", "could not handle all of its records"), ("all", "failed: Unwell: not today")] {
        wait_for(platform.lambda().delete_function().function_name("stream").send()).unwrap();
        platform.function("stream", Some(fails));
        let id = platform.discarded(&shard, [&numbers[0], &numbers[0]], &platform.stream_arn);
        let report = replay(&platform, "stream-dlq", "--canary 0", 3);
        assert_eq!((&report["sent"], &report["failed"]), (&json!(0), &json!(1)), "{report:#}");
        assert_eq!(report["failures"][0]["message_id"], json!(id));
        assert!(report["failures"][0]["why"].as_str().unwrap().contains(why), "{report:#}");
        let queue = platform.queue("stream-dlq");
        assert_eq!(queue.depth(), (1, 0));
        wait_for(queue.sqs.purge_queue().queue_url(&queue.url).send()).unwrap();
    }
}

#[test]
fn a_record_that_a_function_diverted_is_given_to_it_again() {
    let server = Server::up();
    let platform = Platform::of(&server);
    platform.payment("a", "pending");
    let source = wait_for(
        platform
            .lambda()
            .create_event_source_mapping()
            .function_name("stream:live")
            .event_source_arn(&platform.stream_arn)
            .starting_position(aws_sdk_lambda::types::EventSourcePosition::Latest)
            .enabled(false)
            .send(),
    );
    source.unwrap();
    let record = json!({"eventID": "1", "eventName": "INSERT", "eventSource": "aws:dynamodb",
        "eventSourceARN": platform.stream_arn, "dynamodb": {"SequenceNumber": "1",
        "Keys": {"payment_id": {"S": "a"}}, "NewImage": {"payment_id": {"S": "a"}, "status": {"S": "pending"}}}});
    let attributes = [("ErrorCode", "InvalidItem"), ("ErrorMessage", "the amount is no decimal"), ("RequestID", "r-1")];
    let body = json!({"Records": [record]});
    platform.dead_letter("diverted", &body.to_string(), &attributes);
    let listed = platform.run("dlq ls").exits(0);
    listed.says("diverted by function stream").says("stream of function stream").says("rules of bus payments");
    let inspected = platform.run("dlq inspect diverted").exits(0);
    inspected.says("(a)").says("the amount is no decimal").says("INSERT");
    let report = replay(&platform, "diverted", "", 0);
    assert_eq!((&report["destination"], &report["sent"]), (&json!("stream"), &json!(1)), "{report:#}");
    assert_eq!(platform.seen("stream"), [body]);
}

#[test]
fn killed_at_any_moment_no_event_is_lost_and_no_double_is_unlisted() {
    const EVENTS: usize = 200;
    let server = Server::up();
    let platform = Platform::of(&server);
    for seed in 0..seeds().div_ceil(5) {
        let mut bodies = HashMap::new();
        for number in 0..EVENTS {
            let event = event(&format!("{seed}-{number}"), "a", "pending");
            let id = platform.undelivered("undelivered", "notices", &arn("sns", "notices"), &event);
            bodies.insert(event.to_string(), id);
        }
        let line = "dlq replay undelivered --env dev --yes --canary 0 --visibility-timeout 2s";
        let moment = Duration::from_millis(200 + Seeded::of(seed).below(1500));
        killed_after(&mut platform.project.claimctl(ACCOUNT, line), moment);
        eventually("the end of the replay", || {
            let run = platform.run("dlq replay undelivered --yes --canary 0 --visibility-timeout 2s");
            assert!([0, 3].contains(&run.code), "{}{}", run.stdout, run.stderr);
            (run.code == 0).then_some(())
        });
        let listed = doubles(&platform);
        let mut times: HashMap<String, usize> = HashMap::new();
        arrived_now(&platform).into_iter().for_each(|body| *times.entry(body).or_default() += 1);
        let lost = bodies.keys().filter(|body| !times.contains_key(*body)).count();
        let unlisted = bodies.iter().filter(|(body, id)| times.get(*body) > Some(&1) && !listed.contains(*id)).count();
        assert_eq!((lost, unlisted, times.len()), (0, 0, EVENTS), "lost, doubled unawares, arrived");
    }
}

fn arrived_now(platform: &Platform<'_>) -> Vec<String> {
    let file = platform.project.path().join("subscriber.jsonl");
    std::fs::remove_file(&file).ok();
    arrived(platform, "subscriber")
}

fn doubles(platform: &Platform<'_>) -> Vec<String> {
    let runs = platform.project.run(ACCOUNT, "runs ls -o json").exits(0).json();
    let runs = runs["runs"].as_array().unwrap().iter().filter(|run| run["verb"] == "dlq replay");
    let of_run = |run: &Value| {
        let line = format!("runs show {} --limit 5000 -o json", run["id"].as_str().unwrap());
        let shown = platform.project.run(ACCOUNT, &line).exits(0).json();
        shown["doubles"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    runs.flat_map(of_run).collect()
}
