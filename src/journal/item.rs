//! What a run knows of one item: a message, by the name that its verb gives it.

use serde::Serialize;

/// How far an item has come. The numbers are in the file: they are added, never changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[repr(i64)]
pub enum State {
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
}

impl State {
    pub const ALL: [State; 5] = [State::Written, State::Intent, State::Sent, State::Deleted, State::Failed];

    pub fn name(self) -> &'static str {
        match self {
            State::Written => "written",
            State::Intent => "intent",
            State::Sent => "sent",
            State::Deleted => "deleted",
            State::Failed => "failed",
        }
    }

    pub(super) fn number(self) -> i64 {
        self as i64
    }

    pub(super) fn of(number: i64) -> Option<State> {
        State::ALL.into_iter().find(|state| state.number() == number)
    }
}

/// What is to be written down of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub item: Box<str>,
    pub state: State,
    pub detail: Option<String>,
}

impl Entry {
    /// Keeps the detail that is known of the item, except why it failed before.
    pub fn new(item: impl Into<Box<str>>, state: State) -> Self {
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
    pub state: State,
    /// Of a sent one the new message id, of a failed one why.
    pub detail: Option<String>,
}
