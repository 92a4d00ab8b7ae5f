//! The records of a flow, from all of its sinks: read once as a whole, and again for what that left open.

use std::collections::HashMap;

use claimctl_aws::sinks::logs::RecordLogs;
use claimctl_aws::sinks::record::RecordEntry;
use claimctl_aws::sinks::{Keyed, Records};
use claimctl_aws::target::Target;
use claimctl_core::error::Result;
use claimctl_core::spool::Sorter;
use jiff::{SignedDuration, Timestamp};

use super::merge::Merge;
use crate::flow::BucketFlow;

/// A line may be found some time after its own time says.
const INGESTION: SignedDuration = SignedDuration::from_mins(5);

#[derive(Clone)]
pub struct Sinks {
    keyed: Vec<Keyed>,
    logs: Vec<RecordLogs>,
    prefix: String,
    /// What a log group is read again from.
    lines_since: Timestamp,
}

impl Sinks {
    /// `since`: nothing older is asked for.
    pub async fn open(target: &Target, flow: &BucketFlow, prefix: &str, since: Option<Timestamp>) -> Result<Sinks> {
        let lines_since = since.unwrap_or_else(Timestamp::now);
        let lines_since = lines_since.checked_sub(INGESTION).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut sinks = Sinks { keyed: Vec::new(), logs: Vec::new(), prefix: prefix.to_owned(), lines_since };
        for sink in &flow.sinks {
            match sink.open(target, &flow.bucket).await? {
                Records::Keyed(keyed) => sinks.keyed.push(keyed),
                Records::Lines(logs) => sinks.logs.push(logs),
            }
        }
        Ok(sinks)
    }

    /// Hands over every record below the prefix, in no order; a key may have several.
    pub async fn scan(&self, mut each: impl FnMut(RecordEntry) -> Result<()>) -> Result<()> {
        for keyed in &self.keyed {
            keyed.scan(&self.prefix, &mut each).await?;
        }
        for logs in &self.logs {
            logs.scan(&self.prefix, None, &mut each).await?;
        }
        Ok(())
    }

    /// A log cannot be asked for a key, so that its new lines are read once, for all that is asked of it then.
    pub async fn read_again(&self) -> Result<ReadAgain> {
        let mut lines = None;
        if !self.logs.is_empty() {
            let mut sorter = Sorter::by(|record: &RecordEntry| &record.key);
            for logs in &self.logs {
                logs.scan(&self.prefix, Some(self.lines_since), |record| sorter.push(record)).await?;
            }
            lines = Some(Merge::new(sorter.sorted())?);
        }
        Ok(ReadAgain { keyed: self.keyed.clone(), lines })
    }
}

/// What the sinks hold by now.
pub struct ReadAgain {
    keyed: Vec<Keyed>,
    lines: Option<Merge>,
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
