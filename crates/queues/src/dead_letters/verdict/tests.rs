use aws_sdk_sqs::types::Message as Received;
use claimctl_claim::Status;
use proptest::prelude::*;

use super::*;

const ETAG: &str = "e1";

fn created(sequencer: Option<&str>) -> Claim {
    Claim {
        etag: Some(ETAG.into()),
        size: Some(5),
        sequencer: sequencer.map(Into::into),
        event_name: Some("ObjectCreated:Put".into()),
        ..Claim::pointer("b", "k")
    }
}

fn removed(sequencer: Option<&str>) -> Claim {
    Claim { event_name: Some("ObjectRemoved:Delete".into()), etag: None, size: None, ..created(sequencer) }
}

fn object(etag: &str) -> Looked {
    Ok(Some(ObjectEntry { key: "k".into(), etag: etag.into(), size: 5, modified: 0 }))
}

fn gone() -> Looked {
    Ok(None)
}

fn record(etag: &str, sequencer: Option<&str>) -> RecordEntry {
    RecordEntry {
        key: "k".into(),
        etag: Some(etag.into()),
        size: Some(5),
        rows: None,
        sequencer: sequencer.map(Into::into),
        recorded_at: None,
        status: Some(Status::Recorded),
        step_error: None,
        item: None,
    }
}

fn removal_record(sequencer: Option<&str>) -> RecordEntry {
    let mut recorded = record(ETAG, sequencer);
    recorded.status = Some(Status::Removed);
    recorded
}

/// As the preflight asks: the record first, the object only where that leaves it open.
fn verdict(claim: &Claim, record: Option<RecordEntry>, looked: Looked) -> Verdict {
    judgement(claim, record, AfterProcessing::Keep, looked).verdict
}

fn judgement(claim: &Claim, record: Option<RecordEntry>, step: AfterProcessing, looked: Looked) -> Judgement {
    by_record(claim, record.as_ref(), step).unwrap_or_else(|| by_object(claim, record.as_ref(), step, looked))
}

#[test]
fn a_payload_that_is_there_as_claimed_is_sent() {
    let pointer = Claim { size: Some(7), ..Claim::pointer("b", "k") };
    for claim in [created(Some("A")), created(None), pointer] {
        assert_eq!(verdict(&claim, None, object(ETAG)), Verdict::Send, "{claim:?}");
        assert_eq!(verdict(&claim, None, gone()), Verdict::PayloadGone, "{claim:?}");
        assert_eq!(verdict(&claim, None, Err("denied".into())), Verdict::Undetermined, "{claim:?}");
    }
}

#[test]
fn another_content_than_the_claimed_one_is_not_sent() {
    assert_eq!(verdict(&created(Some("A")), None, object("e2")), Verdict::PayloadChanged);
    let larger = Claim { size: Some(6), ..created(Some("A")) };
    assert_eq!(verdict(&larger, None, object(ETAG)), Verdict::PayloadChanged);
}

#[test]
fn the_sequencer_tells_what_the_record_knows() {
    let claim = created(Some("B"));
    for (recorded, expected) in [
        (record(ETAG, Some("B")), Verdict::AlreadyRecorded),
        (record("e2", Some("C")), Verdict::AlreadyRecorded),
        (removal_record(Some("C")), Verdict::AlreadyRecorded),
        // An earlier event, even of the same content, is another event: the handler would write this one.
        (record(ETAG, Some("A")), Verdict::Send),
        (removal_record(Some("A")), Verdict::Send),
    ] {
        assert_eq!(verdict(&claim, Some(recorded.clone()), object(ETAG)), expected, "{recorded:?}");
    }
    // What is recorded need not be there any more: the handler may have deleted it.
    assert_eq!(verdict(&claim, Some(record(ETAG, Some("B"))), gone()), Verdict::AlreadyRecorded);
}

#[test]
fn without_a_sequencer_on_both_sides_the_content_decides() {
    for (claim, recorded) in [(created(None), record(ETAG, Some("A"))), (created(Some("A")), record(ETAG, None))] {
        assert_eq!(verdict(&claim, Some(recorded.clone()), gone()), Verdict::AlreadyRecorded);
        let other = RecordEntry { etag: Some("e2".into()), ..recorded };
        assert_eq!(verdict(&claim, Some(other.clone()), object(ETAG)), Verdict::Send);
        assert_eq!(verdict(&claim, Some(other), gone()), Verdict::PayloadGone);
    }
    assert_eq!(verdict(&created(None), Some(removal_record(None)), gone()), Verdict::PayloadGone);
}

#[test]
fn a_pointer_is_recorded_when_the_record_agrees_with_the_object() {
    let pointer = Claim::pointer("b", "k");
    assert_eq!(verdict(&pointer, Some(record(ETAG, None)), object(ETAG)), Verdict::AlreadyRecorded);
    assert_eq!(verdict(&pointer, Some(record("e2", None)), object(ETAG)), Verdict::Send);
    assert_eq!(verdict(&pointer, Some(record(ETAG, None)), gone()), Verdict::AlreadyRecorded);
}

#[test]
fn a_removal_is_sent_unless_the_object_is_back() {
    for claim in [removed(Some("B")), removed(None)] {
        assert_eq!(verdict(&claim, None, gone()), Verdict::Send);
        assert_eq!(verdict(&claim, None, object(ETAG)), Verdict::PayloadChanged);
        assert_eq!(verdict(&claim, Some(removal_record(None)), gone()), Verdict::AlreadyRecorded);
    }
    assert_eq!(verdict(&removed(Some("B")), Some(record(ETAG, Some("A"))), gone()), Verdict::Send);
    assert_eq!(verdict(&removed(Some("B")), Some(record(ETAG, Some("C"))), gone()), Verdict::AlreadyRecorded);
    // One version of several went: what is under the key now has nothing to do with it.
    let version = Claim { version_id: Some("v".into()), ..removed(Some("B")) };
    assert_eq!(verdict(&version, Some(record(ETAG, Some("A"))), object(ETAG)), Verdict::Send);
}

#[test]
fn recorded_is_not_done_where_a_step_comes_after_it() {
    use AfterProcessing::{Delete, Keep, Tag};
    use Verdict::{AlreadyRecorded, PayloadChanged, PayloadGone, Send};
    let with = |status, sequencer| RecordEntry { status: Some(status), ..record(ETAG, sequencer) };
    let pointer = Claim::pointer("b", "k");
    // By sequencer, by ETag, and by the object alone.
    for (claim, sequencer) in [(created(Some("B")), Some("B")), (created(None), None), (pointer, Some("B"))] {
        for (status, step, looked, expected) in [
            (Status::Recorded, Keep, object(ETAG), AlreadyRecorded),
            (Status::Recorded, Tag, object(ETAG), Send),
            (Status::Recorded, Delete, object(ETAG), Send),
            (Status::Processed, Tag, object(ETAG), AlreadyRecorded),
            (Status::Processed, Delete, gone(), AlreadyRecorded),
            (Status::Recorded, Keep, gone(), AlreadyRecorded),
            (Status::Recorded, Tag, gone(), PayloadGone),
            // The delete has worked, and the word of it has not.
            (Status::Recorded, Delete, gone(), Send),
            (Status::Recorded, Tag, Err("denied".into()), Verdict::Undetermined),
        ] {
            let judged = judgement(&claim, Some(with(status, sequencer)), step, looked.clone());
            assert_eq!(judged.verdict, expected, "{claim:?} {status} {step:?} {looked:?}");
            assert_eq!(judged.handled, expected == AlreadyRecorded, "{judged:?}");
        }
    }
    let claim = created(Some("B"));
    let changed = judgement(&claim, Some(with(Status::Recorded, Some("B"))), Tag, object("e2"));
    assert_eq!(changed.verdict, PayloadChanged);
    let why = judgement(&claim, Some(with(Status::Recorded, Some("B"))), Tag, object(ETAG)).why.unwrap();
    assert_eq!(why, "it is recorded, but its after-processing step has not succeeded");
    // The handler leaves an outdated event alone, and with it the step of the later one.
    assert_eq!(judgement(&claim, Some(with(Status::Recorded, Some("C"))), Tag, object(ETAG)).verdict, AlreadyRecorded);
    assert_eq!(judgement(&removed(Some("B")), Some(removal_record(Some("B"))), Tag, gone()).verdict, AlreadyRecorded);
}

#[test]
fn a_step_that_can_never_succeed_is_told_as_that_and_awaited_by_no_canary() {
    let mut recorded = record(ETAG, Some("B"));
    recorded.step_error = Some("ten tags".into());
    let judged = judgement(&created(Some("B")), Some(recorded), AfterProcessing::Tag, object(ETAG));
    let why = "it is recorded, but its after-processing step can never succeed: ten tags";
    assert_eq!(judged, Judgement { verdict: Verdict::Send, why: Some(why.into()), handled: true });
    // A message is handled only if all its claims are.
    for (others, handled) in [(Verdict::AlreadyRecorded, true), (Verdict::Send, false), (Verdict::PayloadGone, false)] {
        let claims = [judged.clone(), Judgement::plain(others)];
        assert_eq!(on_message(claims, 0, 3).handled, handled, "{others}");
    }
}

#[test]
fn a_message_without_claims_is_judged_by_its_body() {
    let of = |body: &str| without_claims(&Message::from(Received::builder().body(body).build()));
    assert_eq!(of("nonsense").unwrap().verdict, Verdict::Unreadable);
    assert_eq!(of(r#"{"Event":"s3:TestEvent"}"#).unwrap().verdict, Verdict::NoClaim);
    assert_eq!(of(r#"{"Records":[{"s3":{"bucket":{"name":"b"},"object":{"key":"k"}}}]}"#), None);
}

#[test]
fn a_loop_is_refused_where_it_would_be_sent() {
    let judged = |verdict, replays| on_message([Judgement::plain(verdict)], replays, 3).verdict;
    assert_eq!(judged(Verdict::Send, 2), Verdict::Send);
    assert_eq!(judged(Verdict::Send, 3), Verdict::Replayed);
    assert_eq!(judged(Verdict::PayloadGone, 9), Verdict::PayloadGone);
    assert_eq!(judged(Verdict::AlreadyRecorded, 9), Verdict::AlreadyRecorded);
}

#[test]
fn a_verdict_has_one_name() {
    for verdict in Verdict::ALL {
        assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.as_str());
    }
}

proptest! {
    #[test]
    fn a_message_is_sent_only_if_every_claim_allows_it(
        verdicts in proptest::collection::vec(proptest::sample::select(Verdict::ALL.to_vec()), 1..6),
    ) {
        let on_it = on_message(verdicts.iter().map(|verdict| Judgement::plain(*verdict)), 0, 3).verdict;
        prop_assert!(verdicts.contains(&on_it));
        let harmless = |verdict: &Verdict| matches!(verdict, Verdict::Send | Verdict::AlreadyRecorded);
        prop_assert_eq!(harmless(&on_it), verdicts.iter().all(harmless));
        prop_assert_eq!(
            on_it == Verdict::AlreadyRecorded,
            verdicts.iter().all(|verdict| *verdict == Verdict::AlreadyRecorded)
        );
    }
}
