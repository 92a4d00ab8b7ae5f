//! A paused function takes nothing; whatever ends claimctl, it is resumed, or every later command says that it is not.

use std::process::Child;

use aws_sdk_sqs::types::QueueAttributeName as Name;
use rustix::process::Signal;
use serde_json::json;

use crate::run::{Running, eventually, finish, signal};
use crate::world::{World, wait_for};

const NOTE: &str = "to resume it: claimctl function resume";

impl World {
    fn mapping(&self) -> &str {
        self.surface["flows"][0]["mapping"].as_str().unwrap()
    }

    fn mapping_is(&self, state: &str) -> bool {
        let get = self.lambda().get_event_source_mapping().uuid(self.mapping());
        wait_for(get.send()).unwrap().state.as_deref() == Some(state)
    }

    fn is_reminded(&self) -> bool {
        let run = self.claimctl(["queue", "ls"]).run().exits(0);
        run.stderr.contains(NOTE)
    }

    /// A drain of the source queue that does not end by itself: a message stays delayed.
    fn endless_drain(&self) -> Child {
        let queue = self.queue_url("claims");
        let late = self.sqs().send_message().queue_url(queue).message_body("{}").delay_seconds(900);
        wait_for(late.send()).unwrap();
        let drain = "queue drain claims --to d.jsonl --until-empty --pause-consumer --yes";
        let child = self.claimctl(drain.split(' ')).start();
        eventually("the pause", || self.mapping_is("Disabled").then_some(()));
        child
    }
}

#[test]
fn a_paused_function_takes_nothing_until_it_is_resumed() {
    let world = World::up();
    assert!(!world.is_reminded());
    let dry = world.claimctl(["function", "pause", "claim-recorder", "--dry-run"]).run().exits(0);
    dry.says("nothing was changed");
    assert!(world.mapping_is("Enabled"));

    world.claimctl(["function", "pause", "claim-recorder"]).run().exits(0).says("disabled");
    assert!(world.mapping_is("Disabled") && world.is_reminded());
    world.claimctl(["function", "pause", "claim-recorder"]).run().exits(0).says("was paused already");
    let runs = world.claimctl(["runs", "ls", "-o", "json"]).run().exits(0).json();
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1, "{runs}");
    assert_eq!(runs["runs"][0]["standing"], "partial");
    let claim = json!({"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": world.bucket()},
        "object": {"key": "k", "size": 1, "eTag": "e", "sequencer": "0A"}}}]});
    world.send(world.queue_url("claims"), &claim.to_string());
    let records = || wait_for(world.dynamodb().scan().table_name(world.table()).send()).unwrap().count;
    world.claimctl(["queue", "peek", "claims"]).run().exits(0).says("given back: 1 message");
    assert_eq!(records(), 0);

    let resumed = world.claimctl(["function", "resume", "claim-recorder", "-o", "json"]).run().exits(0).json();
    assert_eq!((&resumed["resumed"], &resumed["mappings"][0]["state"]), (&json!(1), &json!("Enabled")));
    eventually("the record", || (records() == 1).then_some(()));
    assert!(!world.is_reminded());
    world.claimctl(["function", "resume", "claim-recorder"]).run().exits(0).says("was not paused");
    world.claimctl(["function", "pause", "claim-recoder"]).run().fails_with(5, "claim-recoder").says("claim-recorder");
}

#[test]
fn a_drain_pauses_the_consumer_while_it_lasts() {
    let world = World::up();
    let queue = world.queue_url("claims");
    let drain = "queue drain claims --to all.jsonl --pause-consumer --yes";
    world
        .claimctl(drain.split(' '))
        .run()
        .exits(0)
        .says("resumed: function")
        .says("nothing is counted in the queue any more");
    assert!(world.mapping_is("Enabled") && !world.is_reminded());
    let without = world.claimctl("queue drain claims --to all.jsonl --yes".split(' ')).run().exits(0);
    without.says("takes messages from this queue too; --pause-consumer");

    for (sent, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let child = world.endless_drain();
        // Live, and at work: nobody needs to be reminded, and nobody may resume behind its back.
        assert!(!world.is_reminded());
        world.claimctl(["function", "resume", "claim-recorder"]).run().fails_with(4, "is at work on this");
        signal(&child, sent);
        finish(child, "drain, interrupted".to_owned()).exits(code).says("resumed: function");
        assert!(world.mapping_is("Enabled") && !world.is_reminded());
    }
    let counts = world.sqs().get_queue_attributes().queue_url(queue).attribute_names(Name::All);
    let counts = wait_for(counts.send()).unwrap().attributes.unwrap();
    assert_eq!(counts[&Name::ApproximateNumberOfMessagesDelayed], "2");
}

#[test]
fn what_a_kill_left_paused_is_told_by_every_later_command() {
    let world = World::up();
    let child = world.endless_drain();
    signal(&child, Signal::KILL);
    finish(child, "drain, killed".to_owned()).exits(-9);
    assert!(world.mapping_is("Disabled") && world.is_reminded());
    let quiet = world.claimctl(["queue", "ls", "--quiet"]).run().exits(0);
    assert_eq!(quiet.stderr, "");
    world.claimctl(["function", "resume", "claim-recorder"]).run().exits(0).says("enabled");
    assert!(world.mapping_is("Enabled") && !world.is_reminded());
}

#[test]
fn a_mapping_that_is_gone_is_not_kept_in_mind_for_ever() {
    let world = World::up();
    world.claimctl(["function", "pause", "claim-recorder"]).run().exits(0);
    wait_for(world.lambda().delete_event_source_mapping().uuid(world.mapping()).send()).unwrap();
    assert!(world.is_reminded());
    world.claimctl(["function", "resume", "claim-recorder"]).run().exits(0).says("closed 1 run");
    assert!(!world.is_reminded());
    world.claimctl(["function", "resume", "claim-recorder"]).run().fails_with(5, "has no event source mapping");
}
