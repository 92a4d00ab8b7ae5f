//! A record that is diverted: in the shape of the dead letters of Lambda itself, so that whoever replays those can replay it.

use serde_json::json;

use super::record::Record;
use crate::aws::Outgoing;
use crate::event::Invocation;
use crate::payments::in_order::{Entry, Failed, Outcome};
use crate::payments::json_text;

/// Of an error's message, in characters: an attribute counts to the size of its message.
const LONGEST_REASON: usize = 1000;

pub fn entry(record: &Record<'_>, outcome: &Outcome, invocation: &Invocation) -> Entry<Outgoing> {
    let Failed { code, reason } = reason(outcome);
    let attributes = vec![
        ("ErrorCode", readable(&code)),
        ("ErrorMessage", readable(&reason)),
        ("RequestID", readable(&invocation.request_id)),
    ];
    let body = json_text(&json!({ "Records": [record.raw] }));
    let size =
        body.len() + attributes.iter().map(|(name, value)| name.len() + value.len() + "String".len()).sum::<usize>();
    // In no order: this queue is not read as it was filled.
    Entry { group: None, content: Ok((Outgoing { body, fifo: None, attributes }, size)) }
}

pub fn reason(outcome: &Outcome) -> Failed {
    match outcome {
        Outcome::Failed(failed) => failed.clone(),
        Outcome::Behind | Outcome::Sent => {
            Failed::new("Behind", "a record of the same payment before this one was diverted")
        }
    }
}

/// What the value of an attribute may be: not empty, and nothing that XML cannot hold.
fn readable(text: &str) -> String {
    let text: String =
        text.chars().filter(|char| !char.is_control() && *char < '\u{FFFE}').take(LONGEST_REASON).collect();
    if text.is_empty() { "unknown".into() } else { text }
}
