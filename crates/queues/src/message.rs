//! A message as claimctl shows it to people and to other programs.

use std::collections::BTreeMap;

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{Message as Received, MessageAttributeValue, MessageSystemAttributeName as System};
use claimctl_claim::envelope::POINTER_ATTRIBUTES;
use claimctl_claim::item::{Item, items_in};
use claimctl_claim::{Claim, Envelope, Event, OpenedBody};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

/// A received message with the claims in it. Its JSON form is a contract; keys stand in this order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Message {
    pub message_id: String,
    /// Whole, as received.
    pub body: String,
    /// Of the body, as the service gave it: hexadecimal.
    pub md5: String,
    #[serde(serialize_with = "as_text")]
    pub sent_at: Option<Timestamp>,
    #[serde(serialize_with = "as_text")]
    pub first_received_at: Option<Timestamp>,
    /// How often it has been received, this time included.
    pub receive_count: u32,
    pub attributes: BTreeMap<String, Attribute>,
    /// The system attributes, as text.
    pub system: BTreeMap<String, String>,
    /// What the claims are wrapped in, outermost first.
    pub envelope: Vec<Envelope>,
    pub claims: Vec<Claim>,
    /// What it holds instead of claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Event>,
    /// The items that it is about, where they were looked for: see [`Message::find_items`].
    #[serde(skip)]
    pub items: Vec<Item>,
    /// Why neither claim nor event could be read from the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

/// A message attribute. Binary values are in base64.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    #[serde(rename = "type")]
    pub data_type: String,
    pub value: String,
}

impl Message {
    /// Whether it is S3's own test event, which carries no claim.
    pub fn is_test_event(&self) -> bool {
        self.claims.is_empty() && self.unreadable.is_none() && self.event.is_none() && self.items.is_empty()
    }

    /// Looks for the items of a table that it is about. One that names an item is no unreadable message.
    pub fn find_items(&mut self, partition_key: &str) {
        if self.claims.is_empty() && self.items.is_empty() {
            self.items =
                serde_json::from_str(&self.body).map_or_else(|_| Vec::new(), |it| items_in(&it, partition_key));
            self.unreadable.take_if(|_| !self.items.is_empty());
        }
    }

    /// A message attribute that is text.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).filter(|attribute| !attribute.is_binary()).map(|attribute| attribute.value.as_str())
    }
}

impl From<Received> for Message {
    fn from(received: Received) -> Self {
        let attributes: BTreeMap<_, _> = received
            .message_attributes
            .unwrap_or_default()
            .into_iter()
            .map(|(name, value)| (name, Attribute::from(value)))
            .collect();
        let system: BTreeMap<_, _> = received
            .attributes
            .unwrap_or_default()
            .into_iter()
            .map(|(name, value)| (name.as_str().to_owned(), value))
            .collect();
        let at = |name: System| Timestamp::from_millisecond(system.get(name.as_str())?.parse().ok()?).ok();
        let body = received.body.unwrap_or_default();
        let (opened, event, unreadable) = match claimctl_claim::open(&body) {
            Ok(opened) => (opened, None, None),
            Err(unreadable) => match Event::open(&body) {
                Some((envelopes, event)) => (OpenedBody { envelopes, ..OpenedBody::default() }, Some(event), None),
                None => (OpenedBody::default(), None, Some(unreadable.to_string())),
            },
        };
        let mut claims = opened.claims;
        if let ([pointer], Some(size)) = (claims.as_mut_slice(), payload_size(&attributes))
            && opened.envelopes.contains(&Envelope::ExtendedClient)
        {
            pointer.size = pointer.size.or(Some(size));
        }
        Message {
            message_id: received.message_id.unwrap_or_default(),
            body,
            md5: received.md5_of_body.unwrap_or_default(),
            sent_at: at(System::SentTimestamp),
            first_received_at: at(System::ApproximateFirstReceiveTimestamp),
            receive_count: system
                .get(System::ApproximateReceiveCount.as_str())
                .and_then(|count| count.parse().ok())
                .unwrap_or(1),
            attributes,
            system,
            envelope: opened.envelopes,
            claims,
            event,
            items: Vec::new(),
            unreadable,
        }
    }
}

/// A custom label may follow the type: `Binary.png`.
fn is_binary(data_type: &str) -> bool {
    data_type == "Binary" || data_type.starts_with("Binary.")
}

impl From<MessageAttributeValue> for Attribute {
    fn from(value: MessageAttributeValue) -> Self {
        let text = match is_binary(&value.data_type) {
            true => aws_smithy_types::base64::encode(value.binary_value.unwrap_or_else(|| Blob::new(Vec::new()))),
            false => value.string_value.unwrap_or_default(),
        };
        Attribute { data_type: value.data_type, value: text }
    }
}

impl Attribute {
    pub fn is_binary(&self) -> bool {
        is_binary(&self.data_type)
    }

    /// As it was sent. None: the value is not the base64 that a binary one is written in.
    pub fn to_value(&self) -> Option<MessageAttributeValue> {
        let value = MessageAttributeValue::builder().data_type(&self.data_type);
        let value = match self.is_binary() {
            true => value.binary_value(Blob::new(aws_smithy_types::base64::decode(&self.value).ok()?)),
            false => value.string_value(&self.value),
        };
        value.build().ok()
    }
}

/// The size that the extended client leaves beside its pointer.
fn payload_size(attributes: &BTreeMap<String, Attribute>) -> Option<u64> {
    POINTER_ATTRIBUTES.iter().find_map(|name| attributes.get(*name)?.value.parse().ok())
}

/// RFC 3339, UTC.
fn as_text<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(at),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(data_type: &str) -> aws_sdk_sqs::types::builders::MessageAttributeValueBuilder {
        MessageAttributeValue::builder().data_type(data_type)
    }

    #[test]
    fn the_shape_that_other_programs_read() {
        let received = Received::builder()
            .message_id("m-1")
            .body(r#"["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"b","s3Key":"k"}]"#)
            .md5_of_body("0af")
            .attributes(System::SentTimestamp, "1700000000123")
            .attributes(System::ApproximateFirstReceiveTimestamp, "1700000001000")
            .attributes(System::ApproximateReceiveCount, "3")
            .message_attributes("ExtendedPayloadSize", attribute("Number").string_value("300000").build().unwrap())
            .message_attributes("raw", attribute("Binary").binary_value(Blob::new([0, 255])).build().unwrap())
            .build();
        let written = serde_json::to_string(&Message::from(received)).unwrap();
        let read: Message = serde_json::from_str(&written).unwrap();
        assert_eq!(
            serde_json::to_string(&read).unwrap(),
            written,
            "a message on its way through a file stays as it is"
        );
        assert_eq!(
            written,
            concat!(
                r#"{"message_id":"m-1","body":"[\"software.amazon.payloadoffloading.PayloadS3Pointer\","#,
                r#"{\"s3BucketName\":\"b\",\"s3Key\":\"k\"}]","md5":"0af","sent_at":"2023-11-14T22:13:20.123Z","#,
                r#""first_received_at":"2023-11-14T22:13:21Z","receive_count":3,"attributes":{"ExtendedPayloadSize":"#,
                r#"{"type":"Number","value":"300000"},"raw":{"type":"Binary","value":"AP8="}},"system":"#,
                r#"{"ApproximateFirstReceiveTimestamp":"1700000001000","ApproximateReceiveCount":"3","#,
                r#""SentTimestamp":"1700000000123"},"envelope":["extended_client"],"claims":[{"bucket":"b","key":"k","#,
                r#""version_id":null,"etag":null,"size":300000,"sequencer":null,"event_name":null,"event_time":null}]}"#
            )
        );
    }

    #[test]
    fn a_body_without_a_claim_says_why() {
        for body in ["", "not json", "{}", r#"{"Records":[{"s3":{"bucket":{"name":"b"},"object":{"key":null}}}]}"#] {
            let message = Message::from(Received::builder().body(body).build());
            assert_eq!(message.body, body);
            assert!(message.claims.is_empty() && message.unreadable.is_some_and(|why| !why.is_empty()), "{body}");
        }
    }

    #[test]
    fn an_event_that_is_no_claim_is_no_test_event_and_not_unreadable() {
        let body = r#"{"id":"e","detail-type":"PaymentCreated","source":"payments","detail":{"payment_id":"p"}}"#;
        let mut message = Message::from(Received::builder().body(body).build());
        assert!(!message.is_test_event() && message.unreadable.is_none() && message.claims.is_empty());
        assert_eq!(message.envelope, [Envelope::EventBridge]);
        message.find_items("payment_id");
        assert_eq!(message.items[0].key, "p");
    }

    #[test]
    fn a_body_that_names_an_item_is_readable_for_who_knows_its_table() {
        let mut message =
            Message::from(Received::builder().body(r#"{"type":"t","payment":{"payment_id":"p"}}"#).build());
        assert!(message.unreadable.is_some());
        message.find_items("quote_id");
        assert!(message.unreadable.is_some() && message.items.is_empty());
        message.find_items("payment_id");
        assert!(message.unreadable.is_none() && !message.is_test_event());
    }

    #[test]
    fn a_test_event_is_readable_and_holds_no_claim() {
        let message = Message::from(Received::builder().body(r#"{"Event":"s3:TestEvent"}"#).build());
        assert!(message.is_test_event());
    }
}
