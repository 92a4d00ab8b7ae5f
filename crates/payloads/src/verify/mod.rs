//! The proof that nothing was lost: every object of a flow, or every item of one that begins at a table, is in exactly
//! one category, and the counts add up.
//!
//! It holds for a [`Scope`], which the answer names: an empty one proves nothing.
//!
//! The order of the steps is what makes it a proof. Records are read before objects are listed, so that a record
//! without an object is one whose object went away. Whatever the first comparison leaves open is looked at again,
//! after the time that a claim may take to arrive: first the queue, then its dead letters, then the records, in the
//! direction in which claims move, so that none slips past. Of a table its items are read first, and once more at the end:
//! there the outcome comes back to where the flow began.

mod estimate;
mod items;
mod objects;
mod queues;
mod scope;
mod tally;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::sinks::read_rate::ReadRate;
use claimctl_aws::target::Target;
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Result};
use claimctl_core::progress::{Progress, Unit};
use claimctl_core::spool::Spool;
use claimctl_queues::depth::{self, QueueDepth};
use claimctl_queues::policy::PolicyQueue;
use claimctl_queues::receive;
use jiff::Timestamp;
use serde::Serialize;

use crate::flow::ResolvedFlow;
pub use estimate::{Estimate, Range, estimate};
use items::Items;
use objects::Objects;
pub(crate) use objects::merge::Merge;
pub use objects::{RowCounts, TableItems};
use queues::{Contents, Counted};
pub use queues::{QueueLook, Role};
pub use scope::{Scope, ScopeOrigin};
pub use tally::{Category, Counts, Finding, Subject};

#[derive(Default)]
pub struct Options {
    /// Only objects or items whose key begins so.
    pub prefix: String,
    /// Only objects or items that may have come since then. Orphans are not looked for: records do not tell.
    pub since: Option<Timestamp>,
    /// Look into the source queue too, which its consumer will notice.
    pub look: bool,
    /// Count the rows of each file too.
    pub rows: bool,
    /// Wait so long for everything to be recorded or settled.
    pub wait: Option<Duration>,
    /// So many may be left when the wait ends early: those of which nothing is to be expected.
    pub may_stay: u64,
    /// Instead of the flow's own time for a claim to arrive.
    pub settle: Option<Duration>,
    /// Read units a second that the table is read with at most.
    pub max_rate: Option<u32>,
}

impl Options {
    fn read_rate(&self) -> Option<Arc<ReadRate>> {
        self.max_rate.map(|units| Arc::new(ReadRate::of(units)))
    }
}

/// What was found. What `numbers` has is counted apart from the categories, so that `balanced` is a check.
#[derive(Serialize)]
pub struct Verification {
    pub flow: String,
    #[serde(flatten)]
    pub numbers: Numbers,
    pub counts: Counts,
    /// Of the items that failed, how many for which reason: the code of the error, or else words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasons: Option<BTreeMap<String, u64>>,
    /// Of a table whose items are no records of claimctl's: how they were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table_items: Option<TableItems>,
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

/// How much there is where the flow begins, and where it ends if that is elsewhere.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
pub enum Numbers {
    Objects { objects: u64, records: u64 },
    Items { items: u64 },
}

impl Numbers {
    /// Objects, or items.
    pub fn total(self) -> u64 {
        match self {
            Numbers::Objects { objects, .. } => objects,
            Numbers::Items { items } => items,
        }
    }
}

/// What IAM has to allow to verify a flow with these queues, and these other dead-letter queues.
pub fn permissions(
    arns: &ArnBuilder,
    flow: &ResolvedFlow,
    queues: &[PolicyQueue],
    dead_letter_queues: &[PolicyQueue],
    options: &Options,
) -> Vec<Statement> {
    let mut statements = match flow {
        ResolvedFlow::OfBucket(flow) => objects::permissions(arns, flow, options),
        ResolvedFlow::OfTable(flow) => items::permissions(arns, flow),
    };
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
    let mut queues = Vec::with_capacity(flow.queues().len());
    for url in flow.queues() {
        queues.push(depth::read(&target.sqs(), url).await?);
    }
    let scope = Scope::new(flow, options, &queues);
    let run = |categories: &[Category], contents| Run {
        target,
        options,
        cancel,
        progress,
        sources: &queues,
        dead_letter_queues: flow.dead_letter_queues(),
        contents,
        counts: Counts::of(categories),
        findings: Spool::new(),
    };
    let mut verification = match flow {
        ResolvedFlow::OfBucket(flow) => {
            let contents = Contents::Claims { bucket: &flow.bucket, is_invoked: flow.event_age.is_some() };
            Objects::open(run(&Category::OF_OBJECTS, contents), flow, scope).await?.verify().await?
        }
        ResolvedFlow::OfTable(flow) => {
            let contents = Contents::Items { partition_key: &flow.partition_key };
            Items::open(run(&Category::OF_ITEMS, contents), flow, scope).await?.verify().await?
        }
    };
    verification.elapsed_ms = started.elapsed().as_millis().try_into().unwrap_or(u64::MAX);
    Ok(verification)
}

/// One verification under way, as far as it is the same wherever the flow begins.
struct Run<'a> {
    target: &'a Target,
    options: &'a Options,
    cancel: &'a Cancel,
    progress: &'a dyn Progress,
    sources: &'a [QueueDepth],
    /// URLs of those that no source names.
    dead_letter_queues: &'a [String],
    contents: Contents<'a>,
    counts: Counts,
    findings: Spool<Finding>,
}

/// What is compared, by where the flow begins. The order of the steps is the same.
trait Compared {
    /// What could not be settled yet.
    type Open;

    fn run(&self) -> &Run<'_>;

    /// The first comparison.
    async fn compare(&mut self) -> Result<Self::Open>;

    /// Looks at the open ones again, and keeps open what is not settled still.
    async fn recheck(&mut self, open: Self::Open) -> Result<Self::Open>;

    /// How many may be settled yet, if one waits.
    fn pending(open: &Self::Open) -> u64;

    fn is_empty(open: &Self::Open) -> bool;

    /// Puts everything that is still open into its category.
    async fn close(&mut self, open: Self::Open, counted: Vec<Counted>) -> Result<Vec<QueueLook>>;
}

/// Puts everything into its category, and tells what is in the queues.
async fn prove<C: Compared>(compared: &mut C) -> Result<Vec<QueueLook>> {
    let mut open = compared.compare().await?;
    let listed = Instant::now();
    open = compared.recheck(open).await?;
    if let Some(patience) = compared.run().options.wait {
        open = wait(compared, open, patience).await?;
    }
    if C::is_empty(&open) {
        return compared.run().count_queues().await;
    }
    let counted = compared.run().settle(listed).await?;
    compared.close(open, counted).await
}

/// Looks at the open ones again until all are settled or patience ends.
async fn wait<C: Compared>(compared: &mut C, mut open: C::Open, patience: Duration) -> Result<C::Open> {
    let deadline = Instant::now() + patience;
    let mut pause = Duration::from_millis(50);
    while C::pending(&open) > compared.run().options.may_stay && Instant::now() < deadline {
        let run = compared.run();
        run.progress.start(&format!("waiting for {}", run.contents.outcomes(C::pending(&open))), None, Unit::Steps);
        run.pause(pause.min(deadline.saturating_duration_since(Instant::now()))).await?;
        let began = Instant::now();
        open = compared.recheck(open).await?;
        // Where a look takes long, as a whole table does, there is as long a pause between two of them.
        pause = (pause * 2).min(Duration::from_secs(2)).max(began.elapsed());
    }
    Ok(open)
}

impl Run<'_> {
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

    fn find(&mut self, category: Category, subject: Subject, why: String) -> Result<()> {
        self.counts.add(category);
        self.findings.push(Finding { category, subject, why })
    }
}

fn stopped() -> Error {
    Error::interrupted("stopped before the comparison was complete, so nothing is proved")
}
