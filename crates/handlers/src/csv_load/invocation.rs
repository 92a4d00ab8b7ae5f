//! One invocation of a loader, and its two deadlines.

use std::time::Duration;

use lambda_runtime::Context;

use crate::aws::{Deadline, TIME_TO_ANSWER, time_left};

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
        Self::new(&context.request_id, &context.invoked_function_arn, time_left(context))
    }
}

impl Invocation {
    fn new(request_id: &str, function: &str, left: Duration) -> Self {
        Self {
            request_id: request_id.to_owned(),
            function: function.to_owned(),
            deadline: Deadline::after(left.saturating_sub(TIME_TO_ANSWER)),
            hand_over: Deadline::after(left.saturating_sub(HAND_OVER.min(left / 5) + TIME_TO_ANSWER)),
        }
    }
}
