//! Services that throttle and networks that break: nothing is lost, and what is said stays true.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::json;

use crate::proxy::{Fault, Proxy, Rule};
use crate::run::Running;
use crate::world::World;

const SOME_OF_EVERYTHING: [Rule; 4] = [
    Rule { fault: Fault::Throttled, share: 0.08, actions: &[] },
    Rule { fault: Fault::Unavailable, share: 0.08, actions: &[] },
    Rule { fault: Fault::CutBefore, share: 0.06, actions: &[] },
    Rule { fault: Fault::Slow(Duration::from_millis(150)), share: 0.05, actions: &[] },
];

#[test]
fn a_look_survives_throttling_and_cut_connections_and_gives_all_back() {
    let world = World::up();
    let url = world.queue("faulty", &[]);
    world.send_claims(&url, 600);
    let lost_answers = Rule { fault: Fault::CutAfter, share: 0.1, actions: &["ChangeMessageVisibilityBatch"] };
    let rules = [&SOME_OF_EVERYTHING[..], &[lost_answers]].concat();
    let proxy = Proxy::before(&world.endpoint, 20, &rules);
    let mut look = world.claimctl(["queue", "peek", "faulty", "--all", "-o", "jsonl", "--endpoint-url"]);
    let run = look.arg(&proxy.endpoint).run().exits(0).says("seen 600 of about 600 visible");
    let lines = run.json_lines();
    let ids: HashSet<_> = lines.iter().map(|message| message["message_id"].as_str().unwrap()).collect();
    assert_eq!((lines.len(), ids.len()), (600, 600));
    assert_eq!(world.depth(&url), (600, 0), "{}", run.stderr);
    for rule in SOME_OF_EVERYTHING {
        assert!(proxy.hit(rule.fault, "ReceiveMessage") > 0, "{:?} did not happen", rule.fault);
    }
    assert!(proxy.hit(Fault::CutAfter, "ChangeMessageVisibilityBatch") > 0, "no answer was lost");
}

#[test]
fn a_look_that_lost_an_answer_does_not_claim_to_have_seen_all() {
    let world = World::up();
    let url = world.queue("lossy", &[]);
    world.send_claims(&url, 200);
    let lost = Rule { fault: Fault::CutAfter, share: 0.3, actions: &["ReceiveMessage"] };
    let proxy = Proxy::before(&world.endpoint, 3, &[lost]);
    let mut look = world.claimctl(["queue", "peek", "lossy", "--all", "-o", "json", "--endpoint-url"]);
    let run = look.arg(&proxy.endpoint).run();
    let told = run.json();
    let lost = proxy.hit(Fault::CutAfter, "ReceiveMessage");
    assert!(lost > 0 && told["seen"].as_u64().unwrap() < 200, "{lost} answers were lost: {}", told["seen"]);
    // What was received and never arrived is hidden until its visibility timeout ends, and then back.
    let (visible, in_flight) = world.depth(&url);
    assert_eq!(visible + in_flight, 200);
    assert_eq!((&told["complete"], &told["released"]), (&json!(false), &told["seen"]));
}

#[test]
fn a_service_that_always_throttles_is_told_as_such() {
    let world = World::up();
    world.queue("closed", &[]);
    let always = Rule { fault: Fault::Throttled, share: 1.0, actions: &["GetQueueAttributes"] };
    let proxy = Proxy::before(&world.endpoint, 1, &[always]);
    let mut look = world.claimctl(["queue", "peek", "closed", "--endpoint-url"]);
    look.arg(&proxy.endpoint).run().fails_with(7, "throttl");
    assert!(proxy.calls("GetQueueAttributes") > 1, "it was not tried again");
    assert_eq!(proxy.hits(), proxy.calls("GetQueueAttributes"));
}
