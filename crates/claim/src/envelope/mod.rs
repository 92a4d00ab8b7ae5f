//! Opens a message body: which envelopes it is wrapped in, and the claims inside.
//!
//! Sources: "Event message structure" and "Using EventBridge" (Amazon S3 User Guide), "Parsing Amazon SNS message
//! formats" (Amazon SNS Developer Guide), "Retaining records of asynchronous invocations" (AWS Lambda Developer Guide),
//! the Amazon SQS extended client library for Java.

mod event;
#[cfg(test)]
mod tests;
mod unreadable;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::Claim;
use event::{read_eventbridge, read_s3};
pub use unreadable::{Fault, Unreadable};

/// How many envelopes may lie in each other. The deepest one seen in the field has four.
pub const MAX_DEPTH: usize = 8;

/// The names that the SQS extended client gives its pointer, the current one first.
pub const POINTER_NAMES: [&str; 2] =
    ["software.amazon.payloadoffloading.PayloadS3Pointer", "com.amazon.sqs.javamessaging.MessageS3Pointer"];

/// The message attributes that mark a message as an extended-client pointer, the current one first.
pub const POINTER_ATTRIBUTES: [&str; 2] = ["ExtendedPayloadSize", "SQSLargePayloadSize"];

/// What wraps a claim on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Envelope {
    /// An S3 event notification, also the bare one that Lambda puts into its dead-letter queue.
    S3,
    /// An SNS notification, as SQS or as Lambda receives it.
    Sns,
    /// An event of Lambda's SQS mapping, as a destination record may hold it.
    Sqs,
    EventBridge,
    /// A Lambda destination record, with the event in `requestPayload`.
    Destination,
    /// A pointer of the SQS or SNS extended client.
    ExtendedClient,
}

impl Envelope {
    /// As it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Sns => "sns",
            Self::Sqs => "sqs",
            Self::EventBridge => "eventbridge",
            Self::Destination => "destination",
            Self::ExtendedClient => "extended_client",
        }
    }
}

impl<'de> Deserialize<'de> for Envelope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = String::deserialize(deserializer)?;
        let all = [Self::S3, Self::Sns, Self::Sqs, Self::EventBridge, Self::Destination, Self::ExtendedClient];
        let found = all.into_iter().find(|envelope| envelope.as_str() == written);
        found.ok_or_else(|| D::Error::custom(format!("{written:?} is no envelope")))
    }
}

impl Serialize for Envelope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What a message body holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenedBody {
    /// Outermost first; of the first claim, where the claims of one message came in different wrappings.
    pub envelopes: Vec<Envelope>,
    pub claims: Vec<Claim>,
    /// S3's own `s3:TestEvent` was among the content. It is no claim.
    pub test_event: bool,
}

/// Opens a message body.
///
/// A body of which any part is unreadable is unreadable: half an answer would hide the other half.
pub fn open(body: &str) -> Result<OpenedBody, Unreadable> {
    let mut opening = Opening::default();
    opening.text(body)?;
    Ok(opening.opened)
}

/// Opens what is parsed already, such as the event of a Lambda invocation.
pub fn open_json(body: &Value) -> Result<OpenedBody, Unreadable> {
    let mut opening = Opening::default();
    opening.value(body)?;
    Ok(opening.opened)
}

#[derive(Default)]
struct Opening {
    path: Vec<Envelope>,
    opened: OpenedBody,
}

impl Opening {
    fn text(&mut self, text: &str) -> Result<(), Unreadable> {
        if text.trim().is_empty() {
            return Err(Unreadable::Empty);
        }
        let value = serde_json::from_slice(text.as_bytes())
            .map_err(|error| Unreadable::NotJson { line: error.line(), column: error.column() })?;
        self.value(&value)
    }

    fn value(&mut self, value: &Value) -> Result<(), Unreadable> {
        if self.path.len() >= MAX_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        if let Some(records) = value.get("Records").and_then(Value::as_array) {
            self.records(records)
        } else if value.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
            self.opened.test_event = true;
            self.found(Envelope::S3, None);
            Ok(())
        } else if let Some(payload) = value.get("requestPayload") {
            self.inside(Envelope::Destination, payload)
        } else if value.get("detail-type").is_some() {
            let claim = read_eventbridge(value)?;
            self.found(Envelope::EventBridge, Some(claim));
            Ok(())
        } else if let (Some(_), Some(message)) = (value.get("TopicArn"), value.get("Message")) {
            self.inside(Envelope::Sns, message)
        } else if let Some((place, names)) = pointer(value) {
            let claim = event::read_pointer(place, names)?;
            self.found(Envelope::ExtendedClient, Some(claim));
            Ok(())
        } else {
            Err(Unreadable::UnknownEnvelope)
        }
    }

    fn records(&mut self, records: &[Value]) -> Result<(), Unreadable> {
        if records.is_empty() {
            return Err(Unreadable::NoRecords);
        }
        for (index, record) in records.iter().enumerate() {
            if record.get("s3").is_some() {
                let claim = read_s3(record).map_err(|unreadable| unreadable.in_record(index + 1))?;
                self.found(Envelope::S3, Some(claim));
            } else if let Some(message) = record.get("Sns").and_then(|sns| sns.get("Message")) {
                self.inside(Envelope::Sns, message)?;
            } else if let Some(body) = record.get("body") {
                self.inside(Envelope::Sqs, body)?;
            } else {
                return Err(Unreadable::UnknownEnvelope);
            }
        }
        Ok(())
    }

    fn inside(&mut self, envelope: Envelope, content: &Value) -> Result<(), Unreadable> {
        self.path.push(envelope);
        match content {
            Value::String(text) => self.text(text)?,
            value => self.value(value)?,
        }
        self.path.pop();
        Ok(())
    }

    fn found(&mut self, innermost: Envelope, claim: Option<Claim>) {
        if self.opened.envelopes.is_empty() {
            self.opened.envelopes.clone_from(&self.path);
            self.opened.envelopes.push(innermost);
        }
        self.opened.claims.extend(claim);
    }
}

/// Where an extended client left the payload, and what it calls bucket and key. Java's and Python's write
/// `["POINTER NAME", {…}]`, .NET's only the object, and those for Node.js `{"S3Payload": {…}}`.
fn pointer(value: &Value) -> Option<(&Value, [&'static str; 2])> {
    const NAMES: [&str; 2] = ["s3BucketName", "s3Key"];
    match value {
        Value::Array(pair) => match pair.as_slice() {
            [name, place] if POINTER_NAMES.contains(&name.as_str()?) => Some((place, NAMES)),
            _ => None,
        },
        Value::Object(fields) if NAMES.iter().any(|name| fields.contains_key(*name)) => Some((value, NAMES)),
        _ => Some((value.get("S3Payload")?, ["Bucket", "Key"])),
    }
}
