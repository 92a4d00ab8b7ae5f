//! The proof that nothing was lost: every object of a flow is in exactly one category, and the counts add up.
//!
//! The order of the steps is what makes it a proof. Records are read before objects are listed, so that a record
//! without an object is one whose object went away. Whatever the first comparison leaves open is looked at again,
//! after the time that a claim may take to arrive: first the queue, then its dead letters, then the records, in the
//! direction in which claims move, so that none slips past.

pub mod flow;
mod merge;
mod second_look;
mod tally;

use std::time::{Duration, Instant};

use claimctl_aws::objects::{self, Listing, ObjectEntry, agree};
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::sinks::table::{self, RecordEntry, RecordTable};
use claimctl_aws::target::Target;
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::progress::{Progress, Unit};
use claimctl_core::spool::{Sorter, Spool};
use claimctl_queues::depth::{self, QueueDepth};
use claimctl_queues::policy::PolicyQueue;
use claimctl_queues::{receive, resolve};
use serde::Serialize;

use flow::ResolvedFlow;
use merge::Merge;
use second_look::{Candidate, Open};
pub use tally::{Category, Counts, Finding};

pub struct Options {
    /// Only objects whose key begins so.
    pub prefix: String,
    /// Only objects modified since then, in epoch seconds. Orphans are not looked for: records do not tell.
    pub since: Option<i64>,
    /// Look into the source queue too, which its consumer will notice.
    pub look: bool,
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
    pub balanced: bool,
    pub findings: Spool<Finding>,
    pub queues: Vec<QueueLook>,
    /// What the reader should know before trusting the figures too far.
    pub notes: Vec<String>,
    pub elapsed_ms: u64,
}

/// What is known of a queue on the way.
#[derive(Debug, Clone, Serialize)]
pub struct QueueLook {
    pub queue: String,
    pub role: Role,
    /// Messages received during the look; none without one.
    pub seen: Option<u64>,
    pub visible: u64,
    pub in_flight: u64,
    pub delayed: u64,
    /// Messages that hold no claim that could be read.
    pub unreadable: u64,
    /// Whether every message that was there has been seen.
    pub complete: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Source,
    DeadLetter,
}

/// Numbers of records, kept beside the categories and not derived from them.
#[derive(Default)]
struct Seen {
    objects: u64,
    records: u64,
    /// Records that agree with their object, or differ from it.
    paired: u64,
}

/// What IAM has to allow to verify a flow with this queue.
pub fn permissions(
    arns: &ArnBuilder,
    flow: &ResolvedFlow,
    queue: Option<&PolicyQueue>,
    options: &Options,
) -> Vec<Statement> {
    let mut statements = vec![table::permissions(arns, &flow.table, options.since.is_none())];
    statements.extend(objects::permissions(arns, &flow.bucket, &options.prefix));
    if let Some(queue) = queue {
        statements.push(match options.look {
            true => queue.permissions("LookIntoQueue", &receive::CALLS),
            false => queue.permissions("CountQueue", &[]),
        });
        statements.extend(queue.dead_letter_permissions("LookIntoDeadLetters", &receive::CALLS));
    }
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
    let table = RecordTable::open(target.dynamodb(), &flow.table, &flow.bucket).await?;
    let queue = match &flow.queue {
        Some(url) => Some(depth::read(&target.sqs(), url).await?),
        None => None,
    };
    let mut run =
        Run { target, flow, options, cancel, progress, table, seen: Seen::default(), counts: Counts::default() };
    let mut findings = Spool::new();
    let mut open = run.compare().await?;
    let listed = Instant::now();

    open = run.recheck(open).await?;
    if let Some(patience) = options.wait {
        open = run.wait_until_recorded(open, patience).await?;
    }
    let queues = if open.is_empty() {
        run.count_queues(queue.as_ref()).await?
    } else {
        run.settle(listed, queue.as_ref()).await?;
        run.close(open, queue.as_ref(), &mut findings).await?
    };
    let (counts, seen) = (run.counts, run.seen);
    let balanced = counts.objects() == seen.objects && seen.paired + counts.retired + counts.orphan == seen.records;
    Ok(Verification {
        flow: flow.name.clone(),
        objects: seen.objects,
        records: seen.records,
        counts,
        balanced,
        findings,
        queues,
        notes: notes(options, flow),
        elapsed_ms: started.elapsed().as_millis().try_into().unwrap_or(u64::MAX),
    })
}

fn notes(options: &Options, flow: &ResolvedFlow) -> Vec<String> {
    let mut notes = Vec::new();
    if options.since.is_some() {
        notes.push("only objects of late were asked for, so records without an object are not looked for".to_owned());
    }
    if flow.queue.is_none() {
        notes.push("no queue is known, so what has no record stays undetermined: name it".to_owned());
    }
    notes
}

/// One verification under way.
struct Run<'a> {
    target: &'a Target,
    flow: &'a ResolvedFlow,
    options: &'a Options,
    cancel: &'a Cancel,
    progress: &'a dyn Progress,
    table: RecordTable,
    seen: Seen,
    counts: Counts,
}

impl Run<'_> {
    /// The first comparison: all records, then all objects. What it cannot settle comes back open.
    async fn compare(&mut self) -> Result<Open> {
        let mut open = Open::new();
        let mut records = Sorter::by(|record: &RecordEntry| &record.key);
        if self.options.since.is_none() {
            self.progress.start("reading records", None, Unit::Items);
            let mut scanned = 0;
            self.table
                .scan(&self.options.prefix, |record| {
                    self.go_on()?;
                    if !self.flow.takes(&record.key) {
                        return Ok(());
                    }
                    scanned += 1;
                    self.progress.advance(1);
                    records.push(record)
                })
                .await?;
            self.seen.records = scanned;
        }
        let mut merge = Merge::new(records.sorted())?;
        self.progress.start("listing objects", None, Unit::Items);
        let mut listing = Listing::start(&self.target.s3(), &self.flow.bucket, &self.options.prefix);
        while let Some(page) = listing.page().await? {
            self.go_on()?;
            self.progress.advance(page.len() as u64);
            for object in page {
                let record = merge.record_of(&object.key, |record| open.records.push(record))?;
                self.place(object, record, &mut open)?;
            }
        }
        merge.rest(|record| open.records.push(record))?;
        Ok(open)
    }

    fn place(&mut self, object: ObjectEntry, record: Option<RecordEntry>, open: &mut Open) -> Result<()> {
        if self.options.since.is_some_and(|since| object.modified < since) {
            return Ok(());
        }
        self.seen.objects += 1;
        if !self.flow.takes(&object.key) {
            self.counts.add(Category::Excluded);
            return Ok(());
        }
        match record {
            Some(record) if agree(&object, &record) => {
                self.seen.paired += 1;
                self.counts.add(Category::Recorded);
                Ok(())
            }
            record => open.objects.push(Candidate { object, had_record: record.is_some() }),
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

    /// Waits until every claim of a listed object has had the time to arrive.
    async fn settle(&self, listed: Instant, queue: Option<&QueueDepth>) -> Result<()> {
        let delay = Duration::from_secs(queue.map_or(0, |queue| queue.delay));
        let time = self.options.settle.unwrap_or_else(|| ResolvedFlow::settling_time(self.target, delay));
        let left = time.saturating_sub(listed.elapsed());
        if !left.is_zero() {
            self.progress.start("giving claims the time to arrive", None, Unit::Steps);
            self.pause(left).await?;
        }
        Ok(())
    }

    /// Nothing is open, so nothing is received; but dead letters are worth a word even so.
    async fn count_queues(&self, queue: Option<&QueueDepth>) -> Result<Vec<QueueLook>> {
        let Some(queue) = queue else { return Ok(Vec::new()) };
        let sqs = self.target.sqs();
        let mut queues = vec![QueueLook::only_counted(&depth::read(&sqs, &queue.url).await?, Role::Source)];
        if let Some(arn) = &queue.dead_letter_arn {
            let counted = match resolve::by_arn(&sqs, arn).await {
                Ok(url) => depth::read(&sqs, &url).await,
                Err(error) => Err(error),
            };
            match counted {
                Ok(dead_letters) => queues.push(QueueLook::only_counted(&dead_letters, Role::DeadLetter)),
                Err(error) if matches!(error.kind(), Kind::Denied | Kind::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(queues)
    }

    async fn pause(&self, time: Duration) -> Result<()> {
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            () = self.cancel.cancelled() => self.go_on(),
        }
    }

    fn go_on(&self) -> Result<()> {
        match self.cancel.is_cancelled() {
            false => Ok(()),
            true => Err(Error::interrupted("stopped before the comparison was complete, so nothing is proved")),
        }
    }
}

impl QueueLook {
    fn only_counted(queue: &QueueDepth, role: Role) -> QueueLook {
        QueueLook {
            queue: queue.name.clone(),
            role,
            seen: None,
            visible: queue.visible,
            in_flight: queue.in_flight,
            delayed: queue.delayed,
            unreadable: 0,
            complete: false,
        }
    }
}
