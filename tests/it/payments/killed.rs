//! The functions killed at their work, and what was delivered delivered again: nothing is settled twice, nothing is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_lambda::primitives::Blob;
use serde_json::{Value, json};

use super::SOON;
use crate::run::eventually;
use crate::seeded::{Seeded, seeds};
use crate::world::{World, wait_for};

const PAYMENTS: u64 = 6;
const FUNCTIONS: [&str; 5] = ["payments-api", "payment-stream", "payment-events", "start-settlement", "settle"];
/// Within so many milliseconds after the payments were made each function is killed once; they take about as long.
const KILLED_WITHIN: u64 = 1200;

/// Kills the functions one after the other, in an order and at moments of the seed; how many of them ran.
fn kill_each(world: &World, seed: u64) -> u64 {
    let mut random = Seeded::of(seed);
    let mut moments: Vec<_> = FUNCTIONS.map(|name| (random.below(KILLED_WITHIN), name)).into();
    moments.sort_unstable();
    let (mut now, mut killed) = (0, 0);
    for (moment, name) in moments {
        std::thread::park_timeout(Duration::from_millis(moment - now));
        now = moment;
        killed += u64::from(world.kill_functions(Some(world.real_name("functions", name))));
    }
    killed
}

#[test]
fn functions_killed_at_any_moment_lose_no_payment_and_settle_none_twice() {
    let world = World::payments(&SOON);
    let (mut made, mut killed_before_the_end): (BTreeMap<String, bool>, u64) = (BTreeMap::new(), 0);
    for seed in 0..seeds() {
        let pay = |number: u64| {
            let fails = number == PAYMENTS - 1;
            let id = world.paid(&format!("{seed}-{number}"), if fails { "20000.00" } else { "0.01" }, "EUR");
            (id, fails)
        };
        let killed = std::thread::scope(|scope| {
            let killer = scope.spawn(|| kill_each(&world, seed));
            let payers: Vec<_> = (0..PAYMENTS).map(|number| scope.spawn(move || pay(number))).collect();
            made.extend(payers.into_iter().map(|payer| payer.join().unwrap()));
            killer.join().unwrap()
        });
        let items = world.payments_in_table();
        killed_before_the_end += if items.values().any(|item| item["status"] == "pending") { killed } else { 0 };
        for (id, fails) in &made {
            let item = world.outcome(id);
            assert_eq!(item["status"], if *fails { "failed" } else { "settled" }, "seed {seed}: {item}");
        }
    }
    assert!(killed_before_the_end > 0, "no function was killed at work");
    let items = world.payments_in_table();
    assert!(items.keys().eq(made.keys()), "the table has other payments than were made");
    let settlements: BTreeSet<_> = items.values().filter_map(|item| item["settlement_id"].as_str()).collect();
    assert_eq!(settlements.len(), made.values().filter(|fails| !**fails).count());
    assert_eq!(world.executions(), made.keys().cloned().collect::<Vec<_>>());
    // An event may have come twice: what it is about, never.
    let expected: BTreeSet<_> = made
        .iter()
        .flat_map(|(id, fails)| {
            ["PaymentCreated", if *fails { "PaymentFailed" } else { "PaymentSettled" }]
                .map(|kind| (kind.to_owned(), id.clone()))
        })
        .collect();
    let told = eventually("the events of all payments", || {
        let told: BTreeSet<_> = world.events().into_iter().collect();
        (told.len() >= expected.len()).then_some(told)
    });
    assert_eq!(told, expected);
    assert_eq!(world.queues_with_dead_letters(), [""; 0]);
}

impl World {
    /// Invokes the function as its trigger would.
    fn deliver(&self, function: &str, event: &Value) -> Value {
        let invoke = self.lambda().invoke().function_name(self.real_name("functions", function)).qualifier("live");
        let answer = wait_for(invoke.payload(Blob::new(event.to_string())).send()).unwrap();
        assert_eq!(answer.function_error(), None, "{answer:?}");
        serde_json::from_slice(answer.payload().unwrap().as_ref()).unwrap()
    }

    /// How often a function came to its end.
    fn invocations(&self, function: &str) -> usize {
        let group = format!("/aws/lambda/{}", self.real_name("functions", function));
        let read = self.logs().filter_log_events().log_group_name(group).filter_pattern("REPORT");
        wait_for(read.send()).map_or(0, |read| read.events.unwrap_or_default().len())
    }
}

/// What the stream says of an item that was created: twice with the same id is once more the same record.
fn inserted(item: &Value, event_id: &str, stream: &str) -> Value {
    let image: Value =
        item.as_object().unwrap().iter().map(|(name, value)| (name.clone(), json!({"S": value}))).collect();
    json!({"eventID": event_id, "eventName": "INSERT", "eventVersion": "1.1", "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1", "eventSourceARN": stream, "dynamodb": {
            "ApproximateCreationDateTime": 1_700_000_000, "Keys": {"payment_id": {"S": item["payment_id"]}},
            "NewImage": image, "SequenceNumber": "100000000000000000001", "SizeBytes": 100,
            "StreamViewType": "NEW_AND_OLD_IMAGES"}})
}

#[test]
fn records_messages_and_events_that_come_again_settle_nothing_twice() {
    let world = World::payments(&SOON);
    let made: Vec<_> = (0..5).map(|number| world.paid(&number.to_string(), "1.00", "EUR")).collect();
    made.iter().for_each(|id| drop(world.outcome(id)));
    let items = world.payments_in_table();
    let pending = |id: &String| {
        let mut item = items[id].clone();
        ["settled_at", "settlement_id"].iter().for_each(|name| drop(item.as_object_mut().unwrap().remove(*name)));
        item["status"] = json!("pending");
        item
    };
    let before = eventually("the first invocations", || {
        Some(world.invocations("start-settlement")).filter(|invocations| *invocations >= made.len())
    });

    let stream = world.surface["tables"]["payments"]["stream_arn"].as_str().unwrap();
    let records: Vec<_> = made.iter().map(|id| inserted(&pending(id), &format!("again {id}"), stream)).collect();
    for _ in 0..2 {
        let answer = world.deliver("payment-stream", &json!({"Records": records}));
        assert_eq!(answer, json!({"batchItemFailures": []}));
    }
    // The queue takes a message of the same id once.
    eventually("the events of the records that came again", || {
        (world.invocations("start-settlement") >= before + made.len()).then_some(())
    });
    let messages = made.iter().map(|id| {
        let mut payment = pending(id);
        payment.as_object_mut().unwrap().remove("request_digest");
        let body = json!({"type": "PaymentCreated", "event_id": "again", "time": "2026-01-01T00:00:00.000Z", "payment": payment});
        json!({"messageId": id, "receiptHandle": "r", "body": body.to_string(), "eventSource": "aws:sqs",
            "attributes": {"ApproximateReceiveCount": "2", "MessageGroupId": id, "MessageDeduplicationId": "again"},
            "messageAttributes": {}, "md5OfBody": "", "eventSourceARN": "q", "awsRegion": "us-east-1"})
    });
    let answer = world.deliver("payment-events", &json!({"Records": messages.collect::<Vec<_>>()}));
    assert_eq!(answer, json!({"batchItemFailures": []}));
    eventually("the events of the messages that came again", || {
        (world.invocations("start-settlement") >= before + 2 * made.len()).then_some(())
    });

    let mut expected = made.clone();
    expected.sort();
    assert_eq!(world.executions(), expected, "a payment was settled twice");
    assert_eq!(world.payments_in_table(), items, "an outcome was written over");
    assert_eq!(world.queues_with_dead_letters(), [""; 0]);
}
