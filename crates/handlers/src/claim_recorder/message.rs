//! One message: opens it, brings the record of each of its claims up to date, and runs the after-processing step.

use std::fmt;
use std::time::Instant;

use claimctl_claim::{Claim, Record, Status, Unreadable};
use lambda_runtime::Diagnostic;
use serde_json::Value;

use super::after_processing::{self, StepOutcome};
use super::reconcile::{self, ClaimOutcome};
use super::{Invocation, Recorder};
use crate::aws::Failure;
use crate::log::{self, Level};

const SECONDS_PER_DAY: i64 = 86_400;
/// SQS keeps a message for 14 days at most (Amazon SQS API Reference, SetQueueAttributes): so long may an event come late
/// that was sent before its object was removed. Without the mark of the removal it would be recorded as if it were new.
const LATEST_DELIVERY_DAYS: u32 = 14;

/// A message to be recorded, from whatever source.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// `None` for an event that came to the function itself.
    pub id: Option<String>,
    pub content: Content,
    pub receive_count: Option<u64>,
    /// Messages of one group are handled in their order.
    pub group: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    Body(String),
    Event(Value),
}

impl Message {
    pub fn direct(event: Value) -> Self {
        Self { id: None, content: Content::Event(event), receive_count: None, group: None }
    }
}

/// Why a message was not recorded. It stays in its queue, or its invocation fails.
#[derive(Debug)]
pub enum Problem {
    Unreadable(Unreadable),
    /// A claim without a sequencer can be checked only against its object, and there is neither that nor a record.
    MissingObject(String),
    /// Another write to the same record came in between. A redelivery finds out how things stand.
    ConcurrentWrite,
    NoQueueUrl,
    Aws(Failure),
}

/// Records all claims of one message, in their order, and returns how many there were.
///
/// A claim that fails does not keep the others of the message from being recorded, but the message fails.
pub async fn record(recorder: &Recorder, message: &Message, invocation: &Invocation) -> Result<usize, Problem> {
    let result = record_claims(recorder, message, invocation).await;
    if let Err(problem) = &result {
        let fields = vec![
            ("request_id", invocation.request_id.as_str().into()),
            ("message_id", message.id.clone().into()),
            ("receive_count", message.receive_count.into()),
            ("error", problem.to_string().into()),
        ];
        log::line(Level::Error, "message failed", fields);
    }
    result
}

async fn record_claims(recorder: &Recorder, message: &Message, invocation: &Invocation) -> Result<usize, Problem> {
    let opened = match &message.content {
        Content::Body(body) => claimctl_claim::open(body),
        Content::Event(event) => claimctl_claim::open_json(event),
    }?;
    if opened.test_event {
        let fields =
            vec![("request_id", invocation.request_id.as_str().into()), ("message_id", message.id.clone().into())];
        log::line(Level::Info, "test event ignored", fields);
    }
    let count = opened.claims.len();
    let mut first_problem = None;
    for claim in opened.claims {
        if let Err(problem) = record_claim(recorder, claim, message, invocation).await {
            first_problem.get_or_insert(problem);
        }
    }
    first_problem.map_or(Ok(count), Err)
}

async fn record_claim(
    recorder: &Recorder,
    claim: Claim,
    message: &Message,
    invocation: &Invocation,
) -> Result<(), Problem> {
    let started = Instant::now();
    let (bucket, key) = (claim.bucket.clone(), claim.key.clone());
    let result = reconcile_and_process(recorder, claim, message, invocation).await;
    let (level, outcome, after_processing, error) = match &result {
        Ok((outcome, after_processing)) => {
            (Level::Info, outcome.as_str(), after_processing.map(StepOutcome::as_str), None)
        }
        Err(problem) => (Level::Error, "failed", None, Some(problem.to_string())),
    };
    let fields = vec![
        ("request_id", invocation.request_id.as_str().into()),
        ("message_id", message.id.clone().into()),
        ("bucket", bucket.into()),
        ("key", key.into()),
        ("outcome", outcome.into()),
        ("after_processing", after_processing.into()),
        ("error", error.into()),
        ("duration_ms", (started.elapsed().as_micros() as f64 / 1000.0).into()),
    ];
    log::line(level, "claim", fields);
    result.map(drop)
}

async fn reconcile_and_process(
    recorder: &Recorder,
    claim: Claim,
    message: &Message,
    invocation: &Invocation,
) -> Result<(ClaimOutcome, Option<StepOutcome>), Problem> {
    let record = new_record(recorder, claim, message, invocation);
    let reconciled = reconcile::reconcile(recorder, record, invocation.deadline).await?;
    let after_processing = after_processing::run(recorder, &reconciled, invocation.deadline).await?;
    Ok((reconciled.outcome, after_processing))
}

fn new_record(recorder: &Recorder, claim: Claim, message: &Message, invocation: &Invocation) -> Record {
    let recorded_at = log::now();
    let status = if claim.is_removal() { Status::Removed } else { Status::Recorded };
    let days =
        recorder.config.ttl_days.map(|days| if claim.is_removal() { days.max(LATEST_DELIVERY_DAYS) } else { days });
    Record {
        claim,
        status,
        recorded_at,
        message_id: message.id.clone(),
        request_id: Some(invocation.request_id.clone()),
        receive_count: message.receive_count,
        expires_at: days.map(|days| recorded_at.as_second() + i64::from(days) * SECONDS_PER_DAY),
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(unreadable) => unreadable.fmt(f),
            Self::MissingObject(object) => write!(f, "the claim dangles: there is no object {object}"),
            Self::ConcurrentWrite => f.write_str("the record was changed at the same time"),
            Self::NoQueueUrl => f.write_str("QUEUE_URL is not set: it names the queue that a schedule empties"),
            Self::Aws(failure) => failure.fmt(f),
        }
    }
}

impl From<Unreadable> for Problem {
    fn from(unreadable: Unreadable) -> Self {
        Self::Unreadable(unreadable)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::Aws(failure)
    }
}

impl From<Problem> for Diagnostic {
    fn from(problem: Problem) -> Self {
        let error_type = match &problem {
            Problem::Unreadable(_) => "Unreadable",
            Problem::MissingObject(_) => "MissingObject",
            Problem::ConcurrentWrite => "ConcurrentWrite",
            Problem::NoQueueUrl => "NoQueueUrl",
            Problem::Aws(_) => "Aws",
        };
        Self { error_type: error_type.into(), error_message: problem.to_string() }
    }
}
