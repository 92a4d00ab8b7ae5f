//! What there is in dead-letter queues and how long it lives: as far as attributes tell, or by a look.

use claimctl_aws::target::Target;
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::progress::Progress;
use jiff::Timestamp;
use serde::Serialize;

use super::expiry::{Expiry, hazards};
use super::inspect;
use super::sources::{self, DeadLetterQueue, DeadLetterQueues, Source};
use super::why::{self, Why};
use crate::Queue;
use crate::peek::{self, PeekReport};

/// A dead-letter queue with what is known of its dead letters.
#[derive(Debug, Serialize)]
pub struct ListedQueue {
    #[serde(flatten)]
    pub found: DeadLetterQueue,
    /// When the first dead letter is deleted by SQS. None: there is none.
    pub first_expires: Option<Expiry>,
    /// What takes time away from dead letters: sentences.
    pub hazards: Vec<String>,
    pub look: Option<PeekReport>,
    pub why: Option<Why>,
}

/// How closely dead letters are looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct ListOptions {
    /// Receive every dead letter, and give it back.
    pub look: bool,
    /// Read the logs of the handlers. Asks for a look.
    pub why: bool,
    /// Look even where the look could move dead letters on.
    pub force: bool,
}

/// The queues with their dead letters: who loses one first comes first, empty queues last.
#[derive(Debug, Default)]
pub struct Listed {
    pub queues: Vec<ListedQueue>,
    pub dangling: Vec<String>,
    /// What could not be asked or looked at: sentences.
    pub unseen: Vec<String>,
}

/// These queues by any name that [`resolve`](crate::resolve::resolve) takes.
pub async fn named(target: &Target, names: &[String]) -> Result<DeadLetterQueues> {
    let mut found = DeadLetterQueues::default();
    for queue in sources::seen(crate::depth::named(target, names).await?, &mut found.unseen) {
        let sources = sources::of(target, &queue).await?;
        found.queues.push(DeadLetterQueue { queue, sources: sources.sources });
        found.unseen.extend(sources.unseen);
    }
    found.unseen.sort();
    found.unseen.dedup();
    Ok(found)
}

pub async fn list(
    target: &Target,
    found: DeadLetterQueues,
    options: ListOptions,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<Listed> {
    let mut listed = Listed { dangling: found.dangling, unseen: found.unseen, ..Listed::default() };
    for found in found.queues {
        let first_expires = Expiry::without_a_look(&found.queue, &found.sources, Timestamp::now());
        let hazards = hazards(&found.queue, &found.sources);
        let mut queue = ListedQueue { found, first_expires, hazards, look: None, why: None };
        if options.look && queue.first_expires.is_some() {
            match queue.peek(target, options, cancel, progress).await {
                Err(error) if error.kind() == Kind::Unreachable => return Err(error),
                Err(error) => listed.unseen.push(unseen(&queue, &error)),
                Ok(()) => {}
            }
        }
        listed.queues.push(queue);
    }
    let order = |queue: &ListedQueue| {
        let expiry = queue.first_expires;
        (expiry.is_none(), expiry.map(|expiry| (expiry.latest, expiry.earliest)))
    };
    listed.queues.sort_by_key(order);
    Ok(listed)
}

fn unseen(queue: &ListedQueue, error: &Error) -> String {
    format!("the dead letters of {} were not looked at: {error}", queue.found.queue.name)
}

impl ListedQueue {
    async fn peek(
        &mut self,
        target: &Target,
        options: ListOptions,
        cancel: &Cancel,
        progress: &dyn Progress,
    ) -> Result<()> {
        let depth = &self.found.queue;
        if cancel.is_cancelled() {
            return Err(Error::interrupted("interrupted"));
        }
        if !options.force {
            inspect::allow(depth, !self.found.sources.is_empty())?;
        }
        let queue = Queue::new(target.sqs(), &depth.url);
        let mut oldest: Option<Timestamp> = None;
        let mut reasons = why::DeadLetters::default();
        let look = peek::peek(&queue, None, cancel, progress, |message| {
            oldest = oldest.into_iter().chain(message.sent_at).min();
            if options.why {
                reasons.add(&message);
            }
            Ok(())
        })
        .await?;
        let hidden = look.about.before.in_flight + look.about.before.delayed;
        let all = look.complete && hidden == 0;
        self.first_expires = self.first_expires.and_then(|expiry| expiry.seen(depth, oldest, all));
        self.look = Some(look);
        if options.why {
            self.why = Some(reasons.explain(target, &self.found.sources, cancel).await?);
        }
        Ok(())
    }

    pub fn sources(&self) -> &[Source] {
        &self.found.sources
    }
}
