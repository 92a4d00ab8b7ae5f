//! What the queues tell of the objects that have no record: claims seen in them, and doubts about what was not seen.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use claimctl_aws::objects::ObjectEntry;
use claimctl_claim::queue_id::QueueId;
use claimctl_core::error::{Kind, Result};
use claimctl_core::progress::Unit;
use claimctl_queues::depth::{self, QueueDepth};
use claimctl_queues::peek::{self, Counts, PeekReport};
use claimctl_queues::receive::ReceiveEnd;
use claimctl_queues::{Queue, resolve};
use serde::Serialize;

use super::{Category, Run};
use crate::flow::ResolvedFlow;

/// How often a queue is counted that is not looked into. The counts are approximate: one zero is no emptiness.
const COUNTS: u32 = 4;
const BETWEEN_COUNTS: Duration = Duration::from_millis(250);

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

/// Claims seen in a queue: the etags that were claimed, by key.
#[derive(Default)]
pub struct Claims(HashMap<String, Vec<Option<String>>>);

impl Claims {
    /// A claim that names another etag announces another content of the key.
    pub fn announce(&self, object: &ObjectEntry) -> bool {
        self.0
            .get(&object.key)
            .is_some_and(|etags| etags.iter().any(|etag| etag.as_ref().is_none_or(|etag| *etag == object.etag)))
    }
}

/// What the queues told about everything that is still open.
#[derive(Default)]
pub struct Queues {
    pub looks: Vec<QueueLook>,
    pub waiting: Claims,
    pub dead: Claims,
    /// Why an object found nowhere cannot be called missing.
    doubts: Vec<String>,
    /// Messages that the consumer holds.
    held: u64,
}

/// What a queue's counts said while claims had the time to arrive.
pub struct Counted {
    last: QueueDepth,
    /// The most that was there to be received, and the most that was held.
    there: u64,
    held: u64,
}

impl Run<'_> {
    /// Waits until every claim of a listed object has had the time to arrive, and counts the queues meanwhile, unless
    /// they are looked into afterwards.
    pub(super) async fn settle(&self, listed: Instant, queues: &[QueueDepth]) -> Result<Vec<Counted>> {
        let delay = Duration::from_secs(queues.iter().map(|queue| queue.delay).max().unwrap_or_default());
        let time = self.options.settle.unwrap_or_else(|| ResolvedFlow::settling_time(self.target, delay));
        let left = time.saturating_sub(listed.elapsed());
        self.progress.start("giving claims the time to arrive", None, Unit::Steps);
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
    pub(super) async fn count_queues(&self, queues: &[QueueDepth]) -> Result<Vec<QueueLook>> {
        let mut looks = Vec::new();
        for queue in queues {
            looks.push(QueueLook::only_counted(&depth::read(&self.target.sqs(), &queue.url).await?, Role::Source));
        }
        for dead_letter_queue in self.dead_letter_queues(queues) {
            match self.found(&dead_letter_queue).await {
                Ok(counted) => looks.push(QueueLook::only_counted(&counted, Role::DeadLetter)),
                Err(error) if matches!(error.kind(), Kind::Denied | Kind::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(looks)
    }

    /// The sources first and their dead letters after them: the direction in which messages move.
    pub(super) async fn look_into(&self, sources: &[QueueDepth], counted: Vec<Counted>) -> Result<Queues> {
        let mut queues = Queues::default();
        if sources.is_empty() && self.flow.event_age.is_none() {
            queues.doubts.push("no queue was named, so its claim may be in one".to_owned());
        }
        let mut counted = counted.into_iter();
        for source in sources {
            match counted.next() {
                Some(counted) => queues.add_counted(&counted),
                None => {
                    peek::allow(source)?;
                    let (look, unreadable) = self.look_at(&source.url, &mut queues.waiting).await?;
                    queues.add(&source.name, &look, unreadable, Role::Source);
                }
            }
        }
        for dead_letter_queue in self.dead_letter_queues(sources) {
            let name = &dead_letter_queue.id.name;
            match self.look_at_dead_letters(&dead_letter_queue, &mut queues.dead).await {
                Ok((look, unreadable)) => queues.add(name, &look, unreadable, Role::DeadLetter),
                Err(error) if matches!(error.kind(), Kind::Denied | Kind::NotFound | Kind::Refused) => {
                    queues.doubts.push(format!("dead-letter queue {name} could not be looked into: {error}"));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(queues)
    }

    /// Those that the queues name, and those that the flow does, each once.
    fn dead_letter_queues(&self, sources: &[QueueDepth]) -> Vec<DeadLetterQueue> {
        let by_arn = sources.iter().filter_map(|source| source.dead_letter_arn.as_deref());
        let by_arn = by_arn.map(|arn| DeadLetterQueue { id: QueueId::of(arn), url: None });
        let by_url = self.flow.dead_letter_queues.iter();
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
    async fn look_at_dead_letters(&self, queue: &DeadLetterQueue, claims: &mut Claims) -> Result<(PeekReport, u64)> {
        let queue = self.found(queue).await?;
        peek::allow(&queue)?;
        self.look_at(&queue.url, claims).await
    }

    /// Adds the claims of everything that can be received now. How many messages hold none that can be read.
    async fn look_at(&self, url: &str, claims: &mut Claims) -> Result<(PeekReport, u64)> {
        let queue = Queue::new(self.target.sqs(), url);
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
        Ok((look, unreadable))
    }
}

/// Known by its ARN, or by its URL.
struct DeadLetterQueue {
    id: QueueId,
    url: Option<String>,
}

impl Counted {
    fn add(before: Option<Counted>, now: QueueDepth) -> Counted {
        let (there, held) = before.map_or((0, 0), |before| (before.there, before.held));
        Counted { there: there.max(now.visible + now.delayed), held: held.max(now.in_flight), last: now }
    }
}

impl Queues {
    pub fn only_counted(queues: &[QueueDepth]) -> Queues {
        let looks = queues.iter().map(|queue| QueueLook::only_counted(queue, Role::Source)).collect();
        Queues { looks, ..Queues::default() }
    }

    fn add_counted(&mut self, counted: &Counted) {
        if counted.there > 0 {
            let (there, name) = (counted.there, &counted.last.name);
            self.doubts.push(format!("about {there} messages wait in queue {name}: it was not looked into"));
        }
        self.held += counted.held;
        self.looks.push(QueueLook::only_counted(&counted.last, Role::Source));
    }

    fn add(&mut self, queue: &str, look: &PeekReport, unreadable: u64, role: Role) {
        let Counts { visible, in_flight, delayed } = look.about.after;
        let held = in_flight.max(look.about.before.in_flight);
        let is_dead = role == Role::DeadLetter;
        // Delayed messages cannot be received, whatever is done; nor can dead letters that somebody else looks at.
        if look.ended != ReceiveEnd::Empty || delayed > 0 || (is_dead && (held > 0 || !look.complete)) {
            self.doubts.push(format!("not every message of queue {queue} could be seen"));
        }
        if !look.altered.is_empty() {
            let number = claimctl_core::units::count(look.altered.len() as u64, "message");
            self.doubts.push(format!("{number} of queue {queue} arrived other than it was sent, and may be its claim"));
        }
        // It may be the claim of anything.
        if unreadable > 0 {
            let number = claimctl_core::units::count(unreadable, "message");
            self.doubts.push(format!("{number} of queue {queue} could not be read, and may be its claim"));
        }
        if !is_dead {
            self.held += held;
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

    /// What to call the objects that were found nowhere, so many of them.
    pub fn verdict(&self, nowhere: u64) -> (Category, String) {
        let held = self.held;
        match () {
            () if !self.doubts.is_empty() => (Category::Undetermined, self.doubts.join("; ")),
            () if held == 0 => (Category::Missing, "no record, and no claim in the queue or its dead letters".into()),
            () if nowhere <= held => {
                let why = format!("the consumer holds about {held} messages: look again, or wait for them");
                (Category::InFlight, why)
            }
            () => {
                let why = format!("the consumer holds about {held} messages, which cannot be all of these {nowhere}");
                (Category::Undetermined, why)
            }
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

#[cfg(test)]
mod tests {
    use claimctl_queues::Returned;
    use claimctl_queues::deletes::Left;
    use claimctl_queues::peek::{About, Cost};

    use super::*;

    fn look(ended: ReceiveEnd, complete: bool, in_flight: u64, delayed: u64) -> PeekReport {
        let counts = Counts { visible: 0, in_flight, delayed };
        PeekReport {
            seen: 1,
            complete,
            ended,
            about: About { before: counts, after: counts },
            cost: Cost {
                receives: 1,
                hidden_seconds: 0.0,
                max_receive_count: None,
                at_maximum: Vec::new(),
                dead_letter: None,
            },
            altered: Vec::new(),
            given_back: Returned::default(),
        }
    }

    fn altered() -> PeekReport {
        let altered = vec![Left { message_id: "m".to_owned(), why: "its body is another".to_owned() }];
        PeekReport { altered, ..look(ReceiveEnd::Empty, true, 0, 0) }
    }

    #[test]
    fn missing_is_only_what_nothing_raises_a_doubt_about() {
        use Category::{InFlight, Missing, Undetermined};
        use ReceiveEnd::{Cap, Empty, Heads, Unanswered};
        for (role, look, unreadable, expected) in [
            (Role::DeadLetter, look(Empty, true, 0, 0), 0, Missing),
            (Role::DeadLetter, look(Empty, true, 0, 0), 1, Undetermined),
            (Role::DeadLetter, altered(), 0, Undetermined),
            (Role::DeadLetter, look(Empty, true, 1, 0), 0, Undetermined),
            (Role::DeadLetter, look(Empty, false, 0, 0), 0, Undetermined),
            (Role::DeadLetter, look(Cap, false, 0, 0), 0, Undetermined),
            (Role::Source, look(Empty, true, 0, 0), 0, Missing),
            (Role::Source, look(Empty, true, 0, 0), 2, Undetermined),
            (Role::Source, look(Empty, true, 5, 0), 0, InFlight),
            (Role::Source, look(Empty, true, 1, 0), 0, Undetermined),
            (Role::Source, look(Empty, true, 0, 1), 0, Undetermined),
            (Role::Source, look(Heads, false, 0, 0), 0, Undetermined),
            (Role::Source, look(Unanswered, false, 0, 0), 0, Undetermined),
        ] {
            let mut queues = Queues::default();
            queues.add("q", &look, unreadable, role);
            let (category, why) = queues.verdict(2);
            assert_eq!(category, expected, "{role:?} {look:?} {unreadable}: {why}");
        }
    }

    #[test]
    fn no_doubt_is_forgotten_for_a_later_one() {
        let mut queues = Queues::default();
        queues.add("source", &look(ReceiveEnd::Heads, false, 0, 0), 0, Role::Source);
        queues.add("dead", &look(ReceiveEnd::Empty, true, 0, 0), 1, Role::DeadLetter);
        let (category, why) = queues.verdict(1);
        assert_eq!(category, Category::Undetermined);
        assert!(why.contains("queue source") && why.contains("1 message of queue dead could not be read"), "{why}");
    }
}
