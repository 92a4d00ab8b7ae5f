//! The JSON protocol of SQS, as far as clients of standard queues use it (Amazon SQS API Reference).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, PoisonError, RwLock};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::queue::{Queue, Received, Sent};

const ACCOUNT: &str = "000000000000";
const REGION: &str = "us-east-1";
/// Seconds, where neither the queue nor the call says otherwise.
const VISIBILITY: u64 = 30;
const BATCH: usize = 10;

/// Every queue of the only account.
pub struct Api {
    endpoint: String,
    queues: RwLock<BTreeMap<String, Arc<Queue>>>,
}

/// By the codes that SDKs know.
#[derive(Debug)]
pub enum Refusal {
    NoSuchQueue,
    TooManyEntries,
    Unsupported,
    Invalid(String),
}

/// The keys of all operations: each takes those that it knows.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request<'a> {
    queue_url: Option<Cow<'a, str>>,
    queue_name: Option<Cow<'a, str>>,
    queue_name_prefix: Option<Cow<'a, str>>,
    #[serde(default)]
    attributes: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    max_number_of_messages: Option<usize>,
    #[serde(default)]
    wait_time_seconds: u64,
    #[serde(borrow, default)]
    entries: Vec<Entry<'a>>,
    // What follows is an entry of its own where the call is no batch.
    #[serde(borrow)]
    message_body: Option<&'a RawValue>,
    #[serde(borrow)]
    message_attributes: Option<&'a RawValue>,
    #[serde(default)]
    delay_seconds: u64,
    receipt_handle: Option<Cow<'a, str>>,
    visibility_timeout: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    #[serde(default)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    message_body: Option<&'a RawValue>,
    #[serde(borrow)]
    message_attributes: Option<&'a RawValue>,
    #[serde(default)]
    delay_seconds: u64,
    receipt_handle: Option<Cow<'a, str>>,
    visibility_timeout: Option<u64>,
}

impl Api {
    pub fn new(endpoint: String) -> Api {
        Api { endpoint, queues: RwLock::default() }
    }

    /// The JSON that answers this call.
    pub fn answer(&self, operation: &str, body: &[u8]) -> Result<String, Refusal> {
        if operation.is_empty() {
            return Err(Refusal::Unsupported);
        }
        let mut request: Request<'_> = serde_json::from_slice(body).map_err(invalid)?;
        match operation {
            "CreateQueue" => return self.create(&request),
            "GetQueueUrl" => {
                let queue = self.named(request.queue_name.as_deref().unwrap_or_default())?;
                return Ok(format!(r#"{{"QueueUrl":"{}"}}"#, self.url(&queue)));
            }
            "ListQueues" => return Ok(self.list(request.queue_name_prefix.as_deref().unwrap_or_default())),
            _ => {}
        }
        let queue =
            self.named(request.queue_url.as_deref().and_then(|url| url.rsplit('/').next()).unwrap_or_default())?;
        let is_batch = operation.ends_with("Batch");
        let entries = if is_batch { std::mem::take(&mut request.entries) } else { vec![request.as_entry()] };
        if entries.len() > BATCH {
            return Err(Refusal::TooManyEntries);
        }
        match operation {
            "ReceiveMessage" => Ok(receive(&queue, &request)),
            "SendMessage" | "SendMessageBatch" => send(&queue, &entries, is_batch),
            "DeleteMessage" | "DeleteMessageBatch" => {
                queue.delete(entries.iter().map(Entry::receipt));
                Ok(accepted(&entries, is_batch))
            }
            "ChangeMessageVisibility" | "ChangeMessageVisibilityBatch" => {
                queue.change_visibility(entries.iter().map(|entry| {
                    let (id, receipt) = entry.receipt();
                    (id, receipt, entry.visibility_timeout.unwrap_or(0))
                }));
                Ok(accepted(&entries, is_batch))
            }
            "GetQueueAttributes" => Ok(attributes(&queue)),
            "PurgeQueue" => {
                queue.purge();
                Ok("{}".to_owned())
            }
            "DeleteQueue" => {
                self.queues.write().unwrap_or_else(PoisonError::into_inner).remove(&queue.name);
                Ok("{}".to_owned())
            }
            _ => Err(Refusal::Unsupported),
        }
    }

    fn create(&self, request: &Request<'_>) -> Result<String, Refusal> {
        let name = request.queue_name.as_deref().unwrap_or_default();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(Refusal::Invalid("a queue's name has letters, digits, - and _; there is no FIFO here".into()));
        }
        let visibility = request.attributes.get("VisibilityTimeout").and_then(|seconds| seconds.parse().ok());
        let mut queues = self.queues.write().unwrap_or_else(PoisonError::into_inner);
        let create = || Arc::new(Queue::new(name, visibility.unwrap_or(VISIBILITY)));
        let queue = queues.entry(name.to_owned()).or_insert_with(create);
        Ok(format!(r#"{{"QueueUrl":"{}"}}"#, self.url(queue)))
    }

    fn list(&self, prefix: &str) -> String {
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        let found = queues.values().filter(|queue| queue.name.starts_with(prefix));
        let urls: Vec<_> = found.map(|queue| format!("\"{}\"", self.url(queue))).collect();
        format!(r#"{{"QueueUrls":[{}]}}"#, urls.join(","))
    }

    fn named(&self, name: &str) -> Result<Arc<Queue>, Refusal> {
        let queues = self.queues.read().unwrap_or_else(PoisonError::into_inner);
        queues.get(name).cloned().ok_or(Refusal::NoSuchQueue)
    }

    fn url(&self, queue: &Queue) -> String {
        format!("{}/{ACCOUNT}/{}", self.endpoint, queue.name)
    }
}

impl<'a> Request<'a> {
    fn as_entry(&mut self) -> Entry<'a> {
        Entry {
            id: Cow::default(),
            message_body: self.message_body,
            message_attributes: self.message_attributes,
            delay_seconds: self.delay_seconds,
            receipt_handle: self.receipt_handle.take(),
            visibility_timeout: self.visibility_timeout,
        }
    }
}

impl Entry<'_> {
    /// Message and receipt; a handle that is none is nobody's.
    fn receipt(&self) -> (u64, u64) {
        let handle = self.receipt_handle.as_deref().unwrap_or_default();
        let parts = handle.split_once('.').and_then(|(id, receipt)| Some((id.parse().ok()?, receipt.parse().ok()?)));
        parts.unwrap_or((u64::MAX, u64::MAX))
    }
}

impl Refusal {
    /// The code of the JSON protocol, and what is said of it.
    pub fn describe(&self) -> (&'static str, &str) {
        match self {
            Refusal::NoSuchQueue => ("QueueDoesNotExist", "The specified queue does not exist."),
            Refusal::TooManyEntries => ("TooManyEntriesInBatchRequest", "A batch has at most 10 entries."),
            Refusal::Unsupported => ("UnsupportedOperation", "This server does not know the operation."),
            Refusal::Invalid(why) => ("InvalidParameterValue", why),
        }
    }
}

fn invalid(error: serde_json::Error) -> Refusal {
    Refusal::Invalid(error.to_string())
}

fn receive(queue: &Queue, request: &Request<'_>) -> String {
    let most = request.max_number_of_messages.unwrap_or(1).clamp(1, BATCH);
    let visibility = request.visibility_timeout.unwrap_or(queue.visibility);
    let mut answer = String::new();
    queue.receive(most, visibility, request.wait_time_seconds, |message| {
        answer.push_str(if answer.is_empty() { r#"{"Messages":["# } else { "," });
        push_message(&mut answer, queue, &message);
    });
    answer.push_str(if answer.is_empty() { "{}" } else { "]}" });
    answer
}

fn push_message(answer: &mut String, queue: &Queue, message: &Received<'_>) {
    let Received { id, receipt, sent, sent_at, first_received_at, receives } = message;
    let Sent { body, md5, attributes } = sent;
    let message_id = message_id(queue, *id);
    let written = write!(
        answer,
        r#"{{"MessageId":"{message_id}","ReceiptHandle":"{id}.{receipt}","MD5OfBody":"{md5}","Body":{body},"#
    );
    let system = write!(
        answer,
        r#""Attributes":{{"SenderId":"{ACCOUNT}","ApproximateReceiveCount":"{receives}","SentTimestamp":"{sent_at}","ApproximateFirstReceiveTimestamp":"{first_received_at}"}}"#
    );
    debug_assert!(written.is_ok() && system.is_ok(), "a String takes everything");
    if let Some(attributes) = attributes {
        answer.push_str(r#","MessageAttributes":"#);
        answer.push_str(attributes);
    }
    answer.push('}');
}

fn send(queue: &Queue, entries: &[Entry<'_>], is_batch: bool) -> Result<String, Refusal> {
    let mut batch = Vec::with_capacity(entries.len());
    for entry in entries {
        let body = entry.message_body.ok_or_else(|| Refusal::Invalid("a message has a body".to_owned()))?;
        let sent = Sent::new(body.get(), entry.message_attributes.map(RawValue::get)).map_err(invalid)?;
        batch.push((sent, entry.delay_seconds));
    }
    let digests: Vec<String> = batch.iter().map(|(sent, _)| sent.md5.clone()).collect();
    let ids = queue.send(batch);
    let told: Vec<_> = entries
        .iter()
        .zip(ids)
        .zip(digests)
        .map(|((entry, id), md5)| {
            let id = message_id(queue, id);
            format!(r#"{{"Id":{},"MessageId":"{id}","MD5OfMessageBody":"{md5}"}}"#, quoted(&entry.id))
        })
        .collect();
    let told = told.join(",");
    Ok(if is_batch { format!(r#"{{"Successful":[{told}]}}"#) } else { told })
}

fn accepted(entries: &[Entry<'_>], is_batch: bool) -> String {
    if !is_batch {
        return "{}".to_owned();
    }
    let told: Vec<_> = entries.iter().map(|entry| format!(r#"{{"Id":{}}}"#, quoted(&entry.id))).collect();
    format!(r#"{{"Successful":[{}]}}"#, told.join(","))
}

fn attributes(queue: &Queue) -> String {
    let counts = queue.counts();
    serde_json::json!({ "Attributes": {
        "QueueArn": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", queue.name),
        "ApproximateNumberOfMessages": counts.visible.to_string(),
        "ApproximateNumberOfMessagesNotVisible": counts.in_flight.to_string(),
        "ApproximateNumberOfMessagesDelayed": counts.delayed.to_string(),
        "VisibilityTimeout": queue.visibility.to_string(),
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "DelaySeconds": "0",
    }})
    .to_string()
}

/// Looks like a UUID, and differs between queues, as far as their names do.
fn message_id(queue: &Queue, id: u64) -> String {
    let of_name = queue.name.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    format!("{of_name:08x}-0000-4000-8000-{id:012x}")
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn call(api: &Api, operation: &str, request: Value) -> Value {
        serde_json::from_str(&api.answer(operation, request.to_string().as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn what_is_sent_comes_out_and_goes() {
        let api = Api::new("http://127.0.0.1:1".into());
        let url = call(&api, "CreateQueue", json!({"QueueName": "q"}))["QueueUrl"].clone();
        assert_eq!(url, "http://127.0.0.1:1/000000000000/q");
        let body = "naïve \"🙂\"\n";
        let entries = json!([{"Id": "a\"", "MessageBody": body, "MessageAttributes": {"n": {"DataType": "Number", "StringValue": "1"}}}]);
        let sent = call(&api, "SendMessageBatch", json!({"QueueUrl": url, "Entries": entries}));
        let received = call(&api, "ReceiveMessage", json!({"QueueUrl": url, "MaxNumberOfMessages": 10}));
        let message = &received["Messages"][0];
        assert_eq!((&message["Body"], &sent["Successful"][0]["Id"]), (&json!(body), &json!("a\"")));
        assert_eq!(message["MD5OfBody"], sent["Successful"][0]["MD5OfMessageBody"]);
        assert_eq!(
            (&message["MessageId"], &message["MessageAttributes"]["n"]["StringValue"]),
            (&sent["Successful"][0]["MessageId"], &json!("1"))
        );
        assert_eq!(message["Attributes"]["ApproximateReceiveCount"], "1");
        let entries = json!([{"Id": "0", "ReceiptHandle": message["ReceiptHandle"]}]);
        assert_eq!(
            call(&api, "DeleteMessageBatch", json!({"QueueUrl": url, "Entries": entries})),
            json!({"Successful": [{"Id": "0"}]})
        );
        assert_eq!(call(&api, "ReceiveMessage", json!({"QueueUrl": url})), json!({}));
        let counts = call(&api, "GetQueueAttributes", json!({"QueueUrl": url, "AttributeNames": ["All"]}));
        assert_eq!(counts["Attributes"]["ApproximateNumberOfMessages"], "0");
    }

    #[test]
    fn what_is_not_there_or_not_understood_is_refused() {
        let api = Api::new("http://127.0.0.1:1".into());
        for (operation, request, code) in [
            ("ReceiveMessage", r#"{"QueueUrl":"http://x/1/none"}"#, "QueueDoesNotExist"),
            ("GetQueueUrl", r#"{"QueueName":"none"}"#, "QueueDoesNotExist"),
            ("CreateQueue", r#"{"QueueName":"q.fifo"}"#, "InvalidParameterValue"),
            ("CreateQueue", r#"{"#, "InvalidParameterValue"),
        ] {
            assert_eq!(api.answer(operation, request.as_bytes()).unwrap_err().describe().0, code);
        }
    }
}
