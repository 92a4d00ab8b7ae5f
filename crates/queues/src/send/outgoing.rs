//! A message on its way into a queue.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_sqs::types::{
    MessageSystemAttributeNameForSends as System, MessageSystemAttributeValue, SendMessageBatchRequestEntry,
};
use claimctl_core::error::{Error, Result};
use sha2::{Digest, Sha256};

use crate::journal::{Entry, ItemState, PERHAPS_TWICE};
use crate::message::Attribute;
use crate::recipients::Recipient;

/// What a message occupies beside its own bytes, about.
const OVERHEAD: usize = 512;
/// Amazon SQS API Reference, SendMessage: the longest MessageDeduplicationId.
const DEDUPLICATION_CHARACTERS: usize = 128;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// What the journal calls it: the id that it had, and the line where that id came before.
    pub item: Box<str>,
    /// The id that it had in the queue it came from.
    pub message_id: Option<Box<str>>,
    /// Where it was read: the file and the line.
    pub origin: Origin,
    pub body: String,
    pub attributes: BTreeMap<String, Attribute>,
    /// AWSTraceHeader: the only system attribute that can be sent.
    pub trace: Option<String>,
    pub group: Option<Box<str>>,
    /// An earlier try to send it has no known end: SQS may have it already.
    pub again: bool,
    /// Who is given it. None: the queue that all are sent to.
    pub recipient: Option<Arc<Recipient>>,
}

/// Where a message was read. Lines count from one; of a message given by hand it is zero.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    pub file: Arc<str>,
    pub line: u64,
}

impl Origin {
    pub fn text(&self) -> String {
        format!("{}, line {}", self.file, self.line)
    }
}

/// How every message of a run is sent.
#[derive(Debug, Clone)]
pub struct EntryOptions {
    /// Makes deduplication ids new: the id of the run. None for a standard queue.
    pub deduplicate: Option<Box<str>>,
    /// Seconds.
    pub delay: Option<i32>,
}

impl Outgoing {
    /// A message with nothing but a body.
    pub fn of_body(body: &str) -> Outgoing {
        Outgoing {
            item: "".into(),
            message_id: None,
            origin: Origin::default(),
            body: body.to_owned(),
            attributes: BTreeMap::new(),
            trace: None,
            group: None,
            again: false,
            recipient: None,
        }
    }

    /// As SQS counts them: the body, and names, types and values of the attributes.
    pub fn bytes(&self) -> usize {
        let attribute = |(name, attribute): (&String, &Attribute)| {
            let value = match attribute.is_binary() {
                true => decoded_length(&attribute.value),
                false => attribute.value.len(),
            };
            name.len() + attribute.data_type.len() + value
        };
        self.body.len() + self.attributes.iter().map(attribute).sum::<usize>()
    }

    /// What it occupies in memory, about.
    pub fn weight(&self) -> usize {
        self.bytes() + OVERHEAD
    }

    /// What an operator finds it by.
    pub fn name(&self) -> String {
        match &self.message_id {
            Some(id) => id.to_string(),
            None => self.item.to_string(),
        }
    }

    /// What the journal keeps once SQS has it.
    pub fn sent_as(&self, new_id: &str) -> Entry {
        let twice = if self.again { PERHAPS_TWICE } else { "" };
        Entry::new(self.item.clone(), ItemState::Sent).with_detail(format!("{new_id}{twice}"))
    }

    pub fn to_entry(&self, index: usize, entry_options: &EntryOptions) -> Result<SendMessageBatchRequestEntry> {
        let mut entry = SendMessageBatchRequestEntry::builder().id(index.to_string()).message_body(&self.body);
        for (name, attribute) in &self.attributes {
            let value = attribute.to_value();
            let value = value.ok_or_else(|| Error::unexpected(format!("attribute {name} cannot be sent as it is")))?;
            entry = entry.message_attributes(name, value);
        }
        if let Some(trace) = &self.trace {
            let value = MessageSystemAttributeValue::builder().data_type("String").string_value(trace);
            entry = entry.message_system_attributes(System::AwsTraceHeader, value.build().map_err(cannot_build)?);
        }
        let deduplication = entry_options.deduplicate.as_deref().map(|run| deduplication_id(run, &self.item));
        entry
            .set_message_group_id(self.group.as_deref().map(str::to_owned))
            .set_message_deduplication_id(deduplication)
            .set_delay_seconds(entry_options.delay)
            .build()
            .map_err(cannot_build)
    }
}

/// How many bytes this base64 stands for.
fn decoded_length(base64: &str) -> usize {
    let padding = base64.bytes().rev().take_while(|byte| *byte == b'=').count();
    (base64.len() / 4 * 3).saturating_sub(padding)
}

/// The same for the same item of a run, so that SQS swallows what is sent again within five minutes; never one that
/// the message had before, because then SQS would swallow it too.
fn deduplication_id(run: &str, item: &str) -> String {
    let plain = format!("{run}.{item}");
    match plain.len() <= DEDUPLICATION_CHARACTERS && plain.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => plain,
        false => Sha256::digest(plain).iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

fn cannot_build(error: aws_smithy_types::error::operation::BuildError) -> Error {
    Error::unexpected("a message cannot be made into a request").caused_by(error)
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::{Blob, base64};

    use super::*;

    fn attribute(data_type: &str, value: &str) -> Attribute {
        Attribute { data_type: data_type.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn every_part_of_a_message_is_in_its_entry() {
        let message = Outgoing {
            item: "m-1".into(),
            attributes: [("n", "Number", "7"), ("b", "Binary.raw", "AP8=")]
                .map(|(name, data_type, value)| (name.to_owned(), attribute(data_type, value)))
                .into(),
            trace: Some("Root=1".to_owned()),
            group: Some("g".into()),
            ..Outgoing::of_body("body")
        };
        assert_eq!(message.bytes(), 4 + (1 + 6 + 1) + (1 + 10 + 2));
        let entry = message.to_entry(3, &EntryOptions { deduplicate: Some("run".into()), delay: None }).unwrap();
        assert_eq!((entry.id.as_str(), entry.message_body.as_str()), ("3", "body"));
        assert_eq!(entry.message_group_id.as_deref(), Some("g"));
        assert_eq!(entry.message_deduplication_id.as_deref(), Some("run.m-1"));
        let attributes = entry.message_attributes.unwrap();
        assert_eq!(attributes["n"].string_value.as_deref(), Some("7"));
        assert_eq!(attributes["b"].binary_value, Some(Blob::new([0, 255])));
        let system = entry.message_system_attributes.unwrap();
        assert_eq!(system[&System::AwsTraceHeader].string_value.as_deref(), Some("Root=1"));

        let entry = Outgoing::of_body("x").to_entry(0, &EntryOptions { deduplicate: None, delay: Some(9) }).unwrap();
        assert_eq!((entry.message_deduplication_id, entry.delay_seconds), (None, Some(9)));
    }

    #[test]
    fn a_deduplication_id_is_one_that_sqs_takes_and_of_its_run() {
        let long = "é".repeat(100);
        for item in ["m-1", "with space", &long] {
            let ids = [deduplication_id("one", item), deduplication_id("two", item)];
            assert_ne!(ids[0], ids[1]);
            assert!(ids.iter().all(|id| id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_graphic())), "{ids:?}");
            assert_eq!(ids[0], deduplication_id("one", item));
        }
    }

    #[test]
    fn binary_values_count_as_what_they_stand_for() {
        for length in 0..10 {
            assert_eq!(decoded_length(&base64::encode(vec![7; length])), length);
        }
    }
}
