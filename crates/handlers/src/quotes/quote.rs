//! A quote: from a request to what is kept and shown of it.

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::config::Config;
use crate::aws::Item;
use crate::payments::attributes::text;
use crate::payments::fields::Fields;
use crate::payments::money::{self, Currency, Money, NotMoney, Rate};
use crate::payments::problem::{Fault, Problem};
use crate::payments::quote::{AMOUNT, EXPIRES_AT, QUOTE_ID, RATE, SOURCE_CURRENCY, TARGET_AMOUNT, TARGET_CURRENCY};

pub struct Quote {
    source: Money,
    target: Money,
    rate: Rate,
    /// A whole second.
    expires_at: Timestamp,
}

impl Quote {
    /// What a request is offered now.
    pub fn of(body: &str, config: &Config, now: Timestamp) -> Result<Self, Problem> {
        let mut fields = Fields::parse(body)?;
        let currency = "three letters, as in \"EUR\"";
        let source = fields.required(SOURCE_CURRENCY, currency, money::may_be_a_code);
        let target = fields.required(TARGET_CURRENCY, currency, money::may_be_a_code);
        let amount = fields.required(AMOUNT, money::FORM, money::may_be_an_amount);
        fields.finish()?;

        let unprocessable = |faults| Problem::of_faults(422, faults);
        let parsed = |name, code: &str| Currency::parse(code).map_err(|why| Fault::of(name, why));
        let (source, target) = match (parsed(SOURCE_CURRENCY, &source), parsed(TARGET_CURRENCY, &target)) {
            (Ok(source), Ok(target)) => (source, target),
            (source, target) => return Err(unprocessable(source.err().into_iter().chain(target.err()).collect())),
        };
        let fault = |why: NotMoney| unprocessable(vec![Fault::of(AMOUNT, why)]);
        let money = Money::parse_positive(&amount, source).map_err(fault)?;
        let Some(rate) = config.rates.of(source, target) else {
            let why = format!("has no rate here for {}", source.code());
            return Err(unprocessable(vec![Fault::of(TARGET_CURRENCY, why)]));
        };
        let until = now + SignedDuration::from_secs(config.validity);
        let expires_at = Timestamp::from_second(until.as_second()).unwrap_or(until);
        Ok(Self { source: money, target: money.convert(rate, target).map_err(fault)?, rate, expires_at })
    }

    pub fn item(&self, id: &str) -> Item {
        Item::from([
            (QUOTE_ID.into(), text(id)),
            (SOURCE_CURRENCY.into(), text(self.source.currency().code())),
            (TARGET_CURRENCY.into(), text(self.target.currency().code())),
            (AMOUNT.into(), text(self.source.to_string())),
            (RATE.into(), text(self.rate.to_string())),
            (TARGET_AMOUNT.into(), text(self.target.to_string())),
            (EXPIRES_AT.into(), AttributeValue::N(self.expires_at.as_second().to_string())),
        ])
    }

    pub fn shown(&self, id: &str) -> Value {
        json!({
            QUOTE_ID: id, SOURCE_CURRENCY: self.source.currency().code(), TARGET_CURRENCY: self.target.currency().code(),
            AMOUNT: self.source.to_string(), RATE: self.rate.to_string(), TARGET_AMOUNT: self.target.to_string(),
            EXPIRES_AT: self.expires_at.to_string(),
        })
    }
}
