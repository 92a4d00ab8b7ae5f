//! verify tells for every payment where it is, and never calls lost what it could not see.

use serde_json::{Value, json};

use crate::payments_table::{ACCOUNT, Payments};
use crate::run::{Running, finish};
use crate::server::Server;

#[track_caller]
fn counted(report: &Value, expected: Value) {
    let mut counts = report["counts"].clone();
    counts.as_object_mut().unwrap().retain(|_, count| *count != json!(0));
    assert_eq!(counts, expected, "{report:#}");
    let all: u64 = counts.as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!((report["items"].as_u64(), &report["balanced"]), (Some(all), &json!(true)), "{report:#}");
}

/// Category and reason of the finding about this payment.
#[track_caller]
fn found(report: &Value, key: &str) -> (String, String) {
    let findings = report["findings"].as_array().unwrap();
    let mut ours = findings.iter().filter(|finding| finding["key"] == key);
    let finding = ours.next().unwrap_or_else(|| panic!("nothing about {key}: {report:#}"));
    assert!(ours.next().is_none(), "more than one finding about {key}: {report:#}");
    assert_eq!(finding["table"], "p-dev-payments");
    let text = |name: &str| finding[name].as_str().unwrap().to_owned();
    (text("category"), text("why"))
}

/// What a message of the queue, and an event of the bus, says of a payment.
fn message(id: &str) -> String {
    json!({"type": "PaymentCreated", "event_id": "e", "payment": {"payment_id": id, "status": "pending"}}).to_string()
}

fn event(id: &str) -> Value {
    json!({"source": "payments", "detail-type": "PaymentCreated", "detail": {"payment_id": id, "status": "pending"}})
}

fn stream_record(id: &str) -> Value {
    json!({"eventName": "INSERT", "dynamodb": {"Keys": {"payment_id": {"S": id}}, "SequenceNumber": "1",
        "NewImage": {"payment_id": {"S": id}, "status": {"S": "pending"}}}})
}

#[test]
fn each_payment_is_in_exactly_one_category() {
    let server = Server::up();
    let payments = Payments::of(&server);
    payments.put("settled", "settled", &[]);
    payments.put("declined-1", "failed", &[("error", "PaymentDeclined"), ("reason", "1001 is over the limit")]);
    payments.put("declined-2", "failed", &[("error", "PaymentDeclined"), ("reason", "1002 is over the limit")]);
    payments.put("odd", "failed", &[("reason", "the bank was closed")]);
    payments.put("waiting", "pending", &[]);
    payments.send("payment-events", &message("waiting"));
    for (id, how) in [("running", "run"), ("aborted", "abort"), ("failed", "fail"), ("succeeded", "succeed")] {
        payments.put(id, "pending", &[]);
        payments.start(id, how);
    }
    for (id, queue, body) in [
        ("by-queue", "payment-events-dlq", message("by-queue")),
        ("by-divert", "payment-stream-diverted", json!({"Records": [stream_record("by-divert")]}).to_string()),
        ("by-rule", "payment-events-undelivered", event("by-rule").to_string()),
        ("by-settle-rule", "start-settlement-undelivered", event("by-settle-rule").to_string()),
        ("by-function", "start-settlement-dlq", json!({"requestPayload": event("by-function")}).to_string()),
    ] {
        payments.put(id, "pending", &[]);
        payments.send(queue, &body);
    }
    payments.put("by-stream", "pending", &[]);
    payments.send("payment-stream-dlq", &payments.position_of("by-stream"));
    payments.put("missing", "pending", &[]);
    payments.put("young", "pending", &[("created_at", &jiff::Timestamp::now().to_string())]);

    // Without a look into the queue, what is nowhere else may be in it.
    let report = payments.verify("").exits(8).json();
    let dead = 9;
    counted(&report, json!({"settled": 1, "failed": 3, "in_flight": 1, "dead": dead, "undetermined": 3}));
    let report = payments.verify("--look").exits(8).json();
    let expected = json!({"settled": 1, "failed": 3, "waiting": 1, "in_flight": 1, "dead": dead, "missing": 1,
        "undetermined": 1});
    counted(&report, expected);
    assert_eq!(report["reasons"], json!({"PaymentDeclined": 2, "the bank was closed": 1}));
    for (key, category, why) in [
        ("waiting", "waiting", "its message is in the queue"),
        ("running", "in_flight", "its execution running is running"),
        ("aborted", "dead", "its execution aborted was aborted without an outcome (ByHand: a mistake)"),
        ("failed", "dead", "its execution failed failed without an outcome (NotRecorded: the table was away)"),
        ("succeeded", "dead", "its execution succeeded succeeded without an outcome"),
        ("by-queue", "dead", "its message is in dead-letter queue p-dev-payment-events-dlq.fifo"),
        ("by-divert", "dead", "its message is in dead-letter queue p-dev-payment-stream-diverted"),
        ("by-stream", "dead", "its message is in dead-letter queue p-dev-payment-stream-dlq"),
        ("by-rule", "dead", "its message is in dead-letter queue p-dev-payment-events-undelivered"),
        ("by-settle-rule", "dead", "its message is in dead-letter queue p-dev-start-settlement-undelivered"),
        ("by-function", "dead", "its message is in dead-letter queue p-dev-start-settlement-dlq"),
        ("missing", "missing", "no outcome, no execution, and no message in the queue or among the dead letters"),
        ("young", "undetermined", "it may be on its way where nobody can look, which takes up to 1d 7h"),
    ] {
        assert_eq!(found(&report, key), (category.to_owned(), why.to_owned()), "{key}");
    }
    assert_eq!(report["findings"].as_array().unwrap().len(), 13, "{report:#}");
    let page = payments.claimctl("verify payments --settle 0s --look").exits(8);
    page.says("flow payments: 17 items").says("PaymentDeclined").says("every item is in exactly one category");
}

#[test]
fn the_proof_names_its_scope_and_an_empty_one_proves_nothing() {
    let server = Server::up();
    let payments = Payments::of(&server);
    payments.verify("").exits(3);
    payments.put("a-settled", "settled", &[]);
    payments.put("b-missing", "pending", &[]);
    let report = payments.verify("--prefix a-").exits(0).json();
    counted(&report, json!({"settled": 1}));
    let scope = &report["scope"];
    for (name, value) in [
        ("table", json!("p-dev-payments")),
        ("bucket", Value::Null),
        ("prefix", json!("a-")),
        ("sinks", json!([{"kind": "table", "name": "p-dev-payments"}])),
        ("queues", json!(["p-dev-payment-events.fifo"])),
        ("state_machine", json!(format!("arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:p-dev-settlement"))),
    ] {
        assert_eq!(scope[name], value, "{name}");
    }
    assert_eq!(scope["dead_letter_queues"].as_array().unwrap().len(), 6, "{scope}");
    payments.claimctl("verify --settle 0s --prefix a-").exits(0).says("all accounted for");
    counted(&payments.verify("").exits(8).json(), json!({"settled": 1, "missing": 1}));
    // Only what was created since; what does not tell may have been.
    payments.put("c-undated", "pending", &[("created_at", "long ago")]);
    counted(&payments.verify("--since 7d").exits(3).json(), json!({"undetermined": 1}));
}

#[test]
fn a_dead_letter_that_cannot_be_read_may_be_about_anything() {
    let server = Server::up();
    let payments = Payments::of(&server);
    payments.put("missing", "pending", &[]);
    counted(&payments.verify("").exits(8).json(), json!({"missing": 1}));
    payments.send("payment-stream-diverted", "no JSON");
    let report = payments.verify("").exits(3).json();
    counted(&report, json!({"undetermined": 1}));
    let (_, why) = found(&report, "missing");
    assert!(why.contains("1 message of queue p-dev-payment-stream-diverted could not be read"), "{why}");
}

#[test]
fn a_position_whose_records_are_gone_from_the_stream_leaves_a_doubt() {
    let server = Server::up();
    let payments = Payments::of(&server);
    payments.put("missing", "pending", &[]);
    payments.send("payment-stream-dlq", &payments.position("shardId-00000000000000000000-00000000", "1"));
    let report = payments.verify("").exits(3).json();
    counted(&report, json!({"undetermined": 1}));
    let (_, why) = found(&report, "missing");
    assert!(why.contains("the stream no longer holds the records that it is about"), "{why}");
}

#[test]
fn an_item_is_missing_once_it_is_older_than_all_that_may_hold_it() {
    let server = Server::up();
    let payments = Payments::of(&server);
    let ago = |hours: i64| (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours)).to_string();
    payments.put("pay", "pending", &[("created_at", &ago(10))]);
    counted(&payments.verify("").exits(3).json(), json!({"undetermined": 1}));
    // The stream an hour, Lambda six; and its rule no longer a day.
    payments.rule_tries(Some(3600));
    counted(&payments.verify("").exits(8).json(), json!({"missing": 1}));
    payments.put("pay", "pending", &[("created_at", &ago(7))]);
    counted(&payments.verify("").exits(3).json(), json!({"undetermined": 1}));
}

#[test]
fn an_execution_that_was_started_again_decides() {
    let server = Server::up();
    let payments = Payments::of(&server);
    payments.put("pay", "pending", &[]);
    payments.start("pay", "abort");
    payments.start("pay-1", "fail");
    assert_eq!(found(&payments.verify("").exits(8).json(), "pay").0, "dead");
    payments.start("pay-2", "run");
    let (category, why) = found(&payments.verify("").exits(3).json(), "pay");
    assert_eq!((category.as_str(), why.as_str()), ("in_flight", "its execution pay-2 is running"));
}

#[test]
fn an_execution_that_was_started_by_hand_alone_is_found() {
    let server = Server::up();
    let payments = Payments::of(&server);
    payments.put("pay", "pending", &[]);
    payments.start("pay-1", "run");
    let (category, why) = found(&payments.verify("").exits(3).json(), "pay");
    assert_eq!((category.as_str(), why.as_str()), ("in_flight", "its execution pay-1 is running"));
}

#[test]
fn a_failure_without_a_reason_is_no_outcome() {
    let server = Server::up();
    let payments = Payments::of(&server);
    payments.put("pay", "failed", &[]);
    let report = payments.verify("").exits(3).json();
    counted(&report, json!({"undetermined": 1}));
    assert_eq!(found(&report, "pay").1, "it says that it failed, and not why");
}

#[test]
fn what_settles_while_one_waits_is_settled() {
    let server = Server::up();
    let payments = Payments::of(&server);
    payments.put("pay", "pending", &[]);
    let mut command = payments.project.claimctl(ACCOUNT, "verify payments --wait 60s -o json --env dev");
    let child = command.start();
    payments.put("pay", "settled", &[]);
    counted(&finish(child, "verify --wait".to_owned()).exits(0).json(), json!({"settled": 1}));
}

#[test]
fn what_does_not_go_with_a_flow_of_a_table_is_refused() {
    let server = Server::up();
    let payments = Payments::of(&server);
    payments.verify("--rows").fails_with(2, "the items of flow payments are not of files with rows");
    let told = "flow payments begins at table p-dev-payments, and ends there";
    payments.verify("--bucket b").fails_with(2, told);
    payments.verify("--table other").fails_with(2, told);
    payments.verify("--table payments").exits(3);
}

#[test]
fn records_are_the_items_as_they_are() {
    let server = Server::up();
    let payments = Payments::of(&server);
    payments.verify("").exits(3);
    payments.put("b", "failed", &[("reason", "a comma, and a \"quote\""), ("amount", "10.00")]);
    payments.put("a", "settled", &[("created_at", "2026-01-02T03:04:05.678Z"), ("settlement_id", "set-1")]);
    let listed = payments.claimctl("records ls payments -o json").exits(0).json();
    let b = json!({"payment_id": "b", "status": "failed", "created_at": "2020-01-01T00:00:00.000Z", "amount": "10.00",
        "reason": "a comma, and a \"quote\""});
    assert_eq!((&listed["records"][1], &listed["matching"], listed.get("bucket")), (&b, &json!(2), None));
    assert_eq!(listed["sinks"], json!([{"kind": "table", "name": "p-dev-payments"}]));
    for (filter, expected) in [
        ("", &["a", "b"][..]),
        ("--status failed", &["b"]),
        ("--status pending", &[]),
        ("--since 2026-01-01T00:00Z", &["a"]),
        ("--prefix b", &["b"]),
        ("--limit 1", &["a"]),
    ] {
        let listed = payments.claimctl(&format!("records ls payments -o json {filter}")).exits(0).json();
        let keys = listed["records"].as_array().unwrap().iter().map(|item| item["payment_id"].as_str().unwrap());
        assert_eq!(keys.collect::<Vec<_>>(), expected, "{filter}");
    }
    let csv = payments.claimctl("records ls payments --csv --prefix b").exits(0);
    let lines = "payment_id,status,created_at,amount,reason\n\
                 b,failed,2020-01-01T00:00:00.000Z,10.00,\"a comma, and a \"\"quote\"\"\"\n";
    assert_eq!(csv.stdout, lines);
    let page = payments.claimctl("records ls payments").exits(0).stdout;
    assert!(page.starts_with("PAYMENT_ID  STATUS   CREATED_AT"), "{page}");

    let item = payments.claimctl("records get b --flow payments -o json").exits(0).json();
    assert_eq!((&item["records"], item.get("bucket")), (&json!([b]), None));
    let none = payments.claimctl("records get c --flow payments");
    none.fails_with(5, "table p-dev-payments has no item \"c\"").says("records ls payments");
}
