//! A DynamoDB table that claimctl did not make: of any key schema, its items read as records by a mapping.

mod counts;
mod item_key;
mod mapping;
mod sample;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::pin::pin;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{KeyType, ScalarAttributeType};
use claimctl_core::error::Result;
use futures_util::TryStreamExt;

use super::by_key::{self, BATCH, DESCRIBE};
use super::read_rate::ReadRate;
use super::record::RecordEntry;
use super::scan::{self, Item, arn_pattern};
use crate::Explain;
pub use counts::ItemCounts;
pub use item_key::ItemKey;
use mapping::Mapped;
pub use mapping::{ItemOf, KeySource, Locate, Mapping};
pub use sample::{Sample, sample};

/// A part of the table's primary key.
#[derive(Debug, Clone, PartialEq, Eq)]
struct KeyPart {
    name: String,
    is_text: bool,
}

#[derive(Debug, Clone)]
pub struct MappedTable {
    client: Client,
    pub name: String,
    /// Whose objects the records are of.
    bucket: String,
    pub mapping: Mapping,
    /// The partition key, and the sort key where there is one.
    primary: Vec<KeyPart>,
    pub rate: Option<Arc<ReadRate>>,
}

impl MappedTable {
    pub async fn open(client: Client, name: &str, bucket: &str, mapping: Mapping) -> Result<MappedTable> {
        let described = client.describe_table().table_name(name).send().await;
        let described = described.or_needs(&format!("describe table {name}"), DESCRIBE, &arn_pattern(name))?;
        let table = described.table.as_ref();
        let is_text = |name: &str| {
            table.is_some_and(|table| {
                table.attribute_definitions().iter().any(|attribute| {
                    attribute.attribute_name() == name && *attribute.attribute_type() == ScalarAttributeType::S
                })
            })
        };
        let mut schema: Vec<_> = table.map(|table| table.key_schema().to_vec()).unwrap_or_default();
        schema.sort_by_key(|key| *key.key_type() != KeyType::Hash);
        let part = |name: &str| KeyPart { name: name.to_owned(), is_text: is_text(name) };
        let primary = schema.iter().map(|key| part(key.attribute_name())).collect();
        Ok(MappedTable { client, name: name.to_owned(), bucket: bucket.to_owned(), mapping, primary, rate: None })
    }

    /// Hands over the record of every item of the bucket, in no order, and counts all items.
    pub async fn scan(&self, mut each: impl FnMut(RecordEntry) -> Result<()>) -> Result<ItemCounts> {
        let mut counts = ItemCounts::default();
        let (projection, names) = self.projection();
        let call = self.client.scan().table_name(&self.name);
        let call = call.set_projection_expression(projection).set_expression_attribute_names(names);
        let mut pages = pin!(scan::beginning_with(call, &self.name, String::new(), self.rate.clone()));
        while let Some(page) = pages.try_next().await? {
            for item in page {
                if let Some(record) = self.counted(&item, &mut counts)? {
                    each(record)?;
                }
            }
        }
        Ok(counts)
    }

    /// The records of the items with these keys, read consistently, by the key of their object.
    pub async fn get(&self, keys: &[ItemKey]) -> Result<HashMap<String, RecordEntry>> {
        let mut records = HashMap::new();
        let (projection, names) = self.projection();
        for batch in keys.chunks(BATCH) {
            let wanted = batch.iter().map(ItemKey::to_item).collect();
            let found = by_key::get_items(
                &self.client,
                &self.name,
                wanted,
                projection.as_deref(),
                names.clone(),
                self.rate.as_deref(),
            );
            for item in found.await? {
                if let Some(record) = self.counted(&item, &mut ItemCounts::default())? {
                    records.insert(record.key.clone(), record);
                }
            }
        }
        Ok(records)
    }

    /// The primary key of the only item that an object may have. None where the primary key is of other things.
    pub fn key_of(&self, key: &str) -> Option<ItemKey> {
        let KeySource::Attributes { key: of_key, bucket: of_bucket } = &self.mapping.key else { return None };
        let part = |part: &KeyPart| match () {
            () if !part.is_text => None,
            () if part.name == *of_key => Some((part.name.clone(), key.to_owned())),
            () if of_bucket.as_ref() == Some(&part.name) => Some((part.name.clone(), self.bucket.clone())),
            () => None,
        };
        let parts: Vec<_> = self.primary.iter().map(part).collect::<Option<_>>()?;
        // By the bucket alone, a table has one item for all of its objects; by the key alone, one for all buckets.
        let names = |attribute: &String| parts.iter().any(|(name, _)| name == attribute);
        let is_whole = names(of_key) && of_bucket.as_ref().is_none_or(names);
        is_whole.then(|| ItemKey::of_text(parts))
    }

    /// Whether each object's item can be asked for, so that no second scan is needed.
    pub fn is_by_key(&self) -> bool {
        self.key_of("k").is_some()
    }

    fn counted(&self, item: &Item, counts: &mut ItemCounts) -> Result<Option<RecordEntry>> {
        counts.items += 1;
        let key = || self.key_in(item);
        match self.mapping.read(item, key)? {
            Mapped::Nothing => counts.left_out += 1,
            Mapped::Unreadable(why) => {
                counts.unreadable += 1;
                let example = || format!("{}: {why}", self.key_in(item).words());
                counts.example.get_or_insert_with(example);
            }
            Mapped::Record { bucket, .. } if bucket.as_ref().is_some_and(|bucket| *bucket != self.bucket) => {
                counts.other_buckets += 1;
            }
            Mapped::Record { entry, .. } => {
                counts.records += 1;
                counts.without_content += u64::from(self.mapping.lacks_content(&entry));
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    fn key_in(&self, item: &Item) -> ItemKey {
        ItemKey::of_item(item, self.primary.iter().map(|part| part.name.as_str()))
    }

    /// Only what the mapping needs is sent over the wire; an expression may need anything.
    fn projection(&self) -> (Option<String>, Option<HashMap<String, String>>) {
        let Some(of_mapping) = self.mapping.attributes() else { return (None, None) };
        let primary = self.primary.iter().map(|part| part.name.as_str());
        let names: BTreeSet<&str> = primary.chain(of_mapping).collect();
        let placeholders: Vec<_> = (0..names.len()).map(|number| format!("#a{number}")).collect();
        let names = placeholders.iter().cloned().zip(names.into_iter().map(str::to_owned)).collect();
        (Some(placeholders.join(", ")), Some(names))
    }
}
