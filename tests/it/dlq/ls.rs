//! dlq ls tells whose dead letters there are and how long they live; --why reads why; rescue saves what would be gone.

use aws_sdk_lambda::types::{DeadLetterConfig, DestinationConfig, OnFailure};
use aws_sdk_sqs::types::QueueAttributeName as Name;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::run::{Running, eventually};
use crate::world::{World, wait_for};

fn arn(name: &str) -> String {
    format!("arn:aws:sqs:{}:{}:{name}", claimctl::sandbox::REGION, claimctl::sandbox::ACCOUNT)
}

fn redrive(dead_letters: &str) -> (Name, String) {
    let policy = json!({"deadLetterTargetArn": arn(dead_letters), "maxReceiveCount": 5});
    (Name::RedrivePolicy, policy.to_string())
}

fn retention(seconds: u64) -> (Name, String) {
    (Name::MessageRetentionPeriod, seconds.to_string())
}

fn at(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

impl World {
    fn dead_letters(&self, line: &str) -> Value {
        self.claimctl(line.split(' ').chain(["-o", "json"])).run().exits(0).json()
    }
}

#[test]
fn who_loses_a_dead_letter_first_comes_first_and_a_look_makes_it_exact() {
    let world = World::up();
    let soon = world.queue("soon-dlq", &[retention(3600)]);
    let late = world.queue("late-dlq", &[retention(7200)]);
    world.queue("empty-dlq", &[retention(60)]);
    for (name, dead_letters) in [("a", "soon-dlq"), ("b", "soon-dlq"), ("c", "late-dlq"), ("d", "empty-dlq")] {
        world.queue(name, &[redrive(dead_letters), retention(1800)]);
    }
    world.queue("no-dlq", &[]);
    world.queue("torn", &[redrive("late-dlq")]);
    let before = Timestamp::now();
    world.send(&soon, "{}");
    world.send(&late, "{}");

    let listing = world.dead_letters("dlq ls --all");
    let queues = listing["queues"].as_array().unwrap();
    let name = |queue: &Value| queue["name"].as_str().unwrap().to_owned();
    let order: Vec<_> = queues.iter().filter(|queue| queue["stack"].is_null()).map(name).collect();
    assert_eq!(order, ["soon-dlq", "late-dlq", "empty-dlq"]);
    let of = |wanted: &str| queues.iter().find(|queue| name(queue) == wanted).unwrap();
    let sources: Vec<_> = of("soon-dlq")["sources"].as_array().unwrap().iter().map(name).collect();
    assert_eq!(sources, ["a", "b"]);
    assert_eq!(of("empty-dlq")["first_expires"], Value::Null);
    let interval = &of("soon-dlq")["first_expires"];
    assert_eq!(interval["exact"], json!(false));
    assert!(at(&interval["earliest"]) < at(&interval["latest"]));
    assert!(of("late-dlq")["hazards"][0].as_str().unwrap().contains("its source torn"), "{}", of("late-dlq"));
    assert_eq!(of("soon-dlq")["hazards"], json!([]));

    let looked = world.dead_letters("dlq ls soon-dlq --look");
    let seen = &looked["queues"][0];
    assert_eq!((&seen["look"]["seen"], &seen["first_expires"]["exact"]), (&json!(1), &json!(true)));
    let dies = at(&seen["first_expires"]["latest"]);
    let lives = dies.duration_since(before).as_secs();
    assert!((3598..3660).contains(&lives), "{lives}");
    assert!(at(&interval["earliest"]) <= dies && dies <= at(&interval["latest"]), "{interval} {dies}");
    assert_eq!(world.depth(&soon), (1, 0), "given back");

    world.claimctl(["dlq", "ls", "soon-dlq"]).run().exits(0).says("in 29m").says("claimctl dlq inspect soon-dlq");
    // Its consumer would notice the look.
    world.send(&world.queue("e", &[redrive("late-dlq")]), "{}");
    world
        .claimctl(["dlq", "ls", "e", "--look"])
        .run()
        .exits(3)
        .says("not seen: the dead letters of e")
        .says("is a source");
    world.claimctl(["dlq", "ls", "nothing-dlq"]).run().fails_with(5, "there is no queue \"nothing-dlq\"");
}

#[test]
fn a_policy_that_names_a_queue_that_is_gone_is_told() {
    let world = World::up();
    let gone = world.queue("gone-dlq", &[]);
    world.queue("source", &[redrive("gone-dlq")]);
    wait_for(world.sqs().delete_queue().queue_url(gone).send()).unwrap();
    world
        .claimctl(["dlq", "ls", "--all"])
        .run()
        .exits(0)
        .says("hazard: source gives its dead letters to")
        .says("gone-dlq");
}

#[test]
fn a_function_that_leaves_its_failures_in_a_queue_is_a_source_of_it() {
    let world = World::up();
    let function = world.surface["functions"]["claim-recorder"]["name"].as_str().unwrap();
    for name in ["own-dlq", "failures"] {
        let url = world.queue(name, &[]);
        world.send(&url, "{}");
    }
    let config = DeadLetterConfig::builder().target_arn(arn("own-dlq")).build();
    let update = world.lambda().update_function_configuration().function_name(function).dead_letter_config(config);
    wait_for(update.send()).unwrap();
    let destination =
        DestinationConfig::builder().on_failure(OnFailure::builder().destination(arn("failures")).build());
    let put = world.lambda().put_function_event_invoke_config().function_name(function).qualifier("live");
    wait_for(put.destination_config(destination.build()).send()).unwrap();

    let listing = world.dead_letters("dlq ls");
    let sources = |wanted: &str| {
        let queues = listing["queues"].as_array().unwrap();
        queues.iter().find(|queue| queue["name"] == wanted).unwrap()["sources"].clone()
    };
    let own = &sources("own-dlq")[0];
    assert_eq!((&own["kind"], &own["name"], &own["leaves"]), (&json!("function"), &json!(function), &json!("event")));
    let record = &sources("failures")[0];
    assert_eq!((&record["qualifier"], &record["leaves"]), (&json!("live"), &json!("record")));
    world.claimctl(["dlq", "ls", "failures"]).run().exits(0).says(&format!("function {function}:live"));
}

#[test]
fn dead_letters_are_grouped_by_what_the_handler_said_of_them() {
    let world = World::up();
    let (claims, dead_letters) = (world.queue_url("claims"), world.queue_url("claims-dlq"));
    let set = world.sqs().set_queue_attributes().queue_url(claims).attributes(Name::VisibilityTimeout, "1");
    wait_for(set.send()).unwrap();
    for number in 0..3 {
        world.send(claims, &json!({"not": number}).to_string());
    }
    for number in 0..2 {
        let object = json!({"bucket": {"name": world.bucket()}, "object": {"key": format!("gone/{number}.csv")}});
        world.send(claims, &json!({"Records": [{"eventName": "ObjectCreated:Put", "s3": object}]}).to_string());
    }
    eventually("five dead letters", || (world.depth(dead_letters).0 == 5).then_some(()));
    // Of this one no log says anything.
    world.send(dead_letters, "sent here by hand");

    let why = world.dead_letters("dlq ls --why")["queues"][0]["why"].clone();
    let reasons: Vec<_> = why["reasons"].as_array().unwrap().iter().map(|reason| reason["messages"].clone()).collect();
    assert_eq!(reasons, [json!(3), json!(2)], "{why}");
    assert_eq!(why["reasons"][0]["error"], "JSON of no known envelope");
    assert!(why["reasons"][1]["error"].as_str().unwrap().contains("the claim dangles"), "{why}");
    assert_eq!((&why["unexplained"], &why["unread"]), (&json!(1), &json!([])));
    let run = world.claimctl(["dlq", "ls", "--why"]).run().exits(0);
    run.says("JSON of no known envelope")
        .says("no log says anything of 1 dead letter")
        .says("given back: 6 dead letters");
    assert_eq!(world.depth(dead_letters), (6, 0));
}

#[test]
fn what_would_be_gone_is_rescued_and_the_rest_stays() {
    const LIVES: u64 = 3600;
    let world = World::up();
    let url = world.queue("rescued-dlq", &[retention(LIVES)]);
    world.queue("rescued", &[redrive("rescued-dlq")]);
    world.send(&url, "old");
    let sent = Timestamp::now();
    eventually("ten seconds", || (Timestamp::now().duration_since(sent).as_secs() >= 10).then_some(()));
    world.send(&url, "new");
    // Gone within that: what is at least ten seconds old.
    let within = format!("{}s", LIVES - 10);
    let line = ["dlq", "rescue", "rescued-dlq", "--before", &within, "--to", "saved.jsonl"];
    world.claimctl(line.into_iter().chain(["--dry-run"])).run().exits(0).says("nothing was changed");
    world.claimctl(line).run().fails_with(4, "");
    world.claimctl(line.into_iter().chain(["--yes"])).run().exits(0).says("1 message drained").says("1 deleted");
    let saved = || std::fs::read_to_string(world.home().join("saved.jsonl")).unwrap();
    let bodies = |text: String| -> Vec<Value> {
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["body"].clone());
        lines.collect()
    };
    assert_eq!(bodies(saved()), [json!("old")]);
    assert_eq!(world.depth(&url), (1, 0), "the other one is visible again");

    let all = ["dlq", "rescue", "rescued-dlq", "--before", "2h", "--to", "saved.jsonl", "--yes"];
    world.claimctl(all).run().exits(0).says("all of them");
    assert_eq!(bodies(saved()), [json!("old"), json!("new")]);
    assert_eq!(world.depth(&url), (0, 0));
    let source = ["dlq", "rescue", "rescued", "--before", "2h", "--to", "x.jsonl", "--yes"];
    world.claimctl(source).run().fails_with(4, "queue rescued is a source");
}
