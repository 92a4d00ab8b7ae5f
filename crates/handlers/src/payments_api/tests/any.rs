//! Any request at all, and any sequence of requests.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::fake::{Fake, quote};
use super::{ask, order, post};
use crate::payments::{attributes, hostile, payment};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

#[test]
fn no_request_is_an_error_of_the_server() {
    let texts = |texts: &[&str]| texts.iter().map(|text| Value::from(*text)).collect::<Vec<_>>();
    let event = hostile::event(
        "/payments",
        &[
            ("customer_id", texts(&["c-1", "c-2"])),
            ("amount", texts(&["10.00", "10", "0.01", "7"])),
            ("currency", texts(&["EUR", "EUR", "JPY", "KWD"])),
            ("description", texts(&["book", ""])),
        ],
    );
    let (fake, runtime) = (Fake::new(), runtime());
    fake.put_quote("quo-1", quote("EUR", "10.00", 600));
    fake.put_payment("pay-1", "c-1", "2026-01-02T03:04:01.000Z");
    let mut statuses = BTreeMap::new();
    let counted = std::cell::RefCell::new(&mut statuses);
    TestRunner::new(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })
        .run(&event, |event| {
            let answer = runtime.block_on(super::answer(&fake, event));
            *counted.borrow_mut().entry(hostile::check(&answer)).or_insert(0) += 1;
            Ok(())
        })
        .unwrap();
    // A grammar that never gets through tries nothing.
    for status in [200, 201, 400, 404, 405, 409, 413, 415, 422] {
        assert!(statuses.contains_key(&status), "{status} never came: {statuses:?}");
    }
    for item in fake.payments() {
        let payment = attributes::of_image(item.as_object().unwrap());
        assert!(payment["payment_id"] == "pay-1" || payment::check(&payment).is_ok(), "{payment:?}");
    }
}

const SCHEMA: &str = include_str!("../../../../../terraform/stacks/payments/payment/schemas/payment.json");

#[test]
fn what_the_schema_at_the_edge_lets_through_has_the_form_of_a_payment() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let (fake, runtime) = (Fake::new(), runtime());
    TestRunner::new(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })
        .run(&hostile::of_schema(&schema), |body| {
            let (status, _, problem) = runtime.block_on(ask(&fake, post(&body.to_string().len().to_string(), &body)));
            prop_assert!([200, 201, 409, 422].contains(&status), "{body}: {problem}");
            Ok(())
        })
        .unwrap();
    let (_, _, problem) = runtime.block_on(ask(&fake, post("k", &json!({}))));
    let missing: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|fault| &fault["pointer"]).collect();
    let required: Vec<_> =
        schema["required"].as_array().unwrap().iter().map(|name| format!("#/{}", name.as_str().unwrap())).collect();
    assert_eq!(missing, required.iter().collect::<Vec<_>>());
}

/// A request of a sequence, and what the service does to it.
#[derive(Clone, Debug)]
struct Step {
    key: &'static str,
    body: Value,
    /// What of the body a caller means, or nothing where it is no payment.
    meant: Option<String>,
    throttles: u32,
    answer_lost: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let body = prop::sample::select(vec![
        (order("10"), Some("ten")),
        (order("10.0"), Some("ten")),
        (order("10.00"), Some("ten")),
        (order("10.01"), Some("a cent more")),
        (json!({ "customer_id": "c-2", "amount": "10", "currency": "EUR", "description": "book" }), Some("another's")),
        (json!({ "customer_id": "c-1", "amount": "10", "currency": "JPY", "description": "book" }), Some("yen")),
        (json!({ "customer_id": "c-1", "amount": "10", "currency": "EUR" }), Some("undescribed")),
        (json!({ "customer_id": "c-1", "amount": "10", "currency": "EUR", "description": "" }), Some("empty")),
        (order("0"), None),
        (json!({}), None),
    ]);
    let key = prop::sample::select(vec!["k1", "k2", "k3"]);
    (key, body, 0_u32..3, prop::bool::weighted(0.2)).prop_map(|(key, (body, meant), throttles, answer_lost)| Step {
        key,
        body,
        meant: meant.map(str::to_owned),
        throttles,
        answer_lost,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn whatever_is_sent_how_often_a_key_makes_one_payment(steps in prop::collection::vec(step(), 1..20)) {
        let (fake, runtime) = (Fake::new(), runtime());
        // What each key stands for, and its payment as it was first shown.
        let mut model: BTreeMap<&str, (String, Value)> = BTreeMap::new();
        for step in steps {
            let send = |throttles, answer_lost| {
                {
                    let mut state = fake.state.lock().unwrap();
                    state.throttles = throttles;
                    state.loses_answers = u32::from(answer_lost);
                }
                let (status, _, body) = runtime.block_on(ask(&fake, post(step.key, &step.body)));
                (status, body)
            };
            let (mut status, mut body) = send(step.throttles, step.answer_lost);
            let mut is_disturbed = step.answer_lost;
            if status == 503 {
                prop_assert!(step.throttles > 0 || step.answer_lost);
                is_disturbed = true;
                (status, body) = send(0, false);
            }
            match (&step.meant, model.get(step.key)) {
                (None, _) => prop_assert!([400, 422].contains(&status)),
                // Where an answer was lost, the payment is there when it is asked for again.
                (Some(meant), None) => {
                    prop_assert!(status == 201 || (is_disturbed && status == 200), "{status}");
                    model.insert(step.key, (meant.clone(), body));
                }
                (Some(meant), Some((first, shown))) if meant == first => {
                    prop_assert_eq!((status, &body), (200, shown));
                }
                (Some(_), Some(_)) => prop_assert_eq!(status, 409),
            }
        }
        let kept: BTreeMap<_, _> = fake.payments().iter().map(|item| {
            let mut payment = attributes::of_image(item.as_object().unwrap());
            payment.remove(payment::REQUEST_DIGEST);
            (payment["payment_id"].clone().to_string(), Value::from(payment))
        }).collect();
        let expected: BTreeMap<_, _> =
            model.into_values().map(|(_, shown)| (shown["payment_id"].to_string(), shown)).collect();
        prop_assert_eq!(kept, expected);
    }
}
