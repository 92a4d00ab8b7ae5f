//! What dead letters have in common: dead letters of one shape mostly died of one cause.

use claimctl_claim::{Claim, Envelope};
use serde::Serialize;

use super::verdict::Verdict;
use crate::message::Message;
use crate::recipients::{RULE, TARGET};

/// Of EventBridge, and of Lambda and functions that write as Lambda does.
pub const ERROR_CODES: [&str; 2] = ["ERROR_CODE", "ErrorCode"];

/// Equal for dead letters that belong together. Ordered, so that reports are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Shape {
    /// None: not judged.
    pub verdict: Option<Verdict>,
    /// Outermost first; empty where no claim could be read.
    pub envelope: Vec<Envelope>,
    /// Why no claim could be read, without the place in the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
    /// As S3 notifications name it; of another event its detail type, of a stream's record what happened to the item, of
    /// records that were given up why. None: unknown, or not the same for all claims of the message.
    pub event: Option<String>,
    /// Name of the rule that could not deliver it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// ARN of the target that it could not be delivered to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The code that EventBridge, Lambda or the function has left beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// None: none, or not the same for all claims of the message.
    pub bucket: Option<String>,
    /// The first folder of the key with its slash; empty for a key without one. None as for the bucket.
    pub prefix: Option<String>,
    #[serde(skip)]
    pub holds_claims: bool,
    /// Of the largest payload.
    pub size: Option<&'static str>,
    /// How often the dead letter was received, the look included.
    pub receives: &'static str,
}

impl Shape {
    /// The verdict is not known yet.
    pub fn of(message: &Message) -> Shape {
        let claims = &message.claims;
        let event = match message.is_test_event() {
            true => Some("s3:TestEvent".to_owned()),
            false => common(claims, |claim| claim.event_name.as_deref())
                .or_else(|| message.event.as_ref()?.name().map(str::to_owned)),
        };
        let attribute = |name: &str| message.attribute(name).map(str::to_owned);
        let rule = message.attribute(RULE).map(|rule| rule.rsplit('/').next().unwrap_or(rule).to_owned());
        Shape {
            verdict: None,
            envelope: message.envelope.clone(),
            unreadable: message.unreadable.as_deref().map(|why| without_place(why).to_owned()),
            event,
            rule,
            target: attribute(TARGET),
            error_code: ERROR_CODES.iter().find_map(|name| attribute(name)),
            holds_claims: !claims.is_empty(),
            bucket: common(claims, |claim| Some(&claim.bucket)),
            prefix: common(claims, |claim| Some(first_folder(&claim.key))),
            size: claims.iter().filter_map(|claim| claim.size).max().map(size_class),
            receives: receives_class(message.receive_count),
        }
    }

    /// A coarser shape, for a queue whose dead letters have too many prefixes to tell apart.
    pub fn without_prefix(self) -> Shape {
        Shape { prefix: None, ..self }
    }
}

fn common<'a>(claims: &'a [Claim], of: impl Fn(&'a Claim) -> Option<&'a str>) -> Option<String> {
    let first = of(claims.first()?)?;
    claims.iter().all(|claim| of(claim) == Some(first)).then(|| first.to_owned())
}

fn first_folder(key: &str) -> &str {
    key.find('/').map_or("", |slash| &key[..=slash])
}

/// `record 2: the object key is missing` and `not JSON (line 1, column 7)` are two shapes, wherever they occur.
fn without_place(why: &str) -> &str {
    let why = why.split_once(": ").filter(|(place, _)| place.starts_with("record ")).map_or(why, |(_, why)| why);
    why.split_once(" (line ").map_or(why, |(why, _)| why)
}

/// Each with the most bytes that belong to it.
const SIZE_CLASSES: [(u64, &str); 7] = [
    (0, "empty"),
    (1 << 10, "up to 1 KiB"),
    (64 << 10, "up to 64 KiB"),
    (1 << 20, "up to 1 MiB"),
    (16 << 20, "up to 16 MiB"),
    (256 << 20, "up to 256 MiB"),
    (5 << 30, "up to 5 GiB"),
];

fn size_class(bytes: u64) -> &'static str {
    SIZE_CLASSES.iter().find(|(most, _)| bytes <= *most).map_or("over 5 GiB", |(_, class)| class)
}

fn receives_class(count: u32) -> &'static str {
    match count {
        0..=3 => "up to 3",
        4..=10 => "4 to 10",
        11..=100 => "11 to 100",
        _ => "over 100",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sqs::types::Message as Received;

    fn shape(body: &str) -> Shape {
        Shape::of(&Message::from(Received::builder().body(body).build()))
    }

    fn notification(keys: &[&str]) -> String {
        let record = |key: &&str| {
            serde_json::json!({"eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": "b"}, "object": {"key": key, "size": 70_000}}})
        };
        serde_json::json!({"Records": keys.iter().map(record).collect::<Vec<_>>()}).to_string()
    }

    #[test]
    fn letters_of_one_folder_have_one_shape() {
        let one = shape(&notification(&["in/a"]));
        assert_eq!(one, shape(&notification(&["in/b/c", "in/d"])));
        assert_eq!((one.prefix.as_deref(), one.size), (Some("in/"), Some("up to 1 MiB")));
        assert_eq!(shape(&notification(&["a"])).prefix.as_deref(), Some(""));
    }

    #[test]
    fn what_the_claims_of_a_message_do_not_share_is_left_open() {
        let mixed = shape(&notification(&["in/a", "out/a"]));
        assert_eq!((mixed.bucket.as_deref(), mixed.prefix), (Some("b"), None));
    }

    #[test]
    fn a_reason_is_the_same_wherever_in_the_body_it_occurs() {
        assert_eq!(shape("{"), shape("\n\n  nonsense"));
        assert_eq!(shape("{").unreadable.as_deref(), Some("not JSON"));
        let null = r#"{"s3":{"bucket":{"name":"b"},"object":{"key":null}}}"#;
        let good = r#"{"s3":{"bucket":{"name":"b"},"object":{"key":"k"}}}"#;
        assert_eq!(
            shape(&format!(r#"{{"Records":[{null}]}}"#)).unreadable,
            shape(&format!(r#"{{"Records":[{good},{null}]}}"#)).unreadable
        );
    }

    #[test]
    fn a_class_ends_where_the_next_begins() {
        for ((most, class), (_, next)) in SIZE_CLASSES.iter().zip(&SIZE_CLASSES[1..]) {
            assert_eq!((size_class(*most), size_class(most + 1)), (*class, *next));
        }
        assert_eq!(size_class((5 << 30) + 1), "over 5 GiB");
    }
}
