//! What the APIs answer to requests that are wrong, from the edge and from the functions: problem details, and no payment.

use serde_json::{Value, json};

use super::{Answer, SOON, send};
use crate::world::World;

const JSON: (&str, &str) = ("Content-Type", "application/json");
const KEY: (&str, &str) = ("Idempotency-Key", "a key");

/// The answer is a problem of this status, and says so.
#[track_caller]
fn problem(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.head.contains("content-type: application/problem+json"), "{}", answer.head);
    assert_eq!(answer.body["type"], "about:blank", "{answer:?}");
    assert!(answer.body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{answer:?}");
}

fn payment() -> Value {
    json!({"customer_id": "somebody", "amount": "1.00", "currency": "EUR"})
}

#[test]
fn wrong_requests_are_problems_and_make_no_payment() {
    let world = World::payments(&SOON);
    let post = |headers: &[(&str, &str)], body: &[u8]| world.api("POST", "/payments", headers, body);
    let body = payment().to_string();

    let url = format!("{}/payments", world.surface["apis"]["payments"]["url"].as_str().unwrap());
    problem(&send(&url, "POST", &[KEY, JSON], body.as_bytes()), 403);
    problem(&world.api("DELETE", "/payments", &[], b""), 403);
    problem(&post(&[JSON], body.as_bytes()), 400);
    problem(&post(&[("Idempotency-Key", &"k".repeat(256)), JSON], body.as_bytes()), 400);
    for wrong in ["", "no JSON", "[]", "null", "{\"customer_id\": \"somebody\"", "\u{0}"] {
        problem(&post(&[KEY, JSON], wrong.as_bytes()), 400);
    }
    problem(&post(&[KEY, JSON], b"\xff\xfe"), 400);
    for (name, wrong) in [
        ("customer_id", json!("")),
        ("customer_id", json!("a/b")),
        ("customer_id", json!(7)),
        ("amount", json!(1.0)),
        ("amount", json!("-1.00")),
        ("amount", json!("1e3")),
        ("amount", json!("1000000000000000000")),
        ("currency", json!("eur")),
        ("description", json!("d".repeat(201))),
        ("surprise", json!("more")),
    ] {
        let mut payment = payment();
        payment[name] = wrong;
        problem(&post(&[KEY, JSON], payment.to_string().as_bytes()), 400);
    }
    for (amount, currency) in [("0.00", "EUR"), ("1.001", "EUR"), ("1.001", "JPY"), ("1.00", "XXQ")] {
        let mut payment = payment();
        (payment["amount"], payment["currency"]) = (json!(amount), json!(currency));
        problem(&post(&[KEY, JSON], payment.to_string().as_bytes()), 422);
    }
    let mut unknown_quote = payment();
    unknown_quote["quote_id"] = json!("none");
    problem(&post(&[KEY, JSON], unknown_quote.to_string().as_bytes()), 422);
    // The schema allows no text so long: what is too large is made of spaces between.
    problem(&post(&[KEY, JSON], format!("{}{body}", " ".repeat(20_000)).as_bytes()), 413);
    problem(&world.api("GET", "/payments/pay-00000000000000000000000000000000", &[], b""), 404);
    problem(&world.api("GET", "/payments", &[], b""), 400);
    problem(&world.api("GET", "/payments?customer_id=somebody&limit=1000", &[], b""), 400);
    problem(&world.api("GET", "/payments?customer_id=somebody&next=nonsense", &[], b""), 400);
    assert!(world.payments_in_table().is_empty());

    let made = world.pay("one", &payment());
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.body["payment_id"].as_str().unwrap();
    assert!(made.head.contains(&format!("location: /local/payments/{id}")), "{}", made.head);
    let again = world.pay("one", &payment());
    assert_eq!((again.status, &again.body["payment_id"]), (200, &made.body["payment_id"]), "{again:?}");
    let mut other = payment();
    other["amount"] = json!("2.00");
    problem(&world.pay("one", &other), 409);
    assert_eq!(world.payments_in_table().len(), 1);
    let got = world.api("GET", &format!("/payments/{id}"), &[], b"");
    assert_eq!((got.status, &got.body["amount"]), (200, &json!("1.00")), "{got:?}");
}

#[test]
fn payments_of_a_customer_come_in_pages_the_newest_first() {
    let world = World::payments(&SOON);
    let made: Vec<_> = (0..7).map(|number| world.paid(&number.to_string(), "1.00", "EUR")).collect();
    let (mut listed, mut next) = (Vec::new(), String::new());
    loop {
        let page = world.api("GET", &format!("/payments?customer_id=somebody&limit=3{next}"), &[], b"");
        assert_eq!(page.status, 200, "{page:?}");
        let payments = page.body["payments"].as_array().unwrap();
        assert!((1..=3).contains(&payments.len()), "{page:?}");
        listed.extend(payments.iter().map(|payment| payment["payment_id"].as_str().unwrap().to_owned()));
        let Some(token) = page.body["next"].as_str() else { break };
        next = format!("&next={token}");
    }
    let mut all = listed.clone();
    all.sort();
    let mut expected = made.clone();
    expected.sort();
    assert_eq!(all, expected, "each once");
    // Those of one millisecond have no order.
    assert_eq!((&listed[0], &listed[6]), (&made[6], &made[0]));
    let none = world.api("GET", "/payments?customer_id=nobody", &[], b"");
    assert_eq!((none.status, &none.body), (200, &json!({"payments": [], "next": null})));
}

#[test]
fn a_quote_holds_for_one_payment_as_it_was_asked_for() {
    let world = World::payments(&SOON);
    let quote = json!({"source_currency": "EUR", "target_currency": "JPY", "amount": "10.00"});
    let quote = world.api("POST", "/quotes", &[JSON], quote.to_string().as_bytes());
    assert_eq!((quote.status, &quote.body["target_amount"]), (201, &json!("1632")), "{quote:?}");
    let mut payment = payment();
    (payment["amount"], payment["quote_id"]) = (json!("10.00"), quote.body["quote_id"].clone());
    let made = world.pay("quoted", &payment);
    assert_eq!((made.status, &made.body["target_amount"]), (201, &json!("1632")), "{made:?}");
    payment["amount"] = json!("10.01");
    problem(&world.pay("other amount", &payment), 422);
    let wrong = json!({"source_currency": "EUR", "target_currency": "XXQ", "amount": "10.00"});
    problem(&world.api("POST", "/quotes", &[JSON], wrong.to_string().as_bytes()), 422);
}
