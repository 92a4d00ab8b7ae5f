//! A payment: its ids, its attributes, and whether something is one.

use serde_json::{Map, Value};

use super::money::{Currency, Money, NotMoney};
use super::{digest, short_digest};

pub const PAYMENT_ID: &str = "payment_id";
pub const CUSTOMER_ID: &str = "customer_id";
pub const AMOUNT: &str = "amount";
pub const CURRENCY: &str = "currency";
pub const DESCRIPTION: &str = "description";
pub const STATUS: &str = "status";
pub const CREATED_AT: &str = "created_at";
/// Of the item only: nobody is shown it.
pub const REQUEST_DIGEST: &str = "request_digest";
/// Of a message and an event, beside the payment.
pub const EVENT_ID: &str = "event_id";

pub const PENDING: &str = "pending";
pub const SETTLED: &str = "settled";
pub const FAILED: &str = "failed";

/// The id of the payment that a key asks for, the same for every request with it.
pub fn id_of(idempotency_key: &str) -> String {
    format!("pay-{}", short_digest(idempotency_key))
}

/// The id of the settlement of a payment, the same however often it is settled.
pub fn settlement_id(payment_id: &str) -> String {
    format!("set-{}", short_digest(format!("settlement of {payment_id}")))
}

/// What a request asks for, whatever the order and the white space of its JSON.
pub fn request_digest(parts: &[Option<&str>]) -> String {
    digest(Value::from_iter(parts.iter().copied()).to_string())
}

/// Whether it can be the id of a payment: it names a message group and an execution too.
pub fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Whether it can be the id of a customer.
pub fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// What a payment has to have to be settled; else why it is none.
pub fn check(payment: &Map<String, Value>) -> Result<(&str, Money), String> {
    let text = |name: &str| match payment.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.as_str()),
        Some(_) => Err(format!("{name} is no text")),
        None => Err(format!("{name} is missing")),
    };
    let id = text(PAYMENT_ID)?;
    if !is_id(id) {
        return Err(format!("{PAYMENT_ID} is not usable: it has to be up to 64 letters, digits, - and _"));
    }
    text(CUSTOMER_ID)?;
    text(CREATED_AT)?;
    let status = text(STATUS)?;
    if ![PENDING, SETTLED, FAILED].contains(&status) {
        return Err(format!("{STATUS} is none of {PENDING}, {SETTLED} and {FAILED}"));
    }
    let wrong = |name: &'static str| move |why: NotMoney| format!("{name}: {why}");
    let currency = Currency::parse(text(CURRENCY)?).map_err(wrong(CURRENCY))?;
    let money = Money::parse_positive(text(AMOUNT)?, currency).map_err(wrong(AMOUNT))?;
    Ok((id, money))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_follow_from_what_they_stand_for() {
        // printf %s order-1 | sha256sum
        assert_eq!(id_of("order-1"), format!("pay-{}", &digest("order-1")[..32]));
        assert_eq!(digest(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(settlement_id("pay-1"), settlement_id("pay-1"));
        assert_ne!(settlement_id("pay-1")[4..], settlement_id("pay-2")[4..]);
        assert!(is_id(&id_of("order-1")) && is_id(&format!("{}-12", id_of("x"))));
        assert_ne!(request_digest(&[Some("a"), None]), request_digest(&[None, Some("a")]));
        assert_ne!(request_digest(&[Some("a,b")]), request_digest(&[Some("a"), Some("b")]));
    }

    #[test]
    fn what_is_no_payment_is_told_why() {
        let payment = json!({ "payment_id": "pay-1", "customer_id": "c", "amount": "10.00", "currency": "EUR",
            "status": "pending", "created_at": "2026-01-02T03:04:05.678Z" });
        let (id, money) = check(payment.as_object().unwrap()).unwrap();
        assert_eq!((id, money.to_string()), ("pay-1", "10.00".into()));
        for (name, value) in [
            ("payment_id", json!("a b")),
            ("payment_id", json!(1)),
            ("customer_id", json!("")),
            ("amount", json!(10)),
            ("amount", json!("ten")),
            ("amount", json!("0.00")),
            ("currency", json!("EURO")),
            ("currency", json!("XAU")),
            ("status", json!("open")),
            ("created_at", Value::Null),
        ] {
            let mut wrong = payment.clone();
            wrong[name] = value;
            let why = check(wrong.as_object().unwrap()).unwrap_err();
            assert!(why.starts_with(name), "{why}");
            wrong.as_object_mut().unwrap().remove(name);
            assert_eq!(check(wrong.as_object().unwrap()).unwrap_err(), format!("{name} is missing"));
        }
    }
}
