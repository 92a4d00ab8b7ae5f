//! The proof that nothing was lost: every object of a flow is in exactly one category, and the counts add up.
//!
//! It holds for a [`Scope`], which the answer names: an empty one proves nothing.
//!
//! The order of the steps is what makes it a proof. Records are read before objects are listed, so that a record
//! without an object is one whose object went away. Whatever the first comparison leaves open is looked at again,
//! after the time that a claim may take to arrive: first the queue, then its dead letters, then the records, in the
//! direction in which claims move, so that none slips past.

mod conclude;
mod merge;
mod queues;
mod records;
mod rows;
mod scope;
mod second_look;
mod tally;

use std::time::{Duration, Instant};

use claimctl_aws::objects::{self, Listing, ObjectEntry};
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::sinks::Reads;
use claimctl_aws::sinks::record::RecordEntry;
use claimctl_aws::target::Target;
use claimctl_claim::events::Announced;
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Result};
use claimctl_core::progress::{Progress, Unit};
use claimctl_core::spool::{Sorter, Spool};
use claimctl_core::units;
use claimctl_queues::depth;
use claimctl_queues::policy::PolicyQueue;
use claimctl_queues::receive;
use jiff::Timestamp;
use serde::Serialize;

use crate::flow::ResolvedFlow;
use merge::Merge;
pub use queues::{QueueLook, Role};
use records::{ReadAgain, Sinks};
pub use rows::RowCounts;
pub use scope::Scope;
use second_look::{Candidate, Open};
pub use tally::{Category, Counts, Finding};

pub struct Options {
    /// Only objects whose key begins so.
    pub prefix: String,
    /// Only objects that may have come since then. Orphans are not looked for: records do not tell.
    pub since: Option<Timestamp>,
    /// Look into the source queue too, which its consumer will notice.
    pub look: bool,
    /// Count the rows of each file too.
    pub rows: bool,
    /// Wait so long for everything to be recorded.
    pub wait: Option<Duration>,
    /// Instead of the flow's own time for a claim to arrive.
    pub settle: Option<Duration>,
}

/// What was found. `objects` and `records` are counted apart from the categories, so that `balanced` is a check.
#[derive(Serialize)]
pub struct Verification {
    pub flow: String,
    pub objects: u64,
    pub records: u64,
    pub counts: Counts,
    /// What it holds for, and for nothing else.
    pub scope: Scope,
    pub balanced: bool,
    pub findings: Spool<Finding>,
    pub queues: Vec<QueueLook>,
    /// Only where rows were asked for.
    pub rows: Option<RowCounts>,
    /// What the reader should know before trusting the figures too far.
    pub notes: Vec<String>,
    pub elapsed_ms: u64,
}

/// Numbers of records, kept beside the categories and not derived from them.
#[derive(Default)]
struct Seen {
    objects: u64,
    records: u64,
    /// Records that agree with their object, or differ from it.
    paired: u64,
}

/// What IAM has to allow to verify a flow with these queues, and these other dead-letter queues.
pub fn permissions(
    arns: &ArnBuilder,
    flow: &ResolvedFlow,
    queues: &[PolicyQueue],
    dead_letter_queues: &[PolicyQueue],
    options: &Options,
) -> Vec<Statement> {
    let reads = Reads::Entries { all: options.since.is_none() };
    let mut statements: Vec<_> = flow.sinks.iter().map(|sink| sink.permissions(arns, reads)).collect();
    statements.extend(flow.rows.as_ref().filter(|_| options.rows).map(|rows| rows.permissions(arns)));
    statements.extend(objects::permissions(arns, &flow.bucket, &options.prefix));
    for queue in queues {
        statements.push(match options.look {
            true => queue.permissions("LookIntoQueue", &receive::CALLS),
            false => queue.permissions("CountQueue", &[]),
        });
        statements.extend(queue.dead_letter_permissions("LookIntoDeadLetters", &receive::CALLS));
    }
    statements.extend(dead_letter_queues.iter().map(|queue| queue.permissions("LookIntoDeadLetters", &receive::CALLS)));
    statements
}

pub async fn verify(
    target: &Target,
    flow: &ResolvedFlow,
    options: &Options,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<Verification> {
    let started = Instant::now();
    let sinks = Sinks::open(target, flow, &options.prefix, options.since).await?;
    let mut queues = Vec::with_capacity(flow.queues.len());
    for url in &flow.queues {
        queues.push(depth::read(&target.sqs(), url).await?);
    }
    let scope = Scope::new(flow, options, &queues);
    let (seen, counts) = Default::default();
    let mut run = Run { target, flow, options, scope: &scope, cancel, progress, sinks, seen, counts };
    let mut findings = Spool::new();
    let mut open = run.compare(&mut findings).await?;
    let listed = Instant::now();

    open = run.recheck(open).await?;
    if let Some(patience) = options.wait {
        open = run.wait_until_recorded(open, patience).await?;
    }
    let looks = if open.is_empty() {
        run.count_queues(&queues).await?
    } else {
        let counted = run.settle(listed, &queues).await?;
        run.close(open, &queues, counted, &mut findings).await?
    };
    let rows = if options.rows { Some(run.count_rows().await?) } else { None };
    let (counts, seen) = (run.counts, run.seen);
    let balanced = counts.objects() == seen.objects && seen.paired + counts.retired + counts.orphan == seen.records;
    Ok(Verification {
        flow: flow.name.clone(),
        objects: seen.objects,
        records: seen.records,
        counts,
        scope,
        balanced,
        findings,
        queues: looks,
        rows,
        notes: notes(options, flow),
        elapsed_ms: started.elapsed().as_millis().try_into().unwrap_or(u64::MAX),
    })
}

fn notes(options: &Options, flow: &ResolvedFlow) -> Vec<String> {
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

/// One verification under way.
struct Run<'a> {
    target: &'a Target,
    flow: &'a ResolvedFlow,
    options: &'a Options,
    scope: &'a Scope,
    cancel: &'a Cancel,
    progress: &'a dyn Progress,
    sinks: Sinks,
    seen: Seen,
    counts: Counts,
}

impl Run<'_> {
    /// The first comparison: all records, then all objects. What it cannot settle comes back open.
    async fn compare(&mut self, findings: &mut Spool<Finding>) -> Result<Open> {
        let mut open = Open::new();
        let mut records = Sorter::by(|record: &RecordEntry| &record.key);
        if self.options.since.is_none() {
            self.progress.start("reading records", None, Unit::Items);
            let reading = self.sinks.scan(|record| {
                if !self.flow.takes(&record.key) {
                    return Ok(());
                }
                self.progress.advance(1);
                records.push(record)
            });
            self.unless_stopped(reading).await?;
        }
        let mut merge = Merge::new(records.sorted())?;
        self.progress.start("listing objects", None, Unit::Items);
        let mut listing = Listing::start(&self.target.s3(), &self.flow.bucket, &self.options.prefix);
        while let Some(page) = self.unless_stopped(listing.page()).await? {
            self.progress.advance(page.objects.len() as u64);
            for unnamed in page.unnamed {
                self.seen.objects += 1;
                self.counts.add(Category::Undetermined);
                findings.push(self.finding(Category::Undetermined, &unnamed.key, None, unnamed.why))?;
            }
            for object in page.objects {
                let record = merge.record_of(&object.key, |record| open.records.push(record))?;
                self.place(object, record, &mut open)?;
            }
        }
        self.seen.records = merge.rest(|record| open.records.push(record))?;
        Ok(open)
    }

    fn place(&mut self, object: ObjectEntry, record: Option<RecordEntry>, open: &mut Open) -> Result<()> {
        if !self.scope.takes(&object) {
            return Ok(());
        }
        self.seen.objects += 1;
        match record {
            // What is recorded all the same, by a repair perhaps, is compared.
            None if !self.flow.takes(&object.key) || self.flow.announced(&object) == Announced::No => {
                self.counts.add(Category::Excluded);
                Ok(())
            }
            Some(record) if self.is_settled_by(&object, &record) => {
                self.seen.paired += 1;
                self.counts.add(Category::Recorded);
                Ok(())
            }
            record => open.objects.push(Candidate { object, record }),
        }
    }

    /// Reads the open ones' records again until all are there or patience ends.
    async fn wait_until_recorded(&mut self, mut open: Open, patience: Duration) -> Result<Open> {
        let deadline = Instant::now() + patience;
        let mut pause = Duration::from_millis(50);
        while !open.objects.is_empty() && Instant::now() < deadline {
            self.progress.start(&format!("waiting for {} records", open.objects.len()), None, Unit::Steps);
            self.pause(pause.min(deadline.saturating_duration_since(Instant::now()))).await?;
            pause = (pause * 2).min(Duration::from_secs(2));
            open = self.recheck(open).await?;
        }
        Ok(open)
    }

    async fn read_again(&self) -> Result<ReadAgain> {
        self.unless_stopped(self.sinks.read_again()).await
    }

    async fn pause(&self, time: Duration) -> Result<()> {
        self.unless_stopped(async {
            tokio::time::sleep(time).await;
            Ok(())
        })
        .await
    }

    /// Only for what changes nothing: it is dropped where it is when the operator wants to stop, throttled or not.
    async fn unless_stopped<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.go_on()?;
        tokio::select! {
            done = work => done,
            () = self.cancel.cancelled() => Err(stopped()),
        }
    }

    fn go_on(&self) -> Result<()> {
        match self.cancel.is_cancelled() {
            false => Ok(()),
            true => Err(stopped()),
        }
    }
}

fn stopped() -> Error {
    Error::interrupted("stopped before the comparison was complete, so nothing is proved")
}
