//! Queues that a replay refuses, dead letters that are odd, FIFO files, and services that fail.

use std::collections::HashMap;

use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName as Name};
use serde_json::{Value, json};

use super::{ACCOUNT, Pair, TOML};
use crate::proxy::{Fault, Proxy, Rule};
use crate::queues::Queue;
use crate::run::{Running, eventually};
use crate::server::{Project, Server};
use crate::world::wait_for;

const PLAINLY: &str = "--canary 0 --no-preflight";

fn numbers(dead_letters: std::ops::Range<usize>) -> impl Iterator<Item = String> {
    dead_letters.map(|number| number.to_string())
}

/// Receives what is in a queue so often that SQS moves it to the dead-letter queue.
fn throw_back(pair: &Pair) {
    let all = pair.source.depth().0 + pair.dead_letters.depth().0;
    eventually("all dead letters are thrown back", || {
        let receive = pair.source.sqs.receive_message().queue_url(&pair.source.url).max_number_of_messages(10);
        wait_for(receive.visibility_timeout(0).send()).unwrap();
        (pair.dead_letters.depth() == (all, 0)).then_some(())
    });
}

#[test]
fn a_replay_is_counted_with_a_mark_and_without_room_for_one_in_the_journal() {
    let server = Server::up();
    let project = server.project(TOML);
    let pair = Pair::new(&server, "counted");
    let attribute = || MessageAttributeValue::builder().data_type("Number").string_value("7").build().unwrap();
    let send = pair.dead_letters.sqs.send_message().queue_url(&pair.dead_letters.url);
    let full = (0..10).fold(send.clone().message_body("full"), |send, number| {
        send.message_attributes(format!("n{number}"), attribute())
    });
    wait_for(full.send()).unwrap();
    wait_for(send.message_body("free").message_attributes("n", attribute()).send()).unwrap();
    for round in 1..=2 {
        let report = pair.replay(&project, &format!("{PLAINLY} --max-replays 2 -o json")).run().exits(0).json();
        assert_eq!((&report["sent"], &report["unmarked"]), (&json!(2), &json!(1)), "round {round}");
        throw_back(&pair);
    }
    let peek = format!("queue peek {} --env dev -o jsonl", pair.dead_letters.name);
    for message in project.run(ACCOUNT, &peek).exits(0).json_lines() {
        let attributes = message["attributes"].as_object().unwrap();
        let mark = attributes.get("claimctl.replay").map(|mark| mark["value"].as_str().unwrap().to_owned());
        match message["body"].as_str().unwrap() {
            "full" => assert_eq!((attributes.len(), mark), (10, None)),
            _ => assert_eq!(serde_json::from_str::<Value>(&mark.unwrap()).unwrap()["n"], json!(2)),
        }
    }
    let refused = pair.replay(&project, &format!("{PLAINLY} --max-replays 2 -o json")).run().exits(3).json();
    assert_eq!((&refused["sent"], &refused["left"]), (&json!(0), &json!({"replayed": 2})));
    pair.replay(&project, &format!("{PLAINLY} --max-replays 3")).run().exits(0).says("2 dead letters sent");
}

#[test]
fn dead_letters_of_a_fifo_queue_go_from_a_file_in_order_and_are_not_swallowed() {
    let server = Server::up();
    let project = server.project(TOML);
    let fifo = [(Name::FifoQueue, "true")];
    let dead_letters = Queue::with(&server, "ordered-dlq.fifo", &fifo);
    let arn = format!("arn:aws:sqs:us-east-1:{ACCOUNT}:ordered-dlq.fifo");
    let policy = json!({"deadLetterTargetArn": arn, "maxReceiveCount": 3}).to_string();
    let source = Queue::with(&server, "ordered.fifo", &[(Name::FifoQueue, "true"), (Name::RedrivePolicy, &policy)]);
    dead_letters.fill(60);
    let line = |line: &str| project.run(ACCOUNT, &format!("{line} --env dev --yes"));
    line("dlq replay ordered-dlq.fifo").fails_with(2, "is a FIFO queue").says("--from FILE");
    line("queue drain ordered-dlq.fifo --to o.jsonl.zst").exits(0);
    let dry = line(&format!("dlq replay --from o.jsonl.zst {PLAINLY} --dry-run -o json")).exits(0).json();
    assert_eq!(dry["plan"]["verdicts"], json!({"send": 60}));
    let some = line(&format!("dlq replay --from o.jsonl.zst {PLAINLY} --limit 7 -o json")).exits(0).json();
    assert_eq!((&some["sent"], &some["ended"]), (&json!(7), &json!("limit")));
    let rest = line(&format!("dlq replay --from o.jsonl.zst {PLAINLY} -o json")).exits(0).json();
    assert_eq!((&rest["sent"], &rest["sent_before"]), (&json!(53), &json!(7)));
    line(&format!("dlq replay --from o.jsonl.zst {PLAINLY}")).fails_with(4, "has replayed all of this file");
    // Within five minutes, so that a deduplication id that was used before would be swallowed.
    line(&format!("dlq replay --from o.jsonl.zst {PLAINLY} --again")).exits(0).says("60 dead letters sent");
    assert_eq!(source.depth(), (120, 0));
    line("queue drain ordered.fifo --to arrived.jsonl").exits(0);
    let mut of_group: HashMap<String, Vec<usize>> = HashMap::new();
    for message in crate::queues::messages(&project.path().join("arrived.jsonl")) {
        let group = message.system["MessageGroupId"].clone();
        assert!(message.attributes.contains_key("claimctl.replay"));
        of_group.entry(group).or_default().push(message.body.parse().unwrap());
    }
    for (group, numbers) in of_group {
        let expected: Vec<usize> = (0..60).filter(|number| (number % 10).to_string() == group).collect();
        assert_eq!(numbers, [expected.clone(), expected].concat(), "group {group}");
    }
}

#[test]
fn what_a_selection_left_in_a_file_is_sent_by_the_next_command() {
    let server = Server::up();
    let project = server.project(TOML);
    let pair = Pair::new(&server, "some-of-file");
    let dead_letters = pair.fill(numbers(0..30));
    let file = pair.drained(&project);
    let mut some = pair.replay_file(&project, &file, &format!("{PLAINLY} -o json"));
    let some = some.args(["--where", ".body | endswith(\"1\")"]).run().exits(0).json();
    assert_eq!((&some["sent"], &some["left"]), (&json!(3), &json!({"not_selected": 27})), "{some:#}");
    assert_eq!((&some["ended"], &some["next"]), (&json!("complete"), &Value::Null), "the same command sends no more");
    let rest = pair.replay_file(&project, &file, &format!("{PLAINLY} -o json")).run().exits(0).json();
    assert_eq!((&rest["run"], &rest["sent"], &rest["sent_before"]), (&some["run"], &json!(27), &json!(3)), "{rest:#}");
    pair.replay_file(&project, &file, PLAINLY).run().fails_with(4, "has replayed all of this file");
    let arrived = pair.arrived(&project);
    assert!(dead_letters.values().all(|body| arrived.get(body) == Some(&1)), "{arrived:?}");
}

#[test]
fn a_queue_that_cannot_be_meant_is_refused_and_nothing_is_sent() {
    let server = Server::up();
    let project = server.project(TOML);
    let pair = Pair::new(&server, "meant");
    pair.fill(numbers(0..5));
    let line = |line: &str| project.run(ACCOUNT, &format!("{line} --env dev --yes"));
    let lone = Queue::new(&server, "lone");
    line("dlq replay lone").fails_with(2, "is nobody's dead-letter queue").says("--to QUEUE");
    line("dlq replay meant-dlq --to meant-dlq").fails_with(2, "is where the dead letters are");
    line("dlq replay meant-dlq --to nowhere").fails_with(5, "no queue \"nowhere\"");
    let fifo = Queue::with(&server, "kind.fifo", &[(Name::FifoQueue, "true")]);
    line(&format!("dlq replay meant-dlq --to {}", fifo.name)).fails_with(2, "is a FIFO queue");
    line("dlq replay meant-dlq --to lone --where '.a").exits(2);
    line("dlq replay meant-dlq --table nothing").exits(5);
    project.run(ACCOUNT, "dlq replay meant-dlq --env dev").fails_with(4, "No terminal");
    line("dlq replay --from nothing.jsonl").fails_with(5, "nothing.jsonl");
    line("dlq replay --resume 2026").fails_with(5, "2026");

    // A second source, and then a circle.
    let arn = format!("arn:aws:sqs:us-east-1:{ACCOUNT}:");
    let policy =
        |queue: &str| json!({"deadLetterTargetArn": format!("{arn}{queue}"), "maxReceiveCount": 3}).to_string();
    Queue::with(&server, "second", &[(Name::RedrivePolicy, &policy("meant-dlq"))]);
    line("dlq replay meant-dlq").fails_with(2, "takes the dead letters of meant and second").says("--to meant");
    let set = pair.dead_letters.sqs.set_queue_attributes().queue_url(&pair.dead_letters.url);
    wait_for(set.attributes(Name::RedrivePolicy, policy("lone")).send()).unwrap();
    line("dlq replay meant-dlq --to lone").fails_with(4, "in a circle");
    assert_eq!((pair.dead_letters.depth(), lone.depth()), ((5, 0), (0, 0)));
}

#[test]
fn a_run_is_gone_on_with_as_it_was_begun_and_only_where_it_belongs() {
    let server = Server::up();
    let toml = format!("{TOML}[environments.test]\nregion = \"us-east-1\"\naccount = \"222222222222\"\n");
    let project = server.project(&toml);
    let pair = Pair::new(&server, "resumed");
    pair.fill(numbers(0..30));
    let mut first = pair.replay(&project, &format!("{PLAINLY} --limit 4 -o json"));
    let first = first.args(["--where", ".body | endswith(\"1\") | not"]).run().exits(0).json();
    let run = first["run"].as_str().unwrap();
    let resume = |env: &str, account: &str| {
        project.run(account, &format!("dlq replay --resume {run} --env {env} --yes -o json"))
    };
    resume("test", "222222222222").fails_with(4, "is of another environment: dev");
    let second = resume("dev", ACCOUNT).exits(0).json();
    assert_eq!((&second["run"], &second["sent"], &second["ended"]), (&json!(run), &json!(4), &json!("limit")));
    let rest = pair.replay(&project, PLAINLY).args(["--where", ".body | endswith(\"1\") | not", "-o", "json"]).run();
    assert_eq!((&rest.exits(0).json()["sent"], pair.dead_letters.depth()), (&json!(19), (3, 0)));
    resume("dev", ACCOUNT).fails_with(4, "nothing is left to do");
}

/// Through a proxy that lets calls fail, until nothing is left.
fn through(proxy: &Proxy, pair: &Pair, project: &Project<'_>) -> Vec<Value> {
    let mut told = Vec::new();
    eventually("the end of the replay", || {
        let line = format!("{PLAINLY} --visibility-timeout 3s -o json");
        let run = pair.replay(project, &line).env("AWS_ENDPOINT_URL", &proxy.endpoint).run();
        told.extend((!run.stdout.is_empty()).then(|| run.json()));
        (run.code == 0).then_some(())
    });
    told
}

#[test]
fn failing_services_lose_nothing_and_what_may_be_doubled_is_told() {
    const DEAD_LETTERS: usize = 400;
    let server = Server::up();
    let project = server.project(TOML);
    let rules = [
        Rule { fault: Fault::Throttled, share: 0.08, actions: &[] },
        Rule { fault: Fault::CutBefore, share: 0.05, actions: &[] },
        Rule { fault: Fault::CutAfter, share: 0.1, actions: &["SendMessageBatch", "DeleteMessageBatch"] },
    ];
    let pair = Pair::new(&server, "faulty");
    let dead_letters = pair.fill(numbers(0..DEAD_LETTERS));
    let proxy = Proxy::before(&server.endpoint, 7, &rules);
    let told = through(&proxy, &pair, &project);
    assert!(proxy.hit(Fault::CutAfter, "SendMessageBatch") > 0, "no answer was lost");
    let doubles: Vec<&str> = told
        .iter()
        .flat_map(|report| report["doubles"].as_array().unwrap())
        .map(|id| dead_letters[id.as_str().unwrap()].as_str())
        .collect();
    let arrived = pair.arrived(&project);
    assert_eq!((arrived.len(), pair.dead_letters.depth()), (DEAD_LETTERS, (0, 0)));
    let unlisted: Vec<_> =
        arrived.iter().filter(|(body, times)| **times > 1 && !doubles.contains(&body.as_str())).collect();
    assert!(unlisted.is_empty(), "{unlisted:?} of {}", doubles.len());
}
