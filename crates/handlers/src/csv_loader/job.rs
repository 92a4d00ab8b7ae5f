//! One load in one invocation: its record, and the lease by which it may write rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use claimctl_claim::record::attribute;
use tokio::time::Instant;

use super::config::Config;
use super::{stale, table, write};
use crate::aws::{Condition, Deadline, Failure, Written};
use crate::csv::Tally;
use crate::csv_load::{Load, Progress, Stop, Task, look};

/// For so long a renewed lease allows to write.
const LEASE: Duration = Duration::from_secs(20);
pub const RENEWED_EVERY: Duration = Duration::from_secs(1);
/// Before the lease ends the last call is given up: what it has sent may arrive a little later, and clocks differ.
const LEASE_MARGIN: Duration = Duration::from_secs(6);

pub struct Job<'a, 'b> {
    pub config: &'a Config,
    pub task: &'a mut Task<'b>,
    pub lease: Arc<Lease>,
    renewed: Option<Instant>,
}

/// Until when rows may be written, by any task.
pub struct Lease {
    begin: Instant,
    /// Milliseconds after the begin.
    until: AtomicU64,
    last: Deadline,
}

impl Lease {
    pub fn deadline(&self) -> Deadline {
        self.last.or_at(self.begin + Duration::from_millis(self.until.load(Ordering::Relaxed)))
    }
}

impl<'a, 'b> Job<'a, 'b> {
    pub fn new(config: &'a Config, task: &'a mut Task<'b>) -> Self {
        let lease = Lease { begin: Instant::now(), until: AtomicU64::new(0), last: task.invocation.deadline };
        Self { config, task, lease: Arc::new(lease), renewed: None }
    }

    /// Everything up to the last row, and the rows of earlier loads removed.
    pub async fn run(&mut self) -> Result<(), Stop> {
        let doubtful = self.task.load.progress.as_ref().is_none_or(|progress| progress.left_out > 0);
        let tally = if doubtful { look(self.task, &self.config.rules).await? } else { Tally::default() };
        if self.task.load.progress.is_none() {
            self.wait_for_earlier_writers().await?;
            self.task.load.progress = Some(Progress::of(&tally));
        }
        self.renew().await?;
        if self.removing().is_none() {
            write::rows(self, &tally.left_out).await?;
        }
        if self.task.load.replaces {
            stale::remove(self, self.task.load.number).await?;
        }
        Ok(())
    }

    /// Writes the finished record. Where this invocation was alone, nobody writes rows any more: the lease is given back.
    pub async fn finish(&mut self, mut finished: Load) -> Result<Load, Stop> {
        if !self.task.load.shared {
            let alone = Load { writing_until: 0, ..finished.clone() };
            match self.put(&alone, &self.task.load.is_under_way_alone()).await? {
                Written::Done => return Ok(alone),
                Written::Refused(_) => finished.shared = true,
            }
        }
        match self.put(&finished, &self.task.load.is_under_way()).await? {
            Written::Done => Ok(finished),
            Written::Refused(item) => Err(self.overtaken(item.as_ref().map(Load::read))),
        }
    }

    async fn put(&self, load: &Load, condition: &Condition) -> Result<Written, Stop> {
        let Task { aws, invocation, .. } = &*self.task;
        let item = load.item(&invocation.request_id);
        let put = aws.put_item(&self.config.loads_table, item, condition, invocation.deadline).await;
        put.map_err(Self::record_failed)
    }

    /// Writes that and why the file is refused. Where the table may hold a part of it, that is removed first.
    pub async fn refuse(&mut self, why: String, tally: Option<Box<Tally>>) -> Result<Load, Stop> {
        let clear = self.task.load.is_mixed();
        if clear {
            self.wait_for_earlier_writers().await?;
            self.renew().await?;
            stale::remove(self, self.task.load.number + 1).await?;
        }
        self.finish(self.task.load.clone().refused(why, tally.as_deref(), clear)).await
    }

    /// Where the rows of earlier loads are being removed, how far that is.
    pub fn removing(&self) -> Option<&str> {
        self.task.load.progress.as_ref()?.removing.as_deref()
    }

    /// To be called between any two steps: renews the lease in time, and stops before time is up.
    pub async fn go_on(&mut self) -> Result<(), Stop> {
        self.task.is_in_time()?;
        match self.renewed {
            Some(renewed) if renewed.elapsed() < RENEWED_EVERY => Ok(()),
            _ => self.renew().await,
        }
    }

    /// Notes how far the load has come, and takes the lease for another while.
    pub async fn renew(&mut self) -> Result<(), Stop> {
        let now = Instant::now();
        self.task.load.writing_until = table::now() + i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX);
        let key = table::item_key(attribute::CLAIM_ID, &self.task.load.claim.id());
        let (changes, condition) = (self.task.load.checkpoint(), self.task.load.is_under_way());
        let table = &self.config.loads_table;
        let set = self.task.aws.set_attributes(table, key, changes, &condition, self.task.invocation.deadline).await;
        match set.map_err(Self::record_failed)? {
            Written::Done => {
                let until = now + LEASE - LEASE_MARGIN;
                let millis = until.saturating_duration_since(self.lease.begin).as_millis();
                self.lease.until.store(u64::try_from(millis).unwrap_or(u64::MAX), Ordering::Relaxed);
                self.renewed = Some(now);
                Ok(())
            }
            Written::Refused(item) => Err(self.overtaken(item.as_ref().map(Load::read))),
        }
    }

    async fn wait_for_earlier_writers(&self) -> Result<(), Stop> {
        let left = u64::try_from(self.task.load.not_before - table::now()).unwrap_or(0);
        if left == 0 {
            return Ok(());
        }
        let left = Duration::from_millis(left);
        if !self.task.invocation.hand_over.allows(left) {
            return Err(Stop::TimeIsUp);
        }
        tokio::time::sleep(left).await;
        Ok(())
    }

    fn overtaken(&self, record: Option<Load>) -> Stop {
        let same = record.is_some_and(|record| record.number == self.task.load.number);
        if same { Stop::Finished } else { Stop::Superseded }
    }

    fn record_failed(failure: Failure) -> Stop {
        Stop::problem("write the record", failure)
    }
}
