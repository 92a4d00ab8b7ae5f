//! From a message of `payment-stream` to an event.

use jiff::Timestamp;
use serde_json::Value;

use crate::aws::{Event, LARGEST_CALL};
use crate::event::{Content, Message};
use crate::payments::in_order::{Entry, Failed};
use crate::payments::json_text;
use crate::payments::payment::{self, EVENT_ID};

/// What rules look for.
const SOURCE: &str = "payments";
const KINDS: [&str; 3] = ["PaymentCreated", "PaymentSettled", "PaymentFailed"];

pub fn entry(message: &Message) -> Entry<Event> {
    let event = event(message).map_err(|why| Failed::new("Unreadable", why)).and_then(|event| {
        let size = event.size();
        if size > LARGEST_CALL {
            let why = format!("the event has {size} bytes, and EventBridge takes {LARGEST_CALL}: it can never be put");
            return Err(Failed::new("TooLarge", why));
        }
        Ok((event, size))
    });
    Entry { group: message.group.clone(), content: event }
}

fn event(message: &Message) -> Result<Event, String> {
    let Content::Body(body) = &message.content else {
        return Err("it has no body".into());
    };
    let mut told: Value = serde_json::from_str(body).map_err(|error| format!("the body is not JSON: {error}"))?;
    let kind =
        told["type"].as_str().filter(|kind| KINDS.contains(kind)).ok_or("type is none of a payment's")?.to_owned();
    let event_id = told[EVENT_ID].as_str().filter(|id| !id.is_empty()).ok_or("event_id is missing")?.to_owned();
    let time = told["time"].as_str().and_then(|time| time.parse::<Timestamp>().ok()).ok_or("time is none")?;
    let Value::Object(mut payment) = told["payment"].take() else {
        return Err("payment is missing".into());
    };
    payment::check(&payment)?;
    payment.insert(EVENT_ID.into(), event_id.into());
    Ok(Event { source: SOURCE, detail_type: kind, time: time.as_millisecond(), detail: json_text(&payment.into()) })
}
