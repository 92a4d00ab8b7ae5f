//! Why dead letters died: what the handler said of them, read from its log group by message id or request id, and what
//! Lambda and EventBridge themselves wrote beside their own dead letters.

mod line;

use std::collections::{BTreeMap, HashMap};

use claimctl_aws::logs::{LogPages, LogQuery};
use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::target::Target;
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Kind, Result};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;

use super::failed::error_beside;
use super::sources::Source;
use crate::consumers::logs;
use crate::consumers::mapping;
use crate::message::Message;

/// Dead letters that are searched for by id, where a search for errors did not find them.
const MOST_SEARCHED: usize = 200;
/// Ids of one search: a filter pattern has at most 1,024 characters (Amazon CloudWatch Logs API Reference).
const IDS_AT_ONCE: usize = 24;
/// Invocations whose error is remembered, until a dead letter is found that they worked on.
const MOST_REQUESTS: usize = 100_000;
/// Clocks differ.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);

/// The dead letters of one queue by what went wrong with them.
#[derive(Debug, Default, Serialize)]
pub struct Why {
    /// The most frequent first.
    pub reasons: Vec<Reason>,
    /// Dead letters of which no log says anything.
    pub unexplained: u64,
    /// The log groups that were read.
    pub read: Vec<LogGroup>,
    /// What could not be read: sentences.
    pub unread: Vec<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    pub error: String,
    pub messages: u64,
    /// The message id of one of them.
    pub example: String,
}

#[derive(Debug, Serialize)]
pub struct LogGroup {
    pub function: String,
    pub name: String,
    /// Lines before that were not read.
    pub since: Timestamp,
    pub lines: u64,
    /// False: there were more lines than are read.
    pub complete: bool,
}

/// What is known of the dead letters so far.
#[derive(Default)]
pub struct DeadLetters {
    by_id: HashMap<String, DeadLetter>,
    /// When the first of them was sent.
    since: Option<Timestamp>,
}

#[derive(Default)]
struct DeadLetter {
    /// The bucket and the key of its first claim.
    names: Option<(String, String)>,
    request: Option<String>,
    error: Option<String>,
}

/// What IAM has to allow to find out why dead letters died.
pub fn permissions(arns: &ArnBuilder) -> Vec<Statement> {
    let mut statements = vec![mapping::list_permission("FindHandlers")];
    statements.extend(logs::permissions(arns));
    statements
}

impl DeadLetters {
    pub fn add(&mut self, message: &Message) {
        self.since = self.since.into_iter().chain(message.sent_at).min();
        let claim = message.claims.first();
        let (request, error) = by_sender(message);
        let dead_letter =
            DeadLetter { names: claim.map(|claim| (claim.bucket.clone(), claim.key.clone())), request, error };
        self.by_id.insert(message.message_id.to_ascii_lowercase(), dead_letter);
    }

    /// Reads the logs of the functions that worked on the dead letters, and groups the dead letters by error.
    pub async fn explain(mut self, target: &Target, sources: &[Source], cancel: &Cancel) -> Result<Why> {
        let mut why = Why::default();
        let unexplained = self.by_id.values().any(|dead_letter| dead_letter.error.is_none());
        if let Some(since) = self.since.filter(|_| unexplained) {
            let since = since.checked_sub(MARGIN).unwrap_or(since);
            let functions = handlers(target, sources, &mut why.unread).await?;
            if functions.is_empty() && why.unread.is_empty() {
                why.unread.push("no function is known that works on these messages".to_owned());
            }
            for function in functions {
                match self.read(target, &function, since, cancel).await {
                    Ok(group) => why.read.push(group),
                    Err(error) if error.kind() == Kind::Unreachable => return Err(error),
                    Err(error) => why.unread.push(format!("logs of function {function}: {error}")),
                }
            }
        }
        (why.reasons, why.unexplained) = self.grouped();
        Ok(why)
    }

    /// First what looks like an error, then what names one of the dead letters that are still unexplained.
    async fn read(&mut self, target: &Target, function: &str, since: Timestamp, cancel: &Cancel) -> Result<LogGroup> {
        let group = logs::group(&target.lambda(), function).await?;
        let client = target.logs();
        let pages = |pattern| {
            let query = LogQuery { group: group.clone(), since: Some(since), pattern };
            LogPages::start(client.clone(), query)
        };
        let mut requests = HashMap::new();
        let mut lines = 0;
        let any_of = |terms: &mut dyn Iterator<Item = String>| terms.collect::<Vec<_>>().join(" ");
        let pattern = any_of(&mut line::TERMS.iter().map(|term| format!("?{term}")));
        let mut complete = logs::scan(pages(pattern), cancel, |text| {
            lines += 1;
            self.learn(text, &mut requests);
        })
        .await?;
        self.explain_by_request(&requests);
        let open = self.by_id.iter().filter(|(_, dead_letter)| dead_letter.error.is_none());
        let open: Vec<_> = open.map(|(id, _)| id.clone()).take(MOST_SEARCHED).collect();
        for ids in open.chunks(IDS_AT_ONCE) {
            let pattern = any_of(&mut ids.iter().map(|id| format!("?\"{id}\"")));
            complete &= logs::scan(pages(pattern), cancel, |text| {
                lines += 1;
                self.learn(text, &mut requests);
            })
            .await?;
        }
        self.explain_by_request(&requests);
        Ok(LogGroup { function: function.to_owned(), name: group, since, lines, complete })
    }

    fn learn(&mut self, text: &str, requests: &mut HashMap<String, String>) {
        let line = line::read(text);
        let is_dead_letter = |id: &&String| self.by_id.contains_key(*id);
        let (dead_letters, others): (Vec<_>, Vec<_>) = line.ids.iter().partition(is_dead_letter);
        for id in &dead_letters {
            if let Some(dead_letter) = self.by_id.get_mut(*id) {
                dead_letter.request = others.first().map(|id| (*id).clone()).or(dead_letter.request.take());
                // A line may name all messages of a batch; what is said of one alone is better. The last try counts.
                if dead_letters.len() == 1 || dead_letter.error.is_none() {
                    dead_letter.error = line.error.clone().or(dead_letter.error.take());
                }
            }
        }
        if let (true, [request, ..], Some(error)) = (dead_letters.is_empty(), others.as_slice(), line.error)
            && requests.len() < MOST_REQUESTS
        {
            requests.entry((*request).clone()).or_insert(error);
        }
    }

    /// A dead letter about which nothing is said died of what its invocation died of.
    fn explain_by_request(&mut self, requests: &HashMap<String, String>) {
        for dead_letter in self.by_id.values_mut().filter(|dead_letter| dead_letter.error.is_none()) {
            dead_letter.error = dead_letter.request.as_ref().and_then(|request| requests.get(request).cloned());
        }
    }

    fn grouped(self) -> (Vec<Reason>, u64) {
        let mut groups: BTreeMap<String, Reason> = BTreeMap::new();
        let mut unexplained = 0;
        for (id, dead_letter) in self.by_id {
            let Some(error) = dead_letter.error else {
                unexplained += 1;
                continue;
            };
            let names = dead_letter.names.as_ref().map(|(bucket, key)| [key.as_str(), bucket.as_str()]);
            let error = line::general(&error, names.as_ref().map_or(&[], |names| names.as_slice()));
            let group =
                groups.entry(error.clone()).or_insert_with(|| Reason { error, messages: 0, example: id.clone() });
            group.messages += 1;
            group.example = id.min(std::mem::take(&mut group.example));
        }
        let mut reasons: Vec<_> = groups.into_values().collect();
        reasons.sort_by(|a, b| b.messages.cmp(&a.messages).then_with(|| a.error.cmp(&b.error)));
        (reasons, unexplained)
    }
}

/// The request and the error that the sender of a dead letter of its own writes beside it. Lambda: into attributes of an
/// event, or into the record that a destination gets (AWS Lambda Developer Guide, "Capturing records of Lambda
/// asynchronous invocations"). A rule or a schedule of EventBridge: into attributes (Amazon EventBridge User Guide, "Using
/// dead-letter queues to process undelivered events").
fn by_sender(message: &Message) -> (Option<String>, Option<String>) {
    let lower = |id: String| id.to_ascii_lowercase();
    if !message.body.contains("\"requestContext\"") {
        let request = message.attribute("RequestID").map(str::to_owned);
        return (request.map(lower), error_beside(message));
    }
    let record: Value = serde_json::from_str(&message.body).unwrap_or_default();
    let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let error = text("/responsePayload/errorMessage").or_else(|| text("/requestContext/condition"));
    (text("/requestContext/requestId").map(lower), error)
}

/// The functions that worked on the dead letters, each once.
async fn handlers(target: &Target, sources: &[Source], unread: &mut Vec<String>) -> Result<Vec<String>> {
    let mut functions = Vec::new();
    for source in sources {
        match source {
            Source::Function(function) | Source::Diverted(function) => functions.push(function.name.clone()),
            Source::Stream(function) => functions.push(function.name.clone()),
            // What could not be delivered no function has seen.
            Source::Subscription(_) | Source::Rules(_) | Source::Undelivered(_) => {}
            Source::Queue(queue) => match mapping::handlers(target, queue).await {
                Ok(handlers) => functions.extend(handlers),
                Err(error) if error.kind() == Kind::Unreachable => return Err(error),
                Err(error) => unread.push(format!("the functions that work on {}: {error}", queue.name)),
            },
        }
    }
    functions.sort();
    functions.dedup();
    Ok(functions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sqs::types::{Message as Received, MessageAttributeValue};

    fn id(n: u32) -> String {
        format!("00000000-0000-4000-8000-{n:012}")
    }

    fn dead_letters(number: u32) -> DeadLetters {
        let mut dead_letters = DeadLetters::default();
        for n in 1..=number {
            dead_letters.add(&Message::from(Received::builder().message_id(id(n)).body("{}").build()));
        }
        dead_letters
    }

    fn reasons(mut dead_letters: DeadLetters, lines: &[String]) -> (Vec<(String, u64)>, u64) {
        let mut requests = HashMap::new();
        lines.iter().for_each(|line| dead_letters.learn(line, &mut requests));
        dead_letters.explain_by_request(&requests);
        let (reasons, unexplained) = dead_letters.grouped();
        (reasons.into_iter().map(|reason| (reason.error, reason.messages)).collect(), unexplained)
    }

    #[test]
    fn a_letter_died_of_what_was_said_of_it_or_of_its_invocation() {
        let (crashed, fine) = (id(90), id(91));
        let lines = [
            format!(r#"{{"level":"ERROR","message":"failed","message_id":"{}","error":"first try"}}"#, id(1)),
            format!(r#"{{"level":"ERROR","message":"failed","message_id":"{}","error":"no payload"}}"#, id(1)),
            format!(r#"{{"level":"INFO","message":"begun","message_id":"{}","request_id":"{crashed}"}}"#, id(2)),
            format!(r#"{{"level":"INFO","message":"begun","message_id":"{}","request_id":"{fine}"}}"#, id(3)),
            format!("RequestId: {crashed} Error: Runtime exited"),
            format!(r#"{{"level":"ERROR","message_id":"{}","error":"another's"}}"#, id(99)),
        ];
        let expected = [("Error: Runtime exited", 1), ("no payload", 1)].map(|(error, n)| (error.to_owned(), n));
        assert_eq!(reasons(dead_letters(4), &lines), (expected.to_vec(), 2));
    }

    #[test]
    fn what_is_said_of_a_whole_batch_does_not_hide_what_is_said_of_one() {
        let lines = [
            format!(r#"{{"error":"bad key","message_id":"{}"}}"#, id(1)),
            format!("ERROR batch failed: {} {}", id(1), id(2)),
        ];
        let (reasons, unexplained) = reasons(dead_letters(2), &lines);
        assert_eq!(unexplained, 0);
        assert!(reasons.contains(&("bad key".to_owned(), 1)), "{reasons:?}");
    }

    #[test]
    fn who_could_not_deliver_says_why() {
        for (attributes, error) in [
            (
                &[("ERROR_CODE", "NO_PERMISSIONS"), ("ERROR_MESSAGE", "not allowed to send")][..],
                Some("NO_PERMISSIONS: not allowed to send"),
            ),
            (&[("ERROR_CODE", "SDK_CLIENT_ERROR"), ("RULE_ARN", "arn:r")], Some("SDK_CLIENT_ERROR")),
            (&[("ERROR_MESSAGE", "gone")], Some("gone")),
            (&[("ErrorCode", "429")], Some("error 429")),
            (&[("ErrorCode", "200"), ("ErrorMessage", "boom")], Some("boom")),
            (&[("RULE_ARN", "arn:r")], None),
        ] {
            let text =
                |value: &str| MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap();
            let message =
                attributes.iter().fold(Received::builder().message_id(id(1)).body("{}"), |message, (name, value)| {
                    message.message_attributes(*name, text(value))
                });
            let mut dead_letters = DeadLetters::default();
            dead_letters.add(&Message::from(message.build()));
            let (reasons, unexplained) = reasons(dead_letters, &[]);
            let said = reasons.first().map(|(reason, _)| reason.as_str());
            assert_eq!((said, unexplained), (error, u64::from(error.is_none())), "{attributes:?}");
        }
    }

    #[test]
    fn lambda_says_itself_why_its_own_letters_died() {
        let text =
            |value: &str| MessageAttributeValue::builder().data_type("String").string_value(value).build().unwrap();
        let event = Received::builder().message_id(id(1)).body("{}");
        let event =
            event.message_attributes("RequestID", text(&id(90))).message_attributes("ErrorMessage", text("boom"));
        let record = serde_json::json!({"version": "1.0", "requestContext": {"requestId": id(91), "condition":
            "RetriesExhausted"}, "requestPayload": {}, "responsePayload": {"errorMessage": "bang"}});
        let record = Received::builder().message_id(id(2)).body(record.to_string());
        let mut dead_letters = DeadLetters::default();
        for dead_letter in [event.build(), record.build()] {
            dead_letters.add(&Message::from(dead_letter));
        }
        let expected = [("bang".to_owned(), 1), ("boom".to_owned(), 1)].to_vec();
        assert_eq!(reasons(dead_letters, &[]), (expected, 0));
    }
}
