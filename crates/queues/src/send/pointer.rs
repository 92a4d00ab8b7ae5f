//! The message that stands for a payload in a bucket, as the extended client libraries for Java and Python read it.

use std::collections::BTreeMap;

use claimctl_claim::envelope::{POINTER_ATTRIBUTES, POINTER_NAMES};
use serde_json::json;

use super::outgoing::Outgoing;
use crate::message::Attribute;

/// `size` is the payload's, in bytes.
pub fn message(bucket: &str, key: &str, size: u64) -> Outgoing {
    let body = json!([POINTER_NAMES[0], {"s3BucketName": bucket, "s3Key": key}]).to_string();
    let size = Attribute { data_type: "Number".to_owned(), value: size.to_string() };
    Outgoing { attributes: BTreeMap::from([(POINTER_ATTRIBUTES[0].to_owned(), size)]), ..Outgoing::of_body(&body) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use claimctl_claim::Envelope;

    #[test]
    fn the_shape_that_extended_clients_read() {
        let message = message("b", "in/a \"b\".csv", 300_000);
        assert_eq!(
            message.body,
            r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"b","s3Key":"in/a \"b\".csv"}]"#
        );
        let size = &message.attributes["ExtendedPayloadSize"];
        assert_eq!((size.data_type.as_str(), size.value.as_str()), ("Number", "300000"));
        let opened = claimctl_claim::open(&message.body).unwrap();
        assert_eq!(opened.envelopes, [Envelope::ExtendedClient]);
        assert_eq!(opened.claims[0].id(), "b/in/a \"b\".csv");
    }
}
