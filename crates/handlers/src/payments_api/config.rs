//! What the function's environment variables say.

use crate::Env;

#[derive(Debug)]
pub struct Config {
    /// `PAYMENTS_TABLE`
    pub payments_table: String,
    /// `QUOTES_TABLE`
    pub quotes_table: String,
}

impl Config {
    /// The error is one line that names the variable.
    pub fn from_env(env: Env) -> Result<Self, String> {
        let named = |name: &str, what: &str| {
            env(name).filter(|value| !value.is_empty()).ok_or_else(|| format!("{name} is not set: it names {what}"))
        };
        Ok(Self {
            payments_table: named("PAYMENTS_TABLE", "the DynamoDB table for payments")?,
            quotes_table: named("QUOTES_TABLE", "the DynamoDB table of quotes")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tables_are_needed() {
        let config = |missing: &str| Config::from_env(&|name| (name != missing).then(|| name.to_lowercase()));
        assert_eq!(config("").unwrap().quotes_table, "quotes_table");
        for name in ["PAYMENTS_TABLE", "QUOTES_TABLE"] {
            assert!(config(name).unwrap_err().starts_with(name));
        }
    }
}
