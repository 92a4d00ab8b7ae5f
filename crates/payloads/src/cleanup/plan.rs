//! What would be taken, and what is left for which reason: the records walked beside the objects, each read once.

use claimctl_aws::objects::{Listing, ObjectEntry};
use claimctl_aws::sinks::record::{RecordEntry, WholeRecord};
use claimctl_aws::sinks::table::RecordTable;
use claimctl_aws::target::Target;
use claimctl_claim::record::attribute;
use claimctl_core::context::Context;
use claimctl_core::error::{Error, Result};
use claimctl_core::progress::Unit;
use claimctl_core::spool::{Sorted, Sorter, Spool};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::judge::{Reason, Rules};
use super::log::{self, Line};
use super::{Action, Scope};
use crate::verify::Merge;

/// Keys that are named for each reason.
const EXAMPLES: usize = 3;

/// An object to be taken, with the record that says so.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Due {
    pub object: ObjectEntry,
    pub record: RecordEntry,
}

/// How many objects there are for a reason.
#[derive(Debug, Clone, Serialize)]
pub struct Judged {
    pub reason: Reason,
    pub objects: u64,
    pub bytes: u64,
    /// The first keys.
    pub examples: Vec<String>,
}

pub struct Plan {
    /// By reason, each once.
    pub judged: Vec<Judged>,
    pub due: Spool<Due>,
    /// Records whose objects an earlier run deleted, and that do not say so yet.
    pub unmarked: Spool<RecordEntry>,
}

impl Plan {
    pub fn of(&self, reason: Reason) -> &Judged {
        &self.judged[reason as usize]
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.due.is_empty() && self.unmarked.is_empty()
    }

    fn count(&mut self, reason: Reason, key: &str, bytes: u64) {
        let judged = &mut self.judged[reason as usize];
        judged.objects += 1;
        judged.bytes += bytes;
        if judged.examples.len() < EXAMPLES {
            judged.examples.push(key.to_owned());
        }
    }
}

/// Records first, then objects: a record without an object is then one whose object went away.
pub async fn plan(ctx: &Context, target: &Target, scope: &Scope, action: &Action, rules: &Rules) -> Result<Plan> {
    let judged = |reason| Judged { reason, objects: 0, bytes: 0, examples: Vec::new() };
    let mut plan = Plan { judged: Reason::ALL.map(judged).into(), due: Spool::new(), unmarked: Spool::new() };
    let mut earlier = Earlier::read(action, &scope.flow.bucket)?;
    let table = RecordTable::open(target.dynamodb(), &scope.table, &scope.flow.bucket).await?;
    ctx.progress.start("reading records", None, Unit::Items);
    let mut records = Sorter::by(|record: &RecordEntry| &record.key);
    let reading = table.scan_whole(&scope.prefix, |record| {
        ctx.progress.advance(1);
        records.push(with_its_time(record))
    });
    unless_stopped(ctx, reading).await?;
    let mut merge = Merge::new(records.sorted())?;
    ctx.progress.start("listing objects", None, Unit::Items);
    let mut listing = Listing::start(&target.s3(), &scope.flow.bucket, &scope.prefix);
    while let Some(page) = unless_stopped(ctx, listing.page()).await? {
        ctx.progress.advance(page.objects.len() as u64);
        for unnamed in page.unnamed {
            plan.count(Reason::Undetermined, &unnamed.key, 0);
        }
        for object in page.objects {
            let record = merge.record_of(&object.key, |record| earlier.keep(record, &mut plan.unmarked))?;
            let reason = match scope.flow.takes(&object.key) {
                true => rules.judge(&object, record.as_ref()),
                false => Reason::Excluded,
            };
            plan.count(reason, &object.key, object.size);
            if let (Reason::Due, Some(record)) = (reason, record) {
                plan.due.push(Due { object, record })?;
            }
        }
    }
    merge.rest(|record| earlier.keep(record, &mut plan.unmarked))?;
    ctx.progress.finish();
    Ok(plan)
}

fn with_its_time(record: WholeRecord) -> RecordEntry {
    let WholeRecord { entry, attributes } = record;
    // Something else than text is kept as what it is: no time.
    let recorded_at = attributes.get(attribute::RECORDED_AT).map(|at| match at {
        Value::String(at) => at.clone(),
        other => other.to_string(),
    });
    RecordEntry { recorded_at, ..entry }
}

/// Only for what changes nothing: it is dropped where it is when the operator wants to stop.
async fn unless_stopped<T>(ctx: &Context, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        done = work => done,
        () = ctx.cancel.cancelled() => Err(Error::interrupted("stopped before the plan was complete; nothing was changed")),
    }
}

/// What an earlier run has written down before it deleted, by key.
struct Earlier(Option<(Sorted<Line>, Option<Line>)>);

impl Earlier {
    fn read(action: &Action, bucket: &str) -> Result<Earlier> {
        let Action::Delete { log: Some(path) } = action else { return Ok(Earlier(None)) };
        let mut lines = log::read(path, bucket)?.sorted();
        let first = lines.take_next()?;
        Ok(Earlier(Some((lines, first))))
    }

    /// Keeps a record whose object is gone, if that was written down, and the record does not say so. Called with
    /// ascending keys.
    fn keep(&mut self, record: RecordEntry, unmarked: &mut Spool<RecordEntry>) -> Result<()> {
        let Some((lines, next)) = &mut self.0 else { return Ok(()) };
        let mut is_named = false;
        while let Some(line) = next.as_ref().filter(|line| line.key <= record.key) {
            is_named |= line.key == record.key
                && record.etag.as_ref() == Some(&line.etag)
                && record.recorded_at == line.recorded_at;
            *next = lines.take_next()?;
        }
        if is_named && !record.is_removed() { unmarked.push(record) } else { Ok(()) }
    }
}
