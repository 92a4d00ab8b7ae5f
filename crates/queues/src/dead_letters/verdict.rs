//! What may be done with a dead letter, judged from what its claims say, the bucket holds and the table records.
//! Pure: whoever asks the services hands in their answers.

use std::fmt;

use claimctl_aws::objects::{ObjectEntry, agree};
use claimctl_aws::sinks::record::RecordEntry;
use claimctl_claim::item::{Item, is_outcome};
use claimctl_claim::{AfterProcessing, Claim};
use serde::{Deserialize, Serialize};

use crate::message::Message;

/// Whether a dead letter should be sent again. Where the claims of a message differ, the last of theirs in this order
/// counts: a message can only be sent as a whole, and is recorded only as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The handler is done with it, or has recorded a later event of the key: sending it changes nothing.
    AlreadyRecorded,
    /// The payload is there as claimed, and not recorded; or its after-processing step is still to be done.
    Send,
    /// It would be sent, but came back as often as is allowed.
    Replayed,
    /// Readable and without a claim: S3's test event.
    NoClaim,
    /// The payload could not be looked at.
    Undetermined,
    /// The object is another than the one claimed.
    PayloadChanged,
    /// What it is about is gone: the object, the item, or the records of the stream.
    PayloadGone,
    /// It is for somebody whom a replay cannot give it to.
    NoTarget,
    /// No claim could be read.
    Unreadable,
}

impl Verdict {
    /// Every verdict, what can be done first.
    pub const ALL: [Verdict; 9] = [
        Verdict::Send,
        Verdict::AlreadyRecorded,
        Verdict::PayloadGone,
        Verdict::PayloadChanged,
        Verdict::NoTarget,
        Verdict::NoClaim,
        Verdict::Unreadable,
        Verdict::Replayed,
        Verdict::Undetermined,
    ];

    /// As it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Send => "send",
            Verdict::AlreadyRecorded => "already_recorded",
            Verdict::PayloadGone => "payload_gone",
            Verdict::PayloadChanged => "payload_changed",
            Verdict::NoTarget => "no_target",
            Verdict::NoClaim => "no_claim",
            Verdict::Unreadable => "unreadable",
            Verdict::Replayed => "replayed",
            Verdict::Undetermined => "undetermined",
        }
    }
}

/// For people: `payload gone`.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.as_str().replace('_', " "))
    }
}

/// A verdict, and what it rests on where that is not plain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    pub verdict: Verdict,
    pub why: Option<String>,
    /// The handler has done with it what it can, as the table tells: all of it, or not more for a reason that stays.
    pub handled: bool,
}

impl Judgement {
    pub fn because(verdict: Verdict, why: impl Into<String>) -> Self {
        Judgement { why: Some(why.into()), ..Judgement::plain(verdict) }
    }

    pub fn plain(verdict: Verdict) -> Self {
        Judgement { verdict, why: None, handled: verdict == Verdict::AlreadyRecorded }
    }
}

/// A look at a claim's object: none where there is none, or why S3 gave no answer.
pub type Looked = Result<Option<ObjectEntry>, String>;

/// Whether a record is of this very event; of its content, where the event cannot be told.
fn is_of(claim: &Claim, record: &RecordEntry) -> bool {
    match (&record.sequencer, &claim.sequencer) {
        (Some(recorded), Some(claimed)) => recorded == claimed,
        _ if claim.is_removal() => record.is_removed(),
        _ => !record.is_removed() && claim.etag.is_some() && claim.etag == record.etag,
    }
}

/// What the record alone decides, so that the object need not be looked at. Recorded is not done: the step that comes
/// after it may have failed, and that is what the message died of.
pub fn by_record(claim: &Claim, record: Option<&RecordEntry>, step: AfterProcessing) -> Option<Judgement> {
    let recorded = |why: &str| Some(Judgement::because(Verdict::AlreadyRecorded, why));
    if let Some(record) = record {
        let later = record.sequencer.as_ref().zip(claim.sequencer.as_ref()).is_some_and(|(it, claimed)| it > claimed);
        match is_of(claim, record) && record.is_done(step) {
            true if claim.is_removal() => return recorded("the removal is recorded"),
            true => return recorded("its record is there"),
            // The handler does nothing for an event that is outdated, whatever is still to be done for the later one.
            false if later => return recorded("a later event of its key is recorded"),
            false => {}
        }
    }
    // A version that is gone for good says nothing of the object; the handler holds it against the record's version.
    claim.removes_one_version().then(|| Judgement::plain(Verdict::Send))
}

/// What the object decides, after [`by_record`] did not.
pub fn by_object(claim: &Claim, record: Option<&RecordEntry>, step: AfterProcessing, looked: Looked) -> Judgement {
    let object = match looked {
        Ok(object) => object,
        Err(why) => return Judgement::because(Verdict::Undetermined, why),
    };
    if claim.is_removal() {
        return match object {
            None => Judgement::plain(Verdict::Send),
            Some(_) => Judgement::because(
                Verdict::PayloadChanged,
                format!("{} is there again, so its removal is outdated", claim.id()),
            ),
        };
    }
    // A pointer or a repair names no content: whatever the record says of the key is what there is to say.
    let names_no_content = claim.etag.is_none() && claim.sequencer.is_none();
    let says_it = |record: &RecordEntry| object.as_ref().is_none_or(|object| agree(object, record));
    let of_it = record.filter(|record| is_of(claim, record) || (names_no_content && says_it(record)));
    match (object, of_it) {
        (object, Some(record)) if !record.is_done(step) => unfinished(claim, record, step, object),
        (None, Some(_)) => {
            Judgement::because(Verdict::AlreadyRecorded, "it was recorded, and its payload is gone since")
        }
        (Some(_), Some(_)) => Judgement::because(Verdict::AlreadyRecorded, "its record is there"),
        (None, None) => Judgement::because(Verdict::PayloadGone, format!("there is no object {}", place(claim))),
        (Some(object), None) => by_content(claim, &object),
    }
}

/// A claim that is recorded, and whose after-processing step is still to be done.
fn unfinished(claim: &Claim, record: &RecordEntry, step: AfterProcessing, object: Option<ObjectEntry>) -> Judgement {
    let judgement = match object {
        // The handler deletes first and says so in the record after. Sent again, it says so.
        None if step == AfterProcessing::Delete => {
            Judgement::because(Verdict::Send, "its payload is deleted, and its record does not say so yet")
        }
        None => Judgement::because(
            Verdict::PayloadGone,
            format!("there is no object {}: it went before its after-processing step", place(claim)),
        ),
        Some(object) => match by_content(claim, &object) {
            Judgement { verdict: Verdict::Send, .. } => Judgement::because(Verdict::Send, record.why_not_done()),
            changed => changed,
        },
    };
    Judgement { handled: record.step_error.is_some(), ..judgement }
}

/// A size without an ETag was written by the sender, not by S3: it proves nothing.
fn by_content(claim: &Claim, object: &ObjectEntry) -> Judgement {
    let Some(etag) = &claim.etag else { return Judgement::plain(Verdict::Send) };
    let changed = if *etag != object.etag {
        format!("has ETag {}, and the claim names {etag}", object.etag)
    } else if let Some(size) = claim.size.filter(|size| *size != object.size) {
        format!("has {} bytes, and the claim names {size}", object.size)
    } else {
        return Judgement::plain(Verdict::Send);
    };
    Judgement::because(Verdict::PayloadChanged, format!("{} {changed}", place(claim)))
}

fn place(claim: &Claim) -> String {
    match &claim.version_id {
        Some(version) => format!("{} (version {version})", claim.id()),
        None => claim.id(),
    }
}

/// What a message without claims is, before anything was asked. None: its claims, or what it is about, decide.
pub fn without_claims(message: &Message) -> Option<Judgement> {
    match &message.unreadable {
        Some(why) => Some(Judgement::because(Verdict::Unreadable, why.clone())),
        None if message.is_test_event() => Some(Judgement::because(Verdict::NoClaim, "a test event of S3")),
        None => None,
    }
}

/// What is known of an item: none where it is not in its table; else its status, if it has one.
pub type FoundItem = Option<Option<String>>;

/// Whether what a message tells of an item is still to be handled. One that has come to its end since needs nothing more;
/// a message about that end does.
pub fn on_item(item: &Item, table: &str, found: &FoundItem) -> Judgement {
    match found {
        None if item.is_removed => Judgement::plain(Verdict::Send),
        None => Judgement::because(Verdict::PayloadGone, format!("there is no item {} in table {table}", item.key)),
        Some(Some(status)) if is_outcome(status) && item.status.as_ref() != Some(status) => {
            Judgement::because(Verdict::AlreadyRecorded, format!("{} is {status} by now", item.key))
        }
        Some(_) => Judgement::plain(Verdict::Send),
    }
}

/// The verdict on a message about several items, which the function tells apart: what one of them needs is done, and
/// changes nothing for the others.
pub fn on_items(items: impl IntoIterator<Item = Judgement>) -> Judgement {
    let rank = |judgement: &Judgement| match judgement.verdict {
        Verdict::Send => 0,
        Verdict::AlreadyRecorded => 1,
        _ => 2,
    };
    let judged: Vec<Judgement> = items.into_iter().collect();
    let handled = !judged.is_empty() && judged.iter().all(|judgement| judgement.handled);
    let first = judged.into_iter().min_by_key(rank);
    first.map_or_else(|| Judgement::plain(Verdict::Send), |judgement| Judgement { handled, ..judgement })
}

/// The verdict on a message from those on its claims.
pub fn on_message(claims: impl IntoIterator<Item = Judgement>, replays: u32, max_replays: u32) -> Judgement {
    let worst = claims.into_iter().reduce(|worst, next| {
        let handled = worst.handled && next.handled;
        Judgement { handled, ..if next.verdict > worst.verdict { next } else { worst } }
    });
    match worst {
        Some(Judgement { verdict: Verdict::Send, .. }) if replays >= max_replays => {
            Judgement::because(Verdict::Replayed, format!("replayed {replays} times, and came back each time"))
        }
        Some(worst) => worst,
        None => Judgement::plain(Verdict::NoClaim),
    }
}

#[cfg(test)]
mod tests;
