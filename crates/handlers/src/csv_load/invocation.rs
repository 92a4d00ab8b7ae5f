//! One invocation of a loader, and its two deadlines.

use std::time::{Duration, SystemTime};

use lambda_runtime::Context;

use crate::aws::Deadline;

/// What is left of an invocation's time for the answer itself.
const MARGIN: Duration = Duration::from_millis(500);
/// Before its end an invocation hands over to another one: a fifth of its time, and at most this.
const HAND_OVER: Duration = Duration::from_secs(20);

/// One invocation of the function.
#[derive(Clone, Debug)]
pub struct Invocation {
    pub request_id: String,
    /// As it was invoked, with its alias.
    pub function: String,
    pub deadline: Deadline,
    /// Until then work is begun.
    pub hand_over: Deadline,
}

impl From<&Context> for Invocation {
    fn from(context: &Context) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let left = Duration::from_millis(context.deadline).saturating_sub(now);
        Self::new(&context.request_id, &context.invoked_function_arn, left)
    }
}

impl Invocation {
    fn new(request_id: &str, function: &str, left: Duration) -> Self {
        Self {
            request_id: request_id.to_owned(),
            function: function.to_owned(),
            deadline: Deadline::after(left.saturating_sub(MARGIN)),
            hand_over: Deadline::after(left.saturating_sub(HAND_OVER.min(left / 5) + MARGIN)),
        }
    }
}
