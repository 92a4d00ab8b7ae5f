//! What a record of the stream says of a payment.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::aws::Outgoing;
use crate::event::Invocation;
use crate::log;
use crate::payments::in_order::{Entry, Failed};
use crate::payments::payment::{self, FAILED, PAYMENT_ID, PENDING, REQUEST_DIGEST, SETTLED, STATUS};
use crate::payments::{attributes, digest, json_text};

/// A record of which there is something to tell.
#[derive(Debug)]
pub struct Record<'a> {
    /// As it came.
    pub raw: &'a Value,
    /// By which the stream knows it.
    pub sequence_number: &'a str,
    /// Where it has one that can be the name of a message group.
    payment_id: Option<String>,
    message: Result<Message, String>,
}

#[derive(Debug)]
struct Message {
    event_id: String,
    body: String,
}

impl<'a> Record<'a> {
    /// `None` where nothing has happened that anybody is told of.
    pub fn read(raw: &'a Value) -> Option<Self> {
        let change = &raw["dynamodb"];
        let id = change["Keys"][PAYMENT_ID]["S"].as_str().filter(|id| payment::is_id(id));
        let message = match event_of(raw) {
            Ok(None) => return None,
            Ok(Some(kind)) => message(raw, kind),
            Err(why) => Err(why),
        };
        Some(Self {
            raw,
            // The empty name stands for the whole batch: right for a record that has none.
            sequence_number: change["SequenceNumber"].as_str().unwrap_or_default(),
            payment_id: id.map(str::to_owned),
            message,
        })
    }

    pub fn entry(&self) -> Entry<Outgoing> {
        let group = self.payment_id.clone();
        let content = match (&self.message, &group) {
            (Ok(Message { event_id, body }), Some(id)) => {
                let fifo = Some((id.clone(), event_id.clone()));
                Ok((Outgoing { body: body.clone(), fifo, attributes: vec![] }, body.len()))
            }
            (Ok(_), None) => Err(Failed::new("InvalidPayment", "the record has no usable key")),
            (Err(why), _) => Err(Failed::new("InvalidPayment", why)),
        };
        Entry { group, content }
    }

    /// For the log.
    pub fn fields(&self, invocation: &Invocation) -> Vec<(&'static str, Value)> {
        vec![
            ("request_id", invocation.request_id.as_str().into()),
            (PAYMENT_ID, self.payment_id.clone().into()),
            ("sequence_number", self.sequence_number.into()),
            ("event_id", self.raw["eventID"].clone()),
        ]
    }
}

/// What has happened to the payment, if anything that others are told of.
fn event_of(raw: &Value) -> Result<Option<&'static str>, String> {
    let status = |image: &str| raw["dynamodb"][image][STATUS]["S"].as_str();
    match raw["eventName"].as_str() {
        Some("INSERT") => Ok(Some("PaymentCreated")),
        Some("MODIFY") => Ok(match (status("OldImage"), status("NewImage")) {
            (Some(PENDING), Some(SETTLED)) => Some("PaymentSettled"),
            (Some(PENDING), Some(FAILED)) => Some("PaymentFailed"),
            _ => None,
        }),
        Some("REMOVE") => Ok(None),
        _ => Err("it is no record of a table's stream".into()),
    }
}

/// The same for the same record, whenever it comes.
fn message(raw: &Value, kind: &str) -> Result<Message, String> {
    let image = raw["dynamodb"]["NewImage"].as_object().ok_or("the record has no new image")?;
    let mut payment = attributes::of_image(image);
    payment.remove(REQUEST_DIGEST);
    payment::check(&payment)?;
    let event_id = match raw["eventID"].as_str() {
        Some(id) if is_deduplication_id(id) => id.to_owned(),
        _ => digest(raw.to_string()),
    };
    let body = body(kind, &event_id, time_of(raw), payment);
    Ok(Message { event_id, body })
}

fn body(kind: &str, event_id: &str, time: Timestamp, payment: Map<String, Value>) -> String {
    json_text(&json!({ "type": kind, "event_id": event_id, "time": format!("{time:.3}"), "payment": payment }))
}

/// When it happened, which the stream knows to the second.
fn time_of(raw: &Value) -> Timestamp {
    let seconds = raw["dynamodb"]["ApproximateCreationDateTime"].as_f64();
    let millis = seconds.map(|seconds| (seconds * 1000.0).round() as i64);
    millis.and_then(|millis| Timestamp::from_millisecond(millis).ok()).unwrap_or_else(log::now)
}

fn is_deduplication_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
