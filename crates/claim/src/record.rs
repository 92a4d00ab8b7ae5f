//! The record that a handler leaves for a claim: what it says, and the attributes by which the table holds it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// Why the after-processing step can never succeed. Counts only while the status is `recorded`.
    pub const STEP_ERROR: &str = "step_error";
    /// A number: of the record of a file, its rows that are stored.
    pub const ROWS: &str = "rows";
    /// A number, epoch seconds: the table's time-to-live attribute.
    pub const EXPIRES_AT: &str = "expires_at";
}

/// What tells a record from the other lines of a log: this attribute, with this value.
pub const LOG_KIND: (&str, &str) = ("kind", "claim_record");

/// How far a claim has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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

/// The value of an attribute, as DynamoDB tells its types apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    String(String),
    /// A whole number, in digits.
    Number(String),
}

impl Record {
    /// The attributes by name, for a whole item. What is not known is left out.
    pub fn attributes(&self) -> Vec<(&'static str, AttributeValue)> {
        let claim = &self.claim;
        let strings = [
            (attribute::CLAIM_ID, Some(claim.id())),
            (attribute::BUCKET, Some(claim.bucket.clone())),
            (attribute::OBJECT_KEY, Some(claim.key.clone())),
            (attribute::ETAG, claim.etag.clone()),
            (attribute::VERSION_ID, claim.version_id.clone()),
            (attribute::SEQUENCER, claim.sequencer.clone()),
            (attribute::EVENT_NAME, claim.event_name.clone()),
            (attribute::EVENT_TIME, claim.event_time.clone()),
            (attribute::RECORDED_AT, Some(format!("{:.3}", self.recorded_at))),
            (attribute::MESSAGE_ID, self.message_id.clone()),
            (attribute::REQUEST_ID, self.request_id.clone()),
            (attribute::STATUS, Some(self.status.as_str().to_owned())),
        ];
        let numbers = [
            (attribute::SIZE, claim.size.map(|size| size.to_string())),
            (attribute::RECEIVE_COUNT, self.receive_count.map(|count| count.to_string())),
            (attribute::EXPIRES_AT, self.expires_at.map(|at| at.to_string())),
        ];
        let strings = strings.into_iter().filter_map(|(name, text)| Some((name, AttributeValue::String(text?))));
        let numbers = numbers.into_iter().filter_map(|(name, digits)| Some((name, AttributeValue::Number(digits?))));
        strings.chain(numbers).collect()
    }

    /// The record as one line of JSON, without its end, for sinks that are logs.
    pub fn log_line(&self) -> String {
        let value = |attribute| match attribute {
            AttributeValue::String(text) => Value::String(text),
            // Digits are a number.
            AttributeValue::Number(digits) => serde_json::from_str(&digits).unwrap_or(Value::String(digits)),
        };
        let (kind, record) = LOG_KIND;
        let mut line = serde_json::Map::new();
        line.insert(kind.to_owned(), record.into());
        line.extend(self.attributes().into_iter().map(|(name, attribute)| (name.to_owned(), value(attribute))));
        Value::Object(line).to_string()
    }
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
    fn the_attributes_are_what_is_known_and_nothing_else() {
        let mut attributes = record().attributes();
        attributes.sort_unstable_by_key(|(name, _)| *name);
        let string = |text: &str| AttributeValue::String(text.to_owned());
        let number = |digits: &str| AttributeValue::Number(digits.to_owned());
        assert_eq!(
            attributes,
            [
                ("bucket", string("b")),
                ("claim_id", string("b/dir/k")),
                ("expires_at", number("1800000000")),
                ("object_key", string("dir/k")),
                ("receive_count", number("2")),
                ("recorded_at", string("2026-01-02T03:04:05.250Z")),
                ("request_id", string("r")),
                ("sequencer", string("00AB")),
                ("size", number("7")),
                ("status", string("recorded")),
            ]
        );
    }

    #[test]
    fn a_line_of_a_log_is_all_attributes_and_what_it_is() {
        let record =
            Record { claim: Claim { size: Some(u64::MAX), ..Claim::pointer("b", "dir/new\nline") }, ..record() };
        let line = record.log_line();
        assert!(!line.contains('\n'), "{line}");
        assert_eq!(
            serde_json::from_str::<Value>(&line).unwrap(),
            serde_json::json!({
                "kind": "claim_record", "claim_id": "b/dir/new\nline", "bucket": "b", "object_key": "dir/new\nline",
                "size": u64::MAX, "recorded_at": "2026-01-02T03:04:05.250Z", "request_id": "r", "receive_count": 2,
                "status": "recorded", "expires_at": 1_800_000_000,
            })
        );
    }

    #[test]
    fn every_status_is_read_back_and_no_other() {
        for status in [Status::Recorded, Status::Processed, Status::Removed] {
            assert_eq!(Status::parse(status.as_str()), Some(status));
        }
        assert_eq!(Status::parse("RECORDED"), None);
    }
}
