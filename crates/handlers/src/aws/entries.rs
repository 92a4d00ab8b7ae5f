//! Calls that take many entries, and answer for each.

/// Entries of one call, of every service that is called with many (`SendMessageBatch`, `PutEvents`).
pub const MOST_ENTRIES: usize = 10;

/// Why one entry of a call was not taken, though the call as a whole was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotTaken {
    pub code: String,
    pub message: String,
    /// Whether the same entry may be taken a little later.
    pub passes: bool,
}

impl NotTaken {
    pub fn new(code: &str, message: Option<&str>, passes: bool) -> Self {
        Self { code: code.to_owned(), message: message.unwrap_or_default().to_owned(), passes }
    }

    /// The answer says nothing of it: it may have been taken all the same.
    pub fn unanswered() -> Self {
        Self::new("Unanswered", Some("the answer does not name this entry"), true)
    }
}
