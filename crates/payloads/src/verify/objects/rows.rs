//! Files whose rows are in a table or a database: as many as their records say?

use std::collections::{BTreeMap, HashMap};

use claimctl_aws::sinks::record::RecordEntry;
use claimctl_core::error::{Error, Result};
use claimctl_core::progress::Unit;
use claimctl_core::spool::{Sorted, Sorter, Spool};
use claimctl_core::units::count;
use serde::{Deserialize, Serialize};

use super::Objects;
use super::merge::Merge;
use crate::flow::ResolvedRows;

/// Files counted in memory before their counts are written out.
const IN_MEMORY: usize = 65_536;
/// Files that are counted a second time.
const LOOKED_AT_AGAIN: usize = 10_000;

/// How the rows in the table and those that the records tell of compare.
#[derive(Serialize)]
pub struct RowCounts {
    /// Of the rows; of a database, its cluster.
    pub table: String,
    /// As people call it.
    #[serde(skip)]
    pub place: String,
    /// Rows in it, of files in the scope.
    pub rows: u64,
    /// Files with rows, or with a record that tells of some.
    pub files: u64,
    pub agree: u64,
    /// Files with fewer rows than their records say: another file may have replaced them.
    pub fewer: u64,
    /// Files with more rows than their records say, or without a record.
    pub more: u64,
    pub findings: Spool<RowFinding>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowFinding {
    pub key: String,
    /// What the record says. None: there is no record.
    pub recorded: Option<u64>,
    pub counted: u64,
}

impl RowFinding {
    pub fn sentence(&self) -> String {
        let there = count(self.counted, "row");
        match self.recorded {
            None => format!("{there} in the table, and no record of the file"),
            Some(recorded) if recorded > self.counted => {
                format!("{there} of {recorded} in the table: another file may have replaced the others")
            }
            Some(recorded) => format!("{there} in the table, and its record says {recorded}"),
        }
    }
}

/// So many rows of a file were seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Counted {
    key: String,
    rows: u64,
}

/// Counts rows by file; beyond some files in temporary files.
struct Counter {
    recent: HashMap<String, u64>,
    sorter: Sorter<Counted>,
    rows: u64,
}

impl Counter {
    fn new() -> Counter {
        Counter { recent: HashMap::new(), sorter: Sorter::by(|counted: &Counted| &counted.key), rows: 0 }
    }

    fn add(&mut self, key: &str, more: u64) -> Result<()> {
        self.rows += more;
        match self.recent.get_mut(key) {
            Some(rows) => *rows += more,
            None => _ = self.recent.insert(key.to_owned(), more),
        }
        if self.recent.len() >= IN_MEMORY { self.write_out() } else { Ok(()) }
    }

    fn write_out(&mut self) -> Result<()> {
        self.recent.drain().try_for_each(|(key, rows)| self.sorter.push(Counted { key, rows }))
    }

    /// By key; a file may be there several times.
    fn sorted(mut self) -> Result<Sorted<Counted>> {
        self.write_out()?;
        Ok(self.sorter.sorted())
    }
}

impl Counted {
    fn with(self, more: Counted) -> Counted {
        Counted { rows: self.rows + more.rows, ..self }
    }
}

impl Objects<'_> {
    /// One scan of the rows between two readings of the records, so that a load under way is no finding; and one more
    /// for the files that differ.
    pub(super) async fn count_rows(&self) -> Result<RowCounts> {
        let Some(source) = &self.flow.rows else {
            return Err(Error::usage(format!("the records of flow {} are not of files with rows", self.flow.name))
                .hint("leave out --rows: only loaders of CSV files tell how many there are"));
        };
        self.run.progress.start("counting rows", None, Unit::Items);
        let mut counter = Counter::new();
        self.each_of(source, |key, rows| counter.add(key, rows)).await?;
        let rows = counter.rows;
        let (table, place) = (source.name().to_owned(), source.words());
        let mut counts =
            RowCounts { table, place, rows, files: 0, agree: 0, fewer: 0, more: 0, findings: Spool::new() };
        let mut differing = BTreeMap::new();
        for file in self.held_against_records(counter.sorted()?, &mut counts).await? {
            differing.insert(file.key.clone(), file);
        }
        if !differing.is_empty() {
            self.look_at_rows_again(source, differing, &mut counts).await?;
        }
        Ok(counts)
    }

    /// Hands over files that the flow takes, with rows of theirs; a file may come many times.
    async fn each_of(&self, source: &ResolvedRows, mut each: impl FnMut(&str, u64) -> Result<()>) -> Result<()> {
        let (bucket, prefix) = (&self.flow.bucket, &self.run.options.prefix);
        let reading = source.read(self.run.target, bucket, prefix, |key, rows| {
            self.run.progress.advance(rows);
            if self.flow.takes(key) { each(key, rows) } else { Ok(()) }
        });
        self.run.unless_stopped(reading).await
    }

    /// Counts the files that agree; hands back the others.
    async fn held_against_records(
        &self,
        mut files: Sorted<Counted>,
        counts: &mut RowCounts,
    ) -> Result<Vec<RowFinding>> {
        let mut records = Sorter::by(|record: &RecordEntry| &record.key);
        let reading = self.sinks.scan(|record| match self.flow.takes(&record.key) {
            true => records.push(record),
            false => Ok(()),
        });
        self.run.unless_stopped(reading).await?;
        let mut differing = Vec::new();
        let mut add = |finding: RowFinding| {
            counts.files += 1;
            match finding.recorded == Some(finding.counted) {
                true => counts.agree += 1,
                false => differing.push(finding),
            }
            match differing.len() > LOOKED_AT_AGAIN {
                true => Err(Error::unexpected(format!("the rows of more than {LOOKED_AT_AGAIN} files differ"))
                    .hint("look at fewer at a time: --prefix")),
                false => Ok(()),
            }
        };
        let without_rows =
            |record: RecordEntry| RowFinding { recorded: Some(record.rows.unwrap_or(0)), key: record.key, counted: 0 };
        let mut merge = Merge::new(records.sorted())?;
        while let Some(Counted { key, rows: counted }) = files.take_next_merged(Counted::with)? {
            let record = merge.record_of(&key, |record| add(without_rows(record)))?;
            add(RowFinding { key, recorded: record.map(|record| record.rows.unwrap_or(0)), counted })?;
        }
        merge.rest(|record| add(without_rows(record)))?;
        Ok(differing)
    }

    async fn look_at_rows_again(
        &self,
        source: &ResolvedRows,
        mut differing: BTreeMap<String, RowFinding>,
        counts: &mut RowCounts,
    ) -> Result<()> {
        differing.values_mut().for_each(|file| file.counted = 0);
        self.each_of(source, |key, rows| {
            if let Some(file) = differing.get_mut(key) {
                file.counted += rows;
            }
            Ok(())
        })
        .await?;
        let keys = differing.keys().map(|key| (key.as_str(), None)).collect();
        let records = self.run.unless_stopped(self.sinks.read_again().await?.records_of(keys)).await?;
        for mut file in differing.into_values() {
            file.recorded = records.get(&file.key).map(|record| record.rows.unwrap_or(0));
            match file.recorded.cmp(&Some(file.counted)) {
                std::cmp::Ordering::Equal => counts.agree += 1,
                std::cmp::Ordering::Greater => {
                    counts.fewer += 1;
                    counts.findings.push(file)?;
                }
                std::cmp::Ordering::Less => {
                    counts.more += 1;
                    counts.findings.push(file)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_row_is_counted_for_its_file(keys in proptest::collection::vec("[a-c]{0,2}", 0..60), write_out in 1..10_usize) {
            let mut counter = Counter::new();
            let mut expected = BTreeMap::<String, u64>::new();
            for (number, key) in keys.iter().enumerate() {
                counter.add(key, 1).unwrap();
                *expected.entry(key.clone()).or_default() += 1;
                if number % write_out == 0 {
                    counter.write_out().unwrap();
                }
            }
            prop_assert_eq!(counter.rows, keys.len() as u64);
            let mut files = counter.sorted().unwrap();
            let mut found = BTreeMap::new();
            while let Some(Counted { key, rows }) = files.take_next_merged(Counted::with).unwrap() {
                prop_assert!(found.insert(key, rows).is_none());
            }
            prop_assert_eq!(found, expected);
        }
    }
}
