//! What the sinks of a flow hold: all of it, or what is known of one object. Of a flow that begins at a table, its items.

use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::sinks::Reads;
use claimctl_aws::sinks::items::{self, ItemTable, WholeItem};
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

use crate::flow::{BucketFlow, ResolvedFlow, TableFlow};

/// Which records are asked for.
#[derive(Debug, Clone, Default)]
pub struct RecordFilter {
    /// Keys that begin so.
    pub prefix: String,
    /// As it stands in the records.
    pub status: Option<String>,
    /// Recorded, or created, then or later.
    pub since: Option<Timestamp>,
}

impl RecordFilter {
    /// Records have few statuses, which are known; items have those that their application gives them.
    pub fn check(&self, flow: &ResolvedFlow) -> Result<()> {
        match (flow, &self.status) {
            (ResolvedFlow::OfBucket(_), Some(status)) if Status::parse(status).is_none() => {
                Err(Error::usage(format!("no record has the status {status:?}"))
                    .hint("a status is recorded, processed or removed"))
            }
            _ => Ok(()),
        }
    }

    fn takes(&self, attributes: &Map<String, Value>, dated: &str) -> bool {
        let at = || attributes.get(dated)?.as_str()?.parse::<Timestamp>().ok();
        let status = || attributes.get(attribute::STATUS).and_then(Value::as_str);
        self.status.as_deref().is_none_or(|wanted| status() == Some(wanted))
            && self.since.is_none_or(|since| at().is_some_and(|at| at >= since))
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
    match flow {
        ResolvedFlow::OfBucket(flow) => {
            flow.sinks.iter().map(|sink| sink.permissions(arns, Reads::Whole { all })).collect()
        }
        ResolvedFlow::OfTable(flow) => vec![items::whole_permissions(arns, &flow.table, all)],
    }
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
    progress.start("reading records", None, Unit::Items);
    let reading = async {
        match flow {
            ResolvedFlow::OfBucket(flow) => newest_records(target, flow, filter, at_most, progress).await,
            ResolvedFlow::OfTable(flow) => items_of(target, flow, filter, at_most, progress).await,
        }
    };
    let found = tokio::select! {
        read = reading => read?,
        () = cancel.cancelled() => return Err(Error::interrupted("stopped before all records were read")),
    };
    progress.finish();
    Ok(found)
}

async fn newest_records(
    target: &Target,
    flow: &BucketFlow,
    filter: &RecordFilter,
    at_most: u64,
    progress: &dyn Progress,
) -> Result<Found> {
    let mut sorter = Sorter::by(|record: &WholeRecord| &record.entry.key);
    for sink in &flow.sinks {
        let each = |record| {
            progress.advance(1);
            sorter.push(record)
        };
        sink.open(target, &flow.bucket).await?.scan_whole(&filter.prefix, each).await?;
    }
    let mut found = Found { records: Spool::new(), matching: 0 };
    let mut sorted = sorter.sorted();
    while let Some(newest) = sorted.take_next_merged(WholeRecord::newest)? {
        // Only now: an older record that matches is not what the key's record says today.
        if filter.takes(&newest.attributes, attribute::RECORDED_AT) {
            found.add(newest.attributes, at_most)?;
        }
    }
    Ok(found)
}

async fn items_of(
    target: &Target,
    flow: &TableFlow,
    filter: &RecordFilter,
    at_most: u64,
    progress: &dyn Progress,
) -> Result<Found> {
    let mut sorter = Sorter::by(|item: &WholeItem| &item.key);
    let table = ItemTable::open(target.dynamodb(), &flow.table, &flow.partition_key).await?;
    let each = |item: WholeItem| {
        progress.advance(1);
        match filter.takes(&item.attributes, items::attribute::CREATED_AT) {
            true => sorter.push(item),
            false => Ok(()),
        }
    };
    table.scan_whole(&filter.prefix, each).await?;
    let mut found = Found { records: Spool::new(), matching: 0 };
    let mut sorted = sorter.sorted();
    while let Some(item) = sorted.take_next()? {
        found.add(item.attributes, at_most)?;
    }
    Ok(found)
}

impl Found {
    fn add(&mut self, attributes: Map<String, Value>, at_most: u64) -> Result<()> {
        self.matching += 1;
        if self.matching <= at_most { self.records.push(attributes) } else { Ok(()) }
    }
}

/// All that is recorded of one object: the record of its key, or each line of a log, oldest first. Of a flow that begins
/// at a table, the item.
pub async fn get(target: &Target, flow: &ResolvedFlow, key: &str, cancel: &Cancel) -> Result<Vec<Map<String, Value>>> {
    let reading = async {
        match flow {
            ResolvedFlow::OfBucket(flow) => {
                let mut records = Vec::new();
                for sink in &flow.sinks {
                    records.extend(sink.open(target, &flow.bucket).await?.get_whole(key).await?);
                }
                records.sort_by(|one, other| one.entry.recorded_at.cmp(&other.entry.recorded_at));
                Ok(records.into_iter().map(|record| record.attributes).collect())
            }
            ResolvedFlow::OfTable(flow) => {
                let table = ItemTable::open(target.dynamodb(), &flow.table, &flow.partition_key).await?;
                Ok(table.get_whole(key).await?.map(|item| item.attributes).into_iter().collect())
            }
        }
    };
    tokio::select! {
        read = reading => read,
        () = cancel.cancelled() => Err(Error::interrupted("stopped before all records were read")),
    }
}
