//! The comparison itself: a sorted listing against sorted records, each read once.

use std::cmp::Ordering;

use claimctl_aws::sinks::table::RecordEntry;
use claimctl_core::error::Result;
use claimctl_core::spool::Sorted;

/// Walks the records beside the objects. Objects are handed in by ascending key, as S3 lists them.
pub struct Merge {
    records: Sorted<RecordEntry>,
    next: Option<RecordEntry>,
}

impl Merge {
    pub fn new(mut records: Sorted<RecordEntry>) -> Result<Merge> {
        let next = records.take_next()?;
        Ok(Merge { records, next })
    }

    /// The record of this key, if there is one. Records before it have no object: they go to `without_object`.
    pub fn record_of(
        &mut self,
        key: &str,
        mut without_object: impl FnMut(RecordEntry) -> Result<()>,
    ) -> Result<Option<RecordEntry>> {
        while let Some(record) = self.next.take() {
            let order = record.key.as_str().cmp(key);
            if order == Ordering::Greater {
                self.next = Some(record);
                return Ok(None);
            }
            self.next = self.records.take_next()?;
            match order {
                Ordering::Equal => return Ok(Some(record)),
                _ => without_object(record)?,
            }
        }
        Ok(None)
    }

    /// After the last object: what is left has no object.
    pub fn rest(mut self, mut without_object: impl FnMut(RecordEntry) -> Result<()>) -> Result<()> {
        let mut next = self.next.take();
        while let Some(record) = next {
            without_object(record)?;
            next = self.records.take_next()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use claimctl_core::spool::Sorter;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn record(key: &str) -> RecordEntry {
        RecordEntry { key: key.to_owned(), etag: None, size: None, status: None, step_error: None }
    }

    proptest! {
        #[test]
        fn every_key_is_on_both_sides_or_on_one(
            objects in proptest::collection::btree_set("[a-d]{0,3}", 0..30),
            records in proptest::collection::btree_set("[a-d]{0,3}", 0..30),
        ) {
            let mut sorter = Sorter::by(|record: &RecordEntry| &record.key);
            for key in records.iter().rev() {
                sorter.push(record(key)).unwrap();
            }
            let mut merge = Merge::new(sorter.sorted()).unwrap();
            let (mut both, mut only_records) = (BTreeSet::new(), BTreeSet::new());
            for key in &objects {
                let found = merge.record_of(key, |record| { only_records.insert(record.key); Ok(()) }).unwrap();
                if let Some(record) = found {
                    prop_assert_eq!(&record.key, key);
                    both.insert(record.key);
                }
            }
            merge.rest(|record| { only_records.insert(record.key); Ok(()) }).unwrap();
            prop_assert_eq!(both, objects.intersection(&records).cloned().collect::<BTreeSet<_>>());
            prop_assert_eq!(only_records, records.difference(&objects).cloned().collect::<BTreeSet<_>>());
        }
    }
}
