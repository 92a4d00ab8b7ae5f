//! What the first comparison left open is looked at again, and put into its category.

use std::collections::HashMap;

use claimctl_aws::objects::{self, ObjectEntry, agree};
use claimctl_aws::sinks::by_key::BATCH;
use claimctl_aws::sinks::record::RecordEntry;
use claimctl_core::error::{Kind, Result};
use claimctl_core::progress::Unit;
use claimctl_core::spool::Spool;
use claimctl_core::units::count;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::queues::{Counted, QueueLook, Queues};
use super::super::{Category, Subject};
use super::Objects;

/// Keys looked at together: some batches of the table at once.
const CHUNK: usize = BATCH * 8;
const HEADS_AT_ONCE: usize = 32;

/// An object without a record that agrees with it, or with one that is not done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Candidate {
    pub object: ObjectEntry,
    /// The record it was counted with: one that differs, or that is not done.
    pub record: Option<RecordEntry>,
}

impl Candidate {
    /// What is to be said where the items of the object contradict each other.
    pub fn undecided(&self) -> Option<String> {
        let item = self.record.as_ref()?.item.as_ref().filter(|item| item.undecided)?;
        Some(format!("{} tell of it and differ, and none says which is the latest", count(item.items, "item")))
    }

    /// What is to be said of the record where it agrees, and is not done.
    pub fn not_done(&self) -> Option<String> {
        self.record.as_ref().filter(|record| agree(&self.object, record)).map(RecordEntry::why_not_done)
    }
}

/// Objects without their record, and records without their object.
pub struct Open {
    pub objects: Spool<Candidate>,
    pub records: Spool<RecordEntry>,
}

impl Open {
    pub fn new() -> Self {
        Open { objects: Spool::new(), records: Spool::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.records.is_empty()
    }
}

/// An object as it is now. None: it is gone. An error of this object alone says why nothing can be said of it.
type Head = Result<Option<ObjectEntry>, String>;

impl Objects<'_> {
    /// Reads the records of the open ones again, and keeps open what has none still.
    pub(super) async fn recheck_objects(&mut self, open: Open) -> Result<Open> {
        let mut left = Open { objects: Spool::new(), records: open.records };
        if open.objects.is_empty() {
            return Ok(left);
        }
        let mut again = self.read_again().await?;
        let mut candidates = open.objects.drain();
        loop {
            self.run.go_on()?;
            let chunk = candidates.by_ref().take(CHUNK).collect::<Result<Vec<_>>>()?;
            if chunk.is_empty() {
                return Ok(left);
            }
            let known = chunk.iter().map(|candidate| (candidate.object.key.as_str(), candidate.record.as_ref()));
            let records = self.run.unless_stopped(again.records_of(known.collect())).await?;
            for candidate in chunk {
                match records.get(&candidate.object.key) {
                    Some(record) if self.is_settled_by(&candidate.object, record) => self.settle_recorded(&candidate),
                    _ => left.objects.push(candidate)?,
                }
            }
        }
    }

    /// Puts everything that is still open into its category.
    pub(super) async fn close_all(&mut self, open: Open, counted: Vec<Counted>) -> Result<Vec<QueueLook>> {
        let mut queues = match open.objects.is_empty() {
            true => Queues::only_counted(&self.run.contents, self.run.sources),
            false => self.run.look_into(counted).await?,
        };
        self.run.progress.start("looking a second time", Some(open.objects.len() + open.records.len()), Unit::Items);
        let nowhere = self.close_objects(open.objects, &queues).await?;
        self.close_records(open.records).await?;
        queues.doubt(self.unreadable_items());
        // Only now is it known how many are unaccounted for, and so whether the consumer can hold them all.
        let (category, why) = queues.verdict(nowhere.len());
        let now = Timestamp::now();
        for candidate in nowhere.drain() {
            let candidate = candidate?;
            let (category, why) = self.flow.conclude(&candidate, category, &why, now);
            self.find(category, &candidate.object, why)?;
        }
        Ok(queues.looks)
    }

    /// Settles what has a record by now, is gone, or was seen in a queue. The rest is found nowhere.
    async fn close_objects(&mut self, candidates: Spool<Candidate>, queues: &Queues) -> Result<Spool<Candidate>> {
        let mut nowhere = Spool::new();
        if candidates.is_empty() {
            return Ok(nowhere);
        }
        let mut again = self.read_again().await?;
        let mut candidates = candidates.drain();
        loop {
            self.run.go_on()?;
            let chunk = candidates.by_ref().take(CHUNK).collect::<Result<Vec<_>>>()?;
            if chunk.is_empty() {
                return Ok(nowhere);
            }
            self.run.progress.advance(chunk.len() as u64);
            let mut now = self.heads_of(chunk.iter().map(|candidate| candidate.object.key.as_str())).await?;
            let known = chunk.iter().map(|candidate| (candidate.object.key.as_str(), candidate.record.as_ref()));
            let mut records = self.run.unless_stopped(again.records_of(known.collect())).await?;
            for mut candidate in chunk {
                let head = now.remove(&candidate.object.key).unwrap_or(Ok(None));
                match &head {
                    Ok(Some(object)) => candidate.object = object.clone(),
                    Ok(None) => {
                        // Deleted since it was listed: it is no object of the flow any more.
                        self.seen.objects -= 1;
                        self.seen.records -= u64::from(candidate.record.is_some());
                        continue;
                    }
                    Err(_) => {}
                }
                let record = records.remove(&candidate.object.key);
                if record.as_ref().is_some_and(|record| self.is_settled_by(&candidate.object, record)) {
                    self.settle_recorded(&candidate);
                    continue;
                }
                self.seen.records += u64::from(record.is_some());
                self.seen.records -= u64::from(candidate.record.is_some());
                self.seen.paired += u64::from(record.is_some());
                candidate.record = record;
                match (head, seen_in(&candidate, queues)) {
                    (Err(why), _) => self.find(Category::Undetermined, &candidate.object, why)?,
                    (_, Some((category, why))) => self.find(category, &candidate.object, why)?,
                    (_, None) => nowhere.push(candidate)?,
                }
            }
        }
    }

    /// Records without an object: history, or an orphan that nothing explains.
    async fn close_records(&mut self, records: Spool<RecordEntry>) -> Result<()> {
        if records.is_empty() {
            return Ok(());
        }
        let mut again = self.run.unless_stopped(self.sinks.read_known_again()).await?;
        let mut records = records.drain();
        loop {
            self.run.go_on()?;
            let chunk = records.by_ref().take(CHUNK).collect::<Result<Vec<_>>>()?;
            if chunk.is_empty() {
                return Ok(());
            }
            self.run.progress.advance(chunk.len() as u64);
            let (retired, doubtful): (Vec<_>, Vec<_>) = chunk.into_iter().partition(RecordEntry::is_retired);
            retired.iter().for_each(|_| self.run.counts.add(Category::Retired));
            let keys: Vec<&str> = doubtful.iter().map(|record| record.key.as_str()).collect();
            let heads = self.heads_of(keys.iter().copied()).await?;
            let known = doubtful.iter().map(|record| (record.key.as_str(), Some(record))).collect();
            let mut now = self.run.unless_stopped(again.records_of(known)).await?;
            for record in &doubtful {
                let is_gone = !matches!(heads.get(&record.key), Some(Ok(Some(_))));
                match now.remove(&record.key) {
                    // The handler deletes the object first and says so in the record after.
                    Some(now) if now.is_retired() => self.run.counts.add(Category::Retired),
                    // That it cannot be looked at was no reason to list it: it is not there.
                    Some(_) if is_gone => {
                        let why = "its object is gone, and the record does not say that it was processed or removed";
                        let subject = self.subject(&record.key, record.etag.as_deref());
                        self.run.find(Category::Orphan, subject, why.to_owned())?;
                    }
                    // Expired meanwhile, or its object came back after the listing: neither belongs to this look.
                    _ => self.seen.records -= 1,
                }
            }
        }
    }

    /// Whether a record tells of this very object, and the handler is done with it.
    pub(super) fn is_settled_by(&self, object: &ObjectEntry, record: &RecordEntry) -> bool {
        let is_decided = record.item.as_ref().is_none_or(|item| !item.undecided);
        is_decided && agree(object, record) && record.is_done(self.flow.after_processing)
    }

    fn settle_recorded(&mut self, candidate: &Candidate) {
        self.seen.records += u64::from(candidate.record.is_none());
        self.seen.paired += 1;
        self.run.counts.add(Category::Recorded);
    }

    /// One object that cannot be looked at does not keep the others from it. Where none may be, that is an error.
    async fn heads_of<'k>(&self, keys: impl Iterator<Item = &'k str>) -> Result<HashMap<String, Head>> {
        let s3 = self.run.target.s3();
        let heads = keys.map(|key| async {
            let head = objects::head(&s3, &self.flow.bucket, key, None).await;
            (key.to_owned(), head)
        });
        let mut heads = stream::iter(heads).buffer_unordered(HEADS_AT_ONCE);
        let mut found = HashMap::new();
        let mut denied = None;
        while let Some((key, head)) = self.run.unless_stopped(async { Ok(heads.next().await) }).await? {
            let head = match head {
                Err(error) if error.kind() == Kind::Unreachable => return Err(error),
                Err(error) => {
                    let why = format!("it cannot be looked at: {error}");
                    denied = denied.or(Some(error).filter(|error| error.kind() == Kind::Denied));
                    Err(why)
                }
                Ok(object) => Ok(object),
            };
            found.insert(key, head);
        }
        match denied {
            Some(error) if found.values().all(Result::is_err) => Err(error),
            _ => Ok(found),
        }
    }

    fn find(&mut self, category: Category, object: &ObjectEntry, why: String) -> Result<()> {
        match category {
            Category::Expired => {
                self.run.counts.add(category);
                Ok(())
            }
            _ => {
                let subject = self.subject(&object.key, Some(&object.etag));
                self.run.find(category, subject, why)
            }
        }
    }

    pub(super) fn subject(&self, key: &str, etag: Option<&str>) -> Subject {
        Subject::Object {
            bucket: self.flow.bucket.clone(),
            key: key.to_owned(),
            version_id: None,
            etag: etag.map(str::to_owned),
        }
    }
}

/// Where the claim of an object was seen. One that is recorded already died of the step behind its record.
fn seen_in(candidate: &Candidate, queues: &Queues) -> Option<(Category, String)> {
    if queues.waiting.announce(&candidate.object) {
        return Some((Category::Waiting, "its claim is in the queue".to_owned()));
    }
    queues.dead.announce(&candidate.object).then(|| match candidate.not_done() {
        Some(why) => (Category::Unfinished, format!("{why}; its claim is in the dead-letter queue")),
        None => (Category::Dead, "its claim is in the dead-letter queue".to_owned()),
    })
}
