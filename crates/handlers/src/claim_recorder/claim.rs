//! One claim of a message: brings its record up to date, and runs the after-processing step.

use std::fmt;
use std::time::Instant;

use claimctl_claim::{Claim, Record, Unreadable};
use lambda_runtime::Diagnostic;

use super::Recorder;
use super::after_processing::{self, StepOutcome};
use super::reconcile::{self, ClaimOutcome};
use crate::aws::Failure;
use crate::event::{ClaimHandler, Invocation, Message};
use crate::log::{self, Level};

const SECONDS_PER_DAY: i64 = 86_400;
/// SQS keeps a message for 14 days at most (Amazon SQS API Reference, SetQueueAttributes): so long may an event come late
/// that was sent before its object was removed. Without the mark of the removal it would be recorded as if it were new.
const LATEST_DELIVERY_DAYS: u32 = 14;

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

impl ClaimHandler for Recorder {
    type Problem = Problem;

    async fn handle_claim(&self, claim: Claim, message: &Message, invocation: &Invocation) -> Result<(), Problem> {
        record_claim(self, claim, message, invocation).await
    }
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
    let days =
        recorder.config.ttl_days.map(|days| if claim.is_removal() { days.max(LATEST_DELIVERY_DAYS) } else { days });
    let record = message.record_of(claim, invocation);
    let expires_at = days.map(|days| record.recorded_at.as_second() + i64::from(days) * SECONDS_PER_DAY);
    Record { expires_at, ..record }
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
