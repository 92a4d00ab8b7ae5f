//! A look into a queue that tells what it saw and what it cost. SQS has no peek: a receive is a receive.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use claimctl_aws::policy::Statement;
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use claimctl_core::progress::{Progress, Unit};
use claimctl_core::units;
use serde::Serialize;

use super::deletes::Left;
use super::depth::{self, QueueDepth};
use super::in_flight::Returned;
use super::message::Message;
use super::policy::PolicyQueue;
use super::receive::{self, ReceiveEnd, ReceiveOptions, Receiver, Until};
use super::{Queue, resolve};

/// Long enough that extending 100,000 held messages keeps up, short enough to wait for after a `kill -9`.
const VISIBILITY: Duration = Duration::from_secs(60);

/// A redrive policy that allows no more receives than this is not looked past: the look would use them up.
const TOO_FEW_RECEIVES: u32 = 2;

/// What a look saw, and what it left behind.
#[derive(Debug, Serialize)]
pub struct PeekReport {
    /// Messages looked at, each once.
    pub seen: u64,
    /// Everything that was visible when the look began was seen, as far as the counts tell. Says nothing of what is in
    /// flight or delayed.
    pub complete: bool,
    pub ended: ReceiveEnd,
    pub about: About,
    pub cost: Cost,
    /// Messages that did not arrive as they were sent: not looked at, and given back.
    pub altered: Vec<Left>,
    #[serde(flatten)]
    pub given_back: Returned,
}

/// The counts of SQS, which are approximate.
#[derive(Debug, Serialize)]
pub struct About {
    pub before: Counts,
    pub after: Counts,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub visible: u64,
    pub in_flight: u64,
    pub delayed: u64,
}

#[derive(Debug, Serialize)]
pub struct Cost {
    /// Receives that were added to receive counts: one for each message seen, more where one came twice.
    pub receives: u64,
    /// How long messages may have been hidden from their consumer, in seconds.
    pub hidden_seconds: f64,
    /// None: no redrive policy.
    pub max_receive_count: Option<u32>,
    /// Messages that the next receive moves to the dead-letter queue.
    pub at_maximum: Vec<String>,
    pub dead_letter: Option<DeadLetterQueueGrowth>,
}

/// The dead-letter queue, and by how much it grew during the look.
#[derive(Debug, Serialize)]
pub struct DeadLetterQueueGrowth {
    pub queue: String,
    /// Messages, approximate. None: its counts cannot be read with these credentials.
    pub growth: Option<i64>,
}

impl From<&QueueDepth> for Counts {
    fn from(depth: &QueueDepth) -> Self {
        Counts { visible: depth.visible, in_flight: depth.in_flight, delayed: depth.delayed }
    }
}

impl Counts {
    pub fn total(&self) -> u64 {
        self.visible + self.in_flight + self.delayed
    }

    /// What a queue still holds, as a sentence. None: its counts could not be read.
    pub fn left(after: Option<Counts>) -> String {
        match after {
            None => "what is still in the queue is unknown: its counts cannot be read".to_owned(),
            Some(after) if after.total() == 0 => {
                "nothing is counted in the queue any more; SQS counts approximately, and its counts settle within minutes"
                    .to_owned()
            }
            Some(Counts { visible, in_flight, delayed }) => {
                format!("still in the queue: about {visible} visible, {in_flight} in flight, {delayed} delayed")
            }
        }
    }
}

/// What IAM has to allow for a look into a queue that also tells whether its dead-letter queue grew.
pub fn permissions(queue: &PolicyQueue) -> Vec<Statement> {
    let mut statements = vec![queue.permissions("LookIntoQueue", &receive::CALLS)];
    statements.extend(queue.dead_letter_permissions("CountDeadLetters", &[]));
    statements
}

/// Refuses a queue whose messages a look could move to the dead-letter queue.
///
/// By policy, because a message's receive count is known only once it is received.
pub fn allow(depth: &QueueDepth) -> Result<()> {
    match (depth.max_receive_count, &depth.dead_letter) {
        (Some(count), Some(dead_letter)) if count <= TOO_FEW_RECEIVES => Err(Error::refused(format!(
            "queue {} moves a message to {dead_letter} after {}, and a look is a receive",
            depth.name,
            units::count(count.into(), "receive")
        ))
        .next("look all the same", Next::again().word("--force"))
        .next("counts without a look", Next::verb("queue ls").word(&depth.name))),
        _ => Ok(()),
    }
}

/// Looks at up to `limit` messages (None: all, up to 100,000), and gives all of them back, whatever happens.
///
/// Each message goes to `sink` once, as it comes. An error of `sink` ends the look, and is returned after the release.
pub async fn peek(
    queue: &Queue,
    limit: Option<usize>,
    cancel: &Cancel,
    progress: &dyn Progress,
    mut sink: impl FnMut(Message) -> Result<()>,
) -> Result<PeekReport> {
    peek_until(queue, limit, cancel, progress, |message| sink(message).map(ControlFlow::Continue)).await
}

/// The same until `sink` has enough. What was on its way then has been received, and is given back without being seen.
pub async fn peek_until(
    queue: &Queue,
    limit: Option<usize>,
    cancel: &Cancel,
    progress: &dyn Progress,
    mut sink: impl FnMut(Message) -> Result<ControlFlow<()>>,
) -> Result<PeekReport> {
    let before = depth::read(&queue.sqs, &queue.url).await?;
    let dead_letters_before = dead_letters(queue, &before).await;
    let began = Instant::now();
    let options = ReceiveOptions { limit, expected: before.visible, visibility: VISIBILITY, until: Until::Seen };
    progress.start("looking", limit.map(|limit| limit as u64), Unit::Items);
    let mut receiver = Receiver::new(queue.clone(), options, cancel);
    let (mut received, mut seen) = (0, 0);
    let mut at_maximum = Vec::new();
    let mut sunk = Ok(ControlFlow::Continue(()));
    while let Some(messages) = receiver.next().await {
        progress.advance(messages.len() as u64);
        for message in messages.into_iter().map(Message::from) {
            received += 1;
            if before.max_receive_count.is_some_and(|maximum| message.receive_count >= maximum) {
                at_maximum.push(message.message_id.clone());
            }
            if let Ok(ControlFlow::Continue(())) = sunk {
                seen += 1;
                sunk = sink(message);
            }
        }
        if !matches!(sunk, Ok(ControlFlow::Continue(()))) {
            receiver.stop();
        }
    }
    progress.start("giving back", None, Unit::Steps);
    let finished = receiver.finish().await;
    progress.finish();
    let hidden = began.elapsed();
    let left = &finished.returned.not_released;
    if let Some(last) = left.iter().max_by_key(|left| left.visible_at) {
        let number = units::count(left.len() as u64, "message");
        progress.note(&format!("{number} could not be given back; visible again by themselves at {}", last.visible_at));
    }
    sunk.map(drop)?;
    let ended = finished.ended?;
    let after = depth::read(&queue.sqs, &queue.url).await?;
    let dead_letters_after = dead_letters(queue, &before).await;
    let growth = || Some(dead_letters_after? as i64 - dead_letters_before? as i64);
    at_maximum.sort();
    Ok(PeekReport {
        seen,
        // An answer that was lost on the way has hidden messages that nobody saw; so has another consumer.
        complete: ended == ReceiveEnd::Empty && seen >= before.visible && finished.altered.is_empty(),
        ended,
        about: About { before: Counts::from(&before), after: Counts::from(&after) },
        cost: Cost {
            receives: received + finished.again + finished.altered.len() as u64,
            hidden_seconds: hidden.as_secs_f64(),
            max_receive_count: before.max_receive_count,
            at_maximum,
            dead_letter: before.dead_letter.map(|queue| DeadLetterQueueGrowth { queue, growth: growth() }),
        },
        altered: finished.altered,
        given_back: finished.returned,
    })
}

/// How many messages the dead-letter queue holds. It may belong to another account, so that not knowing is no error.
async fn dead_letters(queue: &Queue, depth: &QueueDepth) -> Option<u64> {
    let url = resolve::by_arn(&queue.sqs, depth.dead_letter_arn.as_deref()?).await.ok()?;
    let depth = depth::read(&queue.sqs, &url).await.ok()?;
    Some(Counts::from(&depth).total())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;
    use claimctl_core::error::Kind;
    use claimctl_core::progress::Silent;

    #[tokio::test]
    async fn a_reader_that_goes_away_leaves_everything_visible() {
        let fake = Fake::with(60);
        let mut shown = 0;
        let ended = peek(&fake.queue(), None, &Cancel::default(), &Silent, |_| {
            shown += 1;
            if shown == 5 { Err(Error::new(Kind::ClosedPipe, "gone")) } else { Ok(()) }
        })
        .await;
        assert_eq!(ended.unwrap_err().kind(), Kind::ClosedPipe);
        assert_eq!((shown, fake.visible()), (5, 60));
    }

    #[tokio::test]
    async fn a_reader_that_has_enough_ends_the_look_and_everything_is_visible() {
        let fake = Fake::with(60);
        let mut shown = 0;
        let look = peek_until(&fake.queue(), None, &Cancel::default(), &Silent, |_| {
            shown += 1;
            Ok(if shown == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
        .await
        .unwrap();
        assert_eq!((look.seen, look.ended, look.complete, fake.visible()), (5, ReceiveEnd::Stopped, false, 60));
        assert!(look.cost.receives > 5 && look.cost.receives == look.given_back.released, "{look:?}");
    }

    #[tokio::test]
    async fn the_cost_of_a_look_is_told() {
        let fake = Fake::with(14);
        fake.change(|state| {
            state.messages.get_mut(&3).unwrap().receives = 2;
            let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:r:a:dlq","maxReceiveCount":3}"#;
            state.attributes.insert("RedrivePolicy", policy.to_owned());
        });
        let look = peek(&fake.queue(), None, &Cancel::default(), &Silent, |_| Ok(())).await.unwrap();
        assert_eq!((look.seen, look.given_back.released, look.complete), (14, 14, true));
        assert_eq!((look.about.before.visible, look.about.after.visible), (14, 14));
        assert_eq!(look.cost.receives, 14);
        assert_eq!(look.cost.at_maximum, ["m3"]);
        assert_eq!(look.cost.dead_letter.unwrap().growth, None, "that queue cannot be seen");
    }

    #[tokio::test]
    async fn a_message_that_was_changed_on_the_way_is_not_shown_and_given_back() {
        let fake = Fake::with(14);
        fake.change(|state| state.altered = vec![5]);
        let mut shown = Vec::new();
        let sink = |message: Message| {
            shown.push(message.message_id);
            Ok(())
        };
        let look = peek(&fake.queue(), None, &Cancel::default(), &Silent, sink).await.unwrap();
        assert_eq!((look.seen, look.complete, look.cost.receives, fake.visible()), (13, false, 14, 14));
        assert_eq!((look.altered[0].message_id.as_str(), shown.contains(&"m5".to_owned())), ("m5", false));
    }

    #[tokio::test]
    async fn a_queue_that_allows_two_receives_is_not_looked_at() {
        for (count, allowed) in [("1", false), ("\"2\"", false), ("3", true)] {
            let fake = Fake::with(0);
            let policy = format!(r#"{{"deadLetterTargetArn":"arn:aws:sqs:r:a:dlq","maxReceiveCount":{count}}}"#);
            fake.change(|state| state.attributes.insert("RedrivePolicy", policy));
            let queue = fake.queue();
            let depth = depth::read(&queue.sqs, &queue.url).await.unwrap();
            assert_eq!(allow(&depth).map_err(|error| error.kind()), if allowed { Ok(()) } else { Err(Kind::Refused) });
        }
    }
}
