//! Looks into the queues on the way: counted while claims have the time to arrive, then received from and given back.

mod contents;
mod verdict;

use std::sync::Arc;
use std::time::{Duration, Instant};

use claimctl_aws::streams;
use claimctl_claim::StreamPosition;
use claimctl_claim::queue_id::QueueId;
use claimctl_core::error::{Kind, Result};
use claimctl_core::progress::Unit;
use claimctl_queues::depth::{self, QueueDepth};
use claimctl_queues::peek;
use claimctl_queues::{Queue, resolve};

use self::contents::{Seen, Told, keys_in};
use self::verdict::Look;
use super::Run;
use crate::flow;

pub use self::contents::Contents;
pub use self::verdict::{Counted, QueueLook, Queues, Role};

/// How often a queue is counted that is not looked into. The counts are approximate: one zero is no emptiness.
const COUNTS: u32 = 4;
const BETWEEN_COUNTS: Duration = Duration::from_millis(250);

impl Run<'_> {
    /// Waits until every claim of a listed object has had the time to arrive, and counts the queues meanwhile, unless
    /// they are looked into afterwards.
    pub(super) async fn settle(&self, listed: Instant) -> Result<Vec<Counted>> {
        let queues = self.sources;
        let delay = Duration::from_secs(queues.iter().map(|queue| queue.delay).max().unwrap_or_default());
        let time = self.options.settle.unwrap_or_else(|| flow::settling_time(self.target, delay));
        let left = time.saturating_sub(listed.elapsed());
        self.progress.start(&format!("giving {}s the time to arrive", self.contents.word()), None, Unit::Steps);
        if queues.is_empty() || self.options.look {
            self.pause(left).await?;
            return Ok(Vec::new());
        }
        let mut counted: Vec<Counted> = Vec::new();
        for number in 1..=COUNTS {
            let mut now = Vec::with_capacity(queues.len());
            for queue in queues {
                now.push(self.unless_stopped(depth::read(&self.target.sqs(), &queue.url)).await?);
            }
            let mut before = counted.into_iter();
            counted = now.into_iter().map(|now| Counted::add(before.next(), now)).collect();
            if number < COUNTS {
                self.pause((left / (COUNTS - 1)).max(BETWEEN_COUNTS)).await?;
            }
        }
        Ok(counted)
    }

    /// Nothing is open, so nothing is received; but dead letters are worth a word even so.
    pub(super) async fn count_queues(&self) -> Result<Vec<QueueLook>> {
        let mut looks = Vec::new();
        for queue in self.sources {
            looks.push(QueueLook::only_counted(&depth::read(&self.target.sqs(), &queue.url).await?, Role::Source));
        }
        for dead_letter_queue in self.all_dead_letter_queues() {
            match self.found(&dead_letter_queue).await {
                Ok(counted) => looks.push(QueueLook::only_counted(&counted, Role::DeadLetter)),
                Err(error) if matches!(error.kind(), Kind::Denied | Kind::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(looks)
    }

    /// The sources first and their dead letters after them: the direction in which messages move.
    pub(super) async fn look_into(&self, counted: Vec<Counted>) -> Result<Queues> {
        let mut queues = Queues::of(&self.contents);
        if self.sources.is_empty() && !self.contents.is_without_gap() {
            queues.doubts.push(format!("no queue was named, so its {} may be in one", self.contents.word()));
        }
        let mut counted = counted.into_iter();
        for source in self.sources {
            match counted.next() {
                Some(counted) => queues.add_counted(&counted),
                None => {
                    peek::allow(source)?;
                    let look = self.look_at(&source.url, &mut queues.waiting).await?;
                    queues.add(&source.name, &look, Role::Source);
                }
            }
        }
        for dead_letter_queue in self.all_dead_letter_queues() {
            let name = &dead_letter_queue.id.name;
            match self.look_at_dead_letters(&dead_letter_queue, &mut queues.dead).await {
                Ok(look) => queues.add(name, &look, Role::DeadLetter),
                Err(error) if matches!(error.kind(), Kind::Denied | Kind::NotFound | Kind::Refused) => {
                    queues.doubts.push(format!("dead-letter queue {name} could not be looked into: {error}"));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(queues)
    }

    /// Those that the queues name, and those that the flow does, each once.
    fn all_dead_letter_queues(&self) -> Vec<DeadLetterQueue> {
        let by_arn = self.sources.iter().filter_map(|source| source.dead_letter_arn.as_deref());
        let by_arn = by_arn.map(|arn| DeadLetterQueue { id: QueueId::of(arn), url: None });
        let by_url = self.dead_letter_queues.iter();
        let by_url = by_url.map(|url| DeadLetterQueue { id: QueueId::of(url), url: Some(url.clone()) });
        let mut queues: Vec<DeadLetterQueue> = Vec::new();
        for queue in by_arn.chain(by_url) {
            if !queues.iter().any(|known| known.id.is_same(&queue.id)) {
                queues.push(queue);
            }
        }
        queues
    }

    async fn found(&self, queue: &DeadLetterQueue) -> Result<QueueDepth> {
        let sqs = self.target.sqs();
        match &queue.url {
            Some(url) => depth::read(&sqs, url).await,
            None => depth::read(&sqs, &resolve::by_id(&sqs, &queue.id).await?).await,
        }
    }

    /// Its own redrive policy counts here, not the source's: a dead-letter queue seldom has one.
    async fn look_at_dead_letters(&self, queue: &DeadLetterQueue, seen: &mut Seen) -> Result<Look> {
        let queue = self.found(queue).await?;
        peek::allow(&queue)?;
        self.look_at(&queue.url, seen).await
    }

    /// Adds what everything tells of that can be received now.
    async fn look_at(&self, url: &str, seen: &mut Seen) -> Result<Look> {
        let queue = Queue::new(self.target.sqs(), url);
        let name = Arc::from(depth::name_of(url));
        let (mut unreadable, mut positions) = (0, Vec::new());
        let peeked = peek::peek(&queue, None, self.cancel, self.progress, |message| {
            match self.contents.of(message) {
                Told::Keys(keys) => seen.add(&name, keys),
                Told::InStream(position) => positions.push(position),
                Told::Unreadable => unreadable += 1,
            }
            Ok(())
        })
        .await?;
        self.go_on()?;
        let mut gone = Vec::new();
        for position in positions {
            gone.extend(self.read_stream(&position, &name, seen).await?);
        }
        Ok(Look { peeked, unreadable, gone })
    }

    /// Adds the items of the records at a position of the stream. Why they cannot be told, where they cannot.
    async fn read_stream(
        &self,
        position: &StreamPosition,
        queue: &Arc<str>,
        seen: &mut Seen,
    ) -> Result<Option<String>> {
        let Contents::Items { partition_key } = self.contents else { return Ok(None) };
        let client = self.target.dynamodb_streams();
        let records = match self.unless_stopped(streams::records(&client, position)).await {
            Ok(Some(records)) => records,
            Ok(None) => return Ok(Some("the stream no longer holds the records that it is about".to_owned())),
            Err(error) if matches!(error.kind(), Kind::Denied | Kind::NotFound) => {
                return Ok(Some(format!("the stream could not be read: {error}")));
            }
            Err(error) => return Err(error),
        };
        for record in records {
            match keys_in(&record, partition_key) {
                Told::Keys(keys) => seen.add(queue, keys),
                _ => return Ok(Some("a record of the stream has no key".to_owned())),
            }
        }
        Ok(None)
    }
}

/// Known by its ARN, or by its URL.
struct DeadLetterQueue {
    id: QueueId,
    url: Option<String>,
}
