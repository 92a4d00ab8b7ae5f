//! Of a flow that begins at a bucket: its objects, compared with the records where it ends.

mod conclude;
mod mapped;
pub(crate) mod merge;
mod records;
mod rows;
mod second_look;

use claimctl_aws::objects::{self, Listing, ObjectEntry};
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::sinks::Reads;
use claimctl_aws::sinks::mapped::ItemCounts;
use claimctl_aws::sinks::record::RecordEntry;
use claimctl_claim::events::Announced;
use claimctl_core::error::Result;
use claimctl_core::progress::Unit;
use claimctl_core::spool::Sorter;
use claimctl_core::units;

use super::queues::{Counted, QueueLook};
use super::{Category, Compared, Numbers, Options, Run, Scope, Verification, scope};
use crate::flow::BucketFlow;
pub use mapped::TableItems;
use merge::Merge;
use records::{ReadAgain, Sinks};
pub use rows::RowCounts;
use second_look::{Candidate, Open};

/// What IAM has to allow besides the looks into queues.
pub fn permissions(arns: &ArnBuilder, flow: &BucketFlow, options: &Options) -> Vec<Statement> {
    let reads = Reads::Entries { all: options.since.is_none() || flow.mapping.is_some() };
    let mut statements: Vec<_> = flow.sinks.iter().map(|sink| sink.permissions(arns, reads)).collect();
    statements.extend(flow.rows.as_ref().filter(|_| options.rows).map(|rows| rows.permissions(arns)));
    statements.extend(objects::permissions(arns, &flow.bucket, &options.prefix));
    statements
}

/// Numbers of objects and records, kept beside the categories and not derived from them.
#[derive(Default)]
struct Seen {
    objects: u64,
    records: u64,
    /// Records that agree with their object, or differ from it.
    paired: u64,
    /// Keys with more than one item of a mapped table.
    several: u64,
    /// Of the latest scan of a mapped table.
    items: Option<ItemCounts>,
}

/// The comparison under way.
pub struct Objects<'a> {
    run: Run<'a>,
    flow: &'a BucketFlow,
    scope: Scope,
    sinks: Sinks,
    seen: Seen,
}

impl<'a> Objects<'a> {
    pub async fn open(run: Run<'a>, flow: &'a BucketFlow, scope: Scope) -> Result<Objects<'a>> {
        let sinks = Sinks::open(run.target, flow, run.options).await?;
        Ok(Objects { run, flow, scope, sinks, seen: Seen::default() })
    }

    pub async fn verify(mut self) -> Result<Verification> {
        let queues = super::prove(&mut self).await?;
        let rows = if self.run.options.rows { Some(self.count_rows().await?) } else { None };
        let table_items = self.table_items();
        let mut notes = notes(self.run.options, self.flow);
        notes.extend(table_items.iter().flat_map(TableItems::notes));
        let Objects { run: Run { counts, findings, .. }, flow, scope, seen, .. } = self;
        let records = seen.paired + counts.records_alone();
        Ok(Verification {
            flow: flow.name.clone(),
            numbers: Numbers::Objects { objects: seen.objects, records: seen.records },
            balanced: counts.total() == seen.objects && records == seen.records,
            counts,
            reasons: None,
            table_items,
            scope,
            findings,
            queues,
            rows,
            notes,
            elapsed_ms: 0,
        })
    }

    fn place(&mut self, object: ObjectEntry, record: Option<RecordEntry>, open: &mut Open) -> Result<()> {
        if !self.scope.takes(&object) {
            return Ok(());
        }
        self.seen.objects += 1;
        match record {
            // What is recorded all the same, by a repair perhaps, is compared.
            None if !self.flow.takes(&object.key) || self.flow.announced(&object) == Announced::No => {
                self.run.counts.add(Category::Excluded);
                Ok(())
            }
            Some(record) if self.is_settled_by(&object, &record) => {
                self.seen.paired += 1;
                self.run.counts.add(Category::Recorded);
                Ok(())
            }
            record => open.objects.push(Candidate { object, record }),
        }
    }

    async fn read_again(&mut self) -> Result<ReadAgain> {
        let mut again = self.run.unless_stopped(self.sinks.read_again()).await?;
        self.seen.items = again.counts.take().or(self.seen.items.take());
        Ok(again)
    }
}

impl Compared for Objects<'_> {
    type Open = Open;

    fn run(&self) -> &Run<'_> {
        &self.run
    }

    /// All records, then all objects. What it cannot settle comes back open.
    async fn compare(&mut self) -> Result<Open> {
        let mut open = Open::new();
        let mut records = Sorter::by(|record: &RecordEntry| &record.key);
        if self.run.options.since.is_none() {
            self.run.progress.start("reading records", None, Unit::Items);
            let reading = self.sinks.scan(|record| {
                if !self.flow.takes(&record.key) {
                    return Ok(());
                }
                self.run.progress.advance(1);
                records.push(record)
            });
            self.seen.items = self.run.unless_stopped(reading).await?;
        }
        let mut merge = Merge::new(records.sorted())?;
        self.run.progress.start("listing objects", None, Unit::Items);
        let mut listing = Listing::start(&self.run.target.s3(), &self.flow.bucket, &self.run.options.prefix);
        while let Some(page) = self.run.unless_stopped(listing.page()).await? {
            self.run.progress.advance(page.objects.len() as u64);
            for unnamed in page.unnamed {
                self.seen.objects += 1;
                let subject = self.subject(&unnamed.key, None);
                self.run.find(Category::Undetermined, subject, unnamed.why)?;
            }
            for object in page.objects {
                let several = &mut self.seen.several;
                let record = merge.record_of(&object.key, |record| {
                    *several += u64::from(is_of_several_items(&record));
                    open.records.push(record)
                })?;
                *several += u64::from(record.as_ref().is_some_and(is_of_several_items));
                self.place(object, record, &mut open)?;
            }
        }
        self.seen.records = merge.rest(|record| {
            self.seen.several += u64::from(is_of_several_items(&record));
            open.records.push(record)
        })?;
        Ok(open)
    }

    async fn recheck(&mut self, open: Open) -> Result<Open> {
        self.recheck_objects(open).await
    }

    fn pending(open: &Open) -> u64 {
        open.objects.len()
    }

    fn is_empty(open: &Open) -> bool {
        open.is_empty()
    }

    async fn close(&mut self, open: Open, counted: Vec<Counted>) -> Result<Vec<QueueLook>> {
        self.close_all(open, counted).await
    }
}

fn is_of_several_items(record: &RecordEntry) -> bool {
    record.item.as_ref().is_some_and(|item| item.items > 1)
}

fn notes(options: &Options, flow: &BucketFlow) -> Vec<String> {
    let mut notes = Vec::new();
    if options.since.is_some() {
        notes.push("only objects of late were asked for, so records without an object are not looked for".to_owned());
        notes.push(format!(
            "S3 dates an object of several parts by when its upload began, so such are looked at from {} before",
            units::duration(scope::LONGEST_UPLOAD.unsigned_abs())
        ));
    }
    if flow.queues.is_empty() && flow.event_age.is_none() {
        notes.push("no queue is known, so what has no record stays undetermined: name it".to_owned());
    }
    notes
}
