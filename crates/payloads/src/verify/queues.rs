//! What the queues tell of what is not settled: what was seen in them, and doubts about what was not seen.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use claimctl_aws::objects::ObjectEntry;
use claimctl_aws::streams;
use claimctl_claim::queue_id::QueueId;
use claimctl_claim::{StreamPosition, item};
use claimctl_core::error::{Kind, Result};
use claimctl_core::progress::Unit;
use claimctl_core::units::count;
use claimctl_queues::depth::{self, QueueDepth};
use claimctl_queues::message::Message;
use claimctl_queues::peek::{self, Counts, PeekReport};
use claimctl_queues::receive::ReceiveEnd;
use claimctl_queues::{Queue, resolve};
use serde::Serialize;
use serde_json::Value;

use super::{Category, Run};
use crate::flow;

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
    /// Messages that hold no claim that could be read, or tell of no item.
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

/// What the messages of a flow tell of.
#[derive(Debug, Clone, Copy)]
pub enum Contents<'a> {
    /// Claims of the objects of a bucket. Where the function `is_invoked` by the bucket itself, no queue is no gap.
    Claims { bucket: &'a str, is_invoked: bool },
    /// Items of a table, in whatever envelope, or where in the table's stream they are.
    Items { partition_key: &'a str },
}

/// What one message tells of.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    /// Keys, each with the etag that the message names.
    Keys(Vec<(String, Option<String>)>),
    InStream(StreamPosition),
    Unreadable,
}

impl Contents<'_> {
    fn of(&self, message: Message) -> Told {
        match self {
            // Another bucket's claims, and those of what went away, are read and mean nothing here.
            Contents::Claims { .. } if message.unreadable.is_some() => Told::Unreadable,
            Contents::Claims { bucket, .. } => {
                let ours = message.claims.into_iter().filter(|it| it.bucket == *bucket && !it.is_removal());
                Told::Keys(ours.map(|claim| (claim.key, claim.etag)).collect())
            }
            Contents::Items { partition_key } => {
                let Ok(body) = serde_json::from_str::<Value>(&message.body) else { return Told::Unreadable };
                match StreamPosition::of(&body) {
                    Some(position) => Told::InStream(position),
                    None => keys_in(&body, partition_key),
                }
            }
        }
    }

    /// What is in a message of the flow.
    fn word(&self) -> &'static str {
        match self {
            Contents::Claims { .. } => "claim",
            Contents::Items { .. } => "message",
        }
    }

    /// So many of what is waited for.
    pub fn outcomes(&self, number: u64) -> String {
        match self {
            Contents::Claims { .. } => count(number, "record"),
            Contents::Items { .. } => count(number, "outcome"),
        }
    }

    fn is_without_gap(&self) -> bool {
        matches!(self, Contents::Claims { is_invoked: true, .. })
    }

    /// Why something is missing.
    fn missing(&self) -> &'static str {
        match self {
            Contents::Claims { .. } => "no record, and no claim in the queue or its dead letters",
            Contents::Items { .. } => "no outcome, no execution, and no message in the queue or among the dead letters",
        }
    }
}

fn keys_in(body: &Value, partition_key: &str) -> Told {
    let items = item::items_in(body, partition_key);
    match items.is_empty() {
        true => Told::Unreadable,
        false => Told::Keys(items.into_iter().map(|item| (item.key, None)).collect()),
    }
}

/// What was seen in queues, by key.
#[derive(Default)]
pub struct Seen(HashMap<String, SeenKey>);

struct SeenKey {
    /// The first queue in which it was.
    queue: Arc<str>,
    /// That the messages name.
    etags: Vec<Option<String>>,
}

impl Seen {
    /// A claim that names another etag announces another content of the key.
    pub fn announce(&self, object: &ObjectEntry) -> bool {
        let is_its = |etag: &Option<String>| etag.as_ref().is_none_or(|etag| *etag == object.etag);
        self.0.get(&object.key).is_some_and(|seen| seen.etags.iter().any(is_its))
    }

    pub fn queue_of(&self, key: &str) -> Option<&str> {
        Some(&self.0.get(key)?.queue)
    }

    fn add(&mut self, queue: &Arc<str>, keys: Vec<(String, Option<String>)>) {
        for (key, etag) in keys {
            let seen = self.0.entry(key).or_insert_with(|| SeenKey { queue: queue.clone(), etags: Vec::new() });
            seen.etags.push(etag);
        }
    }
}

/// What the queues told about everything that is still open.
pub struct Queues {
    pub looks: Vec<QueueLook>,
    pub waiting: Seen,
    pub dead: Seen,
    /// Why an object found nowhere cannot be called missing.
    doubts: Vec<String>,
    /// Messages that the consumer holds.
    held: u64,
    /// `claim`, or `message`.
    word: &'static str,
    missing: &'static str,
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

/// What a look into a queue brought.
struct Look {
    peeked: PeekReport,
    /// Messages of which nothing can be told.
    unreadable: u64,
    /// Why what a message is about cannot be read where it is: a reason for each.
    gone: Vec<String>,
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
    fn of(contents: &Contents<'_>) -> Queues {
        Queues {
            looks: Vec::new(),
            waiting: Seen::default(),
            dead: Seen::default(),
            doubts: Vec::new(),
            held: 0,
            word: contents.word(),
            missing: contents.missing(),
        }
    }

    /// What looks into the queues of a table's flow might have told.
    #[cfg(test)]
    pub fn telling(doubts: Vec<String>, held: u64) -> Queues {
        Queues { doubts, held, ..Queues::of(&Contents::Items { partition_key: "id" }) }
    }

    pub fn only_counted(contents: &Contents<'_>, queues: &[QueueDepth]) -> Queues {
        let looks = queues.iter().map(|queue| QueueLook::only_counted(queue, Role::Source)).collect();
        Queues { looks, ..Queues::of(contents) }
    }

    fn add_counted(&mut self, counted: &Counted) {
        if counted.there > 0 {
            let (there, name) = (counted.there, &counted.last.name);
            self.doubts.push(format!("about {there} messages wait in queue {name}: it was not looked into"));
        }
        self.held += counted.held;
        self.looks.push(QueueLook::only_counted(&counted.last, Role::Source));
    }

    fn add(&mut self, queue: &str, look: &Look, role: Role) {
        let Look { peeked, unreadable, gone } = look;
        let Counts { visible, in_flight, delayed } = peeked.about.after;
        let held = in_flight.max(peeked.about.before.in_flight);
        let is_dead = role == Role::DeadLetter;
        let word = self.word;
        // Delayed messages cannot be received, whatever is done; nor can dead letters that somebody else looks at.
        if peeked.ended != ReceiveEnd::Empty || delayed > 0 || (is_dead && (held > 0 || !peeked.complete)) {
            self.doubts.push(format!("not every message of queue {queue} could be seen"));
        }
        if !peeked.altered.is_empty() {
            let number = count(peeked.altered.len() as u64, "message");
            self.doubts
                .push(format!("{number} of queue {queue} arrived other than it was sent, and may be its {word}"));
        }
        // It may be the claim of anything.
        if *unreadable > 0 {
            let number = count(*unreadable, "message");
            self.doubts.push(format!("{number} of queue {queue} could not be read, and may be its {word}"));
        }
        if let Some(why) = gone.first() {
            let number = count(gone.len() as u64, "message");
            self.doubts.push(format!("{number} of queue {queue} may be its {word}: {why}"));
        }
        if !is_dead {
            self.held += held;
        }
        self.looks.push(QueueLook {
            queue: queue.to_owned(),
            role,
            seen: Some(peeked.seen),
            visible,
            in_flight,
            delayed,
            unreadable: unreadable + gone.len() as u64,
            complete: peeked.complete,
        });
    }

    /// What to call the objects that were found nowhere, so many of them.
    pub fn verdict(&self, nowhere: u64) -> (Category, String) {
        let held = self.held;
        match () {
            () if !self.doubts.is_empty() => (Category::Undetermined, self.doubts.join("; ")),
            () if held == 0 => (Category::Missing, self.missing.to_owned()),
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

    const CLAIMS: Contents<'_> = Contents::Claims { bucket: "b", is_invoked: false };

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
            let mut queues = Queues::of(&CLAIMS);
            let look = Look { peeked: look, unreadable, gone: Vec::new() };
            queues.add("q", &look, role);
            let (category, why) = queues.verdict(2);
            assert_eq!(category, expected, "{role:?} {:?} {unreadable}: {why}", look.peeked);
        }
    }

    #[test]
    fn a_message_about_items_names_them_or_where_they_are_in_the_stream() {
        let told = |body: &str| {
            let message = aws_sdk_sqs::types::Message::builder().message_id("m").body(body).build();
            Contents::Items { partition_key: "id" }.of(Message::from(message))
        };
        let keys = |keys: &[&str]| Told::Keys(keys.iter().map(|key| ((*key).to_owned(), None)).collect());
        for (body, expected) in [
            (r#"{"type":"Created","item":{"id":"a"}}"#, keys(&["a"])),
            (
                r#"{"Records":[{"dynamodb":{"Keys":{"id":{"S":"a"}}}},{"dynamodb":{"Keys":{"id":{"S":"b"}}}}]}"#,
                keys(&["a", "b"]),
            ),
            (r#"{"requestPayload":{"detail":{"id":"a"}}}"#, keys(&["a"])),
            (r#"{"Records":[{"body":"{\"item\":{\"id\":\"a\"}}"}]}"#, keys(&["a"])),
            (r#"{"other":"a"}"#, Told::Unreadable),
            ("a", Told::Unreadable),
            ("", Told::Unreadable),
        ] {
            assert_eq!(told(body), expected, "{body}");
        }
        let position = r#"{"DDBStreamBatchInfo":{"shardId":"s","startSequenceNumber":"1","endSequenceNumber":"2","streamArn":"a"}}"#;
        assert!(matches!(told(position), Told::InStream(position) if position.end_sequence_number == "2"));
    }

    #[test]
    fn records_that_are_gone_from_the_stream_may_have_been_about_anything() {
        let mut queues = Queues::of(&Contents::Items { partition_key: "id" });
        let gone = vec!["the stream no longer holds them".to_owned()];
        let look = Look { peeked: look(ReceiveEnd::Empty, true, 0, 0), unreadable: 0, gone };
        queues.add("dead", &look, Role::DeadLetter);
        let (category, why) = queues.verdict(1);
        assert_eq!(category, Category::Undetermined);
        assert_eq!(why, "1 message of queue dead may be its message: the stream no longer holds them");
        assert_eq!(queues.looks[0].unreadable, 1);
    }

    #[test]
    fn no_doubt_is_forgotten_for_a_later_one() {
        let mut queues = Queues::of(&CLAIMS);
        let heads = Look { peeked: look(ReceiveEnd::Heads, false, 0, 0), unreadable: 0, gone: Vec::new() };
        queues.add("source", &heads, Role::Source);
        let unread = Look { peeked: look(ReceiveEnd::Empty, true, 0, 0), unreadable: 1, gone: Vec::new() };
        queues.add("dead", &unread, Role::DeadLetter);
        let (category, why) = queues.verdict(1);
        assert_eq!(category, Category::Undetermined);
        assert!(why.contains("queue source") && why.contains("1 message of queue dead could not be read"), "{why}");
    }
}
