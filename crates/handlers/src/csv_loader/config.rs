//! What the function's environment variables say.

use std::sync::Arc;

use claimctl_claim::record::attribute;

use super::table::{LOAD, ROW};
use crate::Env;
use crate::csv::{self, Rules};
use crate::csv_load::settings;

/// Of an item, and of a partition key's value (Amazon DynamoDB Developer Guide, "Quotas").
const LARGEST_ITEM: usize = 400 << 10;
const LONGEST_KEY: usize = 2048;
const LONGEST_NAME: usize = 65_535;
/// What the attributes of our own take of an item, at most: the longest bucket and key, two numbers, the names.
const OUR_ATTRIBUTES: usize = 1200;

#[derive(Clone, Debug)]
pub struct Config {
    /// `ROWS_TABLE`
    pub rows_table: String,
    /// `LOADS_TABLE`
    pub loads_table: String,
    /// `PARTITION_KEY`, of the former.
    pub key: String,
    pub rules: Arc<Rules>,
}

impl Config {
    /// The error is one line that names the variable.
    pub fn from_env(env: Env) -> Result<Self, String> {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        let named = |name: &str, what: &str| set(name).ok_or_else(|| format!("{name} is not set: it names {what}"));
        let rows_table = named("ROWS_TABLE", "the DynamoDB table for the rows")?;
        let loads_table = named("LOADS_TABLE", "the DynamoDB table for the records of files")?;
        let key = set("PARTITION_KEY").unwrap_or_else(|| "id".into());
        let ttl = set("TTL_ATTRIBUTE").unwrap_or_else(|| attribute::EXPIRES_AT.into());
        let reserved = vec![attribute::CLAIM_ID.to_owned(), ROW.into(), LOAD.into(), ttl];
        if reserved.contains(&key) {
            return Err(format!("PARTITION_KEY is {key:?}: the table has an attribute of this name for itself"));
        }
        let columns =
            csv::columns(&set("COLUMNS").unwrap_or_else(|| "{}".into())).map_err(|error| format!("COLUMNS {error}"))?;
        if let Some(name) = columns.keys().find(|name| reserved.contains(name)) {
            return Err(format!("COLUMNS names {name:?}: the table has an attribute of this name for itself"));
        }
        if columns.get(&key).is_some_and(|kind| *kind != csv::ColumnType::String) {
            return Err(format!("COLUMNS gives {key} another type than S: it is the table's key, which is a string"));
        }
        let rules = Rules {
            columns,
            delimiter: settings::delimiter(env)?,
            key: Some(key.clone()),
            table: None,
            reserved,
            max_rejected: settings::max_rejected(env)?,
            largest_row: LARGEST_ITEM - OUR_ATTRIBUTES,
            longest_key: LONGEST_KEY,
            longest_name: LONGEST_NAME,
        };
        Ok(Self { rows_table, loads_table, key, rules: Arc::new(rules) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::csv::MaxRejected;

    fn config(variables: &[(&str, &str)]) -> Result<Config, String> {
        let tables = [("ROWS_TABLE", "r"), ("LOADS_TABLE", "l")];
        let value = |name: &str| variables.iter().chain(&tables).find(|(n, _)| *n == name).map(|(_, v)| (*v).into());
        Config::from_env(&value)
    }

    #[test]
    fn two_tables_are_all_that_is_needed() {
        let rules = config(&[]).unwrap().rules;
        assert_eq!((rules.key.as_deref(), rules.delimiter, rules.columns.len()), (Some("id"), b',', 0));
        assert_eq!(rules.max_rejected, MaxRejected::default());
    }

    #[test]
    fn a_wrong_variable_is_named() {
        for (name, value) in [
            ("ROWS_TABLE", ""),
            ("LOADS_TABLE", ""),
            ("COLUMNS", "price"),
            ("COLUMNS", r#"{"price":"number"}"#),
            ("COLUMNS", r#"{"id":"N"}"#),
            ("COLUMNS", r#"{"claim_id":"S"}"#),
            ("COLUMNS", r#"{"expires_at":"N"}"#),
            ("PARTITION_KEY", "row"),
            ("DELIMITER", ";;"),
            ("MAX_REJECTED", "ten"),
        ] {
            let error = config(&[(name, value)]).unwrap_err();
            assert!(error.starts_with(name), "{error}");
        }
    }

    #[test]
    fn the_attribute_of_the_time_to_live_is_reserved_by_its_name() {
        let rules = config(&[("TTL_ATTRIBUTE", "gone_at"), ("COLUMNS", r#"{"expires_at":"N"}"#)]).unwrap().rules;
        assert!(rules.reserved.contains(&"gone_at".to_owned()) && !rules.reserved.contains(&"expires_at".to_owned()));
    }
}
