//! Until when a call may take, its retries included.

use std::time::{Duration, SystemTime};

use lambda_runtime::Context;
use tokio::time::Instant;

use super::Failure;

/// What is left of an invocation's time for the answer itself.
pub const TIME_TO_ANSWER: Duration = Duration::from_millis(500);

/// Until Lambda ends the invocation.
pub fn time_left(context: &Context) -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Duration::from_millis(context.deadline).saturating_sub(now)
}

/// The moment by which an invocation has to be done.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    pub fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// Whether more than `time` is left.
    pub fn allows(self, time: Duration) -> bool {
        self.left() > time
    }

    /// The earlier one of the two.
    pub fn or_at(self, moment: Instant) -> Self {
        Self(self.0.min(moment))
    }

    /// The moment when this much of what is left is over.
    pub fn part(self, share: f64) -> Self {
        Self(Instant::now() + self.left().mul_f64(share))
    }

    /// Waits for a call for as long as there is time. Where there is none, nothing is sent.
    pub async fn bound<T>(self, call: impl Future<Output = T>) -> Result<T, Failure> {
        if self.left().is_zero() {
            return Err(Failure::TimeIsUp);
        }
        tokio::time::timeout_at(self.0, call).await.map_err(|_| Failure::TimeIsUp)
    }

    fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_passes() {
        assert!(Deadline::after(Duration::from_secs(60)).allows(Duration::from_secs(30)));
        assert!(!Deadline::after(Duration::from_secs(60)).allows(Duration::from_secs(90)));
        assert!(!Deadline::after(Duration::ZERO).allows(Duration::ZERO));
    }
}
