//! What a run knows of one item: a message, by the name that its verb gives it.

use serde::Serialize;

/// Behind the new id of an item that SQS may have taken twice: an earlier try had no answer.
pub const PERHAPS_TWICE: &str = ", perhaps twice";

/// How far an item has come. The numbers are in the file: they are added, never changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(i64)]
pub enum ItemState {
    /// Whole in the drained file, durably.
    Written = 1,
    /// About to be sent. When nobody is at work it is undecided: SQS may or may not have it.
    Intent = 2,
    /// Accepted by SQS; the detail is its new message id.
    Sent = 3,
    /// Gone from its queue, because we deleted it.
    Deleted = 4,
    /// Not done; the detail says why.
    Failed = 5,
    /// Judged fit to be sent.
    ToSend = 6,
    /// Undecided, and judged fit to be sent once more.
    ToSendAgain = 7,
    /// Judged as what is recorded already. The detail of this and of the other verdicts says what it rests on.
    AlreadyRecorded = 8,
    PayloadGone = 9,
    PayloadChanged = 10,
    NoClaim = 11,
    Unreadable = 12,
    /// Replayed as often as is allowed.
    Replayed = 13,
    /// The payload could not be looked at.
    Undetermined = 14,
    /// A new message that has no room for the mark of a replay; the detail counts its replays.
    Unmarked = 15,
    /// For somebody whom a replay cannot give it to.
    NoTarget = 16,
}

impl ItemState {
    pub const ALL: [ItemState; 16] = [
        ItemState::Written,
        ItemState::Intent,
        ItemState::Sent,
        ItemState::Deleted,
        ItemState::Failed,
        ItemState::ToSend,
        ItemState::ToSendAgain,
        ItemState::AlreadyRecorded,
        ItemState::PayloadGone,
        ItemState::PayloadChanged,
        ItemState::NoClaim,
        ItemState::Unreadable,
        ItemState::Replayed,
        ItemState::Undetermined,
        ItemState::Unmarked,
        ItemState::NoTarget,
    ];

    pub fn name(self) -> &'static str {
        match self {
            ItemState::Written => "written",
            ItemState::Intent => "intent",
            ItemState::Sent => "sent",
            ItemState::Deleted => "deleted",
            ItemState::Failed => "failed",
            ItemState::ToSend => "to_send",
            ItemState::ToSendAgain => "to_send_again",
            ItemState::AlreadyRecorded => "already_recorded",
            ItemState::PayloadGone => "payload_gone",
            ItemState::PayloadChanged => "payload_changed",
            ItemState::NoClaim => "no_claim",
            ItemState::Unreadable => "unreadable",
            ItemState::Replayed => "replayed",
            ItemState::Undetermined => "undetermined",
            ItemState::Unmarked => "unmarked",
            ItemState::NoTarget => "no_target",
        }
    }

    /// Whether it is what a look found out, which a later look finds out anew.
    pub fn is_verdict(self) -> bool {
        !matches!(
            self,
            ItemState::Written
                | ItemState::Intent
                | ItemState::Sent
                | ItemState::Deleted
                | ItemState::Failed
                | ItemState::Unmarked
        )
    }

    /// Whether SQS may or may not have it, where nobody is at work.
    pub fn is_undecided(self) -> bool {
        matches!(self, ItemState::Intent | ItemState::ToSendAgain)
    }

    pub(super) fn number(self) -> i64 {
        self as i64
    }

    pub(super) fn of(number: i64) -> Option<ItemState> {
        ItemState::ALL.into_iter().find(|state| state.number() == number)
    }
}

/// What is to be written down of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub item: Box<str>,
    pub state: ItemState,
    pub detail: Option<String>,
}

impl Entry {
    /// Keeps the detail that is known of the item, except why it failed before.
    pub fn new(item: impl Into<Box<str>>, state: ItemState) -> Self {
        Entry { item: item.into(), state, detail: None }
    }

    pub fn with_detail(self, detail: impl Into<String>) -> Self {
        Entry { detail: Some(detail.into()), ..self }
    }
}

/// What is written down of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    pub item: String,
    pub state: ItemState,
    /// Of a sent one the new message id, of a failed one why.
    pub detail: Option<String>,
}
