//! Waiting for a table, a log group or a function that throttles: longer each time, and not for ever. Whoever asks may be stopped
//! while it waits.

use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

const FIRST: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 50 });
const LONGEST: Duration = Duration::from_millis(if cfg!(test) { 8 } else { 5_000 });
/// Without anything new for so long, it is given up.
const PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 200 } else { 120_000 });

pub struct Backoff {
    next: Duration,
    since: Instant,
}

impl Backoff {
    pub fn new() -> Backoff {
        Backoff { next: FIRST, since: Instant::now() }
    }

    /// Something came, so that patience begins anew.
    pub fn reset(&mut self) {
        *self = Backoff::new();
    }

    /// Pauses, and says whether to ask again.
    pub async fn pause(&mut self) -> bool {
        if self.since.elapsed() >= PATIENCE {
            return false;
        }
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(LONGEST);
        true
    }
}

/// What is answered when there is no capacity left (Amazon DynamoDB Developer Guide, "Error handling"; Amazon CloudWatch
/// Logs API Reference, "Common errors"; AWS Lambda API Reference, Invoke).
pub fn is_throttled<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    crate::code(error).is_some_and(|code| {
        [
            "ProvisionedThroughputExceededException",
            "ThrottlingException",
            "RequestLimitExceeded",
            "TooManyRequestsException",
        ]
        .contains(&code)
    })
}
