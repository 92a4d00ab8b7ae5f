//! A repair mends what can be mended, says what it did, and does no harm however it is ended.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;

use super::counted;
use crate::run::{Running, eventually};
use crate::seeded::{Seeded, each_seed, killed_after, seeds};
use crate::world::{World, wait_for};

#[test]
fn missing_and_stale_objects_are_announced_again_and_orphans_deleted() {
    let world = World::up();
    for key in ["fine", "missing", "stale", "dead"] {
        world.put(key, key);
    }
    world.verify(&["--wait", "60s"]).exits(0);
    for key in ["missing", "dead"] {
        world.delete_record(key);
    }
    world.put_record("stale", "0123456789abcdef0123456789abcdef", "recorded");
    world.put_record("gone", "0123456789abcdef0123456789abcdef", "recorded");
    world.send_claim("claims-dlq", "dead");

    let repair = |more: &[&str]| world.verify(&[&["--repair"], more].concat());
    repair(&["--delete-orphans"]).fails_with(4, "announce 2 objects again to queue ");
    let planned = repair(&["--dry-run"]).exits(8).json();
    assert_eq!((&planned["repair"]["events"], &planned["repair"]["sent"]), (&json!(2), &json!(0)), "{planned:#}");
    let text = world.claimctl(["verify", "--repair", "--dry-run", "--delete-orphans"]).run().exits(8);
    text.says("a repair would announce 2 objects again to queue ").says("delete 1 orphaned record of table ");

    let report = repair(&["--yes"]).exits(8).json();
    counted(&report, json!({"recorded": 3, "dead": 1, "orphan": 1}));
    let of_repair = &report["repair"];
    assert_eq!((&of_repair["sent"], &of_repair["deleted"]), (&json!(2), &json!(0)));
    assert_eq!((&of_repair["before"]["missing"], &of_repair["before"]["stale"]), (&json!(1), &json!(1)));

    let report = repair(&["--yes", "--delete-orphans"]).exits(8).json();
    counted(&report, json!({"recorded": 3, "dead": 1}));
    assert_eq!(report["repair"]["deleted"], json!(1));
    // What was deleted is still in the journal.
    let run = report["repair"]["run"].as_str().unwrap();
    let shown = world.claimctl(["runs", "show", run, "--state", "deleted", "-o", "json"]).run().exits(0);
    assert!(shown.stdout.contains("0123456789abcdef0123456789abcdef"), "{}", shown.stdout);
    let text = world.claimctl(["verify", "--repair", "--yes"]).run().exits(8);
    text.says("there is nothing that a repair could mend").says("1 finding of another kind");
}

#[test]
fn killed_at_any_moment_and_run_again_everything_is_recorded() {
    const OBJECTS: u64 = 30;
    let world = World::up();
    let usual = AtomicU64::new(0);
    let killed = AtomicU64::new(0);
    let lose = |prefix: &str| {
        for number in 0..OBJECTS {
            world.put(&format!("{prefix}{number}"), "content");
        }
        world.verify(&["--prefix", prefix, "--wait", "60s"]).exits(0);
        (0..OBJECTS).for_each(|number| world.delete_record(&format!("{prefix}{number}")));
    };
    let repair = |prefix: &str| {
        let mut repair = world.claimctl(["verify", "--repair", "--yes", "-o", "json", "--prefix"]);
        repair.arg(prefix);
        repair
    };
    lose("unharmed/");
    let began = Instant::now();
    let report = repair("unharmed/").run().exits(0).json();
    assert_eq!(report["repair"]["sent"], json!(OBJECTS));
    usual.store(began.elapsed().as_millis() as u64, Ordering::Relaxed);
    each_seed(seeds(), |seed| {
        let prefix = format!("killed-{seed}/");
        lose(&prefix);
        let moment = Duration::from_millis(Seeded::of(seed).below(usual.load(Ordering::Relaxed)));
        killed.fetch_add(u64::from(killed_after(&mut repair(&prefix), moment)), Ordering::Relaxed);
        // While another's messages are in flight in the queue, a claim of these may be among them, and nothing is missing.
        let report = eventually("everything to be recorded", || {
            let run = repair(&prefix).run();
            (run.code == 0).then(|| run.json())
        });
        let recorded = report["counts"]["recorded"].as_u64().unwrap_or_default();
        let before = report["repair"]["before"]["recorded"].as_u64().unwrap();
        assert_eq!(recorded.max(before), OBJECTS, "{report:#}");
    });
    assert!(killed.into_inner() >= seeds() / 2, "hardly any was killed at work");
}

#[test]
fn where_s3_calls_the_function_a_repair_does() {
    let world = World::csv_table(&[]);
    world.put_csv("raw-data/a.csv", "id,name\n1,one\n2,two\n");
    world.csv_loaded("raw-data/a.csv", 1);
    let loads = world.surface["tables"]["loads"]["name"].as_str().unwrap();
    let id = AttributeValue::S(format!("{}/raw-data/a.csv", world.bucket()));
    let recorded = AttributeValue::S("recorded".to_owned());
    let update = world.dynamodb().update_item().table_name(loads).key("claim_id", id);
    let update = update.update_expression("SET #status = :recorded").expression_attribute_names("#status", "status");
    wait_for(update.expression_attribute_values(":recorded", recorded).send()).unwrap();
    counted(&world.verify(&[]).exits(8).json(), json!({"unfinished": 1}));
    let repair = |more: &[&str]| world.verify(&[&["--repair", "--yes"], more].concat());
    repair(&[]).fails_with(2, "has no queue: S3 calls its function");
    let report = repair(&["--invoke"]).exits(0).json();
    counted(&report, json!({"recorded": 1}));
    assert_eq!(report["repair"]["sent"], json!(1));
}

#[test]
fn where_records_are_lines_of_a_log_the_event_tells_of_the_content() {
    let world = World::of("fan-out", "event-logger", &["--var", "copied_delay=1s", "--var", "visibility_timeout=1s"]);
    world.put("a.txt", "a");
    world.verify(&["--wait", "60s"]).exits(0);
    for group in world.surface["log_groups"].as_object().unwrap().values() {
        let group = group["name"].as_str().unwrap();
        let streams = wait_for(world.logs().describe_log_streams().log_group_name(group).send()).unwrap();
        for stream in streams.log_streams() {
            let delete = world.logs().delete_log_stream().log_group_name(group);
            wait_for(delete.log_stream_name(stream.log_stream_name().unwrap()).send()).unwrap();
        }
    }
    let report = world.verify(&["--repair", "--yes", "--settle", "2s"]).exits(0).json();
    assert_eq!((&report["repair"]["before"]["missing"], &report["repair"]["sent"]), (&json!(1), &json!(1)));
    counted(&report, json!({"recorded": 1}));
}
