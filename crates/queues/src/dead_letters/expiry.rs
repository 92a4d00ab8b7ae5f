//! When dead letters are gone for good, and what shortens their life.
//!
//! A message that a standard queue moves to its dead-letter queue keeps the time at which it was first sent; on a FIFO
//! queue that time begins anew (Amazon SQS Developer Guide, "Using dead-letter queues in Amazon SQS").

use claimctl_core::units;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::sources::{Source, source_queues};
use crate::depth::QueueDepth;
use crate::peek::Counts;

/// The longest that SQS keeps a message, in seconds (Amazon SQS API Reference, SetQueueAttributes).
const LONGEST_RETENTION: u64 = 14 * 24 * 3600;

/// When the first of some dead letters is deleted by SQS: between these moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Expiry {
    pub earliest: Timestamp,
    pub latest: Timestamp,
    /// Both are the same, because every dead letter was seen.
    pub exact: bool,
}

impl Expiry {
    /// What follows from the queue's attributes. None: there are no dead letters, as far as the counts tell.
    pub fn without_a_look(queue: &QueueDepth, sources: &[Source], now: Timestamp) -> Option<Expiry> {
        if Counts::from(queue).total() == 0 {
            return None;
        }
        // No dead letter came before there was a queue; but a dead letter of a standard queue was sent before it came.
        let oldest = queue.created_at.map(|created| back(created, age_on_arrival(queue, sources)));
        let known = oldest.filter(|_| queue.retention.is_some());
        let earliest = known.map_or(now, |oldest| dies(oldest, queue)).max(now);
        Some(Expiry { earliest, latest: dies(now, queue), exact: false })
    }

    /// Narrowed by the oldest dead letter that a look saw. `all`: there are no others.
    pub fn seen(self, queue: &QueueDepth, oldest: Option<Timestamp>, all: bool) -> Option<Expiry> {
        match oldest.map(|oldest| dies(oldest, queue)) {
            Some(at) if all && queue.retention.is_some() => Some(Expiry { earliest: at, latest: at, exact: true }),
            Some(at) => Some(Expiry { earliest: self.earliest.min(at), latest: self.latest.min(at), exact: false }),
            None if all => None,
            None => Some(self),
        }
    }

    /// Reads like "in 3d 4h" or "in 10d 2h to 14d 0h".
    pub fn countdown(&self, now: Timestamp) -> String {
        let left = |at: Timestamp| units::duration(at.duration_since(now).try_into().unwrap_or_default());
        match (self.exact, self.earliest <= now) {
            (true, false) => format!("in {}", left(self.latest)),
            (true, true) => "now".to_owned(),
            (false, false) => format!("in {} to {}", left(self.earliest), left(self.latest)),
            (false, true) => format!("within {}", left(self.latest)),
        }
    }
}

/// Whatever takes time away from dead letters, or keeps them from being replayed: sentences.
pub fn hazards(queue: &QueueDepth, sources: &[Source]) -> Vec<String> {
    let kept = |seconds| units::duration(std::time::Duration::from_secs(seconds));
    let too_short = |source: &QueueDepth| {
        let (here, there) = queue.retention.zip(source.retention)?;
        (!queue.fifo && there >= here).then_some((here, there))
    };
    let mut hazards: Vec<_> = source_queues(sources)
        .filter_map(|source| Some((source, too_short(source)?)))
        .map(|(source, (here, there))| {
            format!(
                "{} keeps dead letters {}, and its source {} messages {}: a dead letter keeps the time at which it was first \
                 sent, so one that waited long there dies early, or is gone at once",
                queue.name,
                kept(here),
                source.name,
                kept(there)
            )
        })
        .collect();
    if let Some(next) = &queue.dead_letter {
        hazards.push(format!("{} gives its own dead letters to {next}: looking at it can move them there", queue.name));
    }
    hazards
}

/// How old a dead letter can be when it arrives, in seconds.
fn age_on_arrival(queue: &QueueDepth, sources: &[Source]) -> u64 {
    match queue.fifo {
        true => 0,
        false => {
            let longest = source_queues(sources).map(|source| source.retention.unwrap_or(LONGEST_RETENTION)).max();
            longest.unwrap_or(LONGEST_RETENTION)
        }
    }
}

/// When a dead letter is deleted that was sent then, at the latest where the queue does not say how long it keeps them.
fn dies(sent: Timestamp, queue: &QueueDepth) -> Timestamp {
    sent.checked_add(SignedDuration::from_secs(
        queue.retention.unwrap_or(LONGEST_RETENTION).try_into().unwrap_or(i64::MAX),
    ))
    .unwrap_or(Timestamp::MAX)
}

fn back(from: Timestamp, seconds: u64) -> Timestamp {
    let back = SignedDuration::from_secs(seconds.try_into().unwrap_or(i64::MAX));
    from.checked_sub(back).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 3600;

    fn at(day: u64) -> Timestamp {
        Timestamp::from_second((day * DAY).try_into().unwrap()).unwrap()
    }

    fn queue(name: &str, visible: u64, days: u64, created: u64) -> QueueDepth {
        QueueDepth {
            logical: None,
            stack: None,
            name: name.to_owned(),
            url: String::new(),
            arn: String::new(),
            fifo: name.ends_with(".fifo"),
            visible,
            in_flight: 0,
            delayed: 0,
            dead_letter: None,
            dead_letter_arn: None,
            max_receive_count: None,
            visibility_timeout: Some(30),
            delay: 0,
            retention: Some(days * DAY),
            created_at: Some(at(created)),
            maximum_message_size: Some(1 << 20),
        }
    }

    fn source(days: u64) -> Vec<Source> {
        vec![Source::Queue(Box::new(queue("source", 0, days, 0)))]
    }

    fn days(expiry: Option<Expiry>) -> Option<(i64, i64)> {
        expiry.map(|it| (it.earliest.as_second() / DAY as i64, it.latest.as_second() / DAY as i64))
    }

    #[test]
    fn without_a_look_the_first_dies_between_now_and_the_whole_retention() {
        let now = at(100);
        let first = |queue: QueueDepth, sources: &[Source]| days(Expiry::without_a_look(&queue, sources, now));
        assert_eq!(first(queue("dlq", 0, 14, 0), &source(4)), None, "an empty queue");
        assert_eq!(first(queue("dlq", 1, 14, 0), &source(4)), Some((100, 114)), "an old queue");
        // Made on day 98: the oldest dead letter was sent on day 94 at the earliest, four days before.
        assert_eq!(first(queue("dlq", 1, 14, 98), &source(4)), Some((108, 114)), "a new queue");
        assert_eq!(first(queue("dlq", 1, 14, 98), &[]), Some((100, 114)), "an unknown source may keep 14 days");
        assert_eq!(first(queue("dlq.fifo", 1, 14, 98), &source(4)), Some((112, 114)), "the clock begins anew");
    }

    #[test]
    fn a_look_makes_it_exact_for_what_it_saw() {
        let queue = queue("dlq", 9, 14, 0);
        let wide = Expiry::without_a_look(&queue, &source(4), at(100)).unwrap();
        assert_eq!(days(wide.seen(&queue, Some(at(90)), true)), Some((104, 104)));
        assert_eq!(days(wide.seen(&queue, Some(at(90)), false)), Some((100, 104)), "an older one may be hidden");
        assert_eq!(days(wide.seen(&queue, None, false)), Some((100, 114)));
        assert_eq!(wide.seen(&queue, None, true), None);
    }

    #[test]
    fn a_retention_that_is_not_told_is_not_zero() {
        let queue = QueueDepth { retention: None, ..queue("dlq", 1, 4, 98) };
        let wide = Expiry::without_a_look(&queue, &source(4), at(100));
        assert_eq!(days(wide), Some((100, 114)), "no message lives longer than 14 days");
        let seen = wide.unwrap().seen(&queue, Some(at(90)), true).unwrap();
        assert_eq!((days(Some(seen)), seen.exact), (Some((100, 104)), false));
        assert_eq!(hazards(&queue, &source(4)), Vec::<String>::new());
    }

    #[test]
    fn a_countdown_says_what_is_known() {
        let expiry =
            |earliest, latest| Expiry { earliest: at(earliest), latest: at(latest), exact: earliest == latest };
        assert_eq!(expiry(103, 103).countdown(at(100)), "in 3d 0h");
        assert_eq!(expiry(99, 99).countdown(at(100)), "now");
        assert_eq!(expiry(103, 105).countdown(at(100)), "in 3d 0h to 5d 0h");
        assert_eq!(expiry(100, 105).countdown(at(100)), "within 5d 0h");
    }

    #[test]
    fn a_retention_that_is_no_longer_than_the_sources_is_a_hazard() {
        let (standard, fifo) = (queue("dlq", 0, 4, 0), queue("dlq.fifo", 0, 4, 0));
        assert_eq!(hazards(&standard, &source(3)), Vec::<String>::new());
        assert!(hazards(&standard, &source(4))[0].starts_with("dlq keeps dead letters 4d 0h, and its source source"));
        assert_eq!(hazards(&fifo, &source(14)), Vec::<String>::new());
    }
}
