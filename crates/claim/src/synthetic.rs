//! Synthetic events: what a repair sends for an object whose own event was lost.

use serde_json::{Value, json};

use super::key;
use super::partition::bucket_arn;

/// The event name that marks a synthetic event. It ends up in the record, so that repaired records can be told.
pub const EVENT_NAME: &str = "ObjectCreated:Synthetic";

/// An event of the shape of an S3 notification, for the object as it is now.
///
/// It carries neither sequencer nor ETag: whoever handles it has to look at the object itself. `time` is RFC 3339.
pub fn event(region: &str, time: &str, bucket: &str, object_key: &str) -> Value {
    json!({ "Records": [{
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": region,
        "eventTime": time,
        "eventName": EVENT_NAME,
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": { "name": bucket, "arn": bucket_arn(region, bucket) },
            "object": { "key": key::encode_form(object_key) },
        },
    }]})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Claim, open};

    #[test]
    fn the_bucket_is_named_in_the_partition_of_its_region() {
        let arn = |region| event(region, "2026-01-02T03:04:05Z", "b", "k")["Records"][0]["s3"]["bucket"]["arn"].clone();
        assert_eq!((arn("us-east-1"), arn("cn-north-1")), ("arn:aws:s3:::b".into(), "arn:aws-cn:s3:::b".into()));
    }

    #[test]
    fn opens_like_a_notification_but_without_a_sequencer() {
        let opened = open(&event("us-east-1", "2026-01-02T03:04:05Z", "b", "a b+c").to_string()).unwrap();
        let expected = Claim {
            event_name: Some(EVENT_NAME.into()),
            event_time: Some("2026-01-02T03:04:05Z".into()),
            ..Claim::pointer("b", "a b+c")
        };
        assert_eq!(opened.claims, [expected]);
    }
}
