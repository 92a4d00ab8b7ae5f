//! What the record says after events that came late, twice, or without a sequencer.

use proptest::prelude::*;

use super::*;

fn removed(sequencer: &str) -> Value {
    event("ObjectRemoved:Delete", sequencer, "")
}

fn with_version(mut event: Value, version_id: &str) -> Value {
    event["Records"][0]["s3"]["object"]["versionId"] = version_id.into();
    event
}

async fn handle_all(fake: &Fake, events: &[Value]) {
    let recorder = recorder(fake, &[]);
    for event in events {
        handle(&recorder, event.clone()).await.unwrap();
    }
}

/// Status, ETag and sequencer of the record.
fn record(fake: &Fake) -> [Option<String>; 3] {
    ["status", "etag", "sequencer"].map(|name| fake.attribute("b/k", name))
}

fn texts(fields: &[Option<String>; 3]) -> [&str; 3] {
    [0, 1, 2].map(|at: usize| fields[at].as_deref().unwrap_or("none"))
}

#[tokio::test]
async fn a_removal_keeps_what_is_known_of_the_object() {
    let fake = Fake::new();
    handle_all(&fake, &[created("0A", "e"), removed("0B")]).await;
    assert_eq!(texts(&record(&fake)), ["removed", "e", "0B"]);
}

#[tokio::test]
async fn a_delete_marker_does_not_pass_for_the_object() {
    let fake = Fake::new();
    let marker = with_version(event("ObjectRemoved:DeleteMarkerCreated", "0B", "marker"), "v2");
    handle_all(&fake, &[with_version(created("0A", "e"), "v1"), marker]).await;
    assert_eq!(texts(&record(&fake)), ["removed", "e", "0B"]);
    assert_eq!(fake.attribute("b/k", "version_id").as_deref(), Some("v1"));
}

#[tokio::test]
async fn a_removal_that_overtakes_its_creation_still_wins() {
    let fake = Fake::new();
    handle_all(&fake, &[removed("0B"), created("0A", "e")]).await;
    assert_eq!(texts(&record(&fake)), ["removed", "none", "0B"]);
}

#[tokio::test]
async fn the_removal_of_another_version_changes_nothing() {
    let fake = Fake::new();
    let current = with_version(created("0A", "e"), "v2");
    handle_all(&fake, &[with_version(removed("09"), "v1"), current.clone()]).await;
    handle_all(&fake, &[with_version(removed("0B"), "v1")]).await;
    assert_eq!(texts(&record(&fake)), ["recorded", "e", "0A"]);
    handle_all(&fake, &[with_version(removed("0C"), "v2")]).await;
    assert_eq!(texts(&record(&fake)), ["removed", "e", "0C"]);
    assert_eq!(fake.attribute("b/k", "version_id").as_deref(), Some("v2"));
}

#[tokio::test]
async fn a_repair_records_the_object_as_it_is_and_only_once() {
    let fake = Fake::new();
    fake.put_object("b/k", "e");
    handle_all(&fake, &[repair(), repair()]).await;
    assert_eq!(texts(&record(&fake)), ["recorded", "e", "none"]);
    assert_eq!(fake.attribute("b/k", "event_name").as_deref(), Some(synthetic::EVENT_NAME));
}

#[tokio::test]
async fn a_repair_leaves_a_right_record_alone_and_replaces_a_stale_one() {
    let fake = Fake::new();
    fake.put_object("b/k", "e");
    handle_all(&fake, &[created("0A", "e"), repair()]).await;
    assert_eq!(texts(&record(&fake)), ["recorded", "e", "0A"]);
    fake.put_object("b/k", "e2");
    handle_all(&fake, &[repair()]).await;
    assert_eq!(texts(&record(&fake)), ["recorded", "e2", "none"]);
}

#[tokio::test]
async fn a_repair_brings_back_the_record_of_an_object_that_is_there_again() {
    let fake = Fake::new();
    fake.put_object("b/k", "e");
    handle_all(&fake, &[created("0A", "e"), removed("0B"), repair()]).await;
    assert_eq!(texts(&record(&fake)), ["recorded", "e", "none"]);
}

#[tokio::test]
async fn after_a_repair_the_object_tells_late_events_from_new_ones() {
    let fake = Fake::new();
    fake.put_object("b/k", "e2");
    handle_all(&fake, &[repair(), created("0A", "e1")]).await;
    assert_eq!(texts(&record(&fake)), ["recorded", "e2", "none"], "late");
    handle_all(&fake, &[created("0B", "e2")]).await;
    assert_eq!(texts(&record(&fake)), ["recorded", "e2", "0B"], "the event that was thought lost");
}

#[tokio::test]
async fn after_a_repair_a_removal_counts_only_if_the_object_is_gone() {
    let fake = Fake::new();
    fake.put_object("b/k", "e");
    handle_all(&fake, &[repair(), removed("0A")]).await;
    assert_eq!(texts(&record(&fake)), ["recorded", "e", "none"]);
    fake.state.lock().unwrap().objects.clear();
    handle_all(&fake, &[removed("0B")]).await;
    assert_eq!(texts(&record(&fake)), ["removed", "e", "0B"]);
}

#[tokio::test]
async fn an_event_for_a_processed_object_does_not_make_it_unprocessed() {
    let fake = Fake::new();
    fake.put_object("b/k", "e");
    let tagging = recorder(&fake, &[("AFTER_PROCESSING", "tag")]);
    handle(&tagging, created("0A", "e")).await.unwrap();
    handle_all(&fake, &[created("0A", "e"), created("09", "e"), repair()]).await;
    assert_eq!(texts(&record(&fake)), ["processed", "e", "0A"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever the order, however often each comes, at once or in turn: the latest event has the last word.
    #[test]
    fn the_latest_event_has_the_last_word(
        arrivals in proptest::collection::vec((1u32..6, any::<bool>()), 1..12),
        removals in proptest::collection::vec(any::<bool>(), 6),
    ) {
        let fake = Fake::new();
        let of = |n: u32| {
            let sequencer = format!("{n:04X}");
            if removals[n as usize] { removed(&sequencer) } else { created(&sequencer, &sequencer) }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let recorder = recorder(&fake, &[]);
            // Neighbours of the same flag share a batch and are handled at once.
            for batch in arrivals.chunk_by(|a, b| a.1 == b.1) {
                let records: Vec<_> = batch
                    .iter()
                    .enumerate()
                    .map(|(at, (n, _))| queue_record(&at.to_string(), &of(*n).to_string(), "arn:aws:sqs:r:a:q", ""))
                    .collect();
                let answer = handle(&recorder, json!({ "Records": records })).await.unwrap();
                assert_eq!(failed_ids(&answer), [""; 0]);
            }
        });
        let latest = arrivals.iter().map(|(n, _)| *n).max().unwrap();
        let expected = if removals[latest as usize] { "removed" } else { "recorded" };
        prop_assert_eq!(fake.attribute("b/k", "status").unwrap(), expected);
        prop_assert_eq!(fake.attribute("b/k", "sequencer").unwrap(), format!("{latest:04X}"));
    }
}
