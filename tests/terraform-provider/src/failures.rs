//! The usual failures in the words of the real provider: it wraps what the SDK for Go says of a call, and what its
//! waiters say that see no end.

use serde::Deserialize;

use crate::faults::Action;
use crate::world::Place;

/// Made up; where it stands, the real one has an id of its own.
const REQUEST: &str = "RequestID: 00000000-0000-4000-8000-000000000000";

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Failure {
    /// By IAM.
    Denied,
    /// The name is another resource's.
    Taken,
    /// As often as the provider tries.
    Throttled,
    /// The service has accepted the change, and is not done with it for as long as the provider waits.
    Timeout,
}

/// How the provider and the service call a type.
struct Called {
    kind: &'static str,
    name: &'static str,
    service: &'static str,
    /// To create, to read, to update and to delete.
    operations: [&'static str; 4],
    denied: &'static str,
    taken: (u16, &'static str, &'static str),
    throttled: (u16, &'static str),
}

const CALLED: [Called; 5] = [
    Called {
        kind: "aws_cloudwatch_log_group",
        name: "CloudWatch Logs Log Group",
        service: "CloudWatch Logs",
        operations: ["CreateLogGroup", "DescribeLogGroups", "PutRetentionPolicy", "DeleteLogGroup"],
        denied: "AccessDeniedException",
        taken: (400, "ResourceAlreadyExistsException", "The specified log group already exists"),
        throttled: (400, "ThrottlingException"),
    },
    Called {
        kind: "aws_dynamodb_table",
        name: "AWS DynamoDB Table",
        service: "DynamoDB",
        operations: ["CreateTable", "DescribeTable", "UpdateTable", "DeleteTable"],
        denied: "AccessDeniedException",
        taken: (400, "ResourceInUseException", "Table already exists"),
        throttled: (400, "ThrottlingException"),
    },
    Called {
        kind: "aws_lambda_function",
        name: "Lambda Function",
        service: "Lambda",
        operations: ["CreateFunction", "GetFunction", "UpdateFunctionConfiguration", "DeleteFunction"],
        denied: "AccessDeniedException",
        taken: (409, "ResourceConflictException", "Function already exist"),
        throttled: (429, "TooManyRequestsException"),
    },
    Called {
        kind: "aws_s3_bucket",
        name: "S3 Bucket",
        service: "S3",
        operations: ["CreateBucket", "HeadBucket", "PutBucketTagging", "DeleteBucket"],
        denied: "AccessDenied",
        taken: (409, "BucketAlreadyExists", "The requested bucket name is not available"),
        throttled: (503, "SlowDown"),
    },
    Called {
        kind: "aws_sqs_queue",
        name: "SQS Queue",
        service: "SQS",
        operations: ["CreateQueue", "GetQueueAttributes", "SetQueueAttributes", "DeleteQueue"],
        denied: "AccessDenied",
        taken: (
            400,
            "QueueAlreadyExists",
            "A queue already exists with the same name and a different value for an attribute",
        ),
        throttled: (403, "RequestThrottled"),
    },
];

impl Failure {
    /// Whether the service has done something before it comes to this.
    pub fn is_late(self) -> bool {
        self == Failure::Timeout
    }

    /// None for a type that is not in the table.
    pub fn words(self, place: &Place, action: Action) -> Option<String> {
        let Called { name, service, operations, denied, taken, throttled, .. } =
            CALLED.iter().find(|called| called.kind == place.r#type)?;
        let (index, verb, noun) = match action {
            Action::Create => (0, "creating", "create"),
            Action::Read => (1, "reading", "read"),
            Action::Update => (2, "updating", "update"),
            Action::Delete => (3, "deleting", "delete"),
        };
        let (operation, key) = (operations[index], &place.key);
        let called = format!("{verb} {name} ({key}): operation error {service}: {operation}");
        let answer = |status: u16, code: &str, said: &str| {
            format!("https response error StatusCode: {status}, {REQUEST}, {code}: {said}")
        };
        Some(match self {
            Failure::Denied => {
                let account = &place.account;
                let said = format!(
                    "User: arn:aws:sts::{account}:assumed-role/deploy/ci is not authorized to perform: {}:{operation} \
                     because no identity-based policy allows the action",
                    service.rsplit(' ').next().unwrap_or_default().to_lowercase()
                );
                format!("{called}, {}", answer(403, &format!("api error {denied}"), &said))
            }
            Failure::Taken => {
                let (status, code, said) = taken;
                format!("{called}, {}", answer(*status, code, &format!("{said}: {key}")))
            }
            Failure::Throttled => {
                let (status, code) = throttled;
                let answer = answer(*status, &format!("api error {code}"), "Rate exceeded");
                format!("{called}, exceeded maximum number of attempts, 25, {answer}")
            }
            Failure::Timeout => {
                let seen = match action {
                    Action::Create => "state to become 'ACTIVE' (last state: 'CREATING', timeout: 30m0s)",
                    Action::Read | Action::Update => {
                        "state to become 'ACTIVE' (last state: 'UPDATING', timeout: 1h0m0s)"
                    }
                    Action::Delete => "resource to be gone (last state: 'DELETING', timeout: 10m0s)",
                };
                format!("waiting for {name} ({key}) {noun}: timeout while waiting for {seen}")
            }
        })
    }
}
