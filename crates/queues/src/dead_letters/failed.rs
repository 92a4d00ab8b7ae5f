//! What a dead letter that Lambda, EventBridge or a function itself wrote tells of what failed.

use claimctl_claim::{Envelope, Event};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::message::Message;

/// Nothing, where the dead letter is no record of an invocation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedInvocation {
    /// With its alias, where it was invoked by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// The error of the last try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The id of the request that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl FailedInvocation {
    pub fn of(message: &Message) -> FailedInvocation {
        match (message.envelope.first(), &message.event) {
            (Some(Envelope::Destination), _) | (_, Some(Event::DiscardedRecords(_))) => {
                serde_json::from_str(&message.body).map_or_else(|_| Self::default(), Self::read)
            }
            _ => FailedInvocation {
                function: None,
                error: error_beside(message),
                request_id: message.attribute("RequestID").map(str::to_owned),
            },
        }
    }

    /// AWS Lambda Developer Guide, "Retaining records of asynchronous invocations".
    fn read(record: Value) -> FailedInvocation {
        let arn = record["requestContext"]["functionArn"].as_str();
        let function = arn.and_then(|arn| Some(arn.split_once(":function:")?.1.to_owned()));
        let payload = &record["responsePayload"];
        let said = [&payload["errorType"], &payload["errorMessage"]];
        let said: Vec<&str> = said.into_iter().filter_map(Value::as_str).filter(|said| !said.is_empty()).collect();
        let condition = record["requestContext"]["condition"].as_str().filter(|_| said.is_empty());
        let error = condition.map(str::to_owned).or_else(|| Some(said.join(": "))).filter(|error| !error.is_empty());
        let request_id = record["requestContext"]["requestId"].as_str().map(str::to_owned);
        FailedInvocation { function, error, request_id }
    }
}

/// What is written into attributes: by EventBridge code and message, by Lambda the message, where it has one (Amazon
/// EventBridge User Guide, "Using dead-letter queues to process undelivered events"; AWS Lambda Developer Guide, "Adding a
/// dead-letter queue").
pub fn error_beside(message: &Message) -> Option<String> {
    let by_lambda = || match (message.attribute("ErrorMessage"), message.attribute("ErrorCode")) {
        (Some(said), _) => Some(said.to_owned()),
        (None, code) => Some(format!("error {}", code?)),
    };
    let by_eventbridge = || match (message.attribute("ERROR_CODE"), message.attribute("ERROR_MESSAGE")) {
        (Some(code), Some(said)) => Some(format!("{code}: {said}")),
        (code, said) => said.or(code).map(str::to_owned),
    };
    by_lambda().or_else(by_eventbridge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn function_and_error_are_told_as_far_as_they_are_known() {
        let context =
            json!({"functionArn": "arn:aws:lambda:r:1:function:loader:live", "condition": "EventAgeExceeded"});
        let said = FailedInvocation::read(json!({"requestContext": context,
            "responsePayload": {"errorType": "MissingObject", "errorMessage": "b/k is not there"}}));
        assert_eq!(said.function.as_deref(), Some("loader:live"));
        assert_eq!(said.error.as_deref(), Some("MissingObject: b/k is not there"));
        // An event that was too old was not invoked again, and has no answer.
        let silent = FailedInvocation::read(json!({"requestContext": context}));
        assert_eq!(silent.error.as_deref(), Some("EventAgeExceeded"));
        assert_eq!(FailedInvocation::read(json!({})), FailedInvocation::default());
    }
}
