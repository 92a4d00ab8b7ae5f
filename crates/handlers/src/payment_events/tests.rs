//! The handler from messages to entries of a bus.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::aws::Deadline;
use crate::fake_http::{Answer, FakeHttp, env};

/// The entries that the bus has taken.
#[derive(Clone, Default)]
struct Bus {
    taken: Arc<Mutex<Vec<Value>>>,
}

impl Bus {
    /// `verdict` is the code of an error where the bus does not take the entry.
    fn http(&self, mut verdict: impl FnMut(&Value) -> Option<&'static str> + Send + 'static) -> FakeHttp {
        let taken = self.taken.clone();
        FakeHttp::new(move |request| {
            assert_eq!(request.operation(), "PutEvents");
            let input = request.json();
            let entries = input["Entries"].as_array().unwrap();
            assert!(entries.len() <= 10);
            let (mut answers, mut failed) = (Vec::new(), 0);
            for entry in entries {
                match verdict(entry) {
                    None => {
                        taken.lock().unwrap().push(entry.clone());
                        answers.push(json!({ "EventId": "id" }));
                    }
                    Some(code) => {
                        failed += 1;
                        answers.push(json!({ "ErrorCode": code, "ErrorMessage": "no" }));
                    }
                }
            }
            Answer::new(200, json!({ "FailedEntryCount": failed, "Entries": answers }))
        })
    }

    /// Payment and type of each event, in the order of putting.
    fn put(&self) -> Vec<(String, String)> {
        let told = |entry: &Value| {
            let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
            let of = |value: &Value| value.as_str().unwrap().to_owned();
            (of(&detail["payment_id"]), of(&entry["DetailType"]))
        };
        self.taken.lock().unwrap().iter().map(told).collect()
    }
}

fn body(kind: &str, id: &str, event_id: &str, description: &str) -> String {
    json!({ "type": kind, "event_id": event_id, "time": "2026-01-02T03:04:05.678Z",
        "payment": { "payment_id": id, "customer_id": "c", "amount": "10.00", "currency": "EUR", "status": "pending",
            "created_at": "2026-01-02T03:04:05.678Z", "description": description } })
    .to_string()
}

fn created(id: &str) -> String {
    body("PaymentCreated", id, "e", "")
}

/// The answer to messages by id, group and body.
async fn handle(http: &FakeHttp, messages: &[(&str, &str, String)], time: Duration) -> Vec<String> {
    let variables = env(&[("EVENT_BUS", "bus")]);
    let events = Arc::new(PaymentEvents { bus: "bus".into(), aws: Aws::from_env(&variables, http.client()).unwrap() });
    let records: Vec<_> = messages
        .iter()
        .map(|(id, group, body)| {
            json!({ "messageId": id, "body": body, "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:r:a:q.fifo",
                "attributes": { "ApproximateReceiveCount": "1", "MessageGroupId": group } })
        })
        .collect();
    let invocation = Invocation { request_id: "r".into(), deadline: Deadline::after(time) };
    let answer = events.handle(json!({ "Records": records }), invocation).await.unwrap();
    let failures = answer["batchItemFailures"].as_array().unwrap();
    failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect()
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_message_becomes_an_entry_of_the_bus() {
    let bus = Bus::default();
    assert_eq!(handle(&bus.http(|_| None), &[("m", "p", created("p"))], LONG).await, [""; 0]);
    let mut entry = bus.taken.lock().unwrap()[0].clone();
    let detail: Value = serde_json::from_str(entry["Detail"].take().as_str().unwrap()).unwrap();
    assert_eq!(
        entry,
        json!({ "EventBusName": "bus", "Source": "payments", "DetailType": "PaymentCreated", "Detail": null,
            "Time": 1_767_323_045.678 })
    );
    assert_eq!(
        detail,
        json!({ "payment_id": "p", "customer_id": "c", "amount": "10.00", "currency": "EUR", "status": "pending",
            "created_at": "2026-01-02T03:04:05.678Z", "description": "", "event_id": "e" })
    );
}

#[tokio::test]
async fn an_entry_that_is_not_taken_holds_back_only_its_own_group() {
    let bus = Bus::default();
    let http = bus.http(|entry| entry["Detail"].as_str().unwrap().contains("\"p\"").then_some("MalformedDetail"));
    let messages = [
        ("1", "o", created("o")),
        ("2", "p", created("p")),
        ("3", "p", body("PaymentSettled", "p", "e2", "")),
        ("4", "q", created("q")),
    ];
    assert_eq!(handle(&http, &messages, LONG).await, ["2", "3"]);
    assert_eq!(bus.put().into_iter().map(|(id, _)| id).collect::<Vec<_>>(), ["o", "q"]);
}

#[tokio::test]
async fn what_may_pass_is_tried_again_in_its_order() {
    let bus = Bus::default();
    let mut refusals = 2;
    let http = bus.http(move |entry| {
        let refused = entry["Detail"].as_str().unwrap().contains("\"p\"") && refusals > 0;
        refusals -= u32::from(refused);
        refused.then_some(if refusals == 1 { "ThrottlingException" } else { "InternalFailure" })
    });
    let messages =
        [("1", "p", created("p")), ("2", "p", body("PaymentSettled", "p", "e2", "")), ("3", "q", created("q"))];
    assert_eq!(handle(&http, &messages, LONG).await, [""; 0]);
    let of_p: Vec<_> = bus.put().into_iter().filter(|(id, _)| id == "p").map(|(_, kind)| kind).collect();
    assert_eq!(of_p, ["PaymentCreated", "PaymentSettled"]);
}

#[tokio::test]
async fn what_does_not_pass_in_time_comes_back() {
    let bus = Bus::default();
    let http = bus.http(|_| Some("ThrottlingException"));
    let messages = [("1", "p", created("p")), ("2", "p", created("p")), ("3", "q", created("q"))];
    assert_eq!(handle(&http, &messages, Duration::from_millis(300)).await, ["1", "2", "3"]);
    let never = FakeHttp::new(|_| Answer::Never);
    assert_eq!(handle(&never, &messages, Duration::from_millis(300)).await, ["1", "2", "3"]);
}

#[tokio::test]
async fn a_message_that_is_no_event_fails_with_what_is_behind_it() {
    let bus = Bus::default();
    let http = bus.http(|_| None);
    for poison in [
        "poison".to_owned(),
        "{}".to_owned(),
        "7".to_owned(),
        body("PaymentLost", "p", "e", ""),
        body("PaymentCreated", "p", "", ""),
        body("PaymentCreated", "p p", "e", ""),
        created("p").replace("10.00", "10,00"),
        created("p").replace("2026-01-02", "yesterday"),
    ] {
        let messages = [("1", "p", poison), ("2", "p", created("p")), ("3", "q", created("q"))];
        assert_eq!(handle(&http, &messages, LONG).await, ["1", "2"]);
    }
}

#[tokio::test]
async fn a_call_holds_no_more_than_the_bus_takes_and_what_is_too_large_fails_alone() {
    let bus = Bus::default();
    let http = bus.http(|_| None);
    let large = "x".repeat(100 << 10);
    let mut messages: Vec<_> = ["a", "b", "c", "d"].map(|id| (id, id, body("PaymentCreated", id, "e", &large))).into();
    messages.push(("e", "e", body("PaymentCreated", "e", "e", &"x".repeat(256 << 10))));
    assert_eq!(handle(&http, &messages, LONG).await, ["e"]);
    assert_eq!(bus.put().len(), 4);
    for request in http.requests() {
        let entries: usize = request.json()["Entries"].as_array().unwrap().len();
        assert_eq!(entries, 2);
    }
}

#[tokio::test]
async fn an_answer_that_does_not_name_every_entry_is_no_success() {
    let http = FakeHttp::new(|_| Answer::new(200, json!({ "FailedEntryCount": 0, "Entries": [{ "EventId": "1" }] })));
    let messages = [("1", "p", created("p")), ("2", "q", created("q"))];
    // Alone it is answered for, so that it is through in the end.
    assert_eq!(handle(&http, &messages, LONG).await, [""; 0]);
    assert_eq!(http.requests().len(), 2);
}

#[test]
fn the_bus_has_to_be_named() {
    assert!(handler(&env(&[])).err().unwrap().starts_with("EVENT_BUS"));
}
