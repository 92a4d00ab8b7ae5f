//! What a message holds that is no claim: an event of a bus, records of a table's stream, or where in a stream they are.
//!
//! Sources: "Events in Amazon EventBridge" (Amazon EventBridge User Guide), "Using AWS Lambda with Amazon DynamoDB" and
//! "Retain discarded records for a DynamoDB event source in Lambda" (AWS Lambda Developer Guide).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Envelope, StreamPosition};

/// Its JSON form is a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// Of an event bus.
    Bus(BusEvent),
    /// As the function of a stream's mapping receives them.
    StreamRecords(StreamRecords),
    /// Not the records, but where they were when their mapping gave them up.
    DiscardedRecords(DiscardedRecords),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusEvent {
    pub id: Option<String>,
    pub source: String,
    pub detail_type: String,
    /// RFC 3339, as the event gave it.
    pub time: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamRecords {
    pub records: u64,
    /// `INSERT`, `MODIFY`, `REMOVE`. None: not the same for all of them.
    pub event_name: Option<String>,
    pub stream_arn: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscardedRecords {
    /// ARN of the function that was given them, with its alias.
    pub function_arn: String,
    /// Why they were given up: `RetryAttemptsExhausted`.
    pub condition: Option<String>,
    pub stream_arn: String,
    pub shard_id: String,
    pub start_sequence_number: String,
    pub end_sequence_number: String,
    pub records: Option<u64>,
    /// When the last of them came into the stream.
    pub last_arrived_at: Option<String>,
}

impl Event {
    /// The event in a message body, and what it is wrapped in. None: the body holds something else.
    pub fn open(body: &str) -> Option<(Vec<Envelope>, Event)> {
        let body: Value = serde_json::from_str(body).ok()?;
        let (outside, event) = match body.get("requestPayload") {
            Some(payload) => (Some(Envelope::Destination), Event::of(payload)?),
            None => (None, Event::of(&body)?),
        };
        let inside = matches!(event, Event::Bus(_)).then_some(Envelope::EventBridge);
        Some((outside.into_iter().chain(inside).collect(), event))
    }

    /// None: it is something else.
    pub fn of(body: &Value) -> Option<Event> {
        bus_event(body)
            .map(Event::Bus)
            .or_else(|| stream_records(body).map(Event::StreamRecords))
            .or_else(|| discarded_records(body).map(Event::DiscardedRecords))
    }

    /// What it is called: its detail type, what happened to the item, why the records were given up.
    pub fn name(&self) -> Option<&str> {
        match self {
            Event::Bus(event) => Some(&event.detail_type),
            Event::StreamRecords(records) => records.event_name.as_deref(),
            Event::DiscardedRecords(records) => records.condition.as_deref(),
        }
    }
}

impl DiscardedRecords {
    pub fn position(&self) -> StreamPosition {
        StreamPosition {
            stream_arn: self.stream_arn.clone(),
            shard_id: self.shard_id.clone(),
            start_sequence_number: self.start_sequence_number.clone(),
            end_sequence_number: self.end_sequence_number.clone(),
            batch_size: self.records,
        }
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn bus_event(body: &Value) -> Option<BusEvent> {
    body.get("detail")?;
    Some(BusEvent {
        id: text(&body["id"]),
        // What S3 tells is a claim, or one that cannot be read.
        source: text(&body["source"]).filter(|source| source != "aws.s3")?,
        detail_type: text(&body["detail-type"])?,
        time: text(&body["time"]),
    })
}

fn stream_records(body: &Value) -> Option<StreamRecords> {
    let records = body.get("Records")?.as_array().filter(|records| !records.is_empty())?;
    if !records.iter().all(|record| record["dynamodb"].is_object() || record["eventSource"] == "aws:dynamodb") {
        return None;
    }
    let common = |name: &str| {
        let first = text(&records[0][name])?;
        records.iter().all(|record| record[name] == first.as_str()).then_some(first)
    };
    Some(StreamRecords {
        records: records.len() as u64,
        event_name: common("eventName"),
        stream_arn: common("eventSourceARN"),
    })
}

fn discarded_records(body: &Value) -> Option<DiscardedRecords> {
    let position = StreamPosition::of(body)?;
    let (context, batch) = (&body["requestContext"], &body["DDBStreamBatchInfo"]);
    Some(DiscardedRecords {
        function_arn: text(&context["functionArn"])?,
        condition: text(&context["condition"]),
        last_arrived_at: text(&batch["approximateArrivalOfLastRecord"]),
        stream_arn: position.stream_arn,
        shard_id: position.shard_id,
        start_sequence_number: position.start_sequence_number,
        end_sequence_number: position.end_sequence_number,
        records: position.batch_size,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_of_any_source_is_known_by_its_envelope() {
        let body = json!({"version": "0", "id": "e-1", "detail-type": "PaymentCreated", "source": "payments",
            "time": "2026-01-01T00:00:00Z", "detail": {"payment_id": "pay-1"}});
        let (wrapped, event) = Event::open(&body.to_string()).unwrap();
        assert_eq!((wrapped, event.name()), (vec![Envelope::EventBridge], Some("PaymentCreated")));
        let written = serde_json::to_value(&event).unwrap();
        assert_eq!(
            written,
            json!({"kind": "bus", "id": "e-1", "source": "payments", "detail_type": "PaymentCreated",
                "time": "2026-01-01T00:00:00Z"})
        );
        assert_eq!(serde_json::from_value::<Event>(written).unwrap(), event);
        let record = json!({"requestContext": {}, "requestPayload": body}).to_string();
        assert_eq!(Event::open(&record), Some((vec![Envelope::Destination, Envelope::EventBridge], event)));
        let of_s3 = json!({"detail-type": "Object Created", "source": "aws.s3", "detail": {}});
        for other in [of_s3, json!({"detail-type": "x", "source": "y"}), json!({"detail": {}}), json!("text")] {
            assert_eq!(Event::of(&other), None, "{other}");
        }
    }

    #[test]
    fn records_of_a_stream_are_told_from_other_records() {
        let record = |name: &str| json!({"eventName": name, "eventSource": "aws:dynamodb", "dynamodb": {"Keys": {}}});
        let of = |records: Vec<Value>| Event::of(&json!({"Records": records}));
        let name = |event: Option<Event>| event.unwrap().name().map(str::to_owned);
        assert_eq!(name(of(vec![record("INSERT"), record("INSERT")])).as_deref(), Some("INSERT"));
        assert_eq!(name(of(vec![record("INSERT"), record("MODIFY")])), None);
        assert_eq!(of(vec![record("INSERT"), json!({"eventSource": "aws:sqs", "body": "{}"})]), None);
        assert_eq!(of(Vec::new()), None);
    }

    #[test]
    fn a_position_is_not_taken_for_the_records() {
        let body = json!({
            "requestContext": {"requestId": "r", "functionArn": "arn:f:live", "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": 11},
            "version": "1.0", "timestamp": "2026-01-01T00:00:09Z",
            "DDBStreamBatchInfo": {"shardId": "s", "startSequenceNumber": "8", "endSequenceNumber": "10",
                "approximateArrivalOfFirstRecord": "2026-01-01T00:00:00Z",
                "approximateArrivalOfLastRecord": "2026-01-01T00:00:01Z", "batchSize": 2, "streamArn": "a"}});
        let Some(Event::DiscardedRecords(discarded)) = Event::of(&body) else { panic!("{body}") };
        assert_eq!((discarded.function_arn.as_str(), discarded.records), ("arn:f:live", Some(2)));
        assert_eq!(Some(discarded.position()), StreamPosition::of(&body));
    }
}
