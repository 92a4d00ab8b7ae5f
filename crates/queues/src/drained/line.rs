//! One line of a drained file: a message as it was received, and a checksum over all of it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use aws_sdk_sqs::types::Message as Received;
use claimctl_core::error::{Error, Result};
use crc_fast::CrcAlgorithm;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::message::Attribute;

/// The version of the format, in the first key of every line.
const VERSION: u32 = 1;
/// What stands between the bytes that are checked and their checksum, which is the last key.
const MARK: &[u8] = br#","crc":""#;
/// Eight hexadecimal digits, a quotation mark and a brace.
const AFTER_MARK: usize = 10;

/// A message as it stands in a drained file. The JSON form is a contract: keys stand in this order, after `v` and
/// before `crc`, the CRC-32 (ISO-HDLC) of everything in front of `,"crc"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drained {
    /// Of the queue that it was received from.
    pub queue_arn: String,
    pub message_id: String,
    /// Whole, as received.
    pub body: String,
    /// Of the body, as the service gave it: hexadecimal.
    pub md5: String,
    pub attributes: BTreeMap<String, Attribute>,
    /// The system attributes, as text.
    pub system: BTreeMap<String, String>,
    /// RFC 3339, UTC.
    pub drained_at: Timestamp,
}

/// Which message a line holds, and of which queue: all that a resumed drain has to know.
#[derive(Debug, Deserialize)]
pub struct Head<'a> {
    #[serde(borrow)]
    pub queue_arn: Cow<'a, str>,
    #[serde(borrow)]
    pub message_id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

/// Why a line cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not a drained line.
    Foreign,
    /// It was one, and is no longer what was written.
    Altered,
    /// It is of a later version of the format.
    Newer(u32),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Foreign => f.write_str("this is not a drained message"),
            Fault::Altered => f.write_str("the checksum is wrong: the line was changed, or the disk damaged it"),
            Fault::Newer(version) => {
                write!(f, "the line is of version {version}, and this claimctl reads up to version {VERSION}")
            }
        }
    }
}

impl Drained {
    pub fn of(received: Received, queue_arn: &str, drained_at: Timestamp) -> Self {
        let attributes = received.message_attributes.unwrap_or_default();
        let system = received.attributes.unwrap_or_default();
        Drained {
            queue_arn: queue_arn.to_owned(),
            message_id: received.message_id.unwrap_or_default(),
            body: received.body.unwrap_or_default(),
            md5: received.md5_of_body.unwrap_or_default(),
            attributes: attributes.into_iter().map(|(name, value)| (name, Attribute::from(value))).collect(),
            system: system.into_iter().map(|(name, value)| (name.as_str().to_owned(), value)).collect(),
            drained_at,
        }
    }

    /// Appends the line to `out`, with its newline.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        let begin = out.len();
        out.extend_from_slice(format!(r#"{{"v":{VERSION}"#).as_bytes());
        let brace = out.len();
        serde_json::to_writer(&mut *out, self)
            .map_err(|error| Error::unexpected("a message has no JSON form").caused_by(error))?;
        // Its own braces make room for the first key and the last.
        out[brace] = b',';
        out.pop();
        let crc = crc_of(&out[begin..]);
        out.extend_from_slice(MARK);
        out.extend_from_slice(format!("{crc:08x}\"}}\n").as_bytes());
        Ok(())
    }

    /// Reads a line, without its newline.
    pub fn decode(line: &[u8]) -> Result<Drained, Fault> {
        check(line)?;
        serde_json::from_slice(line).map_err(|_| Fault::Foreign)
    }
}

impl Head<'_> {
    /// Checks the whole line, and reads no more of it than is needed.
    pub fn decode(line: &[u8]) -> Result<Head<'_>, Fault> {
        check(line)?;
        serde_json::from_slice(line).map_err(|_| Fault::Foreign)
    }
}

/// How every line of a queue begins.
pub fn beginning(queue_arn: &str) -> Vec<u8> {
    let queue_arn = serde_json::Value::from(queue_arn);
    format!(r#"{{"v":{VERSION},"queue_arn":{queue_arn},"message_id":""#).into_bytes()
}

/// Whether the line is whole, as it was written, and of a version that is known.
fn check(line: &[u8]) -> Result<(), Fault> {
    let version = || serde_json::from_slice::<Version>(line).map(|version| version.v).map_err(|_| Fault::Foreign);
    let at = line.len().checked_sub(MARK.len() + AFTER_MARK).ok_or(Fault::Foreign)?;
    let (checked, rest) = line.split_at(at);
    let written = rest.strip_prefix(MARK).and_then(|rest| rest.strip_suffix(br#""}"#));
    match written {
        Some(written) if written == format!("{:08x}", crc_of(checked)).as_bytes() => match version()? {
            VERSION => Ok(()),
            newer => Err(Fault::Newer(newer)),
        },
        // A later version may be checked in another way.
        _ => match version()? {
            newer if newer > VERSION => Err(Fault::Newer(newer)),
            _ => Err(Fault::Altered),
        },
    }
}

/// As much of the result as the algorithm has: 32 bits.
fn crc_of(bytes: &[u8]) -> u64 {
    crc_fast::checksum(CrcAlgorithm::Crc32IsoHdlc, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    /// The characters that SQS takes (Amazon SQS API Reference, SendMessage).
    fn text() -> impl Strategy<Value = String> {
        let taken = |c: &char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
        vec(any::<char>().prop_filter("SQS refuses it", taken), 0..200).prop_map(|chars| chars.into_iter().collect())
    }

    fn attribute() -> impl Strategy<Value = Attribute> {
        let label = "(\\.[a-z.]{1,8})?";
        prop_oneof![
            (label, text()).prop_map(|(label, value)| Attribute { data_type: format!("String{label}"), value }),
            (label, any::<i64>())
                .prop_map(|(label, value)| Attribute { data_type: format!("Number{label}"), value: value.to_string() }),
            (label, any::<Vec<u8>>()).prop_map(|(label, value)| Attribute {
                data_type: format!("Binary{label}"),
                value: aws_smithy_types::base64::encode(value)
            }),
        ]
    }

    prop_compose! {
        fn drained()(
            body in text(),
            attributes in btree_map("[A-Za-z0-9_.-]{1,20}", attribute(), 0..10),
            system in btree_map("[A-Za-z]{1,20}", text(), 0..5),
            at in -1_000_000_000_000_i64..4_000_000_000_000,
        ) -> Drained {
            Drained {
                queue_arn: "arn:aws:sqs:us-east-1:000000000000:q".to_owned(),
                message_id: "m-1".to_owned(),
                md5: "0af".to_owned(),
                drained_at: Timestamp::from_millisecond(at).unwrap(),
                body, attributes, system,
            }
        }
    }

    fn line(drained: &Drained) -> Vec<u8> {
        let mut line = Vec::new();
        drained.encode(&mut line).unwrap();
        assert_eq!(line.pop(), Some(b'\n'));
        line
    }

    fn sample() -> Drained {
        Drained {
            queue_arn: "arn:aws:sqs:us-east-1:000000000000:q".to_owned(),
            message_id: "m-1".to_owned(),
            body: "a \"body\"\n".to_owned(),
            md5: "0af".to_owned(),
            attributes: BTreeMap::from([(
                "raw".to_owned(),
                Attribute { data_type: "Binary".to_owned(), value: "AP8=".to_owned() },
            )]),
            system: BTreeMap::from([("SentTimestamp".to_owned(), "1700000000123".to_owned())]),
            drained_at: Timestamp::from_second(1_700_000_000).unwrap(),
        }
    }

    #[test]
    fn the_shape_that_other_programs_read() {
        assert_eq!(
            String::from_utf8(line(&sample())).unwrap(),
            concat!(
                r#"{"v":1,"queue_arn":"arn:aws:sqs:us-east-1:000000000000:q","message_id":"m-1","body":"a \"body\"\n","#,
                r#""md5":"0af","attributes":{"raw":{"type":"Binary","value":"AP8="}},"system":{"SentTimestamp":"#,
                r#""1700000000123"},"drained_at":"2023-11-14T22:13:20Z","crc":"cba228d5"}"#
            )
        );
    }

    #[test]
    fn what_is_not_ours_is_told_apart() {
        let good = String::from_utf8(line(&sample())).unwrap();
        let cases = [
            ("", Fault::Foreign),
            ("{}", Fault::Foreign),
            (r#"{"message_id":"m-1","body":"a long enough line of peek"}"#, Fault::Foreign),
            (&good[..good.len() - 1], Fault::Foreign),
            (&good.replace("body", "BODY"), Fault::Altered),
            (&good.replace(r#"{"v":1"#, r#"{"v":2"#), Fault::Newer(2)),
        ];
        for (line, fault) in cases {
            assert_eq!(Drained::decode(line.as_bytes()), Err(fault), "{line}");
        }
    }

    proptest! {
        #[test]
        fn a_message_comes_back_as_it_was(drained in drained()) {
            let line = line(&drained);
            prop_assert!(!line.contains(&b'\n'));
            prop_assert_eq!(Drained::decode(&line), Ok(drained));
            prop_assert_eq!(Head::decode(&line).unwrap().message_id, "m-1");
        }

        #[test]
        fn no_changed_byte_goes_unnoticed(drained in drained(), at: proptest::sample::Index, bit in 0..8_u8) {
            let mut line = line(&drained);
            let at = at.index(line.len());
            line[at] ^= 1 << bit;
            prop_assert!(Drained::decode(&line).is_err());
        }

        #[test]
        fn an_attribute_is_sent_as_it_was_received(attribute in attribute()) {
            prop_assert_eq!(Attribute::from(attribute.to_value().unwrap()), attribute);
        }
    }
}
