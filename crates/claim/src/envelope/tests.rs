//! Real shapes of every envelope, and random stacks of them.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::key::{BadKey, encode_form};

fn full_claim() -> Claim {
    Claim {
        bucket: "payload".into(),
        key: "in/a b+c é😀.bin".into(),
        version_id: Some("v1".into()),
        etag: Some("d41d8cd98f00b204e9800998ecf8427e-2".into()),
        size: Some(1024),
        sequencer: Some("0055AED6DCD90281E5".into()),
        event_name: Some("ObjectCreated:Put".into()),
        event_time: Some("2026-01-02T03:04:05.000Z".into()),
    }
}

fn s3_record(claim: &Claim) -> Value {
    json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": claim.event_time,
        "eventName": claim.event_name,
        "userIdentity": { "principalId": "P" },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "claims",
            "bucket": { "name": claim.bucket, "arn": "arn:aws:s3:::payload" },
            "object": {
                "key": encode_form(&claim.key), "size": claim.size, "eTag": claim.etag,
                "versionId": claim.version_id, "sequencer": claim.sequencer,
            },
        },
    })
}

fn s3_event(claims: &[Claim]) -> Value {
    json!({ "Records": claims.iter().map(s3_record).collect::<Vec<_>>() })
}

fn eventbridge(claim: &Claim, detail_type: &str, reason: &str) -> Value {
    json!({
        "version": "0", "id": "i", "detail-type": detail_type, "source": "aws.s3", "account": "111111111111",
        "time": claim.event_time, "region": "us-east-1", "resources": ["arn:aws:s3:::payload"],
        "detail": {
            "version": "0", "bucket": { "name": claim.bucket }, "reason": reason,
            "object": {
                "key": claim.key, "size": claim.size, "etag": claim.etag,
                "version-id": claim.version_id, "sequencer": claim.sequencer,
            },
        },
    })
}

fn wrap(envelope: Envelope, content: &Value) -> Value {
    match envelope {
        Envelope::Sns => json!({
            "Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:us-east-1:111111111111:t",
            "Message": content.to_string(), "Timestamp": "2026-01-02T03:04:05.000Z", "SignatureVersion": "1",
        }),
        Envelope::Sqs => json!({ "Records": [{
            "messageId": "m", "body": content.to_string(), "eventSource": "aws:sqs", "attributes": {},
        }]}),
        Envelope::Destination => json!({
            "version": "1.0", "requestContext": { "condition": "RetriesExhausted" }, "requestPayload": content,
            "responsePayload": { "errorMessage": "x" },
        }),
        innermost => unreachable!("{innermost:?} wraps nothing"),
    }
}

fn opened(body: &Value) -> OpenedBody {
    open(&body.to_string()).unwrap()
}

fn refused(body: &Value) -> Unreadable {
    open(&body.to_string()).unwrap_err()
}

#[test]
fn a_notification_with_several_records() {
    let claims = [full_claim(), Claim { key: "other".into(), ..full_claim() }];
    let opened = opened(&s3_event(&claims));
    assert_eq!(opened.claims, claims);
    assert_eq!(opened.envelopes, [Envelope::S3]);
    assert!(!opened.test_event);
}

#[test]
fn every_2_x_version_and_no_other() {
    for (version, readable) in [("2.0", true), ("2.1", true), ("2.5", true), ("3.0", false), ("20.1", false)] {
        let mut event = s3_event(&[full_claim()]);
        event["Records"][0]["eventVersion"] = version.into();
        assert_eq!(open_json(&event).is_ok(), readable, "{version}");
    }
}

#[test]
fn the_test_event_is_no_claim() {
    let event = json!({
        "Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-01-02T03:04:05.000Z", "Bucket": "payload",
        "RequestId": "r", "HostId": "h",
    });
    let opened = opened(&wrap(Envelope::Sns, &event));
    assert!(opened.test_event);
    assert!(opened.claims.is_empty());
    assert_eq!(opened.envelopes, [Envelope::Sns, Envelope::S3]);
}

#[test]
fn the_event_form_of_sns_for_lambda() {
    let message = s3_event(&[full_claim()]).to_string();
    let record = json!({ "EventSource": "aws:sns", "Sns": { "Type": "Notification", "Message": message } });
    let opened = opened(&json!({ "Records": [record.clone(), record] }));
    assert_eq!(opened.claims, [full_claim(), full_claim()]);
    assert_eq!(opened.envelopes, [Envelope::Sns, Envelope::S3]);
}

#[test]
fn eventbridge_keys_are_verbatim_and_names_are_those_of_s3() {
    for (detail_type, reason, name) in [
        ("Object Created", "PutObject", "ObjectCreated:Put"),
        ("Object Created", "POST Object", "ObjectCreated:Post"),
        ("Object Created", "CopyObject", "ObjectCreated:Copy"),
        ("Object Created", "CompleteMultipartUpload", "ObjectCreated:CompleteMultipartUpload"),
        ("Object Deleted", "DeleteObject", "ObjectRemoved:Delete"),
        ("Object Deleted", "Lifecycle Expiration", "LifecycleExpiration:Delete"),
    ] {
        let claim = Claim { event_name: Some(name.into()), key: "a+b%2B".into(), ..full_claim() };
        let opened = opened(&eventbridge(&claim, detail_type, reason));
        assert_eq!(opened.claims, [claim]);
        assert_eq!(opened.envelopes, [Envelope::EventBridge]);
    }
}

#[test]
fn what_happens_to_an_object_that_stays_is_as_harmless_from_eventbridge_as_from_s3() {
    for (detail_type, name) in [
        ("Object Restore Initiated", "ObjectRestore:Post"),
        ("Object Restore Completed", "ObjectRestore:Completed"),
        ("Object Restore Expired", "ObjectRestore:Delete"),
        ("Object Storage Class Changed", "LifecycleTransition"),
        ("Object Access Tier Changed", "IntelligentTiering"),
        ("Object ACL Updated", "ObjectAcl:Put"),
        ("Object Tags Added", "ObjectTagging:Put"),
        ("Object Tags Deleted", "ObjectTagging:Delete"),
    ] {
        let claim = Claim { event_name: Some(name.into()), size: None, sequencer: None, ..full_claim() };
        let from_eventbridge = opened(&eventbridge(&claim, detail_type, "x"));
        assert_eq!(from_eventbridge.claims, std::slice::from_ref(&claim), "{detail_type}");
        assert_eq!(opened(&s3_event(std::slice::from_ref(&claim))).claims, from_eventbridge.claims, "{detail_type}");
        assert!(!claim.is_removal(), "{name}");
    }
}

#[test]
fn a_delete_marker_is_told_from_a_delete() {
    let mut event = eventbridge(&full_claim(), "Object Deleted", "DeleteObject");
    event["detail"]["deletion-type"] = "Delete Marker Created".into();
    assert_eq!(opened(&event).claims[0].event_name.as_deref(), Some("ObjectRemoved:DeleteMarkerCreated"));
}

#[test]
fn other_eventbridge_events_are_refused() {
    assert_eq!(refused(&eventbridge(&full_claim(), "AWS API Call via CloudTrail", "x")), Unreadable::OtherEvent);
    let mut foreign = eventbridge(&full_claim(), "Object Created", "PutObject");
    foreign["source"] = "my.app".into();
    assert_eq!(refused(&foreign), Unreadable::OtherEvent);
}

#[test]
fn an_extended_client_pointer_is_a_claim_of_its_place() {
    for name in POINTER_NAMES {
        let opened = opened(&json!([name, { "s3BucketName": "payload", "s3Key": "a+b%20" }]));
        assert_eq!(opened.claims, [Claim::pointer("payload", "a+b%20")]);
        assert_eq!(opened.envelopes, [Envelope::ExtendedClient]);
    }
    for written_otherwise in [
        json!({ "s3BucketName": "payload", "s3Key": "a+b%20" }),
        json!({ "S3Payload": { "Id": "i", "Bucket": "payload", "Key": "a+b%20", "Location": "l" } }),
    ] {
        assert_eq!(opened(&written_otherwise).claims, [Claim::pointer("payload", "a+b%20")]);
        let wrapped = opened(&wrap(Envelope::Sns, &written_otherwise));
        assert_eq!(wrapped.envelopes, [Envelope::Sns, Envelope::ExtendedClient]);
    }
    assert_eq!(refused(&json!({ "s3BucketName": "payload" })).to_string(), "the object key is missing");
    assert_eq!(
        refused(&json!(["some.other.Pointer", { "s3BucketName": "b", "s3Key": "k" }])),
        Unreadable::UnknownEnvelope
    );
}

#[test]
fn quotes_around_an_etag_and_the_prefix_of_an_event_name_are_dropped() {
    let mut event = s3_event(&[full_claim()]);
    event["Records"][0]["s3"]["object"]["eTag"] = "\"abc\"".into();
    event["Records"][0]["eventName"] = "s3:ObjectCreated:Copy".into();
    let claim = &opened(&event).claims[0];
    assert_eq!(claim.etag.as_deref(), Some("abc"));
    assert_eq!(claim.event_name.as_deref(), Some("ObjectCreated:Copy"));
}

#[test]
fn what_is_no_claim_says_why() {
    for (body, reason) in [
        ("", "the body is empty"),
        (" \n", "the body is empty"),
        ("hello", "not JSON (line 1, column 1)"),
        ("{\"Records\":[", "not JSON (line 1, column 12)"),
        ("42", "JSON of no known envelope"),
        ("{}", "JSON of no known envelope"),
        ("[]", "JSON of no known envelope"),
        (r#"{"Records":{}}"#, "JSON of no known envelope"),
        (r#"{"Records":[{}]}"#, "JSON of no known envelope"),
        (r#"{"Records":[]}"#, "an event with an empty list of records"),
        (r#"{"TopicArn":"t","Message":""}"#, "the body is empty"),
    ] {
        assert_eq!(open(body).unwrap_err().to_string(), reason, "{body}");
    }
}

#[test]
fn a_bad_key_names_its_record() {
    for (key, fault, text) in [
        (Value::Null, Fault::Null, "record 2: the object key is null"),
        (json!(""), Fault::Empty, "record 2: the object key is empty"),
        (json!(7), Fault::NotText, "record 2: the object key is not a string"),
        (json!("%FF"), Fault::Key(BadKey::Utf8), "record 2: the object key is not UTF-8 once decoded"),
    ] {
        let mut event = s3_event(&[full_claim(), full_claim()]);
        event["Records"][1]["s3"]["object"]["key"] = key;
        let unreadable = refused(&event);
        assert_eq!(unreadable, Unreadable::Field { record: Some(2), field: "object key", fault });
        assert_eq!(unreadable.to_string(), text);
    }
}

#[test]
fn a_sequencer_that_cannot_be_ordered_is_refused() {
    let mut event = s3_event(&[full_claim()]);
    event["Records"][0]["s3"]["object"]["sequencer"] = "later".into();
    assert_eq!(refused(&event).to_string(), "record 1: the sequencer is not hexadecimal");
}

#[test]
fn depth_is_bounded() {
    let mut body = s3_event(&[full_claim()]);
    for _ in 1..MAX_DEPTH {
        body = wrap(Envelope::Sns, &body);
    }
    assert_eq!(opened(&body).envelopes.len(), MAX_DEPTH);
    assert_eq!(refused(&wrap(Envelope::Sns, &body)), Unreadable::TooDeep);
}

fn any_claim() -> impl Strategy<Value = Claim> {
    let text = || proptest::option::of("[a-zA-Z0-9._-]{1,32}");
    let sequencer = proptest::option::of("[0-9A-F]{0,17}[1-9A-F]");
    let key = any::<String>().prop_filter("S3 has no empty key", |key| !key.is_empty());
    ("[a-z0-9.-]{3,20}", key, text(), text(), proptest::option::of(any::<u64>()), sequencer).prop_map(
        |(bucket, key, version_id, etag, size, sequencer)| Claim {
            version_id,
            etag,
            size,
            sequencer,
            event_name: Some("ObjectCreated:Put".into()),
            event_time: Some("2026-01-02T03:04:05Z".into()),
            ..Claim::pointer(bucket, key)
        },
    )
}

fn any_innermost() -> impl Strategy<Value = (Value, Envelope, Vec<Claim>)> {
    prop_oneof![
        proptest::collection::vec(any_claim(), 1..4).prop_map(|claims| (s3_event(&claims), Envelope::S3, claims)),
        any_claim().prop_map(|claim| {
            (eventbridge(&claim, "Object Created", "PutObject"), Envelope::EventBridge, vec![claim])
        }),
        any_claim().prop_map(|claim| {
            let pointer = json!([POINTER_NAMES[0], { "s3BucketName": claim.bucket, "s3Key": claim.key }]);
            (pointer, Envelope::ExtendedClient, vec![Claim::pointer(claim.bucket, claim.key)])
        }),
    ]
}

fn any_wrapping() -> impl Strategy<Value = Vec<Envelope>> {
    let one = prop_oneof![Just(Envelope::Sns), Just(Envelope::Sqs), Just(Envelope::Destination)];
    // Each string in a string doubles its escapes, so deep stacks are tested apart, with one small claim.
    proptest::collection::vec(one, 0..5)
}

proptest! {
    #[test]
    fn any_stack_of_envelopes_gives_its_claims_back(
        (innermost, kind, claims) in any_innermost(), wrapping in any_wrapping()
    ) {
        let body = wrapping.iter().rev().fold(innermost, |content, envelope| wrap(*envelope, &content));
        let opened = opened(&body);
        prop_assert_eq!(&opened.claims, &claims);
        prop_assert_eq!(opened.envelopes, [wrapping, vec![kind]].concat());
        prop_assert_eq!(open_json(&body).unwrap().claims, claims);
    }

    #[test]
    fn no_text_makes_it_panic(body in any::<String>()) {
        let _ = open(&body);
    }

    #[test]
    fn a_body_cut_short_is_never_taken_for_a_whole_one(cut in 0.0f64..1.0) {
        let body = wrap(Envelope::Sns, &s3_event(&[full_claim()])).to_string();
        let end = body.floor_char_boundary((body.len() as f64 * cut) as usize);
        prop_assert!(open(&body[..end]).is_err());
    }
}
