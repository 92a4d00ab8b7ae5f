//! Which attributes of an item say which object it is about, and what it says of it.

use std::fmt::Debug;
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use claimctl_claim::Status;
use claimctl_core::error::Result;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::json;
use super::super::record::RecordEntry;
use super::{Item, ItemKey};

/// Seconds since the epoch are fewer digits than milliseconds: this many are in the year 5138.
const MILLISECONDS: i64 = 100_000_000_000;

/// Of another's words in a sentence.
const MOST_QUOTED: usize = 80;

#[derive(Debug, Clone)]
pub struct Mapping {
    pub key: KeySource,
    pub etag: Option<String>,
    pub size: Option<String>,
    pub status: Option<String>,
    pub time: Option<String>,
    /// Of the status: what it says of an object that is done with.
    pub done: Vec<String>,
}

#[derive(Debug, Clone)]
pub enum KeySource {
    /// Without one for the bucket, all items are of the flow's.
    Attributes {
        key: String,
        bucket: Option<String>,
    },
    Expression(Arc<dyn Locate>),
}

/// An expression over a whole item.
pub trait Locate: Debug + Send + Sync {
    /// Its first output, of an item in JSON; or why it has none of this item. An error ends everything.
    fn locate(&self, item: String) -> Result<Result<Option<Value>, String>>;
}

/// The item behind a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemOf {
    pub key: ItemKey,
    /// So many tell of the object, and this is the latest.
    pub items: u64,
    /// They differ, and which is the latest is not told.
    pub undecided: bool,
    pub status: Option<String>,
}

pub(super) enum Mapped {
    Record {
        /// None: the flow's.
        bucket: Option<String>,
        entry: RecordEntry,
    },
    /// No record, by the expression's word.
    Nothing,
    Unreadable(String),
}

impl Mapping {
    /// What of an object is compared; nothing: that it has an item at all.
    pub fn compares(&self) -> Vec<&'static str> {
        let named = [("etag", &self.etag), ("size", &self.size)];
        named.iter().filter(|(_, attribute)| attribute.is_some()).map(|(name, _)| *name).collect()
    }

    /// None: an expression may need any of them.
    pub(super) fn attributes(&self) -> Option<impl Iterator<Item = &str>> {
        let KeySource::Attributes { key, bucket } = &self.key else { return None };
        let more = [bucket, &self.etag, &self.size, &self.status, &self.time];
        Some(more.into_iter().flatten().chain([key]).map(String::as_str))
    }

    pub(super) fn lacks_content(&self, entry: &RecordEntry) -> bool {
        (self.etag.is_some() && entry.etag.is_none()) || (self.size.is_some() && entry.size.is_none())
    }

    pub(super) fn read(&self, item: &Item, item_key: impl Fn() -> ItemKey) -> Result<Mapped> {
        let place = match &self.key {
            KeySource::Attributes { key, bucket } => of_attributes(item, key, bucket.as_deref()),
            KeySource::Expression(expression) => {
                let json = Value::Object(json::of_item(item)).to_string();
                match expression.locate(json)? {
                    Ok(Some(output)) => of_output(&output),
                    Ok(None) => Ok(None),
                    Err(why) => Err(why),
                }
            }
        };
        let (bucket, key) = match place {
            Ok(Some(place)) => place,
            Ok(None) => return Ok(Mapped::Nothing),
            Err(why) => return Ok(Mapped::Unreadable(why)),
        };
        let of = |attribute: &Option<String>| attribute.as_ref().and_then(|name| text_of(item, name).ok());
        let status = of(&self.status);
        let is_done = status.as_ref().is_some_and(|status| self.done.contains(status));
        let entry = RecordEntry {
            key,
            etag: of(&self.etag).map(|etag| etag.trim_matches('"').to_owned()),
            size: of(&self.size).and_then(|size| size.parse().ok()),
            rows: None,
            sequencer: None,
            recorded_at: of(&self.time).and_then(|time| moment(&time)),
            status: Some(if is_done { Status::Processed } else { Status::Recorded }),
            step_error: None,
            item: Some(Box::new(ItemOf { key: item_key(), items: 1, undecided: false, status })),
        };
        Ok(Mapped::Record { bucket, entry })
    }
}

type Place = Result<Option<(Option<String>, String)>, String>;

fn of_attributes(item: &Item, key: &str, bucket: Option<&str>) -> Place {
    let bucket = bucket.map(|name| text_of(item, name)).transpose()?;
    Ok(Some((bucket, text_of(item, key)?)))
}

/// A key, or an object of `bucket` and `key`; `null` of an item that is no record.
fn of_output(output: &Value) -> Place {
    let text = |value: &Value, what: &str| match value {
        Value::String(text) if !text.is_empty() => Ok(text.clone()),
        _ => Err(format!("the expression gives {} as {what}", quoted(&value.to_string()))),
    };
    match output {
        Value::Null => Ok(None),
        Value::Object(place) => {
            let bucket = place.get("bucket").map(|bucket| text(bucket, "the bucket")).transpose()?;
            Ok(Some((bucket, text(place.get("key").unwrap_or(&Value::Null), "the key")?)))
        }
        _ => Ok(Some((None, text(output, "the key")?))),
    }
}

/// Text or a number of the item, as it is written; or why there is none.
fn text_of(item: &Item, name: &str) -> Result<String, String> {
    match item.get(name) {
        Some(AttributeValue::S(text) | AttributeValue::N(text)) if !text.is_empty() => Ok(text.clone()),
        Some(AttributeValue::S(_)) => Err(format!("its attribute {name} is empty")),
        Some(_) => Err(format!("its attribute {name} is neither text nor a number")),
        None => Err(format!("it has no attribute {name}")),
    }
}

/// A time as text that sorts by it. None of what is no time.
fn moment(text: &str) -> Option<String> {
    let time = match text.parse::<i64>() {
        Ok(number) if number.abs() >= MILLISECONDS => Timestamp::from_millisecond(number).ok(),
        Ok(number) => Timestamp::from_second(number).ok(),
        Err(_) => text.parse().ok(),
    };
    time.map(|time| format!("{time:.9}"))
}

fn quoted(text: &str) -> String {
    match text.char_indices().nth(MOST_QUOTED) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
