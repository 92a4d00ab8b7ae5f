//! The comparison itself: a sorted listing against sorted records, each read once.

use std::cmp::Ordering;

use claimctl_aws::sinks::record::RecordEntry;
use claimctl_core::error::Result;
use claimctl_core::spool::Sorted;

/// Walks the records beside the objects. Objects are handed in by ascending key, as S3 lists them. Of the records of one
/// key, which several sinks or deliveries may have left, the newest counts.
pub struct Merge {
    records: Sorted<RecordEntry>,
    next: Option<RecordEntry>,
    /// Different keys among the records so far.
    keys: u64,
}

impl Merge {
    pub fn new(mut records: Sorted<RecordEntry>) -> Result<Merge> {
        let next = records.take_next_merged(RecordEntry::newest)?;
        Ok(Merge { records, next, keys: 0 })
    }

    /// The record of this key, if there is one. Records before it have no object: they go to `without_object`.
    pub fn record_of(
        &mut self,
        key: &str,
        mut without_object: impl FnMut(RecordEntry) -> Result<()>,
    ) -> Result<Option<RecordEntry>> {
        while let Some(next) = &self.next {
            let order = next.key.as_str().cmp(key);
            if order == Ordering::Greater {
                return Ok(None);
            }
            match (self.take_newest()?, order) {
                (record, Ordering::Equal) => return Ok(record),
                (Some(record), _) => without_object(record)?,
                (None, _) => {}
            }
        }
        Ok(None)
    }

    /// After the last object: what is left has no object. How many keys had a record.
    pub fn rest(mut self, mut without_object: impl FnMut(RecordEntry) -> Result<()>) -> Result<u64> {
        while let Some(record) = self.take_newest()? {
            without_object(record)?;
        }
        Ok(self.keys)
    }

    fn take_newest(&mut self) -> Result<Option<RecordEntry>> {
        let newest = self.next.take();
        if newest.is_some() {
            self.keys += 1;
            self.next = self.records.take_next_merged(RecordEntry::newest)?;
        }
        Ok(newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use claimctl_core::spool::Sorter;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn record(key: &str, sequencer: u8) -> RecordEntry {
        RecordEntry {
            key: key.to_owned(),
            etag: None,
            size: None,
            rows: None,
            sequencer: Some(format!("{sequencer:02X}")),
            recorded_at: None,
            status: None,
            step_error: None,
            item: None,
        }
    }

    proptest! {
        #[test]
        fn every_key_is_on_both_sides_or_on_one(
            objects in proptest::collection::btree_set("[a-d]{0,3}", 0..30),
            records in proptest::collection::btree_map("[a-d]{0,3}", proptest::collection::vec(any::<u8>(), 1..4), 0..30),
        ) {
            let mut sorter = Sorter::by(|record: &RecordEntry| &record.key);
            for (key, sequencers) in records.iter().rev() {
                sequencers.iter().for_each(|sequencer| sorter.push(record(key, *sequencer)).unwrap());
            }
            let newest = |key: &str| format!("{:02X}", records[key].iter().max().unwrap());
            let mut merge = Merge::new(sorter.sorted()).unwrap();
            let (mut both, mut only_records) = (BTreeSet::new(), BTreeSet::new());
            for key in &objects {
                let found = merge.record_of(key, |record| { only_records.insert(record.key); Ok(()) }).unwrap();
                if let Some(record) = found {
                    prop_assert_eq!(&record.key, key);
                    prop_assert_eq!(record.sequencer.unwrap(), newest(key));
                    both.insert(record.key);
                }
            }
            let keys = merge.rest(|record| { only_records.insert(record.key); Ok(()) }).unwrap();
            prop_assert_eq!(keys, records.len() as u64);
            let records: BTreeSet<_> = records.into_keys().collect();
            prop_assert_eq!(both, objects.intersection(&records).cloned().collect::<BTreeSet<_>>());
            prop_assert_eq!(only_records, records.difference(&objects).cloned().collect::<BTreeSet<_>>());
        }
    }
}
