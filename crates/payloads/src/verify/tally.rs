//! The categories, their counts, and the check that they add up.

use serde::{Deserialize, Serialize};

/// Where an object or a record of the flow was found to be. Each is in exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Its record is there and agrees.
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
    /// A record whose object is gone after the handler was done with it, or that says so itself. No finding.
    Retired,
    /// A record whose object is gone, and nothing says why.
    Orphan,
    /// The flow's filters do not take it.
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
            + self.excluded
            + self.undetermined
    }

    pub fn lost(&self) -> bool {
        self.missing + self.dead + self.stale + self.orphan > 0
    }

    /// Neither lost nor proved safe.
    pub fn open(&self) -> bool {
        self.undetermined + self.in_flight > 0
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
