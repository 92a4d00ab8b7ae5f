//! The categories, their counts, and the check that they add up.

use serde::{Deserialize, Serialize};

/// Where an object or a record of the flow was found to be. Each is in exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Its record is there and agrees, and the handler is done with it.
    Recorded,
    /// Its claim was seen in the queue.
    Waiting,
    /// Its claim is held by the consumer, as far as the queue's count tells.
    InFlight,
    /// Its claim was seen in the dead-letter queue.
    Dead,
    /// No record, and no claim anywhere.
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

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub recorded: u64,
    pub waiting: u64,
    pub in_flight: u64,
    pub dead: u64,
    pub missing: u64,
    pub stale: u64,
    pub unfinished: u64,
    pub expired: u64,
    pub retired: u64,
    pub orphan: u64,
    pub excluded: u64,
    pub undetermined: u64,
}

impl Counts {
    pub fn add(&mut self, category: Category) {
        *match category {
            Category::Recorded => &mut self.recorded,
            Category::Waiting => &mut self.waiting,
            Category::InFlight => &mut self.in_flight,
            Category::Dead => &mut self.dead,
            Category::Missing => &mut self.missing,
            Category::Stale => &mut self.stale,
            Category::Unfinished => &mut self.unfinished,
            Category::Expired => &mut self.expired,
            Category::Retired => &mut self.retired,
            Category::Orphan => &mut self.orphan,
            Category::Excluded => &mut self.excluded,
            Category::Undetermined => &mut self.undetermined,
        } += 1;
    }

    /// The objects among what was counted; the rest are records without an object.
    pub fn objects(&self) -> u64 {
        self.recorded
            + self.waiting
            + self.in_flight
            + self.dead
            + self.missing
            + self.stale
            + self.unfinished
            + self.expired
            + self.excluded
            + self.undetermined
    }

    pub fn lost(&self) -> bool {
        self.missing + self.dead + self.stale + self.unfinished + self.orphan > 0
    }

    /// Neither lost nor proved safe.
    pub fn open(&self) -> bool {
        self.undetermined + self.in_flight > 0
    }

    /// Nothing was compared: a proof of nothing. What the flow does not take, and what is too old to tell, is nothing.
    pub fn nothing_compared(&self) -> bool {
        self.objects() + self.retired + self.orphan == self.excluded + self.expired
    }
}

/// One object or record that needs a look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub category: Category,
    pub bucket: String,
    pub key: String,
    pub version_id: Option<String>,
    pub etag: Option<String>,
    pub why: String,
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
            let mut counts = Counts::default();
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
            assert_eq!(counts.objects(), u64::from(is_object), "{category:?}");
        }
    }
}
