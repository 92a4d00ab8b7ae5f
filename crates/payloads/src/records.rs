//! What the sinks of a flow hold: all of it, or what is known of one object.

use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::sinks::Reads;
use claimctl_aws::sinks::record::WholeRecord;
use claimctl_aws::target::Target;
use claimctl_claim::Status;
use claimctl_claim::record::attribute;
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Result};
use claimctl_core::progress::{Progress, Unit};
use claimctl_core::spool::{Sorter, Spool};
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::flow::ResolvedFlow;

/// Which records are asked for.
#[derive(Debug, Clone, Default)]
pub struct RecordFilter {
    /// Keys that begin so.
    pub prefix: String,
    pub status: Option<Status>,
    /// Recorded then or later.
    pub since: Option<Timestamp>,
}

impl RecordFilter {
    fn takes(&self, record: &WholeRecord) -> bool {
        let recorded_at = || record.attributes.get(attribute::RECORDED_AT)?.as_str()?.parse::<Timestamp>().ok();
        self.status.is_none_or(|status| record.entry.status == Some(status))
            && self.since.is_none_or(|since| recorded_at().is_some_and(|at| at >= since))
    }
}

/// The attributes of records, by key.
pub struct Found {
    pub records: Spool<Map<String, Value>>,
    /// So many there are, also where fewer were asked for.
    pub matching: u64,
}

/// What IAM has to allow to read the records of a flow: of one object, or (`all`) of each.
pub fn permissions(arns: &ArnBuilder, flow: &ResolvedFlow, all: bool) -> Vec<Statement> {
    flow.sinks.iter().map(|sink| sink.permissions(arns, Reads::Whole { all })).collect()
}

/// The newest record of each key, sorted by key; at most so many of them.
pub async fn list(
    target: &Target,
    flow: &ResolvedFlow,
    filter: &RecordFilter,
    at_most: u64,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<Found> {
    let mut sorter = Sorter::by(|record: &WholeRecord| &record.entry.key);
    progress.start("reading records", None, Unit::Items);
    let reading = scan(target, flow, &filter.prefix, |record| {
        progress.advance(1);
        sorter.push(record)
    });
    tokio::select! {
        read = reading => read?,
        () = cancel.cancelled() => return Err(Error::interrupted("stopped before all records were read")),
    }
    progress.finish();
    let mut found = Found { records: Spool::new(), matching: 0 };
    let mut sorted = sorter.sorted();
    while let Some(newest) = sorted.take_next_merged(WholeRecord::newest)? {
        // Only now: an older record that matches is not what the key's record says today.
        if filter.takes(&newest) {
            found.matching += 1;
            if found.matching <= at_most {
                found.records.push(newest.attributes)?;
            }
        }
    }
    Ok(found)
}

/// All that is recorded of one object: the record of its key, or each line of a log, oldest first.
pub async fn get(target: &Target, flow: &ResolvedFlow, key: &str, cancel: &Cancel) -> Result<Vec<Map<String, Value>>> {
    let reading = async {
        let mut records = Vec::new();
        for sink in &flow.sinks {
            records.extend(sink.open(target, &flow.bucket).await?.get_whole(key).await?);
        }
        records.sort_by(|one, other| one.entry.recorded_at.cmp(&other.entry.recorded_at));
        Ok(records.into_iter().map(|record| record.attributes).collect())
    };
    tokio::select! {
        read = reading => read,
        () = cancel.cancelled() => Err(Error::interrupted("stopped before all records were read")),
    }
}

async fn scan(
    target: &Target,
    flow: &ResolvedFlow,
    prefix: &str,
    mut each: impl FnMut(WholeRecord) -> Result<()>,
) -> Result<()> {
    for sink in &flow.sinks {
        sink.open(target, &flow.bucket).await?.scan_whole(prefix, &mut each).await?;
    }
    Ok(())
}
