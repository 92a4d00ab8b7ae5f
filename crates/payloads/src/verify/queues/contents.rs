//! What the messages in a queue tell of, and which keys were seen in them.

use std::collections::HashMap;
use std::sync::Arc;

use claimctl_aws::objects::ObjectEntry;
use claimctl_claim::{StreamPosition, item};
use claimctl_core::units::count;
use claimctl_queues::message::Message;
use serde_json::Value;

/// What the messages of a flow tell of.
#[derive(Debug, Clone, Copy)]
pub enum Contents<'a> {
    /// Claims of the objects of a bucket. Where the function `is_invoked` by the bucket itself, no queue is no gap.
    Claims { bucket: &'a str, is_invoked: bool },
    /// Items of a table, in whatever envelope, or where in the table's stream they are.
    Items { partition_key: &'a str },
}

/// What one message tells of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Keys, each with the etag that the message names.
    Keys(Vec<(String, Option<String>)>),
    InStream(StreamPosition),
    Unreadable,
}

impl Contents<'_> {
    pub(super) fn of(&self, message: Message) -> Told {
        match self {
            // Another bucket's claims, and those of what went away, are read and mean nothing here.
            Contents::Claims { .. } if message.unreadable.is_some() => Told::Unreadable,
            Contents::Claims { bucket, .. } => {
                let ours = message.claims.into_iter().filter(|it| it.bucket == *bucket && !it.is_removal());
                Told::Keys(ours.map(|claim| (claim.key, claim.etag)).collect())
            }
            Contents::Items { partition_key } => {
                let Ok(body) = serde_json::from_str::<Value>(&message.body) else { return Told::Unreadable };
                match StreamPosition::of(&body) {
                    Some(position) => Told::InStream(position),
                    None => keys_in(&body, partition_key),
                }
            }
        }
    }

    /// What is in a message of the flow.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Contents::Claims { .. } => "claim",
            Contents::Items { .. } => "message",
        }
    }

    /// So many of what is waited for.
    pub fn outcomes(&self, number: u64) -> String {
        match self {
            Contents::Claims { .. } => count(number, "record"),
            Contents::Items { .. } => count(number, "outcome"),
        }
    }

    pub(super) fn is_without_gap(&self) -> bool {
        matches!(self, Contents::Claims { is_invoked: true, .. })
    }

    /// Why something is missing.
    pub(super) fn missing(&self) -> &'static str {
        match self {
            Contents::Claims { .. } => "no record, and no claim in the queue or its dead letters",
            Contents::Items { .. } => "no outcome, no execution, and no message in the queue or among the dead letters",
        }
    }
}

pub(super) fn keys_in(body: &Value, partition_key: &str) -> Told {
    let items = item::items_in(body, partition_key);
    match items.is_empty() {
        true => Told::Unreadable,
        false => Told::Keys(items.into_iter().map(|item| (item.key, None)).collect()),
    }
}

/// What was seen in queues, by key.
#[derive(Default)]
pub struct Seen(HashMap<String, SeenKey>);

struct SeenKey {
    /// The first queue in which it was.
    queue: Arc<str>,
    /// That the messages name.
    etags: Vec<Option<String>>,
}

impl Seen {
    /// A claim that names another etag announces another content of the key.
    pub fn announce(&self, object: &ObjectEntry) -> bool {
        let is_its = |etag: &Option<String>| etag.as_ref().is_none_or(|etag| *etag == object.etag);
        self.0.get(&object.key).is_some_and(|seen| seen.etags.iter().any(is_its))
    }

    pub fn queue_of(&self, key: &str) -> Option<&str> {
        Some(&self.0.get(key)?.queue)
    }

    pub(super) fn add(&mut self, queue: &Arc<str>, keys: Vec<(String, Option<String>)>) {
        for (key, etag) in keys {
            let seen = self.0.entry(key).or_insert_with(|| SeenKey { queue: queue.clone(), etags: Vec::new() });
            seen.etags.push(etag);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_about_items_names_them_or_where_they_are_in_the_stream() {
        let told = |body: &str| {
            let message = aws_sdk_sqs::types::Message::builder().message_id("m").body(body).build();
            Contents::Items { partition_key: "id" }.of(Message::from(message))
        };
        let keys = |keys: &[&str]| Told::Keys(keys.iter().map(|key| ((*key).to_owned(), None)).collect());
        for (body, expected) in [
            (r#"{"type":"Created","item":{"id":"a"}}"#, keys(&["a"])),
            (
                r#"{"Records":[{"dynamodb":{"Keys":{"id":{"S":"a"}}}},{"dynamodb":{"Keys":{"id":{"S":"b"}}}}]}"#,
                keys(&["a", "b"]),
            ),
            (r#"{"requestPayload":{"detail":{"id":"a"}}}"#, keys(&["a"])),
            (r#"{"Records":[{"body":"{\"item\":{\"id\":\"a\"}}"}]}"#, keys(&["a"])),
            (r#"{"other":"a"}"#, Told::Unreadable),
            ("a", Told::Unreadable),
            ("", Told::Unreadable),
        ] {
            assert_eq!(told(body), expected, "{body}");
        }
        let position = r#"{"DDBStreamBatchInfo":{"shardId":"s","startSequenceNumber":"1","endSequenceNumber":"2","streamArn":"a"}}"#;
        assert!(matches!(told(position), Told::InStream(position) if position.end_sequence_number == "2"));
    }
}
