//! The categories, their counts, and the check that they add up.

use std::ops::Index;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

/// Where an object, a record or an item of the flow was found to be. Each is in exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Its record is there and agrees, and the handler is done with it.
    Recorded,
    /// An item that says that it is done with.
    Settled,
    /// An item that says that it failed, and why. No finding.
    Failed,
    /// Its claim, or the message about it, was seen in the queue.
    Waiting,
    /// It is held by the consumer, as far as the queue's count tells; or its execution is running.
    InFlight,
    /// Its claim, or the message about it, was seen in a dead-letter queue; or its execution ended without an outcome.
    Dead,
    /// No record or outcome, and nothing on the way to one.
    Missing,
    /// A record of other content: etag or size differ.
    Stale,
    /// Recorded, and the after-processing step has not succeeded.
    Unfinished,
    /// So old that the table's time to live has taken its record, if there was one. No finding.
    Expired,
    /// A record whose object is gone after the handler was done with it, or that says so itself. No finding.
    Retired,
    /// A record whose object is gone, and nothing says why.
    Orphan,
    /// The flow's filters or its events do not take it. No finding.
    Excluded,
    /// What could not be told.
    Undetermined,
}

impl Category {
    /// Of a bucket's objects and their records.
    pub const OF_OBJECTS: [Category; 12] = [
        Category::Recorded,
        Category::Waiting,
        Category::InFlight,
        Category::Dead,
        Category::Missing,
        Category::Stale,
        Category::Unfinished,
        Category::Expired,
        Category::Retired,
        Category::Orphan,
        Category::Excluded,
        Category::Undetermined,
    ];
    /// Of a table's items.
    pub const OF_ITEMS: [Category; 7] = [
        Category::Settled,
        Category::Failed,
        Category::Waiting,
        Category::InFlight,
        Category::Dead,
        Category::Missing,
        Category::Undetermined,
    ];

    /// Of a record, and of no object.
    fn is_of_records(self) -> bool {
        matches!(self, Category::Retired | Category::Orphan)
    }

    fn is_lost(self) -> bool {
        use Category::{Dead, Missing, Orphan, Stale, Unfinished};
        matches!(self, Missing | Dead | Stale | Unfinished | Orphan)
    }

    /// Neither lost nor proved safe.
    fn is_open(self) -> bool {
        matches!(self, Category::Undetermined | Category::InFlight)
    }

    /// What the flow does not take, and what is too old to tell, is compared with nothing.
    fn is_compared(self) -> bool {
        !matches!(self, Category::Excluded | Category::Expired)
    }
}

/// How many there are in each category that the origin of the flow has. As JSON, a number for each by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts(Vec<(Category, u64)>);

impl Counts {
    pub fn of(categories: &[Category]) -> Counts {
        Counts(categories.iter().map(|category| (*category, 0)).collect())
    }

    pub fn add(&mut self, category: Category) {
        match self.0.iter_mut().find(|(known, _)| *known == category) {
            Some((_, number)) => *number += 1,
            None => self.0.push((category, 1)),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (Category, u64)> {
        self.0.iter().copied()
    }

    fn sum(&self, of: impl Fn(Category) -> bool) -> u64 {
        self.iter().filter(|(category, _)| of(*category)).map(|(_, number)| number).sum()
    }

    /// The objects or items among what was counted; the rest are records without an object.
    pub fn total(&self) -> u64 {
        self.sum(|category| !category.is_of_records())
    }

    /// The records without an object.
    pub fn records_alone(&self) -> u64 {
        self.sum(Category::is_of_records)
    }

    pub fn lost(&self) -> bool {
        self.sum(Category::is_lost) > 0
    }

    pub fn open(&self) -> bool {
        self.sum(Category::is_open) > 0
    }

    /// A proof of nothing.
    pub fn nothing_compared(&self) -> bool {
        self.sum(Category::is_compared) == 0
    }
}

impl Index<Category> for Counts {
    type Output = u64;

    fn index(&self, category: Category) -> &u64 {
        self.0.iter().find(|(known, _)| *known == category).map_or(&0, |(_, number)| number)
    }
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.iter().try_for_each(|(category, number)| map.serialize_entry(&category, &number))?;
        map.end()
    }
}

/// One object, record or item that needs a look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub category: Category,
    #[serde(flatten)]
    pub subject: Subject,
    pub why: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Subject {
    Object { bucket: String, key: String, version_id: Option<String>, etag: Option<String> },
    Item { table: String, key: String },
}

impl Subject {
    pub fn key(&self) -> &str {
        match self {
            Subject::Object { key, .. } | Subject::Item { key, .. } => key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_category_is_counted_and_means_one_thing_for_the_end() {
        use Category::*;
        // Lost, open, a proof of nothing.
        for (category, lost, open, nothing) in [
            (Recorded, false, false, false),
            (Settled, false, false, false),
            (Failed, false, false, false),
            (Waiting, false, false, false),
            (InFlight, false, true, false),
            (Dead, true, false, false),
            (Missing, true, false, false),
            (Stale, true, false, false),
            (Unfinished, true, false, false),
            (Expired, false, false, true),
            (Retired, false, false, false),
            (Orphan, true, false, false),
            (Excluded, false, false, true),
            (Undetermined, false, true, false),
        ] {
            let is_of_objects = Category::OF_OBJECTS.contains(&category);
            let mut counts =
                if is_of_objects { Counts::of(&Category::OF_OBJECTS) } else { Counts::of(&Category::OF_ITEMS) };
            assert!(counts.nothing_compared());
            counts.add(category);
            assert_eq!(
                (counts.lost(), counts.open(), counts.nothing_compared()),
                (lost, open, nothing),
                "{category:?}"
            );
            let name = serde_json::to_value(category).unwrap();
            let numbers = serde_json::to_value(&counts).unwrap();
            assert_eq!(numbers[name.as_str().unwrap()], 1, "the count has the category's name");
            let is_object = !matches!(category, Retired | Orphan);
            assert_eq!((counts[category], counts.total()), (1, u64::from(is_object)), "{category:?}");
            assert_eq!(counts.records_alone(), u64::from(!is_object), "{category:?}");
        }
    }

    #[test]
    fn a_finding_is_read_again_as_it_was_written() {
        let object = |etag: Option<&str>| Subject::Object {
            bucket: "b".into(),
            key: "k".into(),
            version_id: None,
            etag: etag.map(str::to_owned),
        };
        for (subject, json) in [
            (object(Some("e")), r#"{"category":"dead","bucket":"b","key":"k","version_id":null,"etag":"e","why":"w"}"#),
            (object(None), r#"{"category":"dead","bucket":"b","key":"k","version_id":null,"etag":null,"why":"w"}"#),
            (
                Subject::Item { table: "t".into(), key: "k".into() },
                r#"{"category":"dead","table":"t","key":"k","why":"w"}"#,
            ),
        ] {
            let finding = Finding { category: Category::Dead, subject, why: "w".into() };
            assert_eq!(serde_json::to_string(&finding).unwrap(), json);
            assert_eq!(serde_json::from_str::<Finding>(json).unwrap(), finding);
        }
    }
}
