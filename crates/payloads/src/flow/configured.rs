//! A flow that claimctl did not deploy, as configuration or flags describe it: which attributes of its table's items
//! say of which object they are.

use std::sync::Arc;

use claimctl_aws::sinks::mapped::{KeySource, Mapping};
use claimctl_core::error::{Error, Result};
use claimctl_queues::expression::Expression;
use serde::{Deserialize, Serialize};

/// `[flows.NAME]`. Buckets, tables and queues by any name that flags take.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ConfiguredFlow {
    pub bucket: String,
    /// Keys that the flow takes begin and end so.
    #[serde(default)]
    pub prefix: String,
    #[serde(default)]
    pub suffix: String,
    pub queue: Option<String>,
    /// One that the queue's own redrive policy does not name.
    pub dead_letter_queue: Option<String>,
    pub table: String,
    key_attribute: Option<String>,
    /// Without one, all items are of the flow's bucket.
    bucket_attribute: Option<String>,
    /// A jq expression over the item, instead of both.
    key_expression: Option<String>,
    etag_attribute: Option<String>,
    size_attribute: Option<String>,
    /// Text that says how far the work is.
    status_attribute: Option<String>,
    /// What the status says once an object is done with.
    #[serde(default)]
    done: Vec<String>,
    /// When the item was written; of several items of an object, the latest counts.
    time_attribute: Option<String>,
}

/// What names attributes, in the configuration or by flags.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attributes<'a> {
    pub key: Option<&'a str>,
    pub bucket: Option<&'a str>,
    pub expression: Option<&'a str>,
    pub etag: Option<&'a str>,
    pub size: Option<&'a str>,
    pub status: Option<&'a str>,
    pub done: &'a [String],
    pub time: Option<&'a str>,
}

/// What is wrong with a choice of attributes: the key of the configuration, a sentence that goes on after it, the remedy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wrong {
    pub key: &'static str,
    pub what: &'static str,
    pub hint: &'static str,
}

impl ConfiguredFlow {
    pub fn attributes(&self) -> Attributes<'_> {
        Attributes {
            key: self.key_attribute.as_deref(),
            bucket: self.bucket_attribute.as_deref(),
            expression: self.key_expression.as_deref(),
            etag: self.etag_attribute.as_deref(),
            size: self.size_attribute.as_deref(),
            status: self.status_attribute.as_deref(),
            done: &self.done,
            time: self.time_attribute.as_deref(),
        }
    }
}

impl Attributes<'_> {
    /// None of a table of claimctl's own records, whose attributes are known.
    pub fn mapping(&self) -> Result<Option<Mapping>> {
        if let Some(Wrong { key, what, hint }) = self.wrong() {
            return Err(Error::usage(format!("{key} {what}")).hint(hint));
        }
        let owned = |name: Option<&str>| name.map(str::to_owned);
        let key = match (self.key, self.expression) {
            (Some(key), _) => KeySource::Attributes { key: key.to_owned(), bucket: owned(self.bucket) },
            (None, Some(expression)) => {
                let expression = Expression::parse(expression).map_err(|error| {
                    error.hint("of an item: '.objectKey', or '.location | {bucket: .bucket, key: .path}'")
                })?;
                KeySource::Expression(Arc::new(expression))
            }
            (None, None) => return Ok(None),
        };
        Ok(Some(Mapping {
            key,
            etag: owned(self.etag),
            size: owned(self.size),
            status: owned(self.status),
            time: owned(self.time),
            done: self.done.to_vec(),
        }))
    }

    pub fn wrong(&self) -> Option<Wrong> {
        let wrong = |key, what, hint| Some(Wrong { key, what, hint });
        let names_more = [self.bucket, self.etag, self.size, self.status, self.time].iter().any(Option::is_some);
        let names = [self.key, self.bucket, self.etag, self.size, self.status, self.time, self.expression];
        match () {
            () if names.contains(&Some("")) => {
                wrong("table", "has an attribute without a name", "name it, or leave it out")
            }
            () if self.key.is_some() && self.expression.is_some() => {
                wrong("key_expression", "stands beside key_attribute", "keep one of the two")
            }
            () if self.bucket.is_some() && self.expression.is_some() => wrong(
                "bucket_attribute",
                "stands beside key_expression",
                "let the expression give both: {bucket: .bucketName, key: .objectKey}",
            ),
            () if self.key.is_none() && self.expression.is_none() && names_more => wrong(
                "table",
                "has attributes named, and not the one that holds the key",
                "name it by key_attribute, or give a key_expression",
            ),
            () if self.status.is_some() == self.done.is_empty() => wrong(
                "done",
                "and status_attribute go together",
                "say which attribute is the status, and what it says once an object is done with: done = [\"DONE\"]",
            ),
            () => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_that_do_not_go_together_are_refused() {
        let done = ["DONE".to_owned()];
        let nothing = Attributes::default();
        let key = Attributes { key: Some("k"), ..nothing };
        for (attributes, wrong) in [
            (nothing, None),
            (key, None),
            (Attributes { expression: Some(".k"), ..nothing }, None),
            (Attributes { status: Some("s"), done: &done, ..key }, None),
            (Attributes { expression: Some(".k"), ..key }, Some("key_expression")),
            (Attributes { expression: Some(".k"), bucket: Some("b"), ..nothing }, Some("bucket_attribute")),
            (Attributes { etag: Some("e"), ..nothing }, Some("table")),
            (Attributes { key: Some(""), ..nothing }, Some("table")),
            (Attributes { status: Some("s"), ..key }, Some("done")),
            (Attributes { done: &done, ..key }, Some("done")),
        ] {
            assert_eq!(attributes.wrong().map(|wrong| wrong.key), wrong, "{attributes:?}");
            assert_eq!(attributes.mapping().is_err(), wrong.is_some(), "{attributes:?}");
        }
        assert!(nothing.mapping().unwrap().is_none());
    }
}
