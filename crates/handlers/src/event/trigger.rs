//! Tells by its event what has triggered the function.

use serde_json::Value;

use super::message::{Content, Message};

/// What an event asks for.
#[derive(Debug, PartialEq)]
pub enum Trigger {
    /// A batch of an SQS event source mapping.
    Queue(Vec<Message>),
    /// A schedule: the event of an EventBridge rule or of EventBridge Scheduler, or `{"claimctl": "poll"}` from anything
    /// that can send an event.
    Schedule,
    /// Anything else is taken for a claim in its envelopes, sent to the function itself.
    Direct(Value),
}

impl Trigger {
    pub fn of(mut event: Value) -> Self {
        let from_a_clock = event["source"] == "aws.events" || event["source"] == "aws.scheduler";
        if event["claimctl"] == "poll" || (from_a_clock && event["detail-type"] == "Scheduled Event") {
            return Self::Schedule;
        }
        match event.get_mut("Records").and_then(Value::as_array_mut) {
            Some(records) if records.first().is_some_and(|record| record["eventSource"] == "aws:sqs") => {
                Self::Queue(records.iter_mut().map(message).collect())
            }
            _ => Self::Direct(event),
        }
    }
}

fn message(record: &mut Value) -> Message {
    let attributes = &record["attributes"];
    let receive_count = attributes["ApproximateReceiveCount"].as_str().and_then(|count| count.parse().ok());
    let group = attributes["MessageGroupId"].as_str().map(Into::into);
    // A standard queue may have message groups too (fair queues), but gives no promise about their order.
    let fifo = record["eventSourceARN"].as_str().is_some_and(|arn| arn.ends_with(".fifo"));
    Message {
        // Lambda takes a failure of the empty id for one of the whole batch: right for a message without a name.
        id: Some(record["messageId"].as_str().unwrap_or_default().into()),
        content: Content::Body(record["body"].as_str().unwrap_or_default().into()),
        receive_count,
        group: if fifo { group } else { None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn schedules() {
        for event in [
            json!({ "claimctl": "poll" }),
            json!({ "source": "aws.events", "detail-type": "Scheduled Event", "detail": {} }),
            json!({ "source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": "{}" }),
        ] {
            assert_eq!(Trigger::of(event), Trigger::Schedule);
        }
    }

    #[test]
    fn a_queue_batch() {
        let record = |arn: &str| {
            json!({
                "messageId": "m", "body": "b", "eventSource": "aws:sqs", "eventSourceARN": arn,
                "attributes": { "ApproximateReceiveCount": "3", "MessageGroupId": "g" },
            })
        };
        let fifo = Message {
            id: Some("m".into()),
            content: Content::Body("b".into()),
            receive_count: Some(3),
            group: Some("g".into()),
        };
        let standard = Message { group: None, ..fifo.clone() };
        let event = json!({ "Records": [record("arn:aws:sqs:r:a:q.fifo"), record("arn:aws:sqs:r:a:q")] });
        assert_eq!(Trigger::of(event), Trigger::Queue(vec![fifo, standard]));
    }

    #[test]
    fn the_rest_is_direct() {
        for event in [json!({ "Records": [{ "s3": {} }] }), json!({ "source": "aws.s3" }), json!([1]), json!(null)] {
            assert_eq!(Trigger::of(event.clone()), Trigger::Direct(event));
        }
    }
}
