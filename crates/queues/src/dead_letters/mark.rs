//! The message attribute that counts how often a message was replayed, so that a loop is seen.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::message::{Attribute, Message};

/// Its type is String, and its value JSON: `{"at":1790000000000,"n":2,"run":"…"}`.
pub const ATTRIBUTE: &str = "claimctl.replay";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Replays so far.
    pub n: u32,
    /// The run that replayed it last.
    pub run: String,
    /// When it did, by the clock of its machine: milliseconds of the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<i64>,
}

impl Mark {
    /// None where the message was never replayed, or somebody else uses the name.
    pub fn of(message: &Message) -> Option<Mark> {
        serde_json::from_str(&message.attributes.get(ATTRIBUTE)?.value).ok()
    }

    /// As a message attribute.
    pub fn to_attribute(&self) -> Attribute {
        let value = json!({"n": self.n, "run": self.run, "at": self.at}).to_string();
        Attribute { data_type: "String".to_owned(), value }
    }
}

/// How often a message was replayed.
pub fn replays(message: &Message) -> u32 {
    Mark::of(message).map_or(0, |mark| mark.n)
}
