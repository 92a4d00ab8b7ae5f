//! Looks at dead letters and groups them by shape, each group with an example, while the preflight judges them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use claimctl_core::progress::Progress;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::failed::FailedInvocation;
use super::mark;
use super::preflight::{CHUNK, Judged, Preflight};
use super::shape::Shape;
use super::verdict::Verdict;
use crate::Queue;
use crate::depth::QueueDepth;
use crate::message::Message;
use crate::peek::{self, PeekReport};
use crate::recipients;
use crate::select::Selection;

/// Shapes told apart. Beyond that, dead letters of further prefixes go together.
const MOST_SHAPES: usize = 500;

/// What is known of one dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    pub message_id: String,
    /// None: not judged.
    pub verdict: Option<Verdict>,
    pub why: Option<String>,
    /// How often it was replayed before.
    pub replays: u32,
    /// Of its first claim.
    pub bucket: Option<String>,
    pub key: Option<String>,
    /// The partition keys of the items that it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<String>,
    /// Whom it is for, where it says that itself: "function P-start-settlement".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// What Lambda's record of a failed invocation tells.
    #[serde(flatten)]
    pub failed: FailedInvocation,
}

/// Dead letters of one shape.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    pub messages: u64,
    #[serde(flatten)]
    pub shape: Shape,
    /// Of any dead letter in the group.
    pub most_replays: u32,
    /// The first that was seen.
    pub example: DeadLetter,
}

pub struct Wanted<'a> {
    /// Messages to look at. None: all there are.
    pub limit: Option<usize>,
    /// Which of those are told of.
    pub selection: &'a Selection,
    /// Ends the look when so many were selected.
    pub most: Option<u64>,
}

/// What a look at dead letters found.
pub struct Inspected {
    pub look: PeekReport,
    /// The largest first.
    pub groups: Vec<Group>,
    /// Ids that were asked for and not seen.
    pub missing: Vec<String>,
}

/// Refuses a queue that is no dead-letter queue as far as can be told: its consumer would notice the look.
pub fn allow(depth: &QueueDepth, is_dead_letter_queue: bool) -> Result<()> {
    match &depth.dead_letter {
        Some(dead_letters) if !is_dead_letter_queue => Err(Error::refused(format!(
            "queue {} is a source: it gives its dead letters to {dead_letters}",
            depth.name
        ))
        .next("its dead letters", Next::verb("dlq inspect").word(dead_letters))
        .next("look at it all the same", Next::again().word("--force"))),
        _ => peek::allow(depth),
    }
}

/// Looks at the dead letters, which are given back whatever happens, and groups them.
///
/// Each dead letter goes to `each` once it is judged. An error of `each` or of a service ends the look.
pub async fn inspect(
    queue: &Queue,
    preflight: Option<&Preflight>,
    wanted: &Wanted<'_>,
    cancel: &Cancel,
    progress: &dyn Progress,
    each: impl FnMut(DeadLetter) -> Result<()>,
) -> Result<Inspected> {
    let (sender, receiver) = unbounded_channel();
    let mut selected = 0;
    let mut sought = wanted.selection.sought();
    let ids = &mut sought;
    let looking = peek::peek_until(queue, wanted.limit, cancel, progress, move |mut message| {
        ids.met(&message.message_id);
        if !wanted.selection.takes(&message)? {
            return Ok(ControlFlow::Continue(()));
        }
        if let Some(preflight) = preflight {
            preflight.read_body(&mut message);
        }
        let (shape, failed) = (Shape::of(&message), FailedInvocation::of(&message));
        // Nobody listens any more: judging has failed, and says why.
        sender.send(((shape, failed), lightened(message))).map_err(|_| Error::unexpected("the look was stopped"))?;
        selected += 1;
        let enough = wanted.most.is_some_and(|most| selected >= most);
        Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    });
    let (looked, groups) = tokio::join!(looking, judge(receiver, preflight, each));
    let groups = groups?;
    Ok(Inspected { look: looked?, groups, missing: sought.missing() })
}

/// Only what verdicts are made from is kept: many dead letters may wait to be judged.
fn lightened(message: Message) -> Message {
    let is_kept = |name: &str| [mark::ATTRIBUTE, recipients::RULE, recipients::TARGET].contains(&name);
    let attributes = message.attributes.into_iter().filter(|(name, _)| is_kept(name)).collect();
    Message { body: String::new(), md5: String::new(), system: BTreeMap::new(), attributes, ..message }
}

async fn judge(
    mut receiver: UnboundedReceiver<((Shape, FailedInvocation), Message)>,
    preflight: Option<&Preflight>,
    mut each: impl FnMut(DeadLetter) -> Result<()>,
) -> Result<Vec<Group>> {
    let mut groups: BTreeMap<Shape, Group> = BTreeMap::new();
    let mut chunk = Vec::with_capacity(CHUNK);
    while receiver.recv_many(&mut chunk, CHUNK).await > 0 {
        let (shapes, messages): (Vec<_>, Vec<_>) = chunk.drain(..).unzip();
        let dead_letters: Vec<DeadLetter> = match preflight {
            Some(preflight) => preflight.judge(messages).await?.into_iter().map(DeadLetter::from).collect(),
            None => messages.iter().map(|message| DeadLetter::of(message, None, None)).collect(),
        };
        for ((shape, failed), dead_letter) in shapes.into_iter().zip(dead_letters) {
            let dead_letter = DeadLetter { failed, ..dead_letter };
            add(&mut groups, Shape { verdict: dead_letter.verdict, ..shape }, &dead_letter);
            each(dead_letter)?;
        }
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by(|a, b| b.messages.cmp(&a.messages).then_with(|| a.shape.cmp(&b.shape)));
    Ok(groups)
}

fn add(groups: &mut BTreeMap<Shape, Group>, shape: Shape, dead_letter: &DeadLetter) {
    let is_one_more = groups.len() >= MOST_SHAPES && !groups.contains_key(&shape);
    let shape = if is_one_more { shape.without_prefix() } else { shape };
    let group = groups.entry(shape).or_insert_with_key(|shape| Group {
        messages: 0,
        shape: shape.clone(),
        most_replays: 0,
        example: dead_letter.clone(),
    });
    group.messages += 1;
    group.most_replays = group.most_replays.max(dead_letter.replays);
}

impl DeadLetter {
    pub fn of(message: &Message, verdict: Option<Verdict>, why: Option<String>) -> DeadLetter {
        let claim = message.claims.first();
        DeadLetter {
            message_id: message.message_id.clone(),
            verdict,
            why,
            replays: mark::replays(message),
            bucket: claim.map(|claim| claim.bucket.clone()),
            key: claim.map(|claim| claim.key.clone()),
            items: message.items.iter().map(|item| item.key.clone()).collect(),
            recipient: None,
            failed: FailedInvocation::default(),
        }
    }
}

impl From<Judged> for DeadLetter {
    fn from(judged: Judged) -> DeadLetter {
        let Judged { message, verdict, why, recipient, .. } = judged;
        DeadLetter { recipient, ..DeadLetter::of(&message, Some(verdict), why) }
    }
}
