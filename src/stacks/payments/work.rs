//! The payments of the story: what is asked for, and what the API says of them later.

use std::collections::BTreeMap;

use claimctl_aws::api::{self, ApiAnswer, ApiRequest, Method};
use claimctl_aws::target::{Change, Target};
use claimctl_claim::surface::{Api, Surface};
use claimctl_core::error::{Error, Result};
use serde::Deserialize;
use serde_json::{Value, json};

pub const PAYMENTS: u64 = 100;
/// Of these many payments one is over the limit of its currency.
const OVER_THE_LIMIT: u64 = 10;
/// Each has as many payments as any other.
pub const CUSTOMERS: u64 = 5;
/// With the digits after the point.
const CURRENCIES: [(&str, usize); 4] = [("EUR", 2), ("USD", 2), ("GBP", 2), ("JPY", 0)];

/// The APIs of the stack, asked by path.
#[derive(Clone, Copy)]
pub struct Apis<'a> {
    pub target: &'a Target,
    pub surface: &'a Surface,
    pub change: &'a Change,
}

impl Apis<'_> {
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Result<ApiAnswer> {
        let request = ApiRequest::new(Method::Post, path)?;
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        let request = request.json(body.to_string().into_bytes(), "the request")?;
        let answer = api::change(self.target, self.of(path)?, &request, self.change).await?;
        answer.failure(&request).map_or(Ok(answer), Err)
    }

    pub async fn get<T: for<'de> Deserialize<'de>>(&self, path: &str) -> Result<T> {
        let request = ApiRequest::new(Method::Get, path)?;
        let answer = api::read(self.target, self.of(path)?, &request).await?;
        answer.failure(&request).map_or(Ok(()), Err)?;
        read(&answer)
    }

    fn of(&self, path: &str) -> Result<&Api> {
        let logical = path.trim_start_matches('/').split(['/', '?']).next().unwrap_or_default();
        self.surface.apis.get(logical).ok_or_else(|| Error::unexpected(format!("the stack has no API {logical:?}")))
    }
}

pub fn read<T: for<'de> Deserialize<'de>>(answer: &ApiAnswer) -> Result<T> {
    let read = serde_json::from_slice(&answer.body);
    read.map_err(|error| Error::unexpected("the API's answer is not what was expected").caused_by(error))
}

/// A payment as the API tells of it.
#[derive(Debug, Clone, Deserialize)]
pub struct Payment {
    pub payment_id: String,
    pub amount: String,
    pub currency: String,
    pub status: String,
    pub reason: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Page {
    pub payments: Vec<Payment>,
}

#[derive(Debug, Deserialize)]
pub struct Quote {
    pub quote_id: String,
    pub amount: String,
    pub source_currency: String,
    pub target_amount: String,
    pub target_currency: String,
}

/// The amount of a payment in the smallest unit of its currency, with the currency.
pub fn amount(number: u64) -> (u64, &'static str, usize) {
    let (currency, decimals) = CURRENCIES[(number % CURRENCIES.len() as u64) as usize];
    // A generator by Lehmer: the same on every machine.
    let some = 100 + (number + 1) * 48_271 % 90_000;
    let over = number % OVER_THE_LIMIT == OVER_THE_LIMIT - 1;
    (if over { 2_000_000 + some } else { some }, currency, decimals)
}

pub fn customer(number: u64) -> String {
    format!("customer-{}", number / CURRENCIES.len() as u64 % CUSTOMERS)
}

/// What is posted for a payment, under which key.
pub fn request(number: u64) -> (String, Value) {
    let (units, currency, decimals) = amount(number);
    let body = json!({"customer_id": customer(number), "amount": typed(units, decimals), "currency": currency});
    (format!("demo-{number}"), body)
}

pub fn is_over_the_limit(number: u64) -> bool {
    number % OVER_THE_LIMIT == OVER_THE_LIMIT - 1
}

/// As a decimal number.
pub fn typed(units: u64, decimals: usize) -> String {
    let one = 10_u64.pow(decimals as u32);
    match decimals {
        0 => units.to_string(),
        _ => format!("{}.{:0decimals$}", units / one, units % one),
    }
}

/// By currency, in its smallest units.
pub type Sums = BTreeMap<&'static str, u64>;

/// What was asked for, by currency.
pub fn asked() -> Sums {
    sums((0..PAYMENTS).map(|number| {
        let (units, currency, _) = amount(number);
        (currency, units)
    }))
}

/// What these payments come to, by currency.
pub fn told<'a>(payments: impl Iterator<Item = &'a Payment>) -> Result<Sums> {
    let units = payments.map(|payment| {
        let known = CURRENCIES.iter().find(|(currency, _)| *currency == payment.currency);
        let units = known.and_then(|(currency, decimals)| Some((*currency, units(&payment.amount, *decimals)?)));
        units.ok_or_else(|| {
            Error::unexpected(format!("{} is of {} {}", payment.payment_id, payment.amount, payment.currency))
        })
    });
    Ok(sums(units.collect::<Result<Vec<_>>>()?.into_iter()))
}

fn sums(amounts: impl Iterator<Item = (&'static str, u64)>) -> Sums {
    amounts.fold(Sums::new(), |mut sums, (currency, units)| {
        *sums.entry(currency).or_default() += units;
        sums
    })
}

/// The smallest units of an amount that has all digits of its currency.
fn units(amount: &str, decimals: usize) -> Option<u64> {
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    (fraction.len() == decimals).then(|| format!("{whole}{fraction}").parse().ok())?
}

/// `123.45 EUR, 6 JPY`.
pub fn words(sums: &Sums) -> String {
    let shown = |(currency, units): (&&str, &u64)| {
        let decimals = CURRENCIES.iter().find(|(known, _)| known == currency).map_or(0, |(_, decimals)| *decimals);
        format!("{} {currency}", typed(*units, decimals))
    };
    sums.iter().map(shown).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payment(amount: &str, currency: &str) -> Payment {
        let (amount, currency) = (amount.to_owned(), currency.to_owned());
        Payment { payment_id: String::new(), amount, currency, status: String::new(), reason: None }
    }

    #[test]
    fn amounts_are_added_by_currency_and_written_with_its_digits() {
        let payments = [payment("10.05", "EUR"), payment("0.95", "EUR"), payment("7", "JPY"), payment("0.01", "USD")];
        let sums = told(payments.iter()).unwrap();
        assert_eq!(words(&sums), "11.00 EUR, 7 JPY, 0.01 USD");
        assert!(told([payment("10.0", "EUR")].iter()).is_err(), "an amount is not as the currency has it");
        assert!(told([payment("10", "XYZ")].iter()).is_err());
    }

    #[test]
    fn every_customer_has_as_many_payments_in_several_currencies_and_some_are_over_the_limit() {
        for customer_number in 0..CUSTOMERS {
            let of = |number: &u64| customer(*number) == format!("customer-{customer_number}");
            assert_eq!((0..PAYMENTS).filter(of).count() as u64, PAYMENTS / CUSTOMERS);
        }
        assert_eq!(asked().len(), CURRENCIES.len());
        assert_eq!((0..PAYMENTS).filter(|number| is_over_the_limit(*number)).count(), 10);
    }
}
