//! The primary key of one item, whatever the table's schema, so that the item can be asked for again.

use std::fmt::Write as _;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::{Blob, base64};
use serde::{Deserialize, Serialize};

use super::Item;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemKey(Vec<(String, Part)>);

/// As DynamoDB types it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Part {
    S(String),
    N(String),
    /// As base64.
    B(String),
}

impl ItemKey {
    pub(super) fn of_item<'a>(item: &Item, names: impl Iterator<Item = &'a str>) -> ItemKey {
        let part = |name: &str| {
            Some(match item.get(name)? {
                AttributeValue::S(text) => Part::S(text.clone()),
                AttributeValue::N(digits) => Part::N(digits.clone()),
                AttributeValue::B(bytes) => Part::B(base64::encode(bytes)),
                _ => return None,
            })
        };
        ItemKey(names.filter_map(|name| Some((name.to_owned(), part(name)?))).collect())
    }

    pub(super) fn of_text(parts: Vec<(String, String)>) -> ItemKey {
        ItemKey(parts.into_iter().map(|(name, text)| (name, Part::S(text))).collect())
    }

    pub(super) fn to_item(&self) -> Item {
        let value = |part: &Part| match part {
            Part::S(text) => AttributeValue::S(text.clone()),
            Part::N(digits) => AttributeValue::N(digits.clone()),
            Part::B(bytes) => AttributeValue::B(Blob::new(base64::decode(bytes).unwrap_or_default())),
        };
        self.0.iter().map(|(name, part)| (name.clone(), value(part))).collect()
    }

    /// As people read it: `pk "a", sk 7`.
    pub fn words(&self) -> String {
        let mut words = String::new();
        for (number, (name, part)) in self.0.iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            // Writing into a string does not fail.
            let _ = match part {
                Part::S(text) => write!(words, "{comma}{name} {text:?}"),
                Part::N(text) | Part::B(text) => write!(words, "{comma}{name} {text}"),
            };
        }
        words
    }
}
