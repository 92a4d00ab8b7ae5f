//! The records of a table's stream by their position, as long as it keeps them.

use std::collections::HashMap;

use aws_sdk_dynamodbstreams::Client;
use aws_sdk_dynamodbstreams::types::{AttributeValue, Record, ShardIteratorType, StreamRecord};
use aws_smithy_types::base64;
use claimctl_claim::StreamPosition;
use claimctl_core::error::{Error, Result};
use serde_json::{Map, Value, json};

use crate::Explain;
use crate::backoff::{Backoff, is_throttled};
use crate::policy::Statement;

const ITERATE: &str = "dynamodb:GetShardIterator";
const GET: &str = "dynamodb:GetRecords";

/// What is answered when somebody else reads the shard too (Amazon DynamoDB API Reference, GetRecords).
const TOO_MANY_READERS: &str = "LimitExceededException";

/// Of records that are no longer there, or whose stream is not (Amazon DynamoDB API Reference, GetShardIterator).
const GONE: [&str; 2] = ["TrimmedDataAccessException", "ResourceNotFoundException"];

/// What IAM has to allow to read records of a stream.
pub fn permissions(stream_arn: &str) -> Statement {
    Statement::allow("ReadStream", &[ITERATE, GET], [stream_arn.to_owned()])
}

/// The records at a position, each as a Lambda function receives it. None: the stream does not hold all of them any more.
pub async fn records(client: &Client, position: &StreamPosition) -> Result<Option<Vec<Value>>> {
    let arn = &position.stream_arn;
    let doing = format!("read stream {arn}");
    let at_start = client
        .get_shard_iterator()
        .stream_arn(arn)
        .shard_id(&position.shard_id)
        .shard_iterator_type(ShardIteratorType::AtSequenceNumber)
        .sequence_number(&position.start_sequence_number);
    let mut backoff = Backoff::new();
    let mut iterator = loop {
        match at_start.clone().send().await {
            Err(error) if is_throttled(&error) && backoff.pause().await => {}
            Err(error) if crate::code(&error).is_some_and(|code| GONE.contains(&code)) => return Ok(None),
            answer => break answer.or_needs(&doing, ITERATE, arn)?.shard_iterator,
        }
    };
    let mut records = Vec::new();
    // None where the shard is closed, and ends here.
    while let Some(next) = iterator {
        let page = match client.get_records().shard_iterator(&next).send().await {
            Err(error)
                if (is_throttled(&error) || crate::code(&error) == Some(TOO_MANY_READERS)) && backoff.pause().await =>
            {
                iterator = Some(next);
                continue;
            }
            Err(error) if crate::code(&error).is_some_and(|code| GONE.contains(&code)) => return Ok(None),
            answer => answer.or_needs(&doing, GET, arn)?,
        };
        let is_empty = page.records().is_empty();
        for record in page.records.unwrap_or_default() {
            let number = record.dynamodb().and_then(StreamRecord::sequence_number).unwrap_or_default().to_owned();
            if !position.ends_before(&number) {
                records.push(as_in_an_event(record, arn));
            }
            if position.is_reached_by(&number) {
                return Ok(Some(records));
            }
        }
        // A page may be empty and others come behind it.
        match is_empty {
            true if !backoff.pause().await => {
                return Err(Error::unreachable(format!("cannot {doing}: its records do not come"))
                    .hint("run the same command again later"));
            }
            true => {}
            false => backoff.reset(),
        }
        iterator = page.next_shard_iterator;
    }
    Ok(None)
}

/// AWS Lambda Developer Guide, "Using AWS Lambda with Amazon DynamoDB", example event.
fn as_in_an_event(record: Record, stream_arn: &str) -> Value {
    let mut event = Map::new();
    let mut put = |name: &str, value: Option<Value>| value.map(|value| event.insert(name.to_owned(), value));
    put("eventID", record.event_id.map(Value::from));
    put("eventName", record.event_name.map(|name| name.as_str().into()));
    put("eventVersion", record.event_version.map(Value::from));
    put("eventSource", record.event_source.map(Value::from));
    put("awsRegion", record.aws_region.map(Value::from));
    put("dynamodb", record.dynamodb.map(of_change));
    put("userIdentity", record.user_identity.map(|by| json!({"principalId": by.principal_id, "type": by.r#type})));
    put("eventSourceARN", Some(stream_arn.into()));
    Value::Object(event)
}

fn of_change(change: StreamRecord) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Option<Value>| value.map(|value| fields.insert(name.to_owned(), value));
    put("ApproximateCreationDateTime", change.approximate_creation_date_time.map(|at| at.secs().into()));
    put("Keys", change.keys.as_ref().map(of_item));
    put("NewImage", change.new_image.as_ref().map(of_item));
    put("OldImage", change.old_image.as_ref().map(of_item));
    put("SequenceNumber", change.sequence_number.map(Value::from));
    put("SizeBytes", change.size_bytes.map(Value::from));
    put("StreamViewType", change.stream_view_type.map(|of| of.as_str().into()));
    Value::Object(fields)
}

/// With the types of its attributes, as DynamoDB's own JSON has it.
fn of_item(item: &HashMap<String, AttributeValue>) -> Value {
    Value::Object(item.iter().map(|(name, value)| (name.clone(), of_value(value))).collect())
}

fn of_value(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!({"S": text}),
        AttributeValue::N(digits) => json!({"N": digits}),
        AttributeValue::Bool(is) => json!({"BOOL": is}),
        AttributeValue::Null(is) => json!({"NULL": is}),
        AttributeValue::B(bytes) => json!({"B": base64::encode(bytes)}),
        AttributeValue::L(values) => json!({"L": values.iter().map(of_value).collect::<Vec<_>>()}),
        AttributeValue::M(item) => json!({"M": of_item(item)}),
        AttributeValue::Ss(texts) => json!({"SS": texts}),
        AttributeValue::Ns(numbers) => json!({"NS": numbers}),
        AttributeValue::Bs(all) => json!({"BS": all.iter().map(base64::encode).collect::<Vec<_>>()}),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake;

    fn position(start: &str, end: &str) -> StreamPosition {
        StreamPosition {
            stream_arn: "arn:aws:dynamodb:us-east-1:111111111111:table/t/stream/now".into(),
            shard_id: "shard".into(),
            start_sequence_number: start.into(),
            end_sequence_number: end.into(),
            batch_size: None,
        }
    }

    fn record(number: usize) -> Value {
        json!({"eventID": number.to_string(), "eventName": "INSERT", "eventSource": "aws:dynamodb", "awsRegion": "us-east-1",
            "dynamodb": {"ApproximateCreationDateTime": 1_700_000_000, "SequenceNumber": number.to_string(),
                "Keys": {"id": {"S": "k"}},
                "NewImage": {"id": {"S": "k"}, "n": {"N": "1.50"}, "l": {"L": [{"BOOL": true}, {"NULL": true}]},
                    "m": {"M": {"s": {"SS": ["a"]}}}, "b": {"B": "AP8="}}}})
    }

    /// A shard of records 5 to 12, two in a page, with empty pages among them and one throttle.
    fn shard(closed: bool) -> Client {
        let mut calls = 0;
        Client::new(&fake::answers(move |operation, asked| {
            calls += 1;
            let from = |text: &Value| text.as_str().unwrap().parse::<usize>().unwrap();
            match operation {
                "GetShardIterator" if from(&asked["SequenceNumber"]) < 5 => {
                    (400, json!({"__type": "TrimmedDataAccessException"}))
                }
                "GetShardIterator" => (200, json!({"ShardIterator": asked["SequenceNumber"]})),
                _ if calls == 2 => (400, json!({"__type": TOO_MANY_READERS})),
                _ => {
                    let from = from(&asked["ShardIterator"]);
                    let page: Vec<Value> =
                        if calls % 3 == 0 { Vec::new() } else { (from..(from + 2).min(13)).map(record).collect() };
                    let next = from + page.len();
                    match closed && next >= 13 {
                        true => (200, json!({"Records": page})),
                        false => (200, json!({"Records": page, "NextShardIterator": next.to_string()})),
                    }
                }
            }
        }))
    }

    #[tokio::test]
    async fn the_records_from_start_to_end_are_given_as_a_function_receives_them() {
        let position = position("6", "9");
        let records = records(&shard(false), &position).await.unwrap().unwrap();
        let mut expected: Vec<_> = (6..=9).map(record).collect();
        for record in &mut expected {
            record["eventSourceARN"] = position.stream_arn.as_str().into();
        }
        assert_eq!(records, expected);
    }

    #[tokio::test]
    async fn what_the_stream_no_longer_holds_is_said_to_be_gone() {
        assert_eq!(records(&shard(false), &position("4", "6")).await.unwrap(), None);
        assert_eq!(records(&shard(true), &position("11", "20")).await.unwrap(), None);
        let gone = |_: &str, _: &Value| (400, json!({"__type": "ResourceNotFoundException"}));
        assert_eq!(records(&Client::new(&fake::answers(gone)), &position("5", "6")).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_an_error() {
        let denied = |_: &str, _: &Value| (400, json!({"__type": "AccessDeniedException", "message": "no"}));
        let error = records(&Client::new(&fake::answers(denied)), &position("5", "6")).await.unwrap_err();
        assert!(error.advice().contains("needed: dynamodb:GetShardIterator"), "{}", error.advice());
        // It ends before the last record, and is not closed.
        let error = records(&shard(false), &position("11", "20")).await.unwrap_err();
        assert_eq!(error.kind(), claimctl_core::error::Kind::Unreachable);
    }
}
