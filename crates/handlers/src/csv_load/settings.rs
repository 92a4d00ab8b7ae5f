//! The environment variables that every loader has.

use crate::Env;
use crate::csv::{self, MaxRejected};

/// `DELIMITER`; the error is one line that names the variable, as every one here.
pub fn delimiter(env: Env) -> Result<u8, String> {
    let text = set(env, "DELIMITER").unwrap_or_else(|| ",".into());
    csv::delimiter(&text).map_err(|error| format!("DELIMITER {error}"))
}

/// `MAX_REJECTED`
pub fn max_rejected(env: Env) -> Result<MaxRejected, String> {
    match set(env, "MAX_REJECTED") {
        None => Ok(MaxRejected::default()),
        Some(text) => MaxRejected::parse(&text)
            .ok_or_else(|| format!("MAX_REJECTED is {text:?}: it has to be a percentage from 0 to 100")),
    }
}

fn set(env: Env, name: &str) -> Option<String> {
    env(name).filter(|value| !value.is_empty())
}
