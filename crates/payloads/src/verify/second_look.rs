//! What the first comparison left open is looked at again, and put into its category.

use std::collections::HashMap;

use claimctl_aws::objects::{self, ObjectEntry, agree};
use claimctl_aws::sinks::table::{BATCH, RecordEntry};
use claimctl_core::error::{Kind, Result};
use claimctl_core::progress::Unit;
use claimctl_core::spool::Spool;
use claimctl_queues::depth::{self, QueueDepth};
use claimctl_queues::peek::{self, Counts, PeekReport};
use claimctl_queues::receive::ReceiveEnd;
use claimctl_queues::{Queue, resolve};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::{Category, Finding, QueueLook, Role, Run};

/// Keys looked at together: some batches of the table at once.
const CHUNK: usize = BATCH * 8;
const HEADS_AT_ONCE: usize = 32;

/// An object without a record that agrees with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Candidate {
    pub object: ObjectEntry,
    /// Whether it was counted with a record: one that differs.
    pub had_record: bool,
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

/// Claims seen in a queue: the etags that were claimed, by key.
#[derive(Default)]
struct Claims(HashMap<String, Vec<Option<String>>>);

impl Claims {
    /// A claim that names another etag announces another content of the key.
    fn announce(&self, object: &ObjectEntry) -> bool {
        self.0
            .get(&object.key)
            .is_some_and(|etags| etags.iter().any(|etag| etag.as_ref().is_none_or(|etag| *etag == object.etag)))
    }
}

/// What the queues told about everything that is still open.
struct Queues {
    looks: Vec<QueueLook>,
    waiting: Claims,
    dead: Claims,
    /// Why an object found nowhere cannot be called missing, if so.
    doubt: Option<String>,
    /// Messages that the consumer holds.
    held: u64,
}

impl Run<'_> {
    /// Reads the records of the open ones again, and keeps open what has none still.
    pub(super) async fn recheck(&mut self, open: Open) -> Result<Open> {
        let mut left = Open { objects: Spool::new(), records: open.records };
        let mut candidates = open.objects.drain();
        loop {
            self.go_on()?;
            let chunk = candidates.by_ref().take(CHUNK).collect::<Result<Vec<_>>>()?;
            if chunk.is_empty() {
                return Ok(left);
            }
            let records = self.records_of(&chunk).await?;
            for candidate in chunk {
                match records.get(&candidate.object.key) {
                    Some(record) if agree(&candidate.object, record) => self.settle_recorded(&candidate),
                    _ => left.objects.push(candidate)?,
                }
            }
        }
    }

    /// Puts everything that is still open into its category.
    pub(super) async fn close(
        &mut self,
        open: Open,
        queue: Option<&QueueDepth>,
        findings: &mut Spool<Finding>,
    ) -> Result<Vec<QueueLook>> {
        let queues = match open.objects.is_empty() {
            true => Queues::only_counted(queue),
            false => self.look_into(queue).await?,
        };
        self.progress.start("looking a second time", Some(open.objects.len() + open.records.len()), Unit::Items);
        let nowhere = self.close_objects(open.objects, &queues, findings).await?;
        self.close_records(open.records, findings).await?;
        // Only now is it known how many are unaccounted for, and so whether the consumer can hold them all.
        let (category, why) = queues.verdict(nowhere.len());
        for candidate in nowhere.drain() {
            let candidate = candidate?;
            let (category, why) = match (category, candidate.had_record) {
                (Category::Missing, true) => (Category::Stale, "its record tells of other content".to_owned()),
                _ => (category, why.clone()),
            };
            self.counts.add(category);
            findings.push(self.finding(category, &candidate.object.key, Some(&candidate.object.etag), why))?;
        }
        Ok(queues.looks)
    }

    /// Settles what has a record by now, is gone, or was seen in a queue. The rest is found nowhere.
    async fn close_objects(
        &mut self,
        candidates: Spool<Candidate>,
        queues: &Queues,
        findings: &mut Spool<Finding>,
    ) -> Result<Spool<Candidate>> {
        let mut nowhere = Spool::new();
        let mut candidates = candidates.drain();
        loop {
            self.go_on()?;
            let chunk = candidates.by_ref().take(CHUNK).collect::<Result<Vec<_>>>()?;
            if chunk.is_empty() {
                return Ok(nowhere);
            }
            self.progress.advance(chunk.len() as u64);
            let now = self.heads_of(chunk.iter().map(|candidate| candidate.object.key.as_str())).await?;
            let records = self.records_of(&chunk).await?;
            for mut candidate in chunk {
                let Some(object) = now.get(&candidate.object.key) else {
                    // Deleted since it was listed: it is no object of the flow any more.
                    self.seen.objects -= 1;
                    self.seen.records -= u64::from(candidate.had_record);
                    continue;
                };
                candidate.object = object.clone();
                let record = records.get(&object.key);
                if record.is_some_and(|record| agree(object, record)) {
                    self.settle_recorded(&candidate);
                    continue;
                }
                self.seen.records += u64::from(record.is_some());
                self.seen.records -= u64::from(candidate.had_record);
                candidate.had_record = record.is_some();
                self.seen.paired += u64::from(candidate.had_record);
                let seen_in = if queues.waiting.announce(object) {
                    Some((Category::Waiting, "its claim is in the queue"))
                } else if queues.dead.announce(object) {
                    Some((Category::Dead, "its claim is in the dead-letter queue"))
                } else {
                    None
                };
                match seen_in {
                    Some((category, why)) => {
                        self.counts.add(category);
                        findings.push(self.finding(category, &object.key, Some(&object.etag), why.to_owned()))?;
                    }
                    None => nowhere.push(candidate)?,
                }
            }
        }
    }

    /// Records without an object: history, or an orphan that nothing explains.
    async fn close_records(&mut self, records: Spool<RecordEntry>, findings: &mut Spool<Finding>) -> Result<()> {
        let mut records = records.drain();
        loop {
            self.go_on()?;
            let chunk = records.by_ref().take(CHUNK).collect::<Result<Vec<_>>>()?;
            if chunk.is_empty() {
                return Ok(());
            }
            self.progress.advance(chunk.len() as u64);
            let (retired, doubtful): (Vec<_>, Vec<_>) = chunk.into_iter().partition(|record| record.retired);
            retired.iter().for_each(|_| self.counts.add(Category::Retired));
            let keys: Vec<&str> = doubtful.iter().map(|record| record.key.as_str()).collect();
            let objects = self.heads_of(keys.iter().copied()).await?;
            let mut now = self.table.get(&keys).await?;
            for record in &doubtful {
                match now.remove(&record.key) {
                    // The handler deletes the object first and says so in the record after.
                    Some(now) if now.retired => self.counts.add(Category::Retired),
                    Some(_) if !objects.contains_key(&record.key) => {
                        self.counts.add(Category::Orphan);
                        let why = "its object is gone, and the record does not say that it was processed or removed";
                        let finding =
                            self.finding(Category::Orphan, &record.key, record.etag.as_deref(), why.to_owned());
                        findings.push(finding)?;
                    }
                    // Expired meanwhile, or its object came back after the listing: neither belongs to this look.
                    _ => self.seen.records -= 1,
                }
            }
        }
    }

    fn settle_recorded(&mut self, candidate: &Candidate) {
        self.seen.records += u64::from(!candidate.had_record);
        self.seen.paired += 1;
        self.counts.add(Category::Recorded);
    }

    async fn records_of(&self, candidates: &[Candidate]) -> Result<HashMap<String, RecordEntry>> {
        let keys: Vec<&str> = candidates.iter().map(|candidate| candidate.object.key.as_str()).collect();
        self.table.get(&keys).await
    }

    async fn heads_of<'k>(&self, keys: impl Iterator<Item = &'k str>) -> Result<HashMap<String, ObjectEntry>> {
        let s3 = self.target.s3();
        let heads = keys.map(|key| objects::head(&s3, &self.flow.bucket, key, None));
        let found: Vec<Option<ObjectEntry>> = stream::iter(heads).buffer_unordered(HEADS_AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().map(|object| (object.key.clone(), object)).collect())
    }

    fn finding(&self, category: Category, key: &str, etag: Option<&str>, why: String) -> Finding {
        Finding {
            category,
            bucket: self.flow.bucket.clone(),
            key: key.to_owned(),
            version_id: None,
            etag: etag.map(str::to_owned),
            why,
        }
    }

    /// The source first and its dead letters after it: the direction in which messages move.
    async fn look_into(&self, queue: Option<&QueueDepth>) -> Result<Queues> {
        let mut queues = Queues::only_counted(None);
        let Some(queue) = queue else {
            queues.doubt = Some("no queue was named, so its claim may be in one".to_owned());
            return Ok(queues);
        };
        if self.options.look {
            peek::allow(queue)?;
            let (look, claims, unreadable) = self.look_at(&queue.url).await?;
            queues.waiting = claims;
            queues.add(&queue.name, look, unreadable, Role::Source);
        } else {
            let now = depth::read(&self.target.sqs(), &queue.url).await?;
            let there = now.visible + now.delayed;
            if there > 0 {
                queues.doubt =
                    Some(format!("about {there} messages wait in queue {}: it was not looked into", now.name));
            }
            queues.held = now.in_flight;
            queues.looks.push(QueueLook::only_counted(&now, Role::Source));
        }
        if let (Some(name), Some(arn)) = (&queue.dead_letter, &queue.dead_letter_arn) {
            match self.look_at_dead_letters(arn).await {
                Ok((look, claims, unreadable)) => {
                    queues.dead = claims;
                    queues.add(name, look, unreadable, Role::DeadLetter);
                }
                Err(error) if matches!(error.kind(), Kind::Denied | Kind::NotFound | Kind::Refused) => {
                    queues.doubt = Some(format!("dead-letter queue {name} could not be looked into: {error}"));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(queues)
    }

    /// Its own redrive policy counts here, not the source's: a dead-letter queue seldom has one.
    async fn look_at_dead_letters(&self, arn: &str) -> Result<(PeekReport, Claims, u64)> {
        let sqs = self.target.sqs();
        let url = resolve::by_arn(&sqs, arn).await?;
        peek::allow(&depth::read(&sqs, &url).await?)?;
        self.look_at(&url).await
    }

    /// The claims of everything that can be received now, and how many messages hold none that can be read.
    async fn look_at(&self, url: &str) -> Result<(PeekReport, Claims, u64)> {
        let queue = Queue::new(self.target.sqs(), url);
        let mut claims = Claims::default();
        let mut unreadable = 0;
        let look = peek::peek(&queue, None, self.cancel, self.progress, |message| {
            unreadable += u64::from(message.unreadable.is_some());
            for claim in message.claims {
                if claim.bucket == self.flow.bucket && !claim.is_removal() {
                    claims.0.entry(claim.key).or_default().push(claim.etag);
                }
            }
            Ok(())
        })
        .await?;
        self.go_on()?;
        Ok((look, claims, unreadable))
    }
}

impl Queues {
    fn only_counted(queue: Option<&QueueDepth>) -> Queues {
        Queues {
            looks: queue.iter().map(|queue| QueueLook::only_counted(queue, Role::Source)).collect(),
            waiting: Claims::default(),
            dead: Claims::default(),
            doubt: None,
            held: 0,
        }
    }

    fn add(&mut self, queue: &str, look: PeekReport, unreadable: u64, role: Role) {
        let Counts { visible, in_flight, delayed } = look.about.after;
        let held = in_flight.max(look.about.before.in_flight);
        // Delayed messages cannot be received, whatever is done; nor can dead letters that somebody else looks at.
        let unread = look.ended != ReceiveEnd::Empty || !look.altered.is_empty();
        if unread || delayed > 0 || (role == Role::DeadLetter && held > 0) {
            self.doubt = Some(format!("not every message of queue {queue} could be seen"));
        }
        if role == Role::Source {
            self.held = held;
        }
        self.looks.push(QueueLook {
            queue: queue.to_owned(),
            role,
            seen: Some(look.seen),
            visible,
            in_flight,
            delayed,
            unreadable,
            complete: look.complete,
        });
    }

    /// What to call the objects that were found nowhere.
    fn verdict(&self, nowhere: u64) -> (Category, String) {
        match &self.doubt {
            Some(doubt) => (Category::Undetermined, doubt.clone()),
            None if self.held == 0 => {
                (Category::Missing, "no record, and no claim in the queue or its dead letters".into())
            }
            None if nowhere <= self.held => {
                let why = format!("the consumer holds about {} messages: look again, or wait for them", self.held);
                (Category::InFlight, why)
            }
            None => {
                let why =
                    format!("the consumer holds about {} messages, which cannot be all of these {nowhere}", self.held);
                (Category::Undetermined, why)
            }
        }
    }
}
