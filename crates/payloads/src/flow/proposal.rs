//! From a few items of a table to a proposal how they are to be read: `[flows.NAME]`, each line with its reason.

use std::collections::{BTreeMap, BTreeSet};

use claimctl_aws::naming;
use claimctl_aws::sinks::mapped::Sample;
use claimctl_claim::record::attribute;
use claimctl_core::units::count;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

/// Of a value in a reason.
const MOST_QUOTED: usize = 40;

/// What attributes of each kind are often called, compared without case and punctuation; better names first.
const KEY: [&str; 9] = ["objectkey", "s3key", "s3objectkey", "filekey", "key", "object", "s3path", "path", "filename"];
const BUCKET: [&str; 4] = ["bucket", "bucketname", "s3bucket", "s3bucketname"];
const ETAG: [&str; 4] = ["etag", "objectetag", "s3etag", "md5"];
const SIZE: [&str; 7] = ["size", "objectsize", "filesize", "bytes", "sizebytes", "contentlength", "length"];
const STATUS: [&str; 4] = ["status", "state", "processingstatus", "processingstate"];

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proposal {
    pub table: String,
    /// So many items were looked at.
    pub items: usize,
    pub lines: Vec<Line>,
}

/// One line of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    pub key: &'static str,
    /// None: left to the operator.
    pub value: Option<Value>,
    pub why: String,
}

/// An attribute in the items that were looked at.
#[derive(Default)]
struct Seen<'a> {
    values: Vec<&'a Value>,
}

type Attributes<'a> = BTreeMap<&'a str, Seen<'a>>;

impl Proposal {
    pub fn of(table: &str, sample: &Sample) -> Proposal {
        let mut attributes = Attributes::new();
        for item in &sample.items {
            for (name, value) in item {
                attributes.entry(name).or_default().values.push(value);
            }
        }
        let look = Look { attributes, items: &sample.items, primary: &sample.primary };
        Proposal { table: table.to_owned(), items: sample.items.len(), lines: look.lines(table) }
    }

    /// As TOML; what could not be told is a comment.
    pub fn toml(&self) -> String {
        let mut text = format!("# After a look at {} of table {}.\n", count(self.items as u64, "item"), self.table);
        text.push_str("[flows.NAME]   # the name is yours: claimctl verify NAME\n");
        for Line { key, value, why } in &self.lines {
            match value {
                // The escapes of a JSON string are those of a basic string in TOML, which has one character more.
                Some(value) => {
                    let value = value.to_string().replace('\u{7f}', "\\u007F");
                    text.push_str(&format!("{key} = {value}   # {why}\n"));
                }
                None => text.push_str(&format!("# {key} =   # {why}\n")),
            }
        }
        text
    }
}

struct Look<'a> {
    attributes: Attributes<'a>,
    items: &'a [Map<String, Value>],
    primary: &'a [String],
}

impl Look<'_> {
    fn lines(&self, table: &str) -> Vec<Line> {
        let line = |key, value: Option<Value>, why: String| Line { key, value, why };
        let bucket = self.called(&BUCKET, |value| value.as_str().is_some_and(naming::is_bucket));
        let key = self.called(&KEY, |value| matches!(value, Value::String(text) if !text.is_empty()));
        let mut lines = Vec::new();
        let constant = bucket.and_then(|name| self.only_text(name));
        lines.push(match constant {
            Some(bucket) => line("bucket", Some(bucket.into()), "the only one in these items".to_owned()),
            None if bucket.is_some() => {
                line("bucket", None, format!("one of those in these items: {}", self.values(bucket)))
            }
            None => line("bucket", None, "required: no attribute looks like a bucket's name".to_owned()),
        });
        lines.push(line("table", Some(table.into()), "as it was named".to_owned()));
        lines.push(line(
            "queue",
            None,
            "where the claims wait; without it, what has no item stays undetermined".to_owned(),
        ));
        let url = self.attributes.keys().find(|name| self.all(name, is_url));
        match (key, self.nested(), url) {
            _ if self.is_of_claimctl() => {
                let why = "none is needed: these are records as claimctl's handlers write them".to_owned();
                lines.push(line("key_attribute", None, why));
                return lines;
            }
            (Some(key), _, _) => {
                lines.push(line("key_attribute", Some(key.into()), self.why(key)));
                if let Some(bucket) = bucket {
                    lines.push(line("bucket_attribute", Some(bucket.into()), self.why(bucket)));
                }
            }
            (None, Some((map, bucket, key)), _) => {
                let expression = format!("{} | {{bucket: {}, key: {}}}", path(map), path(bucket), path(key));
                lines.push(line(
                    "key_expression",
                    Some(expression.into()),
                    format!("{} holds both, in each item", quoted(map)),
                ));
            }
            (None, None, Some(url)) => {
                let expression = format!("{} | capture(\"^s3://(?<bucket>[^/]+)/(?<key>.+)$\")", path(url));
                lines.push(line(
                    "key_expression",
                    Some(expression.into()),
                    format!("{} is an S3 URL, in each item", quoted(url)),
                ));
            }
            (None, None, None) => {
                let names: Vec<_> = self.attributes.keys().map(|name| quoted(name)).collect();
                let why = format!("required: none of these looks like an object's key: {}", names.join(", "));
                lines.push(line("key_attribute", None, why));
            }
        }
        let etag = self.called(&ETAG, |value| value.as_str().is_some_and(is_etag));
        let size = self.called(&SIZE, Value::is_u64);
        for (key, found) in [("etag_attribute", etag), ("size_attribute", size)] {
            lines.push(match found {
                Some(name) => line(key, Some(name.into()), self.why(name)),
                None => line(key, None, "none found; without etag and size only presence is compared".to_owned()),
            });
        }
        if let Some(status) = self.called(&STATUS, Value::is_string) {
            let why = format!(
                "{} says {}; with it, name in done what is done with",
                quoted(status),
                self.values(Some(status))
            );
            lines.push(line("status_attribute", None, why));
        }
        let is_time = |value: &Value| value.as_str().is_some_and(|text| text.parse::<Timestamp>().is_ok());
        let times: Vec<_> = self.attributes.keys().filter(|name| self.all(name, is_time)).copied().collect();
        lines.push(match times.as_slice() {
            [time] => line("time_attribute", Some((*time).into()), self.why(time)),
            [] => line(
                "time_attribute",
                None,
                "none found; it tells which of several items of an object counts".to_owned(),
            ),
            several => {
                let names: Vec<_> = several.iter().map(|name| quoted(name)).collect();
                line("time_attribute", None, format!("when the item was written: one of {}", names.join(", ")))
            }
        });
        lines
    }

    fn is_of_claimctl(&self) -> bool {
        self.primary == [attribute::CLAIM_ID]
            && self.all(attribute::CLAIM_ID, |id| id.as_str().is_some_and(|id| id.contains('/')))
    }

    /// The attribute with the best of these names whose value is so in every item that has it.
    fn called(&self, names: &[&str], is: impl Fn(&Value) -> bool) -> Option<&str> {
        let rank = |name: &str| names.iter().position(|known| *known == plain(name));
        let fits = |seen: &Seen<'_>| seen.values.iter().all(|value| is(value));
        let candidates = self.attributes.iter().filter(|(_, seen)| fits(seen));
        candidates.filter_map(|(name, _)| Some((rank(name)?, *name))).min().map(|(_, name)| name)
    }

    /// Whether every item has it, and it is so in all of them.
    fn all(&self, name: &str, is: impl Fn(&Value) -> bool) -> bool {
        let values = self.attributes.get(name).map(|seen| seen.values.as_slice()).unwrap_or_default();
        values.len() == self.items.len() && values.iter().all(|value| is(value))
    }

    /// A map with bucket and key in it, in every item: its name and theirs.
    fn nested(&self) -> Option<(&str, &str, &str)> {
        self.attributes.iter().filter(|(name, _)| self.all(name, Value::is_object)).find_map(|(name, seen)| {
            let map = seen.values.first()?.as_object()?;
            let called = |names: &[&str]| map.keys().find(|name| names.contains(&&*plain(name)));
            Some((*name, called(&BUCKET)?.as_str(), called(&KEY)?.as_str()))
        })
    }

    fn only_text(&self, name: &str) -> Option<String> {
        let values: BTreeSet<_> = self.attributes.get(name)?.values.iter().filter_map(|value| value.as_str()).collect();
        (values.len() == 1).then(|| values.first().map(|text| (*text).to_owned())).flatten()
    }

    fn values(&self, name: Option<&str>) -> String {
        let seen = name.and_then(|name| self.attributes.get(name));
        let values: BTreeSet<_> =
            seen.iter().flat_map(|seen| &seen.values).filter_map(|value| value.as_str()).collect();
        values.into_iter().map(quoted).collect::<Vec<_>>().join(", ")
    }

    fn why(&self, name: &str) -> String {
        let Some(seen) = self.attributes.get(name) else { return String::new() };
        let example = seen.values.first().map(|value| match value {
            Value::String(text) => quoted(text),
            other => other.to_string(),
        });
        let (in_items, all) = (seen.values.len(), self.items.len());
        let of = if in_items == all { format!("in all {all}") } else { format!("only in {in_items} of {all}") };
        format!("{of}, like {}", example.unwrap_or_default())
    }
}

/// Letters and digits, lower case: `Object-Key` and `object_key` are called the same.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A step of a jq expression.
fn path(name: &str) -> String {
    let is_plain =
        name.chars().enumerate().all(|(at, c)| c == '_' || c.is_ascii_alphabetic() || (at > 0 && c.is_ascii_digit()));
    if is_plain && !name.is_empty() { format!(".{name}") } else { format!(".[{}]", Value::from(name)) }
}

fn is_url(value: &Value) -> bool {
    value.as_str().and_then(|text| text.strip_prefix("s3://")).is_some_and(|rest| rest.contains('/'))
}

/// 32 hexadecimal digits, quoted or not, and perhaps the number of parts.
fn is_etag(text: &str) -> bool {
    let (digest, parts) = text.trim_matches('"').split_once('-').unwrap_or((text.trim_matches('"'), "1"));
    digest.len() == 32 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()) && parts.parse::<u32>().is_ok()
}

/// On one line, whatever is in it.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(MOST_QUOTED) {
        Some((end, _)) => format!("{:?}", format!("{}…", &text[..end])),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn proposed(items: Value) -> Proposal {
        let items = items.as_array().unwrap().iter().map(|item| item.as_object().unwrap().clone()).collect();
        Proposal::of("t", &Sample { primary: vec!["id".to_owned()], items })
    }

    fn value(proposal: &Proposal, key: &str) -> Option<Value> {
        proposal.lines.iter().find(|line| line.key == key).and_then(|line| line.value.clone())
    }

    #[test]
    fn what_its_names_and_values_say_is_proposed() {
        let etag = "\"0123456789abcdef0123456789abcdef-2\"";
        for (items, key, expected) in [
            (json!([{"objectKey": "a", "bucketName": "orders"}]), "key_attribute", Some(json!("objectKey"))),
            (json!([{"objectKey": "a", "bucketName": "orders"}]), "bucket_attribute", Some(json!("bucketName"))),
            (json!([{"objectKey": "a", "bucketName": "orders"}]), "bucket", Some(json!("orders"))),
            (json!([{"key": "a", "bucket": "one"}, {"key": "b", "bucket": "two"}]), "bucket", None),
            (json!([{"key": "a", "S3_Object_Key": "b"}]), "key_attribute", Some(json!("S3_Object_Key"))),
            (json!([{"key": 7, "path": "b"}]), "key_attribute", Some(json!("path"))),
            (json!([{"key": "a", "ETag": etag, "Size": 7}]), "etag_attribute", Some(json!("ETag"))),
            (json!([{"key": "a", "ETag": "w/1", "Size": 7}]), "etag_attribute", None),
            (json!([{"key": "a", "Size": 7}]), "size_attribute", Some(json!("Size"))),
            (json!([{"key": "a", "Size": "7 MB"}]), "size_attribute", None),
            (json!([{"key": "a", "at": "2026-01-01T00:00:00Z"}]), "time_attribute", Some(json!("at"))),
            (json!([{"key": "a", "status": "DONE"}]), "status_attribute", None),
            (
                json!([{"s3-location": {"bucket": "b", "Key": "k"}}]),
                "key_expression",
                Some(json!(".[\"s3-location\"] | {bucket: .bucket, key: .Key}")),
            ),
            (
                json!([{"url": "s3://b/k"}]),
                "key_expression",
                Some(json!(".url | capture(\"^s3://(?<bucket>[^/]+)/(?<key>.+)$\")")),
            ),
            (json!([{"name": "somebody"}]), "key_attribute", None),
        ] {
            assert_eq!(value(&proposed(items.clone()), key), expected, "{key} of {items}");
        }
    }

    #[test]
    fn the_proposal_is_toml_whatever_the_items_hold() {
        let odd = proposed(
            json!([{"key": "a\n[x]\u{7f}\"", "status": "é\n", "bucket": "b\r\n"}, {"other": "x".repeat(5000)}]),
        );
        let text = odd.toml();
        assert!(text.contains("only in 1 of 2") && !text.contains("\n[x]"), "{text}");
        let uncommented: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(uncommented.len(), 3, "{text}");
        assert!(text.lines().all(|line| line.chars().count() < 300), "{text}");
    }
}
