//! What the function's environment variables say.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::Env;
use crate::payments::money::{Currency, Rate};

const DEFAULT_VALIDITY: i64 = 300;
const LONGEST_VALIDITY: i64 = 86_400;

pub struct Config {
    /// `QUOTES_TABLE`
    pub table: String,
    /// `RATES`
    pub rates: Rates,
    /// `QUOTE_VALIDITY`, in seconds.
    pub validity: i64,
}

/// Rates by the codes of the two currencies.
#[derive(Debug)]
pub struct Rates(BTreeMap<(&'static str, &'static str), Rate>);

impl Config {
    /// The error is one line that names the variable.
    pub fn from_env(env: Env) -> Result<Self, String> {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        Ok(Self {
            table: set("QUOTES_TABLE").ok_or("QUOTES_TABLE is not set: it names the DynamoDB table for quotes")?,
            rates: Rates::parse(
                &set("RATES").ok_or("RATES is not set: it has the rates, as in {\"EUR/USD\":\"1.08\"}")?,
            )
            .map_err(|why| format!("RATES {why}"))?,
            validity: match set("QUOTE_VALIDITY") {
                None => DEFAULT_VALIDITY,
                Some(text) => match text.parse() {
                    Ok(seconds @ 1..=LONGEST_VALIDITY) => seconds,
                    _ => return Err(format!("QUOTE_VALIDITY is {text:?}: it can be 1 to {LONGEST_VALIDITY} seconds")),
                },
            },
        })
    }
}

impl Rates {
    fn parse(text: &str) -> Result<Self, String> {
        let Ok(Value::Object(given)) = serde_json::from_str(text) else {
            return Err("is no JSON object, as in {\"EUR/USD\":\"1.08\"}".into());
        };
        let mut rates = BTreeMap::new();
        for (pair, rate) in &given {
            let codes = pair.split_once('/').and_then(|(source, target)| {
                Some((Currency::parse(source).ok()?.code(), Currency::parse(target).ok()?.code()))
            });
            let Some(codes) = codes.filter(|(source, target)| source != target) else {
                return Err(format!("has {pair:?}: it has to be two currencies of ISO 4217, as in EUR/USD"));
            };
            let rate = rate.as_str().and_then(Rate::parse).ok_or_else(|| {
                format!("has {rate} for {pair}: a rate is a decimal above zero in a string, of up to twelve digits")
            })?;
            rates.insert(codes, rate);
        }
        Ok(Self(rates))
    }

    /// The rate as it was given, or what follows from that of the other direction.
    pub fn of(&self, source: Currency, target: Currency) -> Option<Rate> {
        let (source, target) = (source.code(), target.code());
        let inverse = || self.0.get(&(target, source)).and_then(|rate| rate.inverse());
        self.0.get(&(source, target)).copied().or_else(inverse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(variables: &[(&str, &str)]) -> Result<Config, String> {
        let usual = [("QUOTES_TABLE", "q"), ("RATES", r#"{"EUR/USD":"1.25","USD/JPY":"150","JPY/USD":"0.0066"}"#)];
        let value = |name: &str| variables.iter().chain(&usual).find(|(n, _)| *n == name).map(|(_, v)| (*v).into());
        Config::from_env(&value)
    }

    #[test]
    fn a_direction_that_is_not_there_is_derived() {
        let config = config(&[]).unwrap();
        let rate = |source: &str, target: &str| {
            let currency = |code| Currency::parse(code).unwrap();
            config.rates.of(currency(source), currency(target)).map(|rate| rate.to_string())
        };
        assert_eq!(rate("EUR", "USD").as_deref(), Some("1.25"));
        assert_eq!(rate("USD", "EUR").as_deref(), Some("0.8"));
        assert_eq!(rate("JPY", "USD").as_deref(), Some("0.0066"), "what is there is not derived");
        assert_eq!(rate("EUR", "JPY"), None, "not by a third currency");
        assert_eq!(config.validity, 300);
    }

    #[test]
    fn a_wrong_variable_is_named() {
        for (name, value) in [
            ("QUOTES_TABLE", ""),
            ("RATES", ""),
            ("RATES", "[]"),
            ("RATES", r#"{"EURUSD":"1"}"#),
            ("RATES", r#"{"EUR/EUR":"1"}"#),
            ("RATES", r#"{"EUR/XAU":"1"}"#),
            ("RATES", r#"{"EUR/USD":1.08}"#),
            ("RATES", r#"{"EUR/USD":"0"}"#),
            ("RATES", r#"{"EUR/USD":"-1"}"#),
            ("RATES", r#"{"EUR/USD":"1.0000000000001"}"#),
            ("QUOTE_VALIDITY", "0"),
            ("QUOTE_VALIDITY", "5m"),
        ] {
            let error = config(&[(name, value)]).err().unwrap();
            assert!(error.starts_with(name), "{error}");
        }
    }
}
