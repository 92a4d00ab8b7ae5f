//! The record that a handler leaves for a claim: its attributes, and its form on DynamoDB's wire.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Claim;

/// The names of the record's attributes.
pub mod attribute {
    /// The partition key: `BUCKET/KEY`.
    pub const CLAIM_ID: &str = "claim_id";
    pub const BUCKET: &str = "bucket";
    pub const OBJECT_KEY: &str = "object_key";
    /// A number, bytes.
    pub const SIZE: &str = "size";
    pub const ETAG: &str = "etag";
    pub const VERSION_ID: &str = "version_id";
    pub const SEQUENCER: &str = "sequencer";
    pub const EVENT_NAME: &str = "event_name";
    pub const EVENT_TIME: &str = "event_time";
    /// RFC 3339, UTC, to the millisecond, so that its strings sort by time.
    pub const RECORDED_AT: &str = "recorded_at";
    pub const MESSAGE_ID: &str = "message_id";
    pub const REQUEST_ID: &str = "request_id";
    /// A number.
    pub const RECEIVE_COUNT: &str = "receive_count";
    pub const STATUS: &str = "status";
    /// A number, epoch seconds: the table's time-to-live attribute.
    pub const EXPIRES_AT: &str = "expires_at";
}

/// How far a claim has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Its record is written.
    Recorded,
    /// The handler's after-processing step has succeeded too.
    Processed,
    /// Its object went away.
    Removed,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Processed => "processed",
            Self::Removed => "removed",
        }
    }

    /// `None` for a status that no claimctl handler writes.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Recorded, Self::Processed, Self::Removed].into_iter().find(|status| status.as_str() == text)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One item of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub claim: Claim,
    pub status: Status,
    pub recorded_at: Timestamp,
    /// Of the SQS message; a direct invocation has none.
    pub message_id: Option<String>,
    /// Of the Lambda invocation.
    pub request_id: Option<String>,
    pub receive_count: Option<u64>,
    /// Epoch seconds.
    pub expires_at: Option<i64>,
}

impl Record {
    /// The attributes as DynamoDB's JSON protocol has them, such as `{"bucket": {"S": "…"}, "size": {"N": "1"}}`.
    /// What is not known is left out.
    pub fn to_wire(&self) -> Map<String, Value> {
        let claim = &self.claim;
        let claim_id = claim.id();
        let recorded_at = format!("{:.3}", self.recorded_at);
        let texts = [
            (attribute::CLAIM_ID, Some(claim_id.as_str())),
            (attribute::BUCKET, Some(claim.bucket.as_str())),
            (attribute::OBJECT_KEY, Some(claim.key.as_str())),
            (attribute::ETAG, claim.etag.as_deref()),
            (attribute::VERSION_ID, claim.version_id.as_deref()),
            (attribute::SEQUENCER, claim.sequencer.as_deref()),
            (attribute::EVENT_NAME, claim.event_name.as_deref()),
            (attribute::EVENT_TIME, claim.event_time.as_deref()),
            (attribute::RECORDED_AT, Some(recorded_at.as_str())),
            (attribute::MESSAGE_ID, self.message_id.as_deref()),
            (attribute::REQUEST_ID, self.request_id.as_deref()),
            (attribute::STATUS, Some(self.status.as_str())),
        ];
        let numbers = [
            (attribute::SIZE, claim.size.map(|size| size.to_string())),
            (attribute::RECEIVE_COUNT, self.receive_count.map(|count| count.to_string())),
            (attribute::EXPIRES_AT, self.expires_at.map(|at| at.to_string())),
        ];
        let mut item = Map::new();
        for (name, text) in texts {
            if let Some(text) = text {
                item.insert(name.into(), wire_text(text));
            }
        }
        for (name, number) in numbers {
            if let Some(digits) = number {
                item.insert(name.into(), json!({ "N": digits }));
            }
        }
        item
    }
}

/// A text attribute's value as DynamoDB's JSON protocol has it.
pub fn wire_text(text: &str) -> Value {
    json!({ "S": text })
}

/// Reads a text attribute of an item in DynamoDB's JSON protocol.
pub fn read_text<'a>(item: &'a Value, name: &str) -> Option<&'a str> {
    item[name]["S"].as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            claim: Claim { size: Some(7), sequencer: Some("00AB".into()), ..Claim::pointer("b", "dir/k") },
            status: Status::Recorded,
            recorded_at: Timestamp::from_millisecond(1_767_323_045_250).unwrap(),
            message_id: None,
            request_id: Some("r".into()),
            receive_count: Some(2),
            expires_at: Some(1_800_000_000),
        }
    }

    #[test]
    fn the_wire_has_what_is_known_and_nothing_else() {
        assert_eq!(
            Value::from(record().to_wire()),
            json!({
                "claim_id": { "S": "b/dir/k" },
                "bucket": { "S": "b" },
                "object_key": { "S": "dir/k" },
                "size": { "N": "7" },
                "sequencer": { "S": "00AB" },
                "recorded_at": { "S": "2026-01-02T03:04:05.250Z" },
                "request_id": { "S": "r" },
                "receive_count": { "N": "2" },
                "status": { "S": "recorded" },
                "expires_at": { "N": "1800000000" },
            })
        );
    }

    #[test]
    fn a_text_attribute_is_read_back() {
        let item = Value::from(record().to_wire());
        assert_eq!(read_text(&item, attribute::SEQUENCER), Some("00AB"));
        assert_eq!(read_text(&item, attribute::ETAG), None);
        assert_eq!(read_text(&item, attribute::SIZE), None, "a number is no text");
    }

    #[test]
    fn every_status_is_read_back_and_no_other() {
        for status in [Status::Recorded, Status::Processed, Status::Removed] {
            assert_eq!(Status::parse(status.as_str()), Some(status));
        }
        assert_eq!(Status::parse("RECORDED"), None);
    }
}
