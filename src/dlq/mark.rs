//! The message attribute that counts how often a message was replayed, so that a loop is seen.

use serde::{Deserialize, Serialize};

use crate::queue::message::Message;

/// Its type is String, and its value JSON: `{"n":2,"run":"…"}`.
pub const ATTRIBUTE: &str = "claimctl.replay";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Replays so far.
    pub n: u32,
    /// The run that replayed it last.
    pub run: String,
}

impl Mark {
    /// None where the message was never replayed, or somebody else uses the name.
    pub fn of(message: &Message) -> Option<Mark> {
        serde_json::from_str(&message.attributes.get(ATTRIBUTE)?.value).ok()
    }
}

/// How often a message was replayed.
pub fn replays(message: &Message) -> u32 {
    Mark::of(message).map_or(0, |mark| mark.n)
}
