//! Whether a payment is settled, which is all that this system knows of banks.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Problem, told};
use crate::event::Invocation;
use crate::payments::money::{Currency, Money};
use crate::payments::payment;

/// The most that is settled, by currency.
#[derive(Debug)]
pub struct Limits(BTreeMap<&'static str, Money>);

impl Limits {
    pub fn parse(text: &str) -> Result<Self, String> {
        let Ok(Value::Object(given)) = serde_json::from_str(text) else {
            return Err("is no JSON object, as in {\"EUR\":\"10000.00\"}".into());
        };
        let mut limits = BTreeMap::new();
        for (code, limit) in &given {
            let currency = Currency::parse(code).map_err(|why| format!("has {code:?}, which {why}"))?;
            let limit =
                limit.as_str().ok_or_else(|| format!("has {limit} for {code}: it has to be a decimal in a string"))?;
            let money =
                Money::parse(limit, currency).map_err(|why| format!("has {limit:?} for {code}, which {why}"))?;
            limits.insert(currency.code(), money);
        }
        Ok(Self(limits))
    }

    pub fn handle(&self, event: &Value, invocation: &Invocation) -> Result<Value, Problem> {
        told("payment settled", event[payment::PAYMENT_ID].as_str(), invocation, self.settle(event))
    }

    fn settle(&self, event: &Value) -> Result<Value, Problem> {
        let payment = event.as_object().ok_or_else(|| Problem::InvalidPayment("it is no object".into()))?;
        let (id, money) = payment::check(payment).map_err(Problem::InvalidPayment)?;
        let code = money.currency().code();
        match self.0.get(code) {
            Some(limit) if money.exceeds(*limit) => {
                Err(Problem::PaymentDeclined(format!("{money} {code} is above the limit of {limit} {code}")))
            }
            _ => Ok(json!({ "settlement_id": payment::settlement_id(id) })),
        }
    }
}
