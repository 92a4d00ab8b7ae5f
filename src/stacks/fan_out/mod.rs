//! The fan-out: a bucket whose new objects are told to a topic, which passes each event to one of two queues by how the
//! object came to be, and a function per queue that writes one line of its log for each.

mod story;

use super::{Handler, Kind, Stack, Variable};

// The limits of SQS (Amazon SQS API Reference, SetQueueAttributes).
const VARIABLES: &[Variable] = &[
    Variable {
        name: "copied_delay",
        parameter: "CopiedDelay",
        kind: Kind::Seconds(0..=900),
        default: "90",
        summary: "so long is the event of a copy hidden",
    },
    Variable {
        name: "copied_retention",
        parameter: "CopiedRetention",
        kind: Kind::Seconds(60..=1_209_599),
        default: "86400",
        summary: "so long is the event of a copy kept",
    },
    Variable {
        name: "copied_wait_time",
        parameter: "CopiedWaitTime",
        kind: Kind::Seconds(1..=20),
        default: "10",
        summary: "so long does a receive wait for the event of a copy",
    },
    Variable {
        name: "batch_size",
        parameter: "BatchSize",
        kind: Kind::Number(1..=10),
        default: "1",
        summary: "events that a function is invoked with at most",
    },
    Variable {
        name: "visibility_timeout",
        parameter: "VisibilityTimeout",
        kind: Kind::Seconds(1..=43_200),
        // Six times the functions' timeout (AWS Lambda Developer Guide, "Creating and configuring an Amazon SQS event
        // source mapping").
        default: "180",
        summary: "so long after a failure is an event tried again",
    },
];

const HANDLERS: &[Handler] = &[Handler { name: "event-logger", key: "ArtifactKey", digest: "ArtifactDigest" }];

pub const STACK: Stack = Stack {
    name: "fan-out",
    summary: "payloads in a bucket, their events through a topic into two queues, one line of a log for each",
    template: include_str!("template.yaml"),
    documents: &[],
    variables: VARIABLES,
    handlers: HANDLERS,
    work: "upload FILE",
    database: false,
    play: |stage| Box::pin(story::play(stage)),
};
