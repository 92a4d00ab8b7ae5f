//! Both functions from event to answer.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::aws::Deadline;
use crate::fake_http::{Answer, FakeHttp, env};
use crate::payments::payment;

fn payment_of(amount: &str, currency: &str) -> Value {
    json!({ "payment_id": "pay-1", "customer_id": "c", "amount": amount, "currency": currency, "status": "pending",
        "created_at": "2026-01-02T03:04:05.678Z", "event_id": "e" })
}

fn invocation(time: Duration) -> Invocation {
    Invocation { request_id: "r".into(), deadline: Deadline::after(time) }
}

const LONG: Duration = Duration::from_secs(20);

fn settle(limits: &str, event: &Value) -> Result<Value, Problem> {
    Limits::parse(limits).unwrap().handle(event, &invocation(LONG))
}

async fn start(http: &FakeHttp, event: Value, time: Duration) -> Result<Value, Problem> {
    let variables = env(&[("STATE_MACHINE_ARN", "arn:machine")]);
    let start = Start { aws: Aws::from_env(&variables, http.client()).unwrap(), state_machine: "arn:machine".into() };
    Arc::new(Settlement::Start(Box::new(start))).handle(event, invocation(time)).await
}

fn of_the_bus(detail: &Value) -> Value {
    json!({ "source": "payments", "detail-type": "PaymentCreated", "id": "1", "detail": detail })
}

fn started() -> FakeHttp {
    FakeHttp::new(|_| Answer::new(200, json!({ "executionArn": "arn", "startDate": 1_767_323_045.0 })))
}

#[test]
fn a_payment_is_settled_under_the_same_name_whenever_it_comes() {
    let limits = r#"{"EUR":"10.00"}"#;
    let settled = settle(limits, &payment_of("10.00", "EUR")).unwrap();
    assert_eq!(settled, json!({ "settlement_id": payment::settlement_id("pay-1") }));
    assert_eq!(settle(limits, &payment_of("10", "EUR")).unwrap(), settled);
    assert_eq!(
        settle(limits, &payment_of("999999999999.99", "USD")).unwrap(),
        settled,
        "without a limit there is none"
    );
}

#[test]
fn above_the_limit_it_is_declined_and_what_is_none_is_invalid() {
    let kind = |event: &Value| Diagnostic::from(settle(r#"{"EUR":"10.00","JPY":"0"}"#, event).unwrap_err()).error_type;
    assert_eq!(kind(&payment_of("10.01", "EUR")), "PaymentDeclined");
    assert_eq!(kind(&payment_of("1", "JPY")), "PaymentDeclined");
    for wrong in [
        payment_of("ten", "EUR"),
        payment_of("10.001", "EUR"),
        payment_of("1", "EURO"),
        payment_of("0", "EUR"),
        json!(1),
    ] {
        assert_eq!(kind(&wrong), "InvalidPayment");
    }
}

#[test]
fn a_limit_is_an_amount_of_its_currency() {
    for wrong in ["", "[]", r#"{"EUR":10}"#, r#"{"EUR":"-1"}"#, r#"{"JPY":"1.5"}"#, r#"{"EURO":"1"}"#] {
        assert!(Limits::parse(wrong).is_err(), "{wrong}");
    }
    assert!(handler(&env(&[("LIMITS", "x")])).err().unwrap().starts_with("LIMITS"));
    assert!(matches!(handler(&env(&[])), Ok(Settlement::Settle(_))));
    assert!(matches!(handler(&env(&[("STATE_MACHINE_ARN", "arn")])), Ok(Settlement::Start(_))));
}

#[tokio::test]
async fn an_execution_has_the_name_of_its_payment() {
    let http = started();
    let detail = payment_of("1.00", "EUR");
    assert_eq!(start(&http, of_the_bus(&detail), LONG).await.unwrap(), json!({ "execution": "pay-1" }));
    let input = http.requests()[0].json();
    assert_eq!((&input["stateMachineArn"], &input["name"]), (&json!("arn:machine"), &json!("pay-1")));
    assert_eq!(serde_json::from_str::<Value>(input["input"].as_str().unwrap()).unwrap(), detail);
}

#[tokio::test]
async fn one_that_has_been_there_is_a_success() {
    let http = FakeHttp::new(|_| Answer::new(400, json!({ "__type": "x#ExecutionAlreadyExists", "message": "there" })));
    assert_eq!(start(&http, of_the_bus(&payment_of("1", "EUR")), LONG).await.unwrap(), json!({ "execution": "pay-1" }));
    assert_eq!(http.requests().len(), 1);
}

#[tokio::test]
async fn by_hand_it_is_started_again_under_another_name() {
    let http = started();
    let mut by_hand = payment_of("1.00", "EUR");
    assert_eq!(start(&http, by_hand.clone(), LONG).await.unwrap(), json!({ "execution": "pay-1" }));
    by_hand["again"] = json!(2);
    assert_eq!(start(&http, by_hand.clone(), LONG).await.unwrap(), json!({ "execution": "pay-1-2" }));
    assert!(!http.requests()[1].body.contains("again"));
    for wrong in [json!(0), json!(11), json!("2"), json!(true), json!(1.5)] {
        by_hand["again"] = wrong;
        assert!(matches!(start(&http, by_hand.clone(), LONG).await, Err(Problem::InvalidPayment(_))));
    }
    let by_event = of_the_bus(&json!({ "payment_id": "pay-1", "again": 2 }));
    assert!(matches!(start(&http, by_event, LONG).await, Err(Problem::InvalidPayment(_))));
}

#[tokio::test]
async fn an_event_that_names_no_payment_is_an_error_of_the_function() {
    let http = started();
    for event in [json!(null), json!({}), of_the_bus(&json!({ "payment_id": "a b" })), of_the_bus(&json!("pay-1"))] {
        let problem = start(&http, event, LONG).await.unwrap_err();
        assert_eq!(Diagnostic::from(problem).error_type, "InvalidPayment");
    }
    assert!(http.requests().is_empty());
}

#[tokio::test]
async fn what_may_pass_is_tried_again_until_the_time_is_up_and_what_will_not_is_not() {
    let mut refusals = 12;
    let http = FakeHttp::new(move |_| {
        refusals -= 1;
        match refusals {
            0 => Answer::new(200, json!({ "executionArn": "arn", "startDate": 1.0 })),
            _ if refusals % 2 == 0 => Answer::new(400, json!({ "__type": "x#ExecutionLimitExceeded" })),
            _ => Answer::new(500, "{}"),
        }
    });
    assert!(start(&http, of_the_bus(&payment_of("1", "EUR")), Duration::from_secs(30)).await.is_ok());

    let busy = FakeHttp::new(|_| Answer::new(400, json!({ "__type": "x#ThrottlingException" })));
    let problem = start(&busy, of_the_bus(&payment_of("1", "EUR")), Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(Diagnostic::from(problem).error_type, "NotStarted");

    let gone = FakeHttp::new(|_| Answer::new(400, json!({ "__type": "x#StateMachineDoesNotExist" })));
    assert!(matches!(start(&gone, of_the_bus(&payment_of("1", "EUR")), LONG).await, Err(Problem::NotStarted(_))));
    assert_eq!(gone.requests().len(), 1);
}
