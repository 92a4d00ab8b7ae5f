//! The handler from request to answer and item.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::aws::Deadline;
use crate::fake_http::{Answer, FakeHttp, env};
use crate::payments::quote::EXPIRES_AT;

fn quotes(http: &FakeHttp) -> Arc<Quotes> {
    let rates = r#"{"EUR/USD":"1.0842","EUR/JPY":"162.5","KWD/EUR":"3"}"#;
    let variables = env(&[("QUOTES_TABLE", "quotes"), ("RATES", rates), ("QUOTE_VALIDITY", "60")]);
    let config = Config::from_env(&variables).unwrap();
    Arc::new(Quotes { config, aws: Aws::from_env(&variables, http.client()).unwrap() })
}

fn post(body: &str) -> Value {
    json!({ "resource": "/quotes", "path": "/quotes", "httpMethod": "POST", "body": body,
        "headers": { "content-type": "application/json" } })
}

async fn ask(http: &FakeHttp, event: Value, request_id: &str) -> (u64, Value) {
    let invocation = Invocation { request_id: request_id.into(), deadline: Deadline::after(Duration::from_secs(20)) };
    let answer = quotes(http).handle(event, invocation).await;
    (answer["statusCode"].as_u64().unwrap(), serde_json::from_str(answer["body"].as_str().unwrap()).unwrap())
}

fn always_written() -> FakeHttp {
    FakeHttp::new(|_| Answer::new(200, "{}"))
}

#[tokio::test]
async fn a_quote_is_kept_as_it_is_shown() {
    let http = always_written();
    let body = r#"{"source_currency":"EUR","target_currency":"USD","amount":"10"}"#;
    let (status, quote) = ask(&http, post(body), "r").await;
    assert_eq!(status, 201);
    let put = http.requests()[0].json();
    let item = &put["Item"];
    assert_eq!(put["ConditionExpression"], "attribute_not_exists(#quote_id)");
    for (name, value) in [
        ("source_currency", "EUR"),
        ("target_currency", "USD"),
        ("amount", "10.00"),
        ("rate", "1.0842"),
        ("target_amount", "10.84"),
    ] {
        assert_eq!((&quote[name], &item[name]["S"]), (&json!(value), &json!(value)));
    }
    assert_eq!(quote["quote_id"], item["quote_id"]["S"]);
    let expires_at: jiff::Timestamp = quote["expires_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(item[EXPIRES_AT]["N"], expires_at.as_second().to_string());
    let left = expires_at.duration_since(jiff::Timestamp::now()).as_secs();
    assert!((57..=60).contains(&left), "{left}");
}

#[tokio::test]
async fn every_quote_has_an_id_of_its_own() {
    let http = always_written();
    let body = r#"{"source_currency":"EUR","target_currency":"USD","amount":"10"}"#;
    let (_, one) = ask(&http, post(body), "r1").await;
    let (_, two) = ask(&http, post(body), "r2").await;
    assert_ne!(one["quote_id"], two["quote_id"]);
}

#[tokio::test]
async fn an_amount_is_rounded_to_the_minor_units_of_its_target() {
    for (source, target, amount, rate, expected) in [
        ("EUR", "JPY", "0.01", "162.5", "2"),
        ("EUR", "JPY", "1.00", "162.5", "162"),
        ("JPY", "EUR", "1000", "0.00615384615385", "6.15"),
        ("EUR", "KWD", "0.01", "0.333333333333", "0.003"),
        ("KWD", "EUR", "0.005", "3", "0.02"),
    ] {
        let body = json!({ "source_currency": source, "target_currency": target, "amount": amount }).to_string();
        let (status, quote) = ask(&always_written(), post(&body), "r").await;
        assert_eq!((status, &quote["rate"], &quote["target_amount"]), (201, &json!(rate), &json!(expected)), "{body}");
    }
}

#[tokio::test]
async fn what_cannot_be_quoted_is_told_why_and_nothing_is_written() {
    for (body, status, pointer) in [
        ("", 400, "#"),
        ("{}", 400, "#/source_currency"),
        (r#"{"source_currency":"EUR","target_currency":"USD","amount":10}"#, 400, "#/amount"),
        (r#"{"source_currency":"EUR","target_currency":"USD","amount":"1e3"}"#, 400, "#/amount"),
        (r#"{"source_currency":"eur","target_currency":"USD","amount":"1"}"#, 400, "#/source_currency"),
        (r#"{"source_currency":"EUR","target_currency":"USD","amount":"1","x":1}"#, 400, "#/x"),
        (r#"{"source_currency":"EUR","target_currency":"ABC","amount":"1"}"#, 422, "#/target_currency"),
        (r#"{"source_currency":"XAU","target_currency":"USD","amount":"1"}"#, 422, "#/source_currency"),
        (r#"{"source_currency":"EUR","target_currency":"CHF","amount":"1"}"#, 422, "#/target_currency"),
        (r#"{"source_currency":"EUR","target_currency":"EUR","amount":"1"}"#, 422, "#/target_currency"),
        (r#"{"source_currency":"EUR","target_currency":"USD","amount":"0"}"#, 422, "#/amount"),
        (r#"{"source_currency":"EUR","target_currency":"USD","amount":"-1"}"#, 422, "#/amount"),
        (r#"{"source_currency":"EUR","target_currency":"USD","amount":"1.001"}"#, 422, "#/amount"),
        (r#"{"source_currency":"EUR","target_currency":"JPY","amount":"0.001"}"#, 422, "#/amount"),
        (r#"{"source_currency":"EUR","target_currency":"JPY","amount":"999999999999"}"#, 422, "#/amount"),
    ] {
        let http = always_written();
        let (answered, problem) = ask(&http, post(body), "r").await;
        assert_eq!((answered, &problem["status"]), (status, &json!(status)), "{body}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body}: {problem}");
        assert!(http.requests().is_empty(), "{body}");
    }
}

#[tokio::test]
async fn other_places_and_methods_are_told_apart() {
    let http = always_written();
    let at = |path: &str, method: &str| json!({ "path": path, "httpMethod": method });
    assert_eq!(ask(&http, at("/quotes", "GET"), "r").await.0, 405);
    assert_eq!(ask(&http, at("/quotes/x", "POST"), "r").await.0, 404);
    assert_eq!(ask(&http, json!(null), "r").await.0, 404);
    let mut with_query = post("{}");
    with_query["queryStringParameters"] = json!({ "x": "1" });
    assert_eq!(ask(&http, with_query, "r").await.0, 400);
}

#[tokio::test]
async fn a_table_that_throttles_is_a_moments_trouble_and_one_that_refuses_is_not() {
    let body = r#"{"source_currency":"EUR","target_currency":"USD","amount":"10"}"#;
    let throttled = json!({ "__type": "x#ProvisionedThroughputExceededException", "message": "slow" });
    for (http_status, error, expected) in
        [(400, throttled, 503), (500, json!({}), 503), (400, json!({ "__type": "x#AccessDeniedException" }), 500)]
    {
        let error = error.to_string();
        let http = FakeHttp::new(move |_| Answer::new(http_status, &error));
        let invocation = Invocation { request_id: "r".into(), deadline: Deadline::after(Duration::from_secs(20)) };
        let answer = quotes(&http).handle(post(body), invocation).await;
        assert_eq!(answer["statusCode"], expected);
        assert_eq!(answer["headers"]["Content-Type"], "application/problem+json");
        assert_eq!(answer["headers"]["Retry-After"].is_string(), expected == 503);
    }
}

#[test]
fn no_request_is_an_error_of_the_server() {
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    use crate::payments::hostile;

    let texts = |texts: &[&str]| texts.iter().map(|text| Value::from(*text)).collect::<Vec<_>>();
    let event = hostile::event(
        "/quotes",
        &[
            ("source_currency", texts(&["EUR", "EUR", "KWD", "JPY"])),
            ("target_currency", texts(&["USD", "EUR", "JPY"])),
            ("amount", texts(&["10.00", "10", "0.01", "999999999999"])),
        ],
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let quotes = quotes(&always_written());
    let mut statuses = std::collections::BTreeMap::new();
    let counted = std::cell::RefCell::new(&mut statuses);
    TestRunner::new(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })
        .run(&event, |event| {
            let invocation = Invocation { request_id: "r".into(), deadline: Deadline::after(Duration::from_secs(20)) };
            let answer = runtime.block_on(quotes.handle(event, invocation));
            *counted.borrow_mut().entry(hostile::check(&answer)).or_insert(0) += 1;
            Ok(())
        })
        .unwrap();
    // A grammar that never gets through tries nothing.
    for status in [201, 400, 404, 405, 413, 415, 422] {
        assert!(statuses.contains_key(&status), "{status} never came: {statuses:?}");
    }
}

const SCHEMA: &str = include_str!("../../../../terraform/stacks/payments/quote/schemas/quote.json");

#[test]
fn what_the_schema_at_the_edge_lets_through_has_the_form_of_a_quote() {
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let http = always_written();
    TestRunner::new(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })
        .run(&crate::payments::hostile::of_schema(&schema), |body| {
            let (status, problem) = runtime.block_on(ask(&http, post(&body.to_string()), "r"));
            prop_assert!([201, 422].contains(&status), "{body}: {problem}");
            Ok(())
        })
        .unwrap();
    let (_, problem) = runtime.block_on(ask(&http, post("{}"), "r"));
    let missing: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|fault| fault["pointer"].clone()).collect();
    let required: Vec<_> = schema["required"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| json!(format!("#/{}", name.as_str().unwrap())))
        .collect();
    assert_eq!(missing, required);
}
