//! dlq inspect says of every dead letter whether it can be sent again, and leaves all of them where they are.

use std::collections::BTreeMap;

use rustix::process::Signal;
use serde_json::json;

use crate::dead_letters::{BUCKET, claim, depth, member, send, world};
use crate::run::{Running, eventually, finish, signal};
use crate::seeded::Seeded;
use crate::world::{World, wait_for};

/// The order in which one claim's verdict forbids what another's allows.
fn worst<'a>(a: &'a str, b: &'a str) -> &'a str {
    let rank =
        |verdict| ["already_recorded", "send", "payload_changed", "payload_gone"].iter().position(|v| *v == verdict);
    if rank(b) > rank(a) { b } else { a }
}

#[test]
fn the_verdicts_of_random_worlds_are_the_models() {
    let world = world();
    for seed in 0..3 {
        wait_for(world.sqs().purge_queue().queue_url(world.queue_url("claims-dlq")).send()).unwrap();
        let mut seeded = Seeded::of(seed);
        let mut model = BTreeMap::new();
        for number in 0..60 {
            let replays = (seeded.below(4) == 0).then(|| seeded.below(5));
            let key = |part: u64| format!("world-{seed}/{number} & {part}");
            let (body, mut verdict) = match seeded.below(10) {
                0 => ("nonsense".to_owned(), "unreadable"),
                1 => (json!({"Event": "s3:TestEvent"}).to_string(), "no_claim"),
                several => {
                    let parts = if several < 4 { 2 } else { 1 };
                    let members: Vec<_> = (0..parts).map(|part| member(&world, seeded.below(8), &key(part))).collect();
                    let verdict = members.iter().map(|(_, verdict)| *verdict).reduce(worst).unwrap();
                    let records: Vec<_> = members
                        .into_iter()
                        .map(|(mut claim, _)| {
                            let plain = claim["s3"]["object"]["key"].as_str().unwrap().to_owned();
                            claim["s3"]["object"]["key"] = json!(claimctl_claim::key::encode_form(&plain));
                            claim
                        })
                        .collect();
                    (json!({"Records": records}).to_string(), verdict)
                }
            };
            if verdict == "send" && replays.is_some_and(|replays| replays >= 3) {
                verdict = "replayed";
            }
            model.insert(send(&world, &body, replays), verdict.to_owned());
        }
        let report = world.claimctl(["dlq", "inspect", "--all", "-o", "json"]).run().exits(0).json();
        let said: BTreeMap<_, _> = report["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|dead_letter| {
                let text = |name: &str| dead_letter[name].as_str().unwrap().to_owned();
                (text("message_id"), text("verdict"))
            })
            .collect();
        assert_eq!(said, model, "seed {seed}");
        replayed_as_judged(&world, &model);
        let counted: u64 =
            report["groups"].as_array().unwrap().iter().map(|group| group["messages"].as_u64().unwrap()).sum();
        assert_eq!(counted, 60, "seed {seed}");
    }
}

/// A dry run has the model's verdicts and moves nothing; then what is to be sent is sent, recorded, and nothing else is
/// touched.
fn replayed_as_judged(world: &World, model: &BTreeMap<String, String>) {
    let mut counted: BTreeMap<&str, u64> = BTreeMap::new();
    model.values().for_each(|verdict| *counted.entry(verdict).or_default() += 1);
    let dry = world.claimctl(["dlq", "replay", "claims-dlq", "--dry-run", "-o", "json"]).run().exits(0).json();
    assert_eq!(dry["plan"]["verdicts"], json!(counted));
    assert_eq!(depth(world), (60, 0));
    let sent = counted.get("send").copied().unwrap_or(0);
    let report = world.claimctl(["dlq", "replay", "claims-dlq", "--yes", "-o", "json"]).run().exits(3).json();
    assert_eq!((&report["sent"], &report["deleted"]), (&json!(sent), &json!(sent)), "{report:#}");
    assert_eq!(report["canary"]["fate"], json!("recorded"));
    assert_eq!(depth(world), (60 - sent, 0));
    let stay: BTreeMap<_, _> = model.iter().filter(|(_, verdict)| *verdict != "send").collect();
    eventually("the records of all that was sent", || {
        let report = world.claimctl(["dlq", "inspect", "--all", "-o", "json"]).run().exits(0).json();
        let dead_letters = report["messages"].as_array().unwrap();
        assert!(
            dead_letters
                .iter()
                .all(|dead_letter| stay.contains_key(&dead_letter["message_id"].as_str().unwrap().to_owned()))
        );
        let source = world.depth(world.queue_url("claims"));
        (source == (0, 0) && dead_letters.len() == stay.len()).then_some(())
    });
}

#[test]
fn dead_letters_are_grouped_with_an_example_and_a_command() {
    let world = world();
    for number in 0..30 {
        let (claim, _) = member(&world, number % 3, &format!("in/{number}"));
        send(&world, &json!({"Records": [claim]}).to_string(), None);
    }
    let run = world.claimctl(["dlq", "inspect", "claims-dlq"]).run().exits(0);
    for line in [
        "10 dead letters, send",
        "10 dead letters, payload gone",
        "10 dead letters, payload changed",
        "seen 30 of about 30",
    ] {
        assert!(run.stdout.contains(line), "{line}: {}", run.stdout);
    }
    assert!(run.stdout.contains("  claimctl dlq replay claims-dlq\n"), "{}", run.stdout);
    let report = world.claimctl(["dlq", "inspect", "-o", "json"]).run().exits(0).json();
    assert_eq!(report["verdicts"], json!({"send": 10, "payload_gone": 10, "payload_changed": 10}));
    let group = &report["groups"][0];
    assert_eq!((&group["prefix"], &group["envelope"], &group["messages"]), (&json!("in/"), &json!(["s3"]), &json!(10)));

    let lines = world
        .claimctl(["dlq", "inspect", "-o", "jsonl"])
        .run()
        .exits(0)
        .says("given back: 30 dead letters")
        .json_lines();
    assert_eq!(lines.len(), 30);
    let gone = r#"any(.claims[]; .key == "in/1")"#;
    let one = world.claimctl(["dlq", "inspect", "--where", gone, "-o", "jsonl"]).run().exits(0).json_lines();
    assert_eq!((one.len(), &one[0]["verdict"]), (1, &json!("payload_gone")));
    let unjudged = world.claimctl(["dlq", "inspect", "--no-preflight", "-o", "json"]).run().exits(0).json();
    assert_eq!(unjudged["verdicts"], json!({"unjudged": 30}));
    assert_eq!(depth(&world), (30, 0));
}

#[test]
fn a_wrong_queue_or_table_is_refused_before_the_look() {
    let world = world();
    world.claimctl(["dlq", "inspect", "claims"]).run().fails_with(4, "is a source").says("claimctl dlq inspect");
    world.claimctl(["dlq", "inspect", "claims-dql"]).run().fails_with(5, "no queue \"claims-dql\"");
    world.claimctl(["dlq", "inspect", "--table", "nothing"]).run().exits(5).says("nothing");
    world.claimctl(["dlq", "inspect", "--where", ".a |"]).run().fails_with(2, "");
    use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
    let definition = AttributeDefinition::builder().attribute_name("pk").attribute_type(ScalarAttributeType::S);
    let key = KeySchemaElement::builder().attribute_name("pk").key_type(KeyType::Hash).build().unwrap();
    let create = world.dynamodb().create_table().table_name("other").billing_mode(BillingMode::PayPerRequest);
    wait_for(create.attribute_definitions(definition.build().unwrap()).key_schema(key).send()).unwrap();
    let other = world.claimctl(["dlq", "inspect", "--table", "other"]).run();
    other.fails_with(2, "does not hold claim records: it has partition key pk");

    wait_for(world.sqs().create_queue().queue_name("nobodys").send()).unwrap();
    world.claimctl(["dlq", "inspect", "nobodys"]).run().exits(0).says("no table of records is known");
}

#[test]
fn an_interrupt_and_a_closed_pipe_leave_every_dead_letter_visible() {
    let world = world();
    for _ in 0..200 {
        send(&world, &json!({"Records": [claim("ObjectCreated:Put", BUCKET, "gone", "e")]}).to_string(), None);
    }
    let inspect = ["dlq", "inspect", "--all", "-o", "jsonl"];
    let child = world.claimctl(inspect).start();
    eventually("the look", || (depth(&world).1 > 0).then_some(()));
    signal(&child, Signal::INT);
    finish(child, "dlq inspect, interrupted".to_owned()).exits(130).says("given back: ");
    assert_eq!(depth(&world), (200, 0));

    let mut child = world.claimctl(inspect).start();
    drop(child.stdout.take());
    let run = finish(child, "dlq inspect | true".to_owned()).exits(0);
    assert!(!run.stderr.contains("error"), "{}", run.stderr);
    assert_eq!(depth(&world), (200, 0));
}
