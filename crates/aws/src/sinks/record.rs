//! What a comparison needs to know of a record, whatever sink holds it.

use claimctl_claim::record::attribute;
use claimctl_claim::{AfterProcessing, Status, sequencer};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::mapped::ItemOf;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordEntry {
    pub key: String,
    pub etag: Option<String>,
    pub size: Option<u64>,
    /// Of the record of a file: its rows that are stored.
    pub rows: Option<u64>,
    /// Normalized, so that a plain `<` orders the events of a key. None in a record that a repair wrote.
    pub sequencer: Option<String>,
    /// Known of lines in a log, of which a key may have several.
    pub recorded_at: Option<String>,
    /// None: one that no claimctl handler writes.
    pub status: Option<Status>,
    /// Why the after-processing step can never succeed, by the handler's word.
    pub step_error: Option<String>,
    /// Of a record that a mapping found: the item that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<Box<ItemOf>>,
}

/// A record with all that it holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WholeRecord {
    pub entry: RecordEntry,
    /// By name. Numbers that JSON cannot hold are strings.
    pub attributes: Map<String, Value>,
}

impl WholeRecord {
    /// None where it names no object: its id is no `BUCKET/KEY`.
    pub fn of(attributes: Map<String, Value>) -> Option<WholeRecord> {
        let text = |name: &str| attributes.get(name).and_then(Value::as_str);
        let number = |name: &str| attributes.get(name).and_then(Value::as_u64);
        let entry = RecordEntry {
            key: text(attribute::CLAIM_ID)?.split_once('/')?.1.to_owned(),
            etag: text(attribute::ETAG).map(str::to_owned),
            size: number(attribute::SIZE),
            rows: number(attribute::ROWS),
            sequencer: text(attribute::SEQUENCER).and_then(sequencer::normalize),
            recorded_at: text(attribute::RECORDED_AT).map(str::to_owned),
            status: text(attribute::STATUS).and_then(Status::parse),
            step_error: text(attribute::STEP_ERROR).map(str::to_owned),
            item: None,
        };
        Some(WholeRecord { entry, attributes })
    }

    /// As [`RecordEntry::newest`].
    pub fn newest(self, other: WholeRecord) -> WholeRecord {
        if other.entry.is_later_than(&self.entry) { other } else { self }
    }
}

impl RecordEntry {
    /// Processed or removed: a record whose object may be gone for a good reason.
    pub fn is_retired(&self) -> bool {
        matches!(self.status, Some(Status::Processed | Status::Removed))
    }

    /// The object was gone when this was written.
    pub fn is_removed(&self) -> bool {
        self.status == Some(Status::Removed)
    }

    /// Whether the handler has done all that it does: recorded is not done where there is a step behind it.
    pub fn is_done(&self, after_processing: AfterProcessing) -> bool {
        !after_processing.is_a_step() || self.is_retired()
    }

    /// What is to be said of a record that is not done.
    pub fn why_not_done(&self) -> String {
        if let Some(item) = &self.item {
            return match &item.status {
                Some(status) => format!("its item says {status:?}, which is not among what is done"),
                None => "its item has no status".to_owned(),
            };
        }
        match &self.step_error {
            Some(why) => format!("it is recorded, but its after-processing step can never succeed: {why}"),
            None => "it is recorded, but its after-processing step has not succeeded".to_owned(),
        }
    }

    /// The one of two records of a key that tells of the later event. Where a repair wrote one of them, which has no
    /// sequencer, the later record.
    pub fn newest(self, other: RecordEntry) -> RecordEntry {
        let (mut newest, mut older) = if other.is_later_than(&self) { (other, self) } else { (self, other) };
        if let (Some(item), Some(before)) = (&mut newest.item, older.item.take()) {
            let dated = older.recorded_at.is_some() && older.recorded_at < newest.recorded_at;
            let same = newest.etag == older.etag && newest.size == older.size && item.status == before.status;
            item.items += before.items;
            item.undecided |= before.undecided || !(dated || same);
        }
        newest
    }

    fn is_later_than(&self, other: &RecordEntry) -> bool {
        match (&self.sequencer, &other.sequencer) {
            (Some(ours), Some(others)) => ours > others,
            _ => (&self.recorded_at, &self.sequencer) > (&other.recorded_at, &other.sequencer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_of_the_later_event_and_else_the_later_one() {
        let record = |sequencer: Option<&str>, recorded_at: Option<&str>| RecordEntry {
            key: "k".into(),
            etag: None,
            size: None,
            rows: None,
            sequencer: sequencer.map(Into::into),
            recorded_at: recorded_at.map(Into::into),
            status: None,
            step_error: None,
            item: None,
        };
        for (later, earlier) in [
            (record(Some("B"), None), record(Some("A"), None)),
            // Delivered out of order.
            (record(Some("B"), Some("2026-01-01")), record(Some("A"), Some("2026-01-02"))),
            (record(None, Some("2026-01-02")), record(Some("B"), Some("2026-01-01"))),
            (record(Some("A"), Some("2026-01-02")), record(None, Some("2026-01-01"))),
            (record(Some("A"), None), record(None, None)),
        ] {
            assert_eq!(later.clone().newest(earlier.clone()), later);
            assert_eq!(earlier.newest(later.clone()), later);
        }
    }
}
