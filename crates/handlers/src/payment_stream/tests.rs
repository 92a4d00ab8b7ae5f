//! The handler from records of a stream to messages in two queues.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::aws::Deadline;
use crate::fake_http::{Answer, FakeHttp, Request, env};

/// Both queues, by the last part of their URLs: the entries that were taken.
#[derive(Clone, Default)]
struct Queues {
    taken: Arc<Mutex<BTreeMap<String, Vec<Value>>>>,
}

/// What a queue says to an entry: nothing where it takes it.
type Verdict = Option<(&'static str, bool)>;

impl Queues {
    fn http(&self, mut verdict: impl FnMut(&str, &Value) -> Verdict + Send + 'static) -> FakeHttp {
        let queues = self.clone();
        FakeHttp::new(move |request| queues.answer(request, &mut verdict))
    }

    fn answer(&self, request: &Request, verdict: &mut impl FnMut(&str, &Value) -> Verdict) -> Answer {
        let input = request.json();
        let queue = input["QueueUrl"].as_str().unwrap().to_owned();
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for entry in input["Entries"].as_array().unwrap() {
            match verdict(&queue, entry) {
                None => {
                    self.taken.lock().unwrap().entry(queue.clone()).or_default().push(entry.clone());
                    successful.push(json!({ "Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "" }));
                }
                Some((code, sender)) => failed.push(json!({ "Id": entry["Id"], "Code": code, "SenderFault": sender })),
            }
        }
        Answer::new(200, json!({ "Successful": successful, "Failed": failed }))
    }

    fn of(&self, queue: &str) -> Vec<Value> {
        self.taken.lock().unwrap().get(queue).cloned().unwrap_or_default()
    }

    /// Group and type of each message, in the order of sending.
    fn sent(&self) -> Vec<(String, String)> {
        let told = |entry: &Value| {
            let body: Value = serde_json::from_str(entry["MessageBody"].as_str().unwrap()).unwrap();
            let group = entry["MessageGroupId"].as_str().unwrap().to_owned();
            assert_eq!(body["payment"]["payment_id"], group);
            assert_eq!(body["event_id"], entry["MessageDeduplicationId"]);
            (group, body["type"].as_str().unwrap().to_owned())
        };
        self.of("q.fifo").iter().map(told).collect()
    }

    /// Sequence number and error code of each record.
    fn diverted(&self) -> Vec<(String, String)> {
        let told = |entry: &Value| {
            let body: Value = serde_json::from_str(entry["MessageBody"].as_str().unwrap()).unwrap();
            let number = body["Records"][0]["dynamodb"]["SequenceNumber"].as_str().unwrap_or_default().to_owned();
            let attributes = &entry["MessageAttributes"];
            assert_eq!(attributes["RequestID"], json!({ "DataType": "String", "StringValue": "r" }));
            assert!(!attributes["ErrorMessage"]["StringValue"].as_str().unwrap().is_empty());
            (number, attributes["ErrorCode"]["StringValue"].as_str().unwrap().to_owned())
        };
        self.of("d").iter().map(told).collect()
    }
}

async fn handle(http: &FakeHttp, records: &[Value], time: Duration) -> Result<Vec<String>, Unreadable> {
    let variables = env(&[("QUEUE_URL", "q.fifo"), ("DIVERTED_QUEUE_URL", "d")]);
    let config = Config::from_env(&variables).unwrap();
    let stream = Arc::new(PaymentStream { config, aws: Aws::from_env(&variables, http.client()).unwrap() });
    let invocation = Invocation { request_id: "r".into(), deadline: Deadline::after(time) };
    let answer = stream.handle(json!({ "Records": records }), invocation).await?;
    let failures = answer["batchItemFailures"].as_array().unwrap();
    Ok(failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect())
}

const LONG: Duration = Duration::from_secs(20);

fn image(id: &str, status: &str) -> Value {
    json!({ "payment_id": { "S": id }, "customer_id": { "S": "c" }, "amount": { "S": "10.00" },
        "currency": { "S": "EUR" }, "status": { "S": status }, "created_at": { "S": "2026-01-02T03:04:05.678Z" },
        "request_digest": { "S": "secret" } })
}

fn record(number: u32, name: &str, id: &str, old: Option<&str>, new: Option<&str>) -> Value {
    let mut record = json!({ "eventID": format!("e{number}"), "eventName": name, "eventSource": "aws:dynamodb",
        "dynamodb": { "Keys": { "payment_id": { "S": id } }, "SequenceNumber": number.to_string(),
            "ApproximateCreationDateTime": 1_767_323_045 } });
    for (name, status) in [("OldImage", old), ("NewImage", new)] {
        if let Some(status) = status {
            record["dynamodb"][name] = image(id, status);
        }
    }
    record
}

fn created(number: u32, id: &str) -> Value {
    record(number, "INSERT", id, None, Some("pending"))
}

fn settled(number: u32, id: &str) -> Value {
    record(number, "MODIFY", id, Some("pending"), Some("settled"))
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[tokio::test]
async fn what_happens_to_a_payment_becomes_a_message() {
    let queues = Queues::default();
    let records = [
        created(1, "p"),
        settled(2, "p"),
        record(3, "MODIFY", "p", Some("settled"), Some("settled")),
        record(4, "MODIFY", "p", Some("pending"), Some("pending")),
        record(5, "REMOVE", "p", Some("settled"), None),
        record(6, "MODIFY", "q", Some("pending"), Some("failed")),
    ];
    assert_eq!(handle(&queues.http(|_, _| None), &records, LONG).await.unwrap(), [""; 0]);
    let mut sent = queues.sent();
    sent.sort();
    assert_eq!(sent, pairs(&[("p", "PaymentCreated"), ("p", "PaymentSettled"), ("q", "PaymentFailed")]));
    let first = queues.of("q.fifo").remove(0);
    let body: Value = serde_json::from_str(first["MessageBody"].as_str().unwrap()).unwrap();
    assert_eq!(
        body,
        json!({ "type": "PaymentCreated", "event_id": "e1", "time": "2026-01-02T03:04:05.000Z",
            "payment": { "payment_id": "p", "customer_id": "c", "amount": "10.00", "currency": "EUR",
                "status": "pending", "created_at": "2026-01-02T03:04:05.678Z" } })
    );
    assert!(queues.of("d").is_empty());
}

#[tokio::test]
async fn two_messages_of_one_payment_are_never_in_one_call() {
    let queues = Queues::default();
    let http = queues.http(|_, _| None);
    let records: Vec<_> = (0..30)
        .map(|n| if n % 2 == 0 { created(n, &format!("p{}", n / 2)) } else { settled(n, &format!("p{}", n / 2)) })
        .collect();
    handle(&http, &records, LONG).await.unwrap();
    for request in http.requests() {
        let input = request.json();
        let entries = input["Entries"].as_array().unwrap();
        let groups: std::collections::BTreeSet<_> =
            entries.iter().map(|entry| entry["MessageGroupId"].as_str()).collect();
        assert_eq!(groups.len(), entries.len());
        assert!(entries.len() <= 10);
    }
    let sent = queues.sent();
    assert_eq!(sent.len(), 30);
    for payment in 0..15 {
        let of_it: Vec<_> =
            sent.iter().filter(|(id, _)| *id == format!("p{payment}")).map(|(_, kind)| kind.as_str()).collect();
        assert_eq!(of_it, ["PaymentCreated", "PaymentSettled"]);
    }
}

#[tokio::test]
async fn a_record_that_is_no_payment_is_diverted_as_it_came_and_what_follows_of_it_too() {
    let queues = Queues::default();
    let mut poison = created(1, "p");
    poison["dynamodb"]["NewImage"]["amount"] = json!({ "S": "ten" });
    let mut without_image = created(4, "s");
    without_image["dynamodb"].as_object_mut().unwrap().remove("NewImage");
    let records = [
        poison.clone(),
        settled(2, "p"),
        created(3, "q"),
        without_image,
        created(5, "not a group"),
        json!({ "eventName": "INSERT" }),
        json!(7),
    ];
    assert_eq!(handle(&queues.http(|_, _| None), &records, LONG).await.unwrap(), [""; 0]);
    assert_eq!(queues.sent(), pairs(&[("q", "PaymentCreated")]));
    let invalid = "InvalidPayment";
    assert_eq!(
        queues.diverted(),
        pairs(&[("1", invalid), ("2", "Behind"), ("4", invalid), ("5", invalid), ("", invalid), ("", invalid)])
    );
    let body: Value = serde_json::from_str(queues.of("d")[0]["MessageBody"].as_str().unwrap()).unwrap();
    assert_eq!(body, json!({ "Records": [poison] }), "as it came, so that it can be handled again");
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_nothing_of_its_payment_overtakes_it() {
    let queues = Queues::default();
    let mut refusals = 3;
    let http = queues.http(move |_, entry| {
        let is_first = entry["MessageGroupId"] == "p" && refusals > 0;
        refusals -= u32::from(is_first);
        is_first.then_some(("InternalError", false))
    });
    let records = [created(1, "p"), settled(2, "p"), created(3, "q"), settled(4, "q")];
    assert_eq!(handle(&http, &records, LONG).await.unwrap(), [""; 0]);
    let of_p: Vec<_> = queues.sent().into_iter().filter(|(id, _)| id == "p").collect();
    assert_eq!(of_p, pairs(&[("p", "PaymentCreated"), ("p", "PaymentSettled")]));
    assert!(queues.of("d").is_empty());
}

#[tokio::test]
async fn what_does_not_pass_in_time_is_diverted_with_all_that_follows_of_it() {
    let queues = Queues::default();
    let http = queues
        .http(|queue, entry| (queue == "q.fifo" && entry["MessageGroupId"] == "p").then_some(("InternalError", false)));
    let records = [created(1, "p"), created(2, "q"), settled(3, "p")];
    assert_eq!(handle(&http, &records, Duration::from_secs(3)).await.unwrap(), [""; 0]);
    assert_eq!(queues.sent(), pairs(&[("q", "PaymentCreated")]));
    assert_eq!(queues.diverted(), pairs(&[("1", "InternalError"), ("3", "Behind")]));
}

#[tokio::test]
async fn what_cannot_even_be_diverted_is_named_to_the_stream() {
    let queues = Queues::default();
    let http = queues.http(|queue, _| (queue == "d").then_some(("AccessDenied", true)));
    let mut poison = created(2, "p");
    poison["dynamodb"]["NewImage"]["status"] = json!({ "S": "lost" });
    let records = [created(1, "o"), poison, created(3, "q")];
    assert_eq!(handle(&http, &records, LONG).await.unwrap(), ["2"]);
    assert_eq!(queues.sent().len(), 2);

    let none = FakeHttp::new(|_| Answer::new(403, json!({ "__type": "x#AccessDenied" })));
    assert_eq!(handle(&none, &records, LONG).await.unwrap(), ["1", "2", "3"]);
}

#[tokio::test]
async fn one_message_that_a_call_is_refused_for_does_not_take_the_others_with_it() {
    let queues = Queues::default();
    let answering = queues.clone();
    let http = FakeHttp::new(move |request| {
        let fifo = request.json()["QueueUrl"] == "q.fifo";
        if fifo && request.body.contains("\\\"p1\\\"") {
            return Answer::new(400, json!({ "__type": "com.amazonaws.sqs#InvalidMessageContents" }));
        }
        answering.answer(request, &mut |_, _| None)
    });
    let records: Vec<_> = (0..4).map(|n| created(n, &format!("p{n}"))).collect();
    assert_eq!(handle(&http, &records, LONG).await.unwrap(), [""; 0]);
    assert_eq!(queues.sent().len(), 3);
    assert_eq!(queues.diverted(), pairs(&[("1", "Refused")]));
}

#[tokio::test]
async fn a_record_handled_twice_is_the_same_message() {
    let queues = Queues::default();
    let http = queues.http(|_, _| None);
    let mut without_id = created(1, "p");
    without_id.as_object_mut().unwrap().remove("eventID");
    for _ in 0..2 {
        handle(&http, std::slice::from_ref(&without_id), LONG).await.unwrap();
    }
    let entries = queues.of("q.fifo");
    assert_eq!(entries[0]["MessageDeduplicationId"], entries[1]["MessageDeduplicationId"]);
    assert_eq!(entries[0]["MessageBody"], entries[1]["MessageBody"]);
}

#[tokio::test]
async fn any_text_of_a_payment_is_one_that_sqs_takes() {
    let queues = Queues::default();
    let mut odd = created(1, "p");
    odd["dynamodb"]["NewImage"]["description"] = json!({ "S": "a\u{0}\u{FFFE}\u{FFFF}\u{7f}é\u{1F600}" });
    handle(&queues.http(|_, _| None), &[odd.clone()], LONG).await.unwrap();
    let sent = &queues.of("q.fifo")[0];
    let body = sent["MessageBody"].as_str().unwrap();
    assert!(body.chars().all(|char| char >= ' ' && !"\u{FFFE}\u{FFFF}".contains(char)), "{body}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["payment"]["description"], odd["dynamodb"]["NewImage"]["description"]["S"]);
}

#[tokio::test]
async fn an_event_without_records_is_an_error() {
    let variables = env(&[("QUEUE_URL", "q.fifo"), ("DIVERTED_QUEUE_URL", "d")]);
    let http = Queues::default().http(|_, _| None);
    let config = Config::from_env(&variables).unwrap();
    let stream = Arc::new(PaymentStream { config, aws: Aws::from_env(&variables, http.client()).unwrap() });
    let invocation = Invocation { request_id: "r".into(), deadline: Deadline::after(LONG) };
    assert!(stream.handle(json!({ "x": 1 }), invocation).await.is_err());
}
