//! What the handlers of payments share: money, payments, requests over HTTP, and sending in order. It calls nobody.

pub mod api;
pub mod attributes;
pub mod fields;
#[cfg(test)]
pub mod hostile;
pub mod http;
pub mod in_order;
pub mod money;
pub mod payment;
pub mod problem;
pub mod quote;

use sha2::{Digest as _, Sha256};

/// SHA-256, in lower-case hex.
pub fn digest(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first half of it: enough for an id.
pub fn short_digest(bytes: impl AsRef<[u8]>) -> String {
    let mut text = digest(bytes);
    text.truncate(32);
    text
}

/// JSON text that every service takes: two code points may not be in a message of SQS as they are.
pub fn json_text(value: &serde_json::Value) -> String {
    let text = value.to_string();
    if text.contains(['\u{FFFE}', '\u{FFFF}']) {
        // Outside of strings they are no JSON, and in strings this is how they may be written.
        return text.replace('\u{FFFE}', "\\ufffe").replace('\u{FFFF}', "\\uffff");
    }
    text
}
