//! The claim and what it travels in: pure types shared by the tool and the Lambda handlers. Nothing here does I/O.

pub mod after_processing;
pub mod envelope;
pub mod event;
pub mod events;
pub mod item;
pub mod key;
pub mod partition;
pub mod queue_id;
pub mod record;
pub mod s3_url;
pub mod sequencer;
pub mod stream_position;
pub mod surface;
pub mod synthetic;

use serde::{Deserialize, Serialize};

pub use after_processing::AfterProcessing;
pub use envelope::{Envelope, OpenedBody, Unreadable, open, open_json};
pub use event::Event;
pub use key::claim_id;
pub use record::{Record, Status};
pub use stream_position::StreamPosition;

/// A reference to a payload, as the event that announced it described it.
///
/// Serializes with its keys in this order, and with `null` for what the event did not say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    pub bucket: String,
    /// The object key as S3 stores it: decoded from whatever the envelope did to it.
    pub key: String,
    /// `"null"` is a version id of its own: what an object gets while versioning is suspended.
    pub version_id: Option<String>,
    /// Without the quotes that HTTP puts around it.
    pub etag: Option<String>,
    /// Bytes.
    pub size: Option<u64>,
    /// Normalized, so that string comparison orders two events of one key: see [`sequencer::normalize`].
    pub sequencer: Option<String>,
    /// As S3 notifications name it, without `s3:`, for example `ObjectCreated:Put`.
    pub event_name: Option<String>,
    /// RFC 3339, as the event gave it.
    pub event_time: Option<String>,
}

impl Claim {
    /// A claim of which only the place is known, as an extended-client pointer makes it.
    pub fn pointer(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self {
            bucket: bucket.into(),
            key: key.into(),
            version_id: None,
            etag: None,
            size: None,
            sequencer: None,
            event_name: None,
            event_time: None,
        }
    }

    /// The partition key of the record for this claim.
    pub fn id(&self) -> String {
        claim_id(&self.bucket, &self.key)
    }

    /// Whether the event says that the object went away: deleted, hidden by a delete marker, or expired.
    pub fn is_removal(&self) -> bool {
        self.event_name
            .as_deref()
            .is_some_and(|name| name.starts_with("ObjectRemoved:") || name.starts_with("LifecycleExpiration:"))
    }

    /// Whether the event removed one version for good, which need not have been the current one.
    ///
    /// A delete marker, and a delete in a bucket without versions, take away the current object instead.
    pub fn removes_one_version(&self) -> bool {
        self.is_removal()
            && self.version_id.is_some()
            && self.event_name.as_deref().is_some_and(|name| name.ends_with(":Delete"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(event_name: &str) -> Claim {
        Claim { event_name: Some(event_name.into()), ..Claim::pointer("b", "k") }
    }

    #[test]
    fn serializes_in_the_documented_order_with_nulls() {
        assert_eq!(
            serde_json::to_string(&Claim::pointer("b", "k")).unwrap(),
            concat!(
                r#"{"bucket":"b","key":"k","version_id":null,"etag":null,"size":null,"#,
                r#""sequencer":null,"event_name":null,"event_time":null}"#
            )
        );
    }

    #[test]
    fn removals_are_told_apart() {
        assert!(named("ObjectRemoved:Delete").is_removal());
        assert!(named("ObjectRemoved:DeleteMarkerCreated").is_removal());
        assert!(named("LifecycleExpiration:Delete").is_removal());
        assert!(!named("ObjectCreated:Put").is_removal());
        assert!(!Claim::pointer("b", "k").is_removal());
    }

    #[test]
    fn only_a_versioned_delete_removes_one_version() {
        let versioned = |name| Claim { version_id: Some("v".into()), ..named(name) };
        assert!(versioned("ObjectRemoved:Delete").removes_one_version());
        assert!(!versioned("ObjectRemoved:DeleteMarkerCreated").removes_one_version());
        assert!(!named("ObjectRemoved:Delete").removes_one_version());
    }
}
