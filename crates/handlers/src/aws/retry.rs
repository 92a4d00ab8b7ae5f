//! When to send a call again, and until when.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use super::Failure;

/// The first try included.
pub(super) const MAX_TRIES: u32 = 5;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Error codes that say "later", whatever their HTTP status.
/// Source: "Error retries and exponential backoff" and each service's list of common errors.
const PASSING: [&str; 9] = [
    "ThrottlingException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "OverLimit",
    "SlowDown",
    "RequestTimeout",
    "TransactionInProgressException",
    "ReplicatedWriteConflictException",
];

/// The moment by which an invocation has to be done.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    pub fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// `None` once it has passed.
    pub fn left(self) -> Option<Duration> {
        Some(self.0.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }

    /// Whether more than `time` is left.
    pub fn allows(self, time: Duration) -> bool {
        self.left().is_some_and(|left| left > time)
    }
}

/// Whether the same call may succeed a little later.
pub(super) fn helps(failure: &Failure) -> bool {
    match failure {
        Failure::Refused(refusal) => {
            refusal.status >= 500 || refusal.status == 429 || PASSING.contains(&refusal.code.as_str())
        }
        Failure::Unreachable(_) => true,
        Failure::Unsendable(_) | Failure::TimeIsUp => false,
    }
}

/// Exponential backoff with full jitter, so that the callers a throttle has bunched together come apart.
pub(super) fn pause(tries: u32) -> Duration {
    let longest = LONGEST_PAUSE.min(FIRST_PAUSE * 2u32.saturating_pow(tries.saturating_sub(1)));
    // The keys of the standard library's hasher are the randomness that costs no dependency.
    let random = RandomState::new().build_hasher().finish() as u32;
    longest.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::Refusal;

    fn refused(status: u16, code: &str) -> Failure {
        let refusal = Refusal { status, code: code.into(), message: String::new(), body: Default::default() };
        Failure::Refused(refusal)
    }

    #[test]
    fn what_passes_is_tried_again_and_nothing_else() {
        for failure in [
            refused(500, "InternalServerError"),
            refused(503, ""),
            refused(429, ""),
            refused(400, "ThrottlingException"),
            refused(400, "ProvisionedThroughputExceededException"),
            Failure::Unreachable("reset".into()),
        ] {
            assert!(helps(&failure), "{failure}");
        }
        for failure in [
            refused(400, "ConditionalCheckFailedException"),
            refused(400, "ValidationException"),
            refused(403, "AccessDenied"),
            refused(404, ""),
            refused(412, "PreconditionFailed"),
            Failure::TimeIsUp,
        ] {
            assert!(!helps(&failure), "{failure}");
        }
    }

    #[test]
    fn pauses_stay_within_their_bounds_and_differ() {
        for tries in 1..40 {
            let bound = LONGEST_PAUSE.min(FIRST_PAUSE * 2u32.saturating_pow(tries - 1));
            let pauses: Vec<_> = (0..20).map(|_| pause(tries)).collect();
            assert!(pauses.iter().all(|pause| *pause <= bound));
            assert!(pauses.iter().any(|pause| *pause != pauses[0]));
        }
    }

    #[test]
    fn a_deadline_passes() {
        assert!(Deadline::after(Duration::from_secs(60)).allows(Duration::from_secs(30)));
        assert!(!Deadline::after(Duration::from_secs(60)).allows(Duration::from_secs(90)));
        assert_eq!(Deadline::after(Duration::ZERO).left(), None);
    }
}
