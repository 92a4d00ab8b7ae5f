//! A line of input: a drained message, or one in the shape that `peek --output jsonl` prints.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::{Message as Received, MessageSystemAttributeName as System};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::drained::Drained;
use crate::message::{Attribute, Message};

/// Every drained line begins so.
const DRAINED: &[u8] = br#"{"v":"#;

/// What can be sent of a message. A line by hand needs a body and no more.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Line {
    pub queue_arn: Option<String>,
    pub message_id: Option<String>,
    pub body: String,
    #[serde(default)]
    md5: String,
    #[serde(default)]
    pub attributes: BTreeMap<String, Attribute>,
    #[serde(default)]
    pub system: BTreeMap<String, String>,
}

/// What only a drained line has.
#[derive(Deserialize)]
struct Marks {
    v: Option<IgnoredAny>,
    crc: Option<IgnoredAny>,
}

impl Line {
    /// Reads a line, without its newline. An error says what is wrong with it.
    pub fn decode(line: &[u8]) -> Result<Line, String> {
        if line.starts_with(DRAINED) {
            return Drained::decode(line).map(Line::from).map_err(|fault| fault.to_string());
        }
        let marks = serde_json::from_slice::<Marks>(line);
        if marks.is_ok_and(|marks| marks.v.is_some() || marks.crc.is_some()) {
            return Err("it was a drained message and is no longer as it was written; to send it as it is now, \
                        remove the keys v and crc"
                .to_owned());
        }
        serde_json::from_slice(line).map_err(|error| {
            let error = error.to_string();
            let why = error.split(" at line ").next().unwrap_or_default();
            format!("it is neither a drained message nor one as peek prints it ({why})")
        })
    }

    /// Of a FIFO queue, which gives every message a sequence number.
    pub fn is_ordered(&self) -> bool {
        self.system.contains_key(System::SequenceNumber.as_str())
    }

    pub fn group(&self) -> Option<&str> {
        self.system.get(System::MessageGroupId.as_str()).map(String::as_str)
    }

    pub fn trace(&self) -> Option<&str> {
        self.system.get(System::AwsTraceHeader.as_str()).map(String::as_str)
    }

    /// As it was when it was received: what expressions see.
    pub fn message(&self) -> Message {
        let attributes =
            self.attributes.iter().filter_map(|(name, attribute)| Some((name.clone(), attribute.to_value()?)));
        let system = self.system.iter().map(|(name, value)| (System::from(name.as_str()), value.clone()));
        let received = Received::builder()
            .set_message_id(self.message_id.clone())
            .body(&self.body)
            .md5_of_body(&self.md5)
            .set_attributes(Some(system.collect()))
            .set_message_attributes(Some(attributes.collect()));
        Message::from(received.build())
    }
}

impl From<Drained> for Line {
    fn from(drained: Drained) -> Self {
        Line {
            queue_arn: Some(drained.queue_arn),
            message_id: Some(drained.message_id),
            body: drained.body,
            md5: drained.md5,
            attributes: drained.attributes,
            system: drained.system,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEEKED: &str = concat!(
        r#"{"message_id":"m-1","body":"b","md5":"0af","sent_at":null,"first_received_at":null,"receive_count":3,"#,
        r#""attributes":{"n":{"type":"Number","value":"7"}},"system":{"MessageGroupId":"g","AWSTraceHeader":"Root=1"},"#,
        r#""envelope":[],"claims":[],"unreadable":"no JSON"}"#
    );

    #[test]
    fn lines_of_both_shapes_are_told_apart() {
        let peeked = Line::decode(PEEKED.as_bytes()).unwrap();
        assert_eq!(
            (peeked.message_id.as_deref(), peeked.body.as_str(), peeked.queue_arn.as_deref()),
            (Some("m-1"), "b", None)
        );
        assert_eq!((peeked.group(), peeked.trace(), peeked.is_ordered()), (Some("g"), Some("Root=1"), false));
        assert_eq!(peeked.message().attributes, peeked.attributes);
        let drained = Drained {
            queue_arn: "arn:aws:sqs:us-east-1:000000000000:q".to_owned(),
            message_id: "m-1".to_owned(),
            body: "b".to_owned(),
            md5: "0af".to_owned(),
            attributes: peeked.attributes.clone(),
            system: peeked.system.clone(),
            drained_at: jiff::Timestamp::UNIX_EPOCH,
        };
        let mut line = Vec::new();
        drained.encode(&mut line).unwrap();
        let line = line.strip_suffix(b"\n").unwrap();
        let read = Line::decode(line).unwrap();
        assert_eq!(read, Line { queue_arn: Some(drained.queue_arn), ..peeked });

        let text = String::from_utf8(line.to_vec()).unwrap();
        for (bad, said) in [
            (text.replace(r#""body":"b""#, r#""body":"c""#), "checksum is wrong"),
            (text.replacen(r#"{"v":1,"#, "{", 1), "remove the keys v and crc"),
            (text.replacen(r#"{"v":1,"#, r#"{ "v":1,"#, 1), "remove the keys v and crc"),
        ] {
            let why = Line::decode(bad.as_bytes()).unwrap_err();
            assert!(why.contains(said), "{why}: {bad}");
        }
    }

    #[test]
    fn what_is_no_message_says_what_it_lacks() {
        assert_eq!(Line::decode(br#"{"body":"x"}"#).unwrap().body, "x");
        for bad in
            ["", "text", "[]", "{}", r#"{"body":7}"#, r#"{"body":"x","attributes":{"n":"7"}}"#, "{\"body\":\"\u{1}\"}"]
        {
            let why = Line::decode(bad.as_bytes()).unwrap_err();
            assert!(why.starts_with("it is neither") && !why.contains("at line"), "{why}");
        }
    }
}
