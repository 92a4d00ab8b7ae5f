//! The plan carried out: some objects at a time, each looked at by its record once more.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use aws_sdk_s3::Client;
use claimctl_aws::limiter::Limiter;
use claimctl_aws::objects;
use claimctl_aws::sinks::record::RecordEntry;
use claimctl_aws::sinks::table::RecordTable;
use claimctl_aws::target::{Change, Target};
use claimctl_core::cancel::Cancel;
use claimctl_core::context::Context;
use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::progress::Unit;
use claimctl_queues::rate::RateLimit;
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;

use super::log::Log;
use super::plan::{Due, Plan};
use super::remove::{self, Removed};
use super::report::{CleanupReport, Failure};
use super::tag::{self, TagPair, Tagged};
use super::{Action, Order, Scope};

/// Chunks under way, each of as many objects as a call deletes.
const CHUNKS: usize = 4;
/// Calls in flight that are about one object.
const CALLS: usize = 128;

/// What became of a chunk, or of a part of it.
#[derive(Default)]
struct Outcome {
    done: u64,
    bytes: u64,
    delete_markers: u64,
    gone: u64,
    changed: u64,
    already: u64,
    marked: u64,
    unmarked: u64,
    left: u64,
    failures: Vec<Failure>,
    /// Of the failures, how many were denied.
    denied: u64,
    /// Why it did no more.
    error: Option<Error>,
}

struct Cleanup<'a> {
    scope: &'a Scope,
    s3: Client,
    table: RecordTable,
    calls: Limiter,
    rate: Option<RateLimit>,
    cancel: &'a Cancel,
    work: Work<'a>,
}

enum Work<'a> {
    Delete(Arc<Mutex<Log>>),
    Tag(&'a TagPair),
}

/// Carries the plan out. `before` is what it was made with.
pub async fn run(
    ctx: &Context,
    target: &Target,
    scope: &Scope,
    order: &Order,
    plan: Plan,
    before: Timestamp,
    _change: &Change,
) -> Result<CleanupReport> {
    let started = Instant::now();
    let work = match &order.action {
        Action::Delete { log: Some(path) } => Work::Delete(Arc::new(Mutex::new(Log::open(path, &scope.flow.bucket)?))),
        Action::Delete { log: None } => {
            return Err(Error::usage("what is deleted is written down first").hint("name a file: --log FILE"));
        }
        Action::Tag(pair) => Work::Tag(pair),
    };
    let cleanup = Cleanup {
        scope,
        s3: target.s3(),
        table: RecordTable::open(target.dynamodb(), &scope.table, &scope.flow.bucket).await?,
        calls: Limiter::adaptive(CALLS),
        rate: order.rate.map(RateLimit::of),
        cancel: &ctx.cancel,
        work,
    };
    let mut report = CleanupReport::of(scope, order, &plan, before);
    let Plan { due, unmarked, .. } = plan;
    ctx.progress.start("cleaning up", Some(due.len()), Unit::Items);
    let carried_out = async {
        cleanup.mark_earlier(unmarked.drain(), &mut report).await?;
        // What cannot be marked is not deleted either.
        if report.run.has_stopped() {
            return Ok(());
        }
        cleanup.carry_out(ctx, due.drain(), &mut report).await
    };
    if let Err(error) = carried_out.await {
        report.run.fail(&error);
    }
    ctx.progress.finish();
    report.finish(started.elapsed());
    Ok(report)
}

impl Cleanup<'_> {
    async fn carry_out(
        &self,
        ctx: &Context,
        mut due: impl Iterator<Item = Result<Due>>,
        report: &mut CleanupReport,
    ) -> Result<()> {
        let size = self.rate.as_ref().map_or(remove::BATCH, |rate| rate.batch.get() as usize);
        let mut chunks = FuturesUnordered::new();
        let mut denied = 0;
        let mut ends = false;
        loop {
            while chunks.len() < CHUNKS && !ends {
                if self.cancel.is_cancelled() {
                    report.run.fail(&Error::interrupted("stopped"));
                    ends = true;
                    break;
                }
                let chunk = due.by_ref().take(size).collect::<Result<Vec<_>>>();
                match chunk {
                    Ok(chunk) if chunk.is_empty() => ends = true,
                    Ok(chunk) => chunks.push(self.chunk(chunk)),
                    Err(error) => {
                        report.run.fail(&error);
                        ends = true;
                    }
                }
            }
            // What is in flight is finished, whatever else has ended.
            let Some((number, outcome)) = chunks.next().await else { break };
            ctx.progress.advance(number - outcome.left);
            ends |= outcome.error.is_some();
            denied += outcome.denied;
            report.take(number, outcome)?;
            // Of so many not one: the others are not tried.
            ends |= report.done == 0 && denied >= remove::BATCH as u64;
        }
        match report.done == 0 && denied > 0 {
            true => Err(self.denied()),
            false => Ok(()),
        }
    }

    /// How many objects it was, and what became of them.
    async fn chunk(&self, due: Vec<Due>) -> (u64, Outcome) {
        let number = due.len() as u64;
        let mut outcome = Outcome::default();
        if let Some(rate) = &self.rate {
            while let Err(wait) = rate.go(due.len()) {
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = self.cancel.cancelled() => {
                        let error = Some(Error::interrupted("stopped"));
                        return (number, Outcome { left: number, error, ..outcome });
                    }
                }
            }
        }
        match self.still_due(due).await {
            Ok(due) => {
                outcome.changed = number - due.len() as u64;
                match &self.work {
                    Work::Delete(log) => self.delete(log, due, &mut outcome).await,
                    Work::Tag(pair) => self.tag(pair, due, &mut outcome).await,
                }
            }
            Err(error) => outcome = Outcome { left: number, error: Some(error), ..outcome },
        }
        (number, outcome)
    }

    /// Those whose records are what they were: somebody may have taken long to agree.
    async fn still_due(&self, mut due: Vec<Due>) -> Result<Vec<Due>> {
        let keys: Vec<&str> = due.iter().map(|due| due.object.key.as_str()).collect();
        let now = self.table.get(&keys).await?;
        due.retain(|Due { record, .. }| {
            now.get(&record.key).is_some_and(|now| {
                now.etag == record.etag && now.status == record.status && now.sequencer == record.sequencer
            })
        });
        Ok(due)
    }

    async fn delete(&self, log: &Mutex<Log>, due: Vec<Due>, outcome: &mut Outcome) {
        if due.is_empty() {
            return;
        }
        let number = due.len() as u64;
        let removed = match log.lock().unwrap_or_else(PoisonError::into_inner).write(&due) {
            Ok(()) => remove::remove(&self.s3, &self.scope.flow.bucket, &due),
            Err(error) => {
                (outcome.left, outcome.error) = (number, Some(error));
                return;
            }
        };
        let removed = match removed.await {
            Ok(removed) => removed,
            Err(error) => {
                (outcome.left, outcome.error) = (number, Some(error));
                return;
            }
        };
        let mut gone = Vec::new();
        for (Due { object, record }, removed) in due.into_iter().zip(removed) {
            match removed {
                Removed::Deleted { marker } => {
                    outcome.done += 1;
                    outcome.bytes += object.size;
                    outcome.delete_markers += u64::from(marker);
                    gone.push(record);
                }
                Removed::Gone => {
                    outcome.gone += 1;
                    gone.push(record);
                }
                Removed::Changed => outcome.changed += 1,
                Removed::Denied(why) => {
                    outcome.denied += 1;
                    outcome.failures.push(Failure { key: object.key, why });
                }
                Removed::Failed(why) => outcome.failures.push(Failure { key: object.key, why }),
            }
        }
        self.mark(gone, outcome).await;
    }

    /// Not one could be cleaned up.
    fn denied(&self) -> Error {
        let bucket = &self.scope.flow.bucket;
        let needed: &[&str] = match self.work {
            Work::Delete(_) => &[remove::DELETE],
            Work::Tag(_) => &[objects::HEAD, tag::GET, tag::PUT],
        };
        let error = Error::denied(format!("no object of bucket {bucket} could be cleaned up: access denied"));
        let hint = |error: Error, action: &&str| error.hint(format!("needed: {action} on arn:*:s3:::{bucket}/*"));
        needed.iter().fold(error, hint).hint("and no bucket policy that denies it")
    }

    /// Says in records that their objects are gone, where nobody else has written to them.
    async fn mark(&self, records: Vec<RecordEntry>, outcome: &mut Outcome) {
        let marks = records.into_iter().map(|record| async move {
            let etag = record.etag.as_deref().unwrap_or_default();
            let mark = self.table.mark_removed(&record.key, etag, record.recorded_at.as_deref());
            self.calls.turn().await.run(mark).await
        });
        let mut marks = stream::iter(marks).buffer_unordered(CALLS);
        while let Some(marked) = marks.next().await {
            match marked {
                Ok(marked) => outcome.marked += u64::from(marked),
                Err(error) => {
                    outcome.unmarked += 1;
                    outcome.error.get_or_insert(error);
                }
            }
        }
    }

    /// Records of objects that an earlier run deleted.
    async fn mark_earlier(
        &self,
        mut records: impl Iterator<Item = Result<RecordEntry>>,
        report: &mut CleanupReport,
    ) -> Result<()> {
        while !self.cancel.is_cancelled() {
            let records = records.by_ref().take(remove::BATCH).collect::<Result<Vec<_>>>()?;
            if records.is_empty() {
                break;
            }
            let mut outcome = Outcome::default();
            let number = records.len() as u64;
            self.mark(records, &mut outcome).await;
            report.unmarked -= number;
            report.take(0, outcome)?;
            if report.run.has_stopped() {
                break;
            }
        }
        Ok(())
    }

    async fn tag(&self, pair: &TagPair, due: Vec<Due>, outcome: &mut Outcome) {
        let bucket = &self.scope.flow.bucket;
        let tags = due.into_iter().map(|due| async move {
            if self.cancel.is_cancelled() {
                return (due, Err(Error::interrupted("stopped")));
            }
            let tagged = self.calls.turn().await.run(tag::tag(&self.s3, bucket, &due, pair)).await;
            (due, tagged)
        });
        let mut tags = stream::iter(tags).buffer_unordered(CALLS);
        while let Some((Due { object, .. }, tagged)) = tags.next().await {
            match tagged {
                Ok(Tagged::Now) => {
                    outcome.done += 1;
                    outcome.bytes += object.size;
                }
                Ok(Tagged::Already) => outcome.already += 1,
                Ok(Tagged::Changed) => outcome.changed += 1,
                Err(error) if matches!(error.kind(), Kind::Interrupted | Kind::Unreachable) => {
                    outcome.left += 1;
                    outcome.error.get_or_insert(error);
                }
                Err(error) => {
                    outcome.denied += u64::from(error.kind() == Kind::Denied);
                    outcome.failures.push(Failure { key: object.key, why: error.chain().join(": ") });
                }
            }
        }
    }
}

impl CleanupReport {
    /// Of so many that were due.
    fn take(&mut self, number: u64, outcome: Outcome) -> Result<()> {
        self.done += outcome.done;
        self.bytes += outcome.bytes;
        self.delete_markers += outcome.delete_markers;
        self.gone += outcome.gone;
        self.changed += outcome.changed;
        self.already += outcome.already;
        self.marked += outcome.marked;
        self.unmarked += outcome.unmarked;
        self.left -= number - outcome.left;
        self.failed += outcome.failures.len() as u64;
        if let Some(error) = &outcome.error {
            self.run.fail(error);
        }
        outcome.failures.into_iter().try_for_each(|failure| self.failures.push(failure))
    }
}
