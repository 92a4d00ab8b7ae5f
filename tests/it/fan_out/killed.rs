//! event-logger, killed in the middle of a batch: what it has not answered for comes again, and no line is torn.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::seeded::{Seeded, each_seed, seeds};
use crate::support::terraform::runtime::killed_after;
use crate::world::artifact_of;

/// So many that writing them takes longer than a moment, and more than a pipe holds.
const MESSAGES: u64 = 400;
/// Within so many microseconds after its invocation the function dies; it takes about half as long.
const DIES_WITHIN: u64 = 60_000;

/// A message of two claims, the second one with a long key of characters that take an escape.
fn message(number: u64) -> Value {
    let object = |key: String| json!({"s3": {"bucket": {"name": "b"}, "object": {"key": key, "sequencer": "0A"}}});
    let body =
        json!({"Records": [object(format!("{number}/short")), object(format!("{number}/{}", "%22".repeat(300)))]});
    json!({"messageId": number.to_string(), "body": body.to_string(), "eventSource": "aws:sqs",
        "attributes": {"ApproximateReceiveCount": "1"}})
}

#[test]
fn every_message_ends_as_a_whole_line_for_each_of_its_claims() {
    let program = tempfile::tempdir().unwrap();
    unpack(&artifact_of("event-logger"), &program);
    let bootstrap = program.path().join("bootstrap");
    let killed_before_the_answer = std::sync::atomic::AtomicU64::new(0);
    each_seed(seeds(), |seed| {
        let mut random = Seeded::of(seed);
        let mut left: Vec<u64> = (0..MESSAGES).collect();
        let mut logged: BTreeSet<String> = BTreeSet::new();
        for patience in 1.. {
            assert!(patience < 50, "it never lives long enough");
            let event = json!({"Records": left.iter().map(|number| message(*number)).collect::<Vec<_>>()});
            // Each time it lives longer, so that it comes to the end.
            let dies = Duration::from_micros(random.below(DIES_WITHIN * patience));
            let (answer, out) = killed_after(&bootstrap, &event, dies);
            assert!(out.is_empty() || out.ends_with('\n'), "seed {seed}: a torn line: {:?}", out.lines().last());
            for line in out.lines() {
                let record: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("seed {seed}: torn: {line}"));
                assert_eq!(record["kind"], "claim_record", "{line}");
                logged.insert(record["claim_id"].as_str().unwrap().to_owned());
            }
            let Some(answer) = answer else {
                killed_before_the_answer.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                continue;
            };
            assert_eq!(answer, json!({"batchItemFailures": []}));
            left.clear();
            break;
        }
        assert!(left.is_empty());
        assert_eq!(logged.len() as u64, 2 * MESSAGES, "seed {seed}: answered as done, and not in the log");
    });
    assert!(killed_before_the_answer.into_inner() > 0, "it was never killed at work");
}

fn unpack(artifact: &Path, place: &TempDir) {
    zip::ZipArchive::new(std::fs::File::open(artifact).unwrap()).unwrap().extract(place).unwrap();
}
