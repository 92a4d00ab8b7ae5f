//! The claim check: a bucket whose new objects put claims into a queue, and a function that leaves one record for each.

mod story;

use super::{Handler, Kind, Stack, Variable};

const VARIABLES: &[Variable] = &[
    Variable {
        name: "trigger",
        parameter: "Trigger",
        kind: Kind::OneOf(&["queue", "schedule"]),
        default: "queue",
        summary: "what makes the function run",
    },
    Variable {
        name: "after_processing",
        parameter: "AfterProcessing",
        kind: Kind::OneOf(&["keep", "tag", "delete"]),
        default: "keep",
        summary: "what it does with a payload that is recorded",
    },
    Variable {
        name: "visibility_timeout",
        parameter: "VisibilityTimeout",
        // Shorter than a second there is none, and longer SQS has none (Amazon SQS API Reference, SetQueueAttributes).
        kind: Kind::Seconds(1..=43_200),
        // Six times the function's timeout (AWS Lambda Developer Guide, "Creating and configuring an Amazon SQS event
        // source mapping").
        default: "180",
        summary: "so long after a failure is a claim tried again",
    },
];

const HANDLERS: &[Handler] = &[Handler { name: "claim-recorder", key: "ArtifactKey", digest: "ArtifactDigest" }];

pub const STACK: Stack = Stack {
    name: "claim-check",
    summary: "payloads in a bucket, claims in a queue, one record for each in a table",
    template: include_str!("template.yaml"),
    documents: &[],
    variables: VARIABLES,
    handlers: HANDLERS,
    work: "upload FILE",
    database: false,
    play: |stage| Box::pin(story::play(stage)),
};
