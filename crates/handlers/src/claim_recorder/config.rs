//! What the function's environment variables say.

use claimctl_claim::AfterProcessing;

use crate::Env;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `TABLE_NAME`
    pub table: String,
    /// `QUEUE_URL`: needed only where a schedule is the trigger.
    pub queue_url: Option<String>,
    /// `AFTER_PROCESSING`: `keep` (the default), `tag` or `delete`.
    pub after_processing: AfterProcessing,
    /// `RECORD_TTL_DAYS`: how long records are kept; for ever where it is not set.
    pub ttl_days: Option<u32>,
}

impl Config {
    /// The error is one line that names the variable.
    pub fn from_env(env: Env) -> Result<Self, String> {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        Ok(Self {
            table: set("TABLE_NAME").ok_or("TABLE_NAME is not set: it names the DynamoDB table for the records")?,
            queue_url: set("QUEUE_URL"),
            after_processing: match set("AFTER_PROCESSING") {
                None => AfterProcessing::Keep,
                Some(text) => AfterProcessing::parse(&text)
                    .ok_or_else(|| format!("AFTER_PROCESSING is {text:?}: it can be keep, tag or delete"))?,
            },
            ttl_days: match set("RECORD_TTL_DAYS") {
                None => None,
                Some(days) => match days.parse() {
                    Ok(days @ 1..) => Some(days),
                    _ => return Err(format!("RECORD_TTL_DAYS is {days:?}: it has to be a whole number from 1")),
                },
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(variables: &[(&str, &str)]) -> Result<Config, String> {
        Config::from_env(&|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_table_is_all_that_is_needed() {
        let config = config(&[("TABLE_NAME", "t"), ("QUEUE_URL", "")]).unwrap();
        assert_eq!(
            config,
            Config { table: "t".into(), queue_url: None, after_processing: AfterProcessing::Keep, ttl_days: None }
        );
    }

    #[test]
    fn a_wrong_variable_is_named() {
        for (name, value) in
            [("TABLE_NAME", ""), ("AFTER_PROCESSING", "burn"), ("RECORD_TTL_DAYS", "0"), ("RECORD_TTL_DAYS", "x")]
        {
            let error = config(&[(name, value), ("TABLE_NAME", "t")]).unwrap_err();
            assert!(error.starts_with(name), "{error}");
        }
    }

    #[test]
    fn all_of_it() {
        let variables =
            [("TABLE_NAME", "t"), ("QUEUE_URL", "q"), ("AFTER_PROCESSING", "delete"), ("RECORD_TTL_DAYS", "30")];
        let config = config(&variables).unwrap();
        assert_eq!(
            (config.queue_url.as_deref(), config.after_processing, config.ttl_days),
            (Some("q"), AfterProcessing::Delete, Some(30))
        );
    }
}
