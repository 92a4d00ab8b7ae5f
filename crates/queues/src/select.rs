//! Which messages a verb is about: `--where`, `--id` and `--older-than`, all of which a message has to meet.

use std::collections::BTreeSet;
use std::time::Duration;

use claimctl_core::error::{Error, Result};
use jiff::{SignedDuration, Timestamp};

use super::expression::Expression;
use super::message::Message;

/// A message id is a UUID (Amazon SQS Developer Guide, "Queue and message identifiers").
const MOST_ID_BYTES: usize = 100;

/// What messages have to meet.
#[derive(Debug, Default)]
pub struct Selection {
    expression: Option<Expression>,
    ids: Vec<String>,
    sent_before: Option<Timestamp>,
}

impl Selection {
    /// Messages sent longer than `older_than` before `now`, so that a message is not taken or left by how long the look
    /// lasts.
    pub fn of(
        expression: Option<&str>,
        mut ids: Vec<String>,
        older_than: Option<Duration>,
        now: Timestamp,
    ) -> Result<Selection> {
        let sent_before = older_than.map(|age| {
            let age = SignedDuration::try_from(age).ok();
            age.and_then(|age| now.checked_sub(age).ok())
                .ok_or_else(|| Error::usage("the age is too long ago").hint("say for example 2h or 7d"))
        });
        ids.sort_unstable();
        ids.dedup();
        let expression = expression.map(Expression::parse).transpose()?;
        Ok(Selection { expression, ids, sent_before: sent_before.transpose()? })
    }

    /// Whether every message is taken.
    pub fn is_everything(&self) -> bool {
        self.expression.is_none() && self.ids.is_empty() && self.sent_before.is_none()
    }

    /// The ids that were asked for, each once, in order. Empty: any.
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// The same, to be crossed off.
    pub fn sought(&self) -> SoughtIds {
        SoughtIds(self.ids.iter().cloned().collect())
    }

    /// Whether the message meets all that was asked for. One without a time of sending is not older than anything.
    ///
    /// Blocks while the expression is evaluated. An error names the message.
    pub fn takes(&self, message: &Message) -> Result<bool> {
        if !self.ids.is_empty() && self.ids.binary_search(&message.message_id).is_err() {
            return Ok(false);
        }
        if self.sent_before.is_some_and(|before| message.sent_at.is_none_or(|sent| sent >= before)) {
            return Ok(false);
        }
        self.expression.as_ref().map_or(Ok(true), |expression| expression.holds(message))
    }
}

/// Ids that were asked for and are not met yet, whether what else was asked for is met or not.
#[derive(Debug, Clone, Default)]
pub struct SoughtIds(BTreeSet<String>);

impl SoughtIds {
    pub fn met(&mut self, id: &str) {
        self.0.remove(id);
    }

    pub fn are_all_met(&self) -> bool {
        self.0.is_empty()
    }

    /// In order.
    pub fn missing(&self) -> Vec<String> {
        self.0.iter().cloned().collect()
    }
}

pub fn parse_id(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    match !text.is_empty() && text.len() <= MOST_ID_BYTES && text.chars().all(plain) {
        true => Ok(text.to_owned()),
        false => Err("a message id looks like 5fea7756-0ea4-451a-a703-a558b933e274".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sqs::types::{Message as Received, MessageSystemAttributeName as System};

    fn message(id: &str, sent: Option<i64>) -> Message {
        let sent = sent.map(|second| (System::SentTimestamp, (second * 1000).to_string()));
        Message::from(
            Received::builder().message_id(id).body("{}").set_attributes(sent.map(|sent| [sent].into())).build(),
        )
    }

    fn taken(expression: Option<&str>, ids: &[&str], older_than: Option<Duration>) -> Vec<&'static str> {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        let now = Timestamp::from_second(1_000).unwrap();
        let selection = Selection::of(expression, ids, older_than, now).unwrap();
        let messages = [("a", Some(100)), ("b", Some(699)), ("c", Some(700)), ("d", None)];
        messages
            .into_iter()
            .filter(|(id, sent)| selection.takes(&message(id, *sent)).unwrap())
            .map(|(id, _)| id)
            .collect()
    }

    #[test]
    fn a_message_meets_all_that_was_asked_for() {
        let ids = ["c", "a", "a", "x"];
        let older_than = Some(Duration::from_secs(300));
        let expression = Some(".message_id != \"a\"");
        assert_eq!(taken(None, &[], None), ["a", "b", "c", "d"]);
        assert_eq!(taken(None, &ids, None), ["a", "c"]);
        assert_eq!(taken(None, &[], older_than), ["a", "b"]);
        assert_eq!(taken(expression, &[], None), ["b", "c", "d"]);
        assert_eq!(taken(expression, &[], older_than), ["b"]);
        let selection = Selection::of(None, ids.map(str::to_owned).to_vec(), None, Timestamp::now()).unwrap();
        assert_eq!(selection.ids(), ["a", "c", "x"]);
        assert!(!selection.is_everything() && Selection::default().is_everything());
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert!(["", "a b", "../x", &"a".repeat(101)].iter().all(|id| parse_id(id).is_err()));
        let older_than = Some(Duration::from_secs(u64::MAX));
        assert!(Selection::of(None, Vec::new(), older_than, Timestamp::now()).is_err());
        assert!(Selection::of(Some(".a |"), Vec::new(), None, Timestamp::now()).is_err());
    }
}
