//! Functions that are invoked again, and a consumer that works while a replay is killed.

use aws_sdk_lambda::types::{DeadLetterConfig, DestinationConfig, OnFailure};
use aws_sdk_sqs::types::MessageAttributeValue;
use rustix::process::Signal;
use serde_json::json;

use crate::dead_letters::{BUCKET, claim, depth, put, send, world};
use crate::run::{Running, eventually, finish, signal};
use crate::seeded::{Seeded, seeds};
use crate::world::{World, wait_for};

fn arn(queue: &str) -> String {
    format!("arn:aws:sqs:{}:{}:{queue}", claimctl::sandbox::REGION, claimctl::sandbox::ACCOUNT)
}

fn is_recorded(world: &World, key: &str) -> bool {
    let id = aws_sdk_dynamodb::types::AttributeValue::S(format!("{BUCKET}/{key}"));
    let get = world.dynamodb().get_item().table_name(world.table()).key("claim_id", id);
    wait_for(get.send()).unwrap().item.is_some()
}

#[test]
fn a_function_is_invoked_again_with_the_event_that_it_failed_on() {
    let world = world();
    let function = world.surface["functions"]["claim-recorder"]["name"].as_str().unwrap();
    let urls = ["own-dlq", "failures"].map(|name| world.queue(name, &[]));
    let config = DeadLetterConfig::builder().target_arn(arn("own-dlq")).build();
    let update = world.lambda().update_function_configuration().function_name(function).dead_letter_config(config);
    wait_for(update.send()).unwrap();
    let failures = DestinationConfig::builder().on_failure(OnFailure::builder().destination(arn("failures")).build());
    let put_config = world.lambda().put_function_event_invoke_config().function_name(function).qualifier("live");
    wait_for(put_config.destination_config(failures.build()).send()).unwrap();

    let event = |key: &str| {
        let etag = put(&world, key, key);
        let body = json!({"Records": [claim("ObjectCreated:Put", BUCKET, key, &etag)]}).to_string();
        let record = json!({"messageId": key, "body": body, "eventSource": "aws:sqs", "receiptHandle": "h",
            "attributes": {}, "messageAttributes": {}, "md5OfBody": "", "eventSourceARN": arn("claims"),
            "awsRegion": "us-east-1"});
        json!({"Records": [record]})
    };
    let request = MessageAttributeValue::builder().data_type("String").string_value("request-1").build().unwrap();
    let dead_letter = world.sqs().send_message().queue_url(&urls[0]).message_body(event("raw").to_string());
    wait_for(dead_letter.message_attributes("RequestID", request).send()).unwrap();
    let record = json!({"version": "1.0", "requestContext": {"requestId": "request-2", "condition": "RetriesExhausted"},
        "requestPayload": event("record"), "responsePayload": {"errorMessage": "no"}});
    world.send(&urls[1], &record.to_string());

    for (queue, key) in [("own-dlq", "raw"), ("failures", "record")] {
        let line = ["dlq", "replay", queue, "--table", world.table(), "--yes", "-o", "json"];
        let report = world.claimctl(line).run().exits(0).json();
        assert_eq!(
            (&report["destination"], &report["sent"], &report["deleted"]),
            (&json!(function), &json!(1), &json!(1))
        );
        assert_eq!(report["canary"]["fate"], json!("recorded"), "{report:#}");
        assert!(is_recorded(&world, key));
    }
    assert_eq!(urls.map(|url| world.depth(&url)), [(0, 0), (0, 0)]);
}

#[test]
fn killed_while_the_consumer_works_every_payload_is_recorded() {
    const DEAD_LETTERS: usize = 300;
    let seeds = seeds().div_ceil(5);
    let world = world();
    for seed in 0..seeds {
        let keys: Vec<_> = (0..DEAD_LETTERS).map(|number| format!("{seed}/{number}")).collect();
        for key in &keys {
            let etag = put(&world, key, key);
            send(&world, &json!({"Records": [claim("ObjectCreated:Put", BUCKET, key, &etag)]}).to_string(), None);
        }
        let line = [
            "dlq",
            "replay",
            "claims-dlq",
            "--yes",
            "--no-preflight",
            "--canary",
            "0",
            "--visibility-timeout",
            "2s",
            "-o",
            "json",
        ];
        let child = world.claimctl(line).start();
        let after = Seeded::of(seed).below(DEAD_LETTERS as u64);
        eventually("some dead letters are gone", || {
            let (visible, in_flight) = depth(&world);
            (visible + in_flight < DEAD_LETTERS as u64 - after).then_some(())
        });
        signal(&child, Signal::KILL);
        finish(child, "the killed replay".to_owned());
        eventually("the end of the replay", || (world.claimctl(line).run().code == 0).then_some(()));
        assert_eq!(depth(&world), (0, 0));
        eventually("every record", || keys.iter().all(|key| is_recorded(&world, key)).then_some(()));
    }
    let scan = wait_for(world.dynamodb().scan().table_name(world.table()).send()).unwrap();
    assert_eq!(scan.count as u64, seeds * DEAD_LETTERS as u64, "records are exactly the expected ones");
}
