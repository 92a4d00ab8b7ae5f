//! Of a flow that begins at a table: its items, which tell by themselves what became of them.

mod fate;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use claimctl_aws::executions::{self, Execution, Executions, Status};
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::rules;
use claimctl_aws::sinks::by_key::BATCH;
use claimctl_aws::sinks::items::{self, ItemEntry, ItemTable};
use claimctl_aws::streams;
use claimctl_claim::item::MOST_AGAIN;
use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::progress::Unit;
use claimctl_core::spool::Spool;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};

use self::fate::{Evidence, Outcome};
use super::queues::{Counted, QueueLook};
use super::{Category, Compared, Numbers, Run, Scope, Subject, Verification};
use crate::flow::TableFlow;

/// Keys looked at together: some batches of the table at once.
const CHUNK: usize = BATCH * 8;
const EXECUTIONS_AT_ONCE: usize = 16;
/// Reasons that are counted each by itself. Behind so many, all others are one.
const REASONS: usize = 100;
const OTHER_REASONS: &str = "others";

/// What IAM has to allow besides the looks into queues.
pub fn permissions(arns: &ArnBuilder, flow: &TableFlow) -> Vec<Statement> {
    let mut statements = vec![items::permissions(arns, &flow.table)];
    statements.extend(flow.state_machine.as_deref().map(executions::permissions));
    statements.extend(flow.stream_arn.as_deref().map(streams::permissions));
    if !flow.buses.is_empty() {
        statements.extend(rules::permissions(arns, &flow.buses));
    }
    statements
}

/// The comparison under way.
pub struct Items<'a> {
    run: Run<'a>,
    flow: &'a TableFlow,
    scope: Scope,
    table: ItemTable,
    /// Counted beside the categories, and not derived from them.
    seen: u64,
    reasons: BTreeMap<String, u64>,
}

impl<'a> Items<'a> {
    pub async fn open(run: Run<'a>, flow: &'a TableFlow, scope: Scope) -> Result<Items<'a>> {
        if run.options.rows {
            return Err(Error::usage(format!("the items of flow {} are not of files with rows", flow.name))
                .hint("leave out --rows: only loaders of CSV files tell how many there are"));
        }
        let mut table = ItemTable::open(run.target.dynamodb(), &flow.table, &flow.partition_key).await?;
        table.rate = run.options.read_rate();
        Ok(Items { run, flow, scope, table, seen: 0, reasons: BTreeMap::new() })
    }

    pub async fn verify(mut self) -> Result<Verification> {
        let queues = super::prove(&mut self).await?;
        let notes = self.notes();
        let Items { run: Run { counts, findings, .. }, flow, scope, seen, reasons, .. } = self;
        Ok(Verification {
            flow: flow.name.clone(),
            numbers: Numbers::Items { items: seen },
            balanced: counts.total() == seen,
            counts,
            table_items: None,
            reasons: Some(reasons),
            scope,
            findings,
            queues,
            rows: None,
            notes,
            elapsed_ms: 0,
        })
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.run.sources.is_empty() {
            notes.push("no queue is known, so what has no outcome stays undetermined: name it".to_owned());
        }
        if self.flow.state_machine.is_none() {
            notes.push("no state machine is known, so no execution was looked for".to_owned());
        }
        notes
    }

    /// Counts an item that has its outcome. Hands back any other.
    fn settle(&mut self, item: ItemEntry) -> Option<ItemEntry> {
        match fate::outcome(&item) {
            Outcome::Settled => self.run.counts.add(Category::Settled),
            Outcome::Failed(reason) => {
                self.run.counts.add(Category::Failed);
                let is_known = self.reasons.contains_key(reason) || self.reasons.len() < REASONS;
                let reason = if is_known { reason } else { OTHER_REASONS };
                *self.reasons.entry(reason.to_owned()).or_default() += 1;
            }
            Outcome::None | Outcome::FailedWithoutReason => return Some(item),
        }
        None
    }

    /// The items as they are now. What is gone belongs to this look no longer.
    async fn read_again(&mut self, chunk: Vec<ItemEntry>) -> Result<Vec<ItemEntry>> {
        let keys: Vec<&str> = chunk.iter().map(|item| item.key.as_str()).collect();
        let mut now = self.run.unless_stopped(self.table.get(&keys)).await?;
        let there: Vec<_> = chunk.iter().filter_map(|item| now.remove(&item.key)).collect();
        self.seen -= (chunk.len() - there.len()) as u64;
        Ok(there)
    }

    /// The execution that works on each of these items, by key.
    async fn executions_of(&self, chunk: &[ItemEntry]) -> Result<HashMap<String, Execution>> {
        let Some(machine) = &self.flow.state_machine else { return Ok(HashMap::new()) };
        let executions = Executions::of(self.run.target, machine);
        let looks = chunk.iter().map(|item| async {
            let newest = newest(&executions, &item.key).await?;
            Ok::<_, Error>(newest.map(|execution| (item.key.clone(), execution)))
        });
        let looking = stream::iter(looks).buffer_unordered(EXECUTIONS_AT_ONCE).try_collect::<Vec<_>>();
        Ok(self.run.unless_stopped(looking).await?.into_iter().flatten().collect())
    }

    /// How long the work of an item may be where nobody can look. Rules that cannot be read may try as long as any.
    async fn out_of_sight(&self) -> Result<SignedDuration> {
        let client = self.run.target.eventbridge();
        let mut longest = Duration::ZERO;
        for bus in &self.flow.buses {
            let tries = match self.run.unless_stopped(rules::longest_tries(&client, bus)).await {
                Err(error) if matches!(error.kind(), Kind::Denied | Kind::NotFound) => rules::LONGEST_TRIES,
                tries => tries?.unwrap_or_default(),
            };
            longest = longest.max(tries);
        }
        Ok(self.flow.out_of_sight.saturating_add(SignedDuration::try_from(longest).unwrap_or(SignedDuration::MAX)))
    }

    fn find(&mut self, item: &ItemEntry, (category, why): (Category, String)) -> Result<()> {
        let subject = Subject::Item { table: self.flow.table.clone(), key: item.key.clone() };
        self.run.find(category, subject, why)
    }
}

/// The one of the item's name, or, where that ended or never was, the last one that was started by hand.
async fn newest(executions: &Executions, key: &str) -> Result<Option<Execution>> {
    let mut newest = executions.describe(key).await?;
    for number in 1..=MOST_AGAIN {
        if newest.as_ref().is_some_and(|execution| execution.status == Status::Running) {
            break;
        }
        match executions.describe(&format!("{key}-{number}")).await? {
            Some(again) => newest = Some(again),
            None => break,
        }
    }
    Ok(newest)
}

impl Compared for Items<'_> {
    type Open = Spool<ItemEntry>;

    fn run(&self) -> &Run<'_> {
        &self.run
    }

    async fn compare(&mut self) -> Result<Spool<ItemEntry>> {
        let mut open = Spool::new();
        let (run, table) = (&self.run, self.table.clone());
        let (progress, options, cancel) = (run.progress, run.options, run.cancel);
        progress.start("reading items", None, Unit::Items);
        let scan = table.scan(&options.prefix, |item| {
            // What does not tell when it was created may be of late.
            if options.since.is_some_and(|since| item.created_at.is_some_and(|at| at < since)) {
                return Ok(());
            }
            progress.advance(1);
            self.seen += 1;
            self.settle(item).map_or(Ok(()), |item| open.push(item))
        });
        tokio::select! {
            scanned = scan => scanned?,
            () = cancel.cancelled() => return Err(super::stopped()),
        }
        Ok(open)
    }

    async fn recheck(&mut self, open: Spool<ItemEntry>) -> Result<Spool<ItemEntry>> {
        let mut left = Spool::new();
        let mut items = open.drain();
        loop {
            self.run.go_on()?;
            let chunk = items.by_ref().take(CHUNK).collect::<Result<Vec<_>>>()?;
            if chunk.is_empty() {
                return Ok(left);
            }
            for item in self.read_again(chunk).await? {
                self.settle(item).map_or(Ok(()), |item| left.push(item))?;
            }
        }
    }

    fn pending(open: &Spool<ItemEntry>) -> u64 {
        open.len()
    }

    fn is_empty(open: &Spool<ItemEntry>) -> bool {
        open.is_empty()
    }

    /// The queues, then the executions, then the items once more: the direction in which an item's work moves.
    async fn close(&mut self, open: Spool<ItemEntry>, counted: Vec<Counted>) -> Result<Vec<QueueLook>> {
        let queues = self.run.look_into(counted).await?;
        self.run.progress.start("looking a second time", Some(open.len()), Unit::Items);
        let mut nowhere = Spool::new();
        let mut items = open.drain();
        loop {
            self.run.go_on()?;
            let chunk = items.by_ref().take(CHUNK).collect::<Result<Vec<_>>>()?;
            if chunk.is_empty() {
                break;
            }
            self.run.progress.advance(chunk.len() as u64);
            let mut executions = self.executions_of(&chunk).await?;
            for item in self.read_again(chunk).await? {
                let Some(item) = self.settle(item) else { continue };
                let evidence = Evidence {
                    execution: executions.remove(&item.key),
                    is_waiting: queues.waiting.queue_of(&item.key).is_some(),
                    dead_in: queues.dead.queue_of(&item.key),
                };
                match fate::seen(&item, &evidence) {
                    Some(found) => self.find(&item, found)?,
                    None => nowhere.push(item)?,
                }
            }
        }
        // Only now is it known how many are unaccounted for, and so whether the consumer can hold them all.
        let said = queues.verdict(nowhere.len());
        if !nowhere.is_empty() {
            let (now, out_of_sight) = (Timestamp::now(), self.out_of_sight().await?);
            for item in nowhere.drain() {
                let item = item?;
                self.find(&item, fate::conclude(&item, &said, out_of_sight, now))?;
            }
        }
        Ok(queues.looks)
    }
}
