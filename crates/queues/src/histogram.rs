//! How many messages there are of each kind, in memory that does not grow with the queue.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use jiff::Timestamp;
use serde::Serialize;

use super::message::Message;

/// So many labels are told apart. Who counts by something that every message has of its own sees it in the rest.
pub const MOST_LABELS: usize = 10_000;
/// Characters of a label that are kept.
const MOST_CHARACTERS: usize = 200;

#[derive(Debug, Default)]
pub struct Histogram {
    kinds: HashMap<Box<str>, Count>,
    rest: u64,
}

#[derive(Debug, Clone)]
struct Count {
    messages: u64,
    oldest: Option<Timestamp>,
    example: Box<str>,
}

/// The messages of one kind.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Kind {
    pub label: String,
    pub messages: u64,
    /// When the oldest of them was sent; RFC 3339, UTC.
    pub oldest_sent_at: Option<String>,
    /// The id of the oldest.
    pub example: String,
    #[serde(skip)]
    pub oldest: Option<Timestamp>,
}

impl Histogram {
    pub fn add(&mut self, label: &str, message: &Message) {
        let label: Box<str> = match label.char_indices().nth(MOST_CHARACTERS) {
            Some((end, _)) => format!("{}…", &label[..end]).into(),
            None => label.into(),
        };
        let room = self.kinds.len() < MOST_LABELS;
        match self.kinds.entry(label) {
            Entry::Occupied(mut entry) => entry.get_mut().add(message),
            Entry::Vacant(entry) if room => {
                let (oldest, example) = (message.sent_at, message.message_id.as_str().into());
                entry.insert(Count { messages: 1, oldest, example });
            }
            Entry::Vacant(_) => self.rest += 1,
        }
    }

    /// The kinds, the most frequent first and by label where they are equal, and how many messages are of further
    /// kinds, which were too many.
    pub fn finish(self) -> (Vec<Kind>, u64) {
        let kind = |(label, count): (Box<str>, Count)| Kind {
            label: label.into(),
            messages: count.messages,
            oldest_sent_at: count.oldest.map(|at| at.to_string()),
            example: count.example.into(),
            oldest: count.oldest,
        };
        let mut kinds: Vec<_> = self.kinds.into_iter().map(kind).collect();
        kinds.sort_by(|a, b| b.messages.cmp(&a.messages).then_with(|| a.label.cmp(&b.label)));
        (kinds, self.rest)
    }
}

impl Count {
    fn add(&mut self, message: &Message) {
        self.messages += 1;
        if let Some(sent) = message.sent_at
            && self.oldest.is_none_or(|oldest| sent < oldest)
        {
            self.oldest = Some(sent);
            self.example = message.message_id.as_str().into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sqs::types::{Message as Received, MessageSystemAttributeName as System};

    fn message(id: &str, sent: i64) -> Message {
        let sent = (sent * 1000).to_string();
        Message::from(Received::builder().message_id(id).attributes(System::SentTimestamp, sent).build())
    }

    #[test]
    fn the_most_frequent_comes_first_with_its_oldest() {
        let mut histogram = Histogram::default();
        for (label, id, sent) in [("b", "m1", 5), ("a", "m2", 9), ("a", "m3", 7), ("c", "m4", 1), ("a", "m5", 8)] {
            histogram.add(label, &message(id, sent));
        }
        let (kinds, rest) = histogram.finish();
        let shown: Vec<_> =
            kinds.iter().map(|kind| (kind.label.as_str(), kind.messages, kind.example.as_str())).collect();
        assert_eq!((shown, rest), (vec![("a", 3, "m3"), ("b", 1, "m1"), ("c", 1, "m4")], 0));
        assert_eq!(kinds[0].oldest_sent_at.as_deref(), Some("1970-01-01T00:00:07Z"));
    }

    #[test]
    fn memory_is_bounded_by_the_number_and_the_length_of_labels() {
        let mut histogram = Histogram::default();
        let one = message("m", 1);
        for number in 0..MOST_LABELS + 5 {
            histogram.add(&number.to_string(), &one);
        }
        histogram.add("0", &one);
        histogram.add(&"é".repeat(1_000), &one);
        let (kinds, rest) = histogram.finish();
        assert_eq!((kinds.len(), rest, kinds[0].messages), (MOST_LABELS, 6, 2));
        let mut long = Histogram::default();
        long.add(&"é".repeat(1_000), &one);
        assert_eq!(long.finish().0[0].label.chars().count(), MOST_CHARACTERS + 1);
    }
}
