//! The records of a flow, from all of its sinks: read once as a whole, and again for what that left open.

use std::collections::HashMap;

use claimctl_aws::sinks::logs::RecordLogs;
use claimctl_aws::sinks::mapped::{ItemCounts, ItemKey, MappedTable, Mapping};
use claimctl_aws::sinks::record::RecordEntry;
use claimctl_aws::sinks::{Keyed, Records, ResolvedSink};
use claimctl_aws::target::Target;
use claimctl_core::error::{Error, Result};
use claimctl_core::spool::Sorter;
use jiff::{SignedDuration, Timestamp};

use super::super::Options;
use super::merge::Merge;
use crate::flow::BucketFlow;

/// A line may be found some time after its own time says.
const INGESTION: SignedDuration = SignedDuration::from_mins(5);

#[derive(Clone)]
pub struct Sinks {
    keyed: Vec<Keyed>,
    logs: Vec<RecordLogs>,
    /// Instead of all others.
    mapped: Option<MappedTable>,
    prefix: String,
    /// What a log group is read again from.
    lines_since: Timestamp,
}

impl Sinks {
    pub async fn open(target: &Target, flow: &BucketFlow, options: &Options) -> Result<Sinks> {
        let (prefix, since, rate) = (&options.prefix, options.since, options.read_rate());
        let lines_since = since.unwrap_or_else(Timestamp::now);
        let lines_since = lines_since.checked_sub(INGESTION).unwrap_or(Timestamp::UNIX_EPOCH);
        let prefix = prefix.to_owned();
        let mut sinks = Sinks { keyed: Vec::new(), logs: Vec::new(), mapped: None, prefix, lines_since };
        if let Some(mapping) = &flow.mapping {
            let [ResolvedSink::Table(table)] = flow.sinks.as_slice() else {
                return Err(Error::usage(format!("flow {} does not end in a table, so it has no items", flow.name))
                    .hint("name the table: --table TABLE"));
            };
            let mapping = Mapping::clone(mapping);
            let mut table = MappedTable::open(target.dynamodb(), table, &flow.bucket, mapping).await?;
            table.rate = rate;
            sinks.mapped = Some(table);
            return Ok(sinks);
        }
        for sink in &flow.sinks {
            match sink.open(target, &flow.bucket).await? {
                Records::Keyed(keyed) => sinks.keyed.push(keyed.at_rate(rate.clone())),
                Records::Lines(logs) => sinks.logs.push(logs),
            }
        }
        Ok(sinks)
    }

    pub fn mapped(&self) -> Option<&MappedTable> {
        self.mapped.as_ref()
    }

    /// Hands over every record below the prefix, in no order; a key may have several. Of a mapped table, what became of
    /// its items.
    pub async fn scan(&self, mut each: impl FnMut(RecordEntry) -> Result<()>) -> Result<Option<ItemCounts>> {
        if let Some(table) = &self.mapped {
            let below = |record: RecordEntry| match record.key.starts_with(&self.prefix) {
                true => each(record),
                false => Ok(()),
            };
            return Ok(Some(table.scan(below).await?));
        }
        for keyed in &self.keyed {
            keyed.scan(&self.prefix, &mut each).await?;
        }
        for logs in &self.logs {
            logs.scan(&self.prefix, None, &mut each).await?;
        }
        Ok(None)
    }

    /// A log cannot be asked for a key, so that its new lines are read once, for all that is asked of it then. Nor can a
    /// mapped table, unless its primary key is made of bucket and key: it is scanned again.
    pub async fn read_again(&self) -> Result<ReadAgain> {
        let (mut lines, mut items, mut counts) = (None, None, None);
        match &self.mapped {
            Some(table) if table.is_by_key() => items = Some(Items::ByKey(table.clone())),
            Some(_) => {
                let mut sorter = Sorter::by(|record: &RecordEntry| &record.key);
                counts = self.scan(|record| sorter.push(record)).await?;
                items = Some(Items::Sorted(Merge::new(sorter.sorted())?));
            }
            None => {}
        }
        if !self.logs.is_empty() {
            let mut sorter = Sorter::by(|record: &RecordEntry| &record.key);
            for logs in &self.logs {
                logs.scan(&self.prefix, Some(self.lines_since), |record| sorter.push(record)).await?;
            }
            lines = Some(Merge::new(sorter.sorted())?);
        }
        Ok(ReadAgain { keyed: self.keyed.clone(), lines, items, counts })
    }

    /// For records that were read before: items of a mapped table are asked for by their own keys, whatever these are.
    pub async fn read_known_again(&self) -> Result<ReadAgain> {
        match &self.mapped {
            Some(table) => {
                let items = Some(Items::ByOwnKey(table.clone()));
                Ok(ReadAgain { keyed: Vec::new(), lines: None, items, counts: None })
            }
            None => self.read_again().await,
        }
    }
}

/// How the items of a mapped table are read again.
enum Items {
    Sorted(Merge),
    /// By the keys of their objects.
    ByKey(MappedTable),
    /// By those that they have themselves.
    ByOwnKey(MappedTable),
}

/// What the sinks hold by now.
pub struct ReadAgain {
    keyed: Vec<Keyed>,
    lines: Option<Merge>,
    items: Option<Items>,
    /// What became of the items of a mapped table that was scanned again.
    pub counts: Option<ItemCounts>,
}

impl ReadAgain {
    /// The records of these keys, by key, each beside what is known of it already. Called with ascending keys, and with
    /// greater ones each time.
    pub async fn records_of(
        &mut self,
        known: Vec<(&str, Option<&RecordEntry>)>,
    ) -> Result<HashMap<String, RecordEntry>> {
        let keys: Vec<&str> = known.iter().map(|(key, _)| *key).collect();
        let mut records = HashMap::new();
        match &mut self.items {
            None => {}
            Some(Items::Sorted(items)) => {
                for key in keys {
                    records.extend(items.record_of(key, |_| Ok(()))?.map(|record| (key.to_owned(), record)));
                }
                return Ok(records);
            }
            Some(Items::ByKey(table)) => {
                let keys: Vec<ItemKey> = keys.iter().filter_map(|key| table.key_of(key)).collect();
                return table.get(&keys).await;
            }
            Some(Items::ByOwnKey(table)) => {
                let mut own = Vec::new();
                for (key, record) in known {
                    match record.and_then(|record| Some((record, record.item.as_ref()?))) {
                        Some((_, item)) if item.items == 1 => own.push(item.key.clone()),
                        // Another of its items may be there still, if this one is not.
                        Some((record, _)) => drop(records.insert(key.to_owned(), record.clone())),
                        None => {}
                    }
                }
                records.extend(table.get(&own).await?);
                return Ok(records);
            }
        }
        for keyed in &self.keyed {
            keyed.get(&keys).await?.into_values().for_each(|record| keep_newest(&mut records, record));
        }
        if let Some(lines) = &mut self.lines {
            for (key, known) in known {
                let line = lines.record_of(key, |_| Ok(()))?;
                // What was read before is still there: only lines since then were read.
                line.into_iter().chain(known.cloned()).for_each(|record| keep_newest(&mut records, record));
            }
        }
        Ok(records)
    }
}

fn keep_newest(records: &mut HashMap<String, RecordEntry>, record: RecordEntry) {
    let newest = match records.remove(&record.key) {
        Some(other) => other.newest(record),
        None => record,
    };
    records.insert(newest.key.clone(), newest);
}
