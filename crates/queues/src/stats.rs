//! How queues move: their counts, sampled again and again, and what the change of the counts tells.
//!
//! SQS counts what is there, and not what came and went, so that only the difference of the two is known.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::target::Target;
use claimctl_claim::surface::Surface;
use claimctl_core::error::Result;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;

use super::depth::{self, CONCURRENCY, QueueDepth, QueueDepths, UnreadQueue};
use super::policy::PolicyQueue;
use super::resolve::GET_URL;

/// Rates are taken over so long, if there are samples of it: the counts are right only about a minute after the last
/// message came (Amazon SQS API Reference, GetQueueAttributes), so that a shorter time shows their noise.
const WINDOW: Duration = Duration::from_secs(30);

/// One queue at one moment. All counts are messages, and approximate.
#[derive(Debug, Clone, Serialize)]
pub struct QueueStats {
    pub at: Timestamp,
    /// The real name.
    pub queue: String,
    /// The name in the surface, where a stack owns the queue.
    pub logical: Option<String>,
    pub stack: Option<String>,
    /// Another queue of the sample sends its dead letters here, or its stack says that something does.
    pub takes_dead_letters: bool,
    /// Name of the queue that takes what was received too often.
    pub dead_letter: Option<String>,
    pub counts: Option<Counts>,
    /// None: there was no earlier sample.
    pub motion: Option<Motion>,
    /// Why it could not be counted this time.
    pub why: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub struct Counts {
    pub visible: u64,
    pub in_flight: u64,
    pub delayed: u64,
    /// All three.
    pub total: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Motion {
    /// What came in less what went out: messages per second.
    pub net_per_second: f64,
    /// The time that the rate was taken over.
    pub over_seconds: f64,
    /// When nothing will be left if it goes on so. None: the queue does not fall.
    pub empty_in_seconds: Option<f64>,
}

/// The queues that are watched, and their samples so far.
pub struct Watch {
    sqs: aws_sdk_sqs::Client,
    queues: Vec<Watched>,
    /// Could not be read when the watch began.
    unread: Vec<UnreadQueue>,
}

struct Watched {
    depth: QueueDepth,
    takes_dead_letters: bool,
    at: Timestamp,
    samples: Samples,
    why: Option<String>,
}

/// Moments by the monotonic clock, and how many messages there were in all.
#[derive(Default)]
struct Samples(VecDeque<(Instant, u64)>);

/// What IAM has to allow to watch these queues; without names, those of the account.
pub async fn permissions(target: &Target, arns: &ArnBuilder, names: &[String]) -> Result<Vec<Statement>> {
    if names.is_empty() {
        let mut all = depth::permissions(arns);
        all.push(Statement::allow("FindDeadLetters", &[GET_URL], [arns.arn("sqs", "*")]));
        return Ok(all);
    }
    let mut all = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let queue = PolicyQueue::find(target, arns, name).await?;
        all.push(queue.permissions(&format!("SeeDepth{number}"), &[]));
        all.extend(queue.dead_letter_permissions(&format!("SeeDeadLetters{number}"), &[]));
    }
    Ok(all)
}

impl Watch {
    /// Finds the queues by name, or all of the deployed stacks or the account as [`depth::list`] does, with their
    /// dead-letter queues; this is the first sample. A queue that was named must be there; one that cannot be read says
    /// why, in every sample.
    pub async fn begin(target: &Target, names: &[String], all: bool) -> Result<Watch> {
        let QueueDepths { queues, mut unread } = match names {
            [] => depth::list(target, all).await?,
            names => depth::named(target, names).await?,
        };
        let mut found = Vec::with_capacity(queues.len());
        for depth in queues {
            let dead_letters = depth.dead_letter_arn.clone();
            found.push(depth);
            let Some(arn) = dead_letters.filter(|arn| !found.iter().any(|known| known.arn == *arn)) else { continue };
            let is_known = unread.iter().any(|known| known.name == depth::name_of(&arn));
            match depth::named(target, std::slice::from_ref(&arn)).await {
                Ok(read) => found.extend(read.queues),
                Err(_) if is_known => {}
                Err(error) => unread.push(UnreadQueue::of(&arn, None, &error)),
            }
        }
        let surfaces = target.surfaces().await?;
        let takes_by_surface = |depth: &QueueDepth| {
            let owned = |stack: &&Surface| depth.stack.as_ref() == Some(&stack.stack);
            let takes = |stack: &Surface| depth.logical.as_ref().is_some_and(|name| stack.takes_dead_letters(name));
            surfaces.0.iter().filter(owned).any(takes)
        };
        let queues = in_order(found).into_iter().map(|(depth, is_target)| {
            let takes_dead_letters = is_target || takes_by_surface(&depth);
            let mut samples = Samples::default();
            samples.add(Instant::now(), total(&depth));
            Watched { depth, takes_dead_letters, at: Timestamp::now(), samples, why: None }
        });
        Ok(Watch { sqs: target.sqs(), queues: queues.collect(), unread })
    }

    /// Takes another sample. A queue that cannot be read this time says why, and is asked again the next time.
    pub async fn again(&mut self) {
        let sqs = &self.sqs;
        stream::iter(&mut self.queues)
            .for_each_concurrent(CONCURRENCY, |queue| async move {
                let read = depth::read(sqs, &queue.depth.url).await;
                queue.at = Timestamp::now();
                match read {
                    Ok(depth) => {
                        queue.samples.add(Instant::now(), total(&depth));
                        queue.why = None;
                        let QueueDepth { visible, in_flight, delayed, .. } = depth;
                        queue.depth = QueueDepth { visible, in_flight, delayed, ..queue.depth.clone() };
                    }
                    Err(error) => queue.why = Some(error.chain().join(": ")),
                }
            })
            .await;
    }

    /// The last sample: every queue, followed by its dead-letter queue; at the end those that cannot be read.
    pub fn stats(&self) -> Vec<QueueStats> {
        let unread = self.unread.iter().map(|unread| QueueStats {
            at: Timestamp::now(),
            queue: unread.name.clone(),
            logical: unread.logical.clone(),
            stack: unread.stack.clone(),
            takes_dead_letters: false,
            dead_letter: None,
            counts: None,
            motion: None,
            why: Some(unread.why.clone()),
        });
        self.queues.iter().map(Watched::stats).chain(unread).collect()
    }
}

impl Watched {
    fn stats(&self) -> QueueStats {
        let depth = &self.depth;
        let QueueDepth { visible, in_flight, delayed, .. } = *depth;
        let counts = Counts { visible, in_flight, delayed, total: total(depth) };
        QueueStats {
            at: self.at,
            queue: depth.name.clone(),
            logical: depth.logical.clone(),
            stack: depth.stack.clone(),
            takes_dead_letters: self.takes_dead_letters,
            dead_letter: depth.dead_letter.clone(),
            counts: self.why.is_none().then_some(counts),
            motion: self.samples.motion().filter(|_| self.why.is_none()),
            why: self.why.clone(),
        }
    }
}

impl Samples {
    fn add(&mut self, at: Instant, total: u64) {
        self.0.push_back((at, total));
        // The oldest one goes once the next is old enough to span the window.
        while self.0.get(1).is_some_and(|(next, _)| at.duration_since(*next) >= WINDOW) {
            self.0.pop_front();
        }
    }

    fn motion(&self) -> Option<Motion> {
        let ((began, before), (ended, now)) = (self.0.front()?, self.0.back()?);
        let over_seconds = ended.duration_since(*began).as_secs_f64();
        if over_seconds <= 0.0 {
            return None;
        }
        let net_per_second = (*now as f64 - *before as f64) / over_seconds;
        let falls = net_per_second < 0.0 && *now > 0;
        Some(Motion { net_per_second, over_seconds, empty_in_seconds: falls.then(|| *now as f64 / -net_per_second) })
    }
}

fn total(depth: &QueueDepth) -> u64 {
    depth.visible + depth.in_flight + depth.delayed
}

/// Each queue once, a dead-letter queue behind the first that sends to it, and whether it is one.
fn in_order(found: Vec<QueueDepth>) -> Vec<(QueueDepth, bool)> {
    let targets: HashSet<_> = found.iter().filter_map(|queue| queue.dead_letter_arn.clone()).collect();
    let is_target = |queue: &QueueDepth| targets.contains(&queue.arn);
    // Two queues may be each other's; then neither comes first by itself.
    let (last, first): (Vec<_>, Vec<_>) = found.iter().partition(|queue| is_target(queue));
    let mut placed = HashSet::new();
    let mut order = Vec::with_capacity(found.len());
    for queue in first.into_iter().chain(last) {
        let mut next = Some(queue);
        while let Some(queue) = next.filter(|queue| placed.insert(queue.id())) {
            order.push((queue.clone(), is_target(queue)));
            next = found.iter().find(|other| queue.dead_letter_arn.as_deref() == Some(&*other.arn));
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(totals: &[(u64, u64)]) -> Samples {
        let began = Instant::now();
        let mut samples = Samples::default();
        for (second, total) in totals {
            samples.add(began + Duration::from_secs(*second), *total);
        }
        samples
    }

    #[test]
    fn one_sample_tells_no_motion() {
        assert_eq!(samples(&[]).motion(), None);
        assert_eq!(samples(&[(0, 5)]).motion(), None);
    }

    #[test]
    fn a_queue_that_falls_will_be_empty() {
        let motion = samples(&[(0, 100), (2, 90), (4, 60)]).motion();
        let expected = Motion { net_per_second: -10.0, over_seconds: 4.0, empty_in_seconds: Some(6.0) };
        assert_eq!(motion, Some(expected));
    }

    #[test]
    fn a_queue_that_does_not_fall_or_is_empty_has_no_end_in_sight() {
        for totals in [&[(0, 5), (2, 5)][..], &[(0, 5), (2, 9)], &[(0, 5), (2, 0)], &[(0, 0), (2, 0)]] {
            assert_eq!(samples(totals).motion().unwrap().empty_in_seconds, None, "{totals:?}");
        }
    }

    #[test]
    fn what_is_long_past_does_not_count_but_two_samples_always_do() {
        let long: Vec<_> = (0..100).map(|second| (second, if second < 50 { 1_000 } else { 1_000 - second })).collect();
        let long = samples(&long);
        assert_eq!(long.motion().unwrap().over_seconds, WINDOW.as_secs_f64());
        assert!(long.0.len() <= 31, "{}", long.0.len());
        assert_eq!(samples(&[(0, 10), (3_600, 20)]).motion().unwrap().over_seconds, 3_600.0);
    }

    fn queue(name: &str, dead_letters: Option<&str>) -> QueueDepth {
        QueueDepth {
            logical: None,
            stack: None,
            name: name.to_owned(),
            url: format!("http://q/{name}"),
            arn: name.to_owned(),
            fifo: false,
            visible: 0,
            in_flight: 0,
            delayed: 0,
            dead_letter: dead_letters.map(str::to_owned),
            dead_letter_arn: dead_letters.map(str::to_owned),
            max_receive_count: None,
            visibility_timeout: Some(30),
            delay: 0,
            retention: Some(345_600),
            maximum_message_size: Some(1 << 20),
            created_at: None,
        }
    }

    #[test]
    fn a_dead_letter_queue_follows_its_source_and_nothing_is_shown_twice_or_left_out() {
        let rows = [
            (vec![("a-dlq", None), ("b", None), ("c", Some("a-dlq"))], vec!["b", "c", "a-dlq"]),
            (vec![("a", Some("d")), ("b", Some("d")), ("d", None), ("a", Some("d"))], vec!["a", "d", "b"]),
            (vec![("a", Some("b")), ("b", Some("a"))], vec!["a", "b"]),
            (vec![("a", Some("elsewhere"))], vec!["a"]),
        ];
        for (queues, expected) in rows {
            let found = queues.iter().map(|(name, dead_letters)| queue(name, *dead_letters)).collect();
            let order: Vec<_> = in_order(found).into_iter().map(|(queue, _)| queue.name).collect();
            assert_eq!(order, expected);
        }
    }
}
