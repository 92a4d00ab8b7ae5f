//! What there is in dead-letter queues and how long it lives, as far as attributes tell, or a look.

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
use crate::look::{self, Look};

/// A dead-letter queue with what is known of its letters.
#[derive(Debug, Serialize)]
pub struct Letters {
    #[serde(flatten)]
    pub letters: DeadLetterQueue,
    /// When the first letter is deleted by SQS. None: there is none.
    pub first_expires: Option<Expiry>,
    /// What takes time away from letters: sentences.
    pub hazards: Vec<String>,
    pub look: Option<Look>,
    pub why: Option<Why>,
}

/// How closely letters are looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Closely {
    /// Receive every letter, and give it back.
    pub look: bool,
    /// Read the logs of the handlers. Asks for a look.
    pub why: bool,
    /// Look even where the look could move letters on.
    pub force: bool,
}

/// The queues with their letters: who loses one first comes first, empty queues last.
#[derive(Debug, Default)]
pub struct Listed {
    pub queues: Vec<Letters>,
    pub dangling: Vec<String>,
    /// What could not be asked or looked at: sentences.
    pub unseen: Vec<String>,
}

/// These queues by any name that [`resolve`](crate::resolve::resolve) takes.
pub async fn named(target: &Target, names: &[String]) -> Result<DeadLetterQueues> {
    let mut found = DeadLetterQueues::default();
    for queue in crate::depth::named(target, names).await? {
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
    closely: Closely,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<Listed> {
    let mut listed = Listed { dangling: found.dangling, unseen: found.unseen, ..Listed::default() };
    for letters in found.queues {
        let first_expires = Expiry::without_a_look(&letters.queue, &letters.sources, Timestamp::now());
        let hazards = hazards(&letters.queue, &letters.sources);
        let mut letters = Letters { letters, first_expires, hazards, look: None, why: None };
        if closely.look && letters.first_expires.is_some() {
            match letters.look_at(target, closely, cancel, progress).await {
                Err(error) if error.kind() == Kind::Unreachable => return Err(error),
                Err(error) => listed.unseen.push(unseen(&letters, &error)),
                Ok(()) => {}
            }
        }
        listed.queues.push(letters);
    }
    let order = |letters: &Letters| {
        let expiry = letters.first_expires;
        (expiry.is_none(), expiry.map(|expiry| (expiry.latest, expiry.earliest)))
    };
    listed.queues.sort_by_key(order);
    Ok(listed)
}

fn unseen(letters: &Letters, error: &Error) -> String {
    format!("the letters of {} were not looked at: {error}", letters.letters.queue.name)
}

impl Letters {
    async fn look_at(
        &mut self,
        target: &Target,
        closely: Closely,
        cancel: &Cancel,
        progress: &dyn Progress,
    ) -> Result<()> {
        let depth = &self.letters.queue;
        if cancel.is_cancelled() {
            return Err(Error::interrupted("interrupted"));
        }
        if !closely.force {
            inspect::allow(depth, !self.letters.sources.is_empty())?;
        }
        let queue = Queue::new(target.sqs(), &depth.url);
        let mut oldest: Option<Timestamp> = None;
        let mut of_letters = why::Letters::default();
        let look = look::look(&queue, None, cancel, progress, |message| {
            oldest = oldest.into_iter().chain(message.sent_at).min();
            if closely.why {
                of_letters.add(&message);
            }
            Ok(())
        })
        .await?;
        let hidden = look.about.before.in_flight + look.about.before.delayed;
        let all = look.complete && hidden == 0;
        self.first_expires = self.first_expires.and_then(|expiry| expiry.seen(depth, oldest, all));
        self.look = Some(look);
        if closely.why {
            self.why = Some(of_letters.explain(target, &self.letters.sources, cancel).await?);
        }
        Ok(())
    }

    pub fn sources(&self) -> &[Source] {
        &self.letters.sources
    }
}
