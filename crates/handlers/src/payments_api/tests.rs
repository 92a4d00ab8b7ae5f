//! The handler from request to answer and item, against tables in memory.

mod any;
mod fake;

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::aws::Deadline;
use fake::{Fake, quote};

/// Status, headers and body.
type Seen = (u64, Value, Value);

async fn answer(fake: &Fake, event: Value) -> Value {
    let invocation = Invocation { request_id: "r".into(), deadline: Deadline::after(Duration::from_secs(20)) };
    fake.payments.handle(event, invocation).await
}

async fn ask(fake: &Fake, event: Value) -> Seen {
    let answer = answer(fake, event).await;
    let body = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    (answer["statusCode"].as_u64().unwrap(), answer["headers"].clone(), body)
}

fn post(key: &str, body: &Value) -> Value {
    json!({ "resource": "/payments", "path": "/payments", "httpMethod": "POST", "body": body.to_string(),
        "headers": { "content-type": "application/json", "IDEMPOTENCY-key": key },
        "requestContext": { "path": "/test/payments" } })
}

fn get(id: &str) -> Value {
    json!({ "resource": "/payments/{payment_id}", "httpMethod": "GET", "pathParameters": { "payment_id": id } })
}

fn list(query: Value) -> Value {
    json!({ "resource": "/payments", "httpMethod": "GET", "queryStringParameters": query })
}

fn order(amount: &str) -> Value {
    json!({ "customer_id": "c-1", "amount": amount, "currency": "EUR", "description": "book" })
}

#[tokio::test]
async fn a_payment_is_created_once_for_each_key() {
    let fake = Fake::new();
    let (status, headers, created) = ask(&fake, post("k", &order("10"))).await;
    assert_eq!(status, 201);
    let id = created["payment_id"].as_str().unwrap();
    assert_eq!(id, payment::id_of("k"));
    assert_eq!(headers["Location"], format!("/test/payments/{id}"));
    assert_eq!((&created["amount"], &created["status"]), (&json!("10.00"), &json!("pending")));
    assert_eq!(created["request_digest"], Value::Null);
    let created_at = created["created_at"].as_str().unwrap();
    assert!(created_at.len() == 24 && created_at.ends_with('Z'), "{created_at}");

    let (status, _, again) = ask(&fake, post("k", &order("10.00"))).await;
    assert_eq!((status, &again), (200, &created), "the same amount, however it is written");
    let (status, _, problem) = ask(&fake, post("k", &order("10.01"))).await;
    assert_eq!((status, &problem["title"]), (409, &json!("Conflict")));
    assert_eq!(ask(&fake, post("l", &order("10"))).await.0, 201);
    assert_eq!(ask(&fake, get(id)).await.2, created);
    assert_eq!(fake.payments().len(), 2);
}

#[tokio::test]
async fn a_payment_that_has_moved_on_is_shown_as_it_is() {
    let fake = Fake::new();
    ask(&fake, post("k", &order("10"))).await;
    fake.set(&payment::id_of("k"), "status", "settled");
    let (status, _, again) = ask(&fake, post("k", &order("10"))).await;
    assert_eq!((status, &again["status"]), (200, &json!("settled")));
}

#[tokio::test]
async fn a_server_that_does_not_say_what_was_in_the_way_is_asked() {
    let fake = Fake::new();
    ask(&fake, post("k", &order("10"))).await;
    fake.state.lock().unwrap().keeps_old_items_back = true;
    assert_eq!(ask(&fake, post("k", &order("10"))).await.0, 200);
    assert_eq!(ask(&fake, post("k", &order("11"))).await.0, 409);
}

#[tokio::test]
async fn what_is_no_payment_is_told_why_and_nothing_is_written() {
    let fake = Fake::new();
    let with = |name: &str, value: Value| {
        let mut order = order("10.00");
        order[name] = value;
        order
    };
    for (body, status, pointer) in [
        (json!([]), 400, "#"),
        (json!({}), 400, "#/customer_id"),
        (with("amount", json!(10)), 400, "#/amount"),
        (with("amount", json!("1e3")), 400, "#/amount"),
        (with("amount", json!("1000000000000000000")), 400, "#/amount"),
        (with("amount", json!("0.00")), 422, "#/amount"),
        (with("amount", json!("-5")), 422, "#/amount"),
        (with("amount", json!("1.001")), 422, "#/amount"),
        (with("currency", json!("ABC")), 422, "#/currency"),
        (with("currency", json!("XAU")), 422, "#/currency"),
        (with("currency", json!("JPY")), 422, "#/amount"),
        (with("currency", json!("euro")), 400, "#/currency"),
        (with("customer_id", json!("a b")), 400, "#/customer_id"),
        (with("customer_id", json!("")), 400, "#/customer_id"),
        (with("customer_id", json!("c".repeat(65))), 400, "#/customer_id"),
        (with("description", json!("é".repeat(201))), 400, "#/description"),
        (with("description", Value::Null), 400, "#/description"),
        (with("quote_id", json!("")), 400, "#/quote_id"),
        (with("quote_id", json!("q".repeat(65))), 400, "#/quote_id"),
        (with("quote_id", json!("no/quote")), 422, "#/quote_id"),
        (with("quote_id", json!("quo-0")), 422, "#/quote_id"),
        (with("status", json!("settled")), 400, "#/status"),
    ] {
        let (answered, headers, problem) = ask(&fake, post("k", &body)).await;
        assert_eq!((answered, &problem["errors"][0]["pointer"]), (status, &json!(pointer)), "{body}: {problem}");
        assert_eq!(headers["Content-Type"], "application/problem+json");
    }
    assert!(fake.payments().is_empty());
}

#[tokio::test]
async fn a_key_is_printable_and_there_once() {
    let fake = Fake::new();
    for key in ["", "é", "a\nb", &"k".repeat(256)] {
        assert_eq!(ask(&fake, post(key, &order("1"))).await.0, 400, "{key:?}");
    }
    let mut without = post("k", &order("1"));
    without["headers"] = Value::Null;
    assert_eq!(ask(&fake, without.clone()).await.0, 400);
    without["multiValueHeaders"] = json!({ "Idempotency-Key": ["a", "b"] });
    assert_eq!(ask(&fake, without).await.0, 400);
    assert_eq!(ask(&fake, post(&"~".repeat(255), &order("1"))).await.0, 201);
}

#[tokio::test]
async fn a_quote_gives_its_rate_while_it_lasts() {
    let fake = Fake::new();
    fake.put_quote("quo-1", quote("EUR", "10.00", 60));
    let mut body = order("10");
    body["quote_id"] = json!("quo-1");
    let (status, _, created) = ask(&fake, post("k", &body)).await;
    assert_eq!((status, &created["rate"]), (201, &json!("1.0842")), "{created}");
    assert_eq!((&created["target_amount"], &created["target_currency"]), (&json!("10.84"), &json!("USD")));

    for (name, other) in [
        ("quo-2", quote("EUR", "10.00", -1)),
        ("quo-3", quote("EUR", "10.01", 60)),
        ("quo-4", quote("CHF", "10.00", 60)),
    ] {
        fake.put_quote(name, other);
        body["quote_id"] = json!(name);
        let (status, _, problem) = ask(&fake, post(name, &body)).await;
        assert_eq!((status, &problem["errors"][0]["pointer"]), (422, &json!("#/quote_id")), "{name}");
    }
    assert_eq!(fake.payments().len(), 1);
}

#[tokio::test]
async fn a_request_that_comes_again_after_its_quote_has_expired_gets_its_payment() {
    let fake = Fake::new();
    fake.put_quote("quo-1", quote("EUR", "10.00", 60));
    let mut body = order("10");
    body["quote_id"] = json!("quo-1");
    let (_, _, created) = ask(&fake, post("k", &body)).await;
    fake.put_quote("quo-1", quote("EUR", "10.00", -1));
    let (status, _, again) = ask(&fake, post("k", &body)).await;
    assert_eq!((status, again), (200, created));
    body["amount"] = json!("11");
    assert_eq!(ask(&fake, post("k", &body)).await.0, 409);
    assert_eq!(ask(&fake, post("l", &body)).await.0, 422);
}

#[tokio::test]
async fn a_list_goes_from_the_newest_on_and_page_by_page() {
    let fake = Fake::new();
    let mut expected: Vec<String> = Vec::new();
    for at in 0..7 {
        let id = format!("pay-{at}");
        fake.put_payment(&id, "c-1", &format!("2026-01-02T03:04:0{at}.000Z"));
        fake.put_payment(&format!("other-{at}"), "c-2", &format!("2026-01-02T03:04:0{at}.000Z"));
        expected.insert(0, id);
    }
    // The service ends a page after 1 MB, wherever that is.
    for most_at_once in [1, 2, 100] {
        fake.state.lock().unwrap().most_at_once = most_at_once;
        let (mut seen, mut next, mut pages) = (Vec::new(), Value::Null, 0);
        loop {
            let mut query = json!({ "customer_id": "c-1", "limit": "3" });
            if let Value::String(token) = &next {
                query["next"] = json!(token);
            }
            let (status, _, page) = ask(&fake, list(query)).await;
            assert_eq!(status, 200, "{page}");
            let payments = page["payments"].as_array().unwrap();
            seen.extend(payments.iter().map(|payment| payment["payment_id"].as_str().unwrap().to_owned()));
            assert!(payments.iter().all(|payment| payment["request_digest"].is_null()));
            next = page["next"].clone();
            pages += 1;
            if next.is_null() {
                break;
            }
            assert_eq!(payments.len(), 3, "a page is full where there is more");
        }
        assert_eq!((&seen, pages), (&expected, 3));
    }
}

#[tokio::test]
async fn a_list_refuses_what_it_does_not_know() {
    let fake = Fake::new();
    fake.put_payment("pay-1", "c-1", "2026-01-02T03:04:01.000Z");
    fake.put_payment("pay-2", "c-1", "2026-01-02T03:04:02.000Z");
    let (_, _, page) = ask(&fake, list(json!({ "customer_id": "c-1", "limit": "1" }))).await;
    let token = &page["next"];
    assert!(token.is_string());
    for query in [
        json!(null),
        json!({ "customer_id": "" }),
        json!({ "customer_id": "c-1", "limit": "0" }),
        json!({ "customer_id": "c-1", "limit": "101" }),
        json!({ "customer_id": "c-1", "next": "" }),
        json!({ "customer_id": "c-1", "next": "abc" }),
        json!({ "customer_id": "c-2", "next": token }),
        json!({ "customer_id": "c-1", "order": "oldest" }),
    ] {
        assert_eq!(ask(&fake, list(query.clone())).await.0, 400, "{query}");
    }
    let mut twice = list(json!({}));
    twice["multiValueQueryStringParameters"] = json!({ "customer_id": ["c-1", "c-2"] });
    assert_eq!(ask(&fake, twice).await.0, 400);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let fake = Fake::new();
    for id in ["pay-1", "a%2Fb", "%00", "", &"p".repeat(3000)] {
        assert_eq!(ask(&fake, get(id)).await.0, 404, "{id}");
    }
    assert_eq!(ask(&fake, json!({ "path": "/elsewhere", "httpMethod": "GET" })).await.0, 404);
    let (status, headers, _) = ask(&fake, json!({ "path": "/payments/x", "httpMethod": "DELETE" })).await;
    assert_eq!((status, &headers["Allow"]), (405, &json!("GET")));
    let (status, headers, _) = ask(&fake, json!({ "path": "/payments", "httpMethod": "PUT" })).await;
    assert_eq!((status, &headers["Allow"]), (405, &json!("GET, POST")));
}

#[tokio::test]
async fn a_table_that_throttles_is_asked_again_and_then_it_is_a_moments_trouble() {
    let fake = Fake::new();
    fake.state.lock().unwrap().throttles = 2;
    assert_eq!(ask(&fake, post("k", &order("1"))).await.0, 201);
    fake.state.lock().unwrap().throttles = 100;
    for event in [post("l", &order("1")), get(&payment::id_of("k")), list(json!({ "customer_id": "c-1" }))] {
        let (status, headers, _) = ask(&fake, event).await;
        assert_eq!((status, headers["Retry-After"].is_string()), (503, true));
    }
    fake.state.lock().unwrap().throttles = 0;
    assert_eq!(fake.payments().len(), 1);
}
