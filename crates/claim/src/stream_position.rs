//! What the dead letter of a stream's mapping holds: not the records that its function failed at, but where in the stream
//! they are (AWS Lambda Developer Guide, "Retain discarded records for a DynamoDB event source in Lambda").

use std::cmp::Ordering;

use serde::Deserialize;
use serde_json::Value;

/// Records that lie beside each other in one shard. A stream keeps them for a day.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamPosition {
    pub stream_arn: String,
    pub shard_id: String,
    pub start_sequence_number: String,
    pub end_sequence_number: String,
    pub batch_size: Option<u64>,
}

impl StreamPosition {
    /// None: the body of a message is something else. Only DynamoDB's streams are known.
    pub fn of(body: &Value) -> Option<StreamPosition> {
        StreamPosition::deserialize(body.get("DDBStreamBatchInfo")?).ok()
    }

    /// Whether a record of the shard lies behind the last one that is meant.
    pub fn ends_before(&self, sequence_number: &str) -> bool {
        order(sequence_number, &self.end_sequence_number) == Ordering::Greater
    }

    /// Whether a record of the shard is the last one that is meant, or lies behind it.
    pub fn is_reached_by(&self, sequence_number: &str) -> bool {
        order(sequence_number, &self.end_sequence_number) != Ordering::Less
    }
}

/// Sequence numbers are decimal, and longer than any number of a machine.
fn order(one: &str, other: &str) -> Ordering {
    let digits = |number: &str| number.trim_start_matches('0').to_owned();
    let (one, other) = (digits(one), digits(other));
    one.len().cmp(&other.len()).then_with(|| one.cmp(&other))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_position_is_read_from_the_dead_letter_of_a_mapping() {
        let position = StreamPosition::of(&json!({
            "requestContext": {"requestId": "r", "functionArn": "f", "condition": "RetryAttemptsExhausted"},
            "DDBStreamBatchInfo": {"shardId": "s", "startSequenceNumber": "8", "endSequenceNumber": "10",
                "approximateArrivalOfFirstRecord": "2026-01-01T00:00:00Z", "batchSize": 2, "streamArn": "a"}
        }));
        let position = position.unwrap();
        assert_eq!((&*position.stream_arn, &*position.shard_id, position.batch_size), ("a", "s", Some(2)));
        for (number, reached, behind) in
            [("8", false, false), ("09", false, false), ("010", true, false), ("11", true, true)]
        {
            assert_eq!((position.is_reached_by(number), position.ends_before(number)), (reached, behind), "{number}");
        }
        for other in
            [json!({}), json!([]), json!({"DDBStreamBatchInfo": {"shardId": "s"}}), json!({"KinesisBatchInfo": {}})]
        {
            assert_eq!(StreamPosition::of(&other), None, "{other}");
        }
    }
}
