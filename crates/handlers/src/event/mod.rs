//! From a Lambda event to the claims in it, and back to an answer that names the messages that failed: what all handlers
//! of claims share.
//!
//! A handler says what it does with one claim ([`ClaimHandler`]). Opening messages, trying each by itself, and keeping
//! the order of message groups is done here.

mod batch;
mod message;
mod trigger;

use std::pin::Pin;
use std::sync::Arc;

use lambda_runtime::{Context, Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;

use crate::aws::{Deadline, TIME_TO_ANSWER, time_left};
use crate::log::{self, Level};

pub use batch::{answer, handle_batch};
pub use message::{ClaimHandler, Content, Message, handle_message};
pub use trigger::Trigger;

/// One invocation of the function.
#[derive(Clone, Debug)]
pub struct Invocation {
    pub request_id: String,
    pub deadline: Deadline,
}

/// Runs a handler in the Lambda runtime until Lambda ends the process. Where it could not be made, the log says why.
pub async fn run<H, P: Into<Diagnostic> + std::fmt::Debug>(
    handler: Result<H, String>,
    handle: impl AsyncFn(&Arc<H>, Value, Invocation) -> Result<Value, P>,
) -> Result<(), lambda_runtime::Error> {
    let handler = handler.inspect_err(|error| {
        log::line(Level::Error, "cannot start", vec![("error", error.as_str().into())]);
    })?;
    let (handler, handle) = (&Arc::new(handler), &handle);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        // Without its type: the runtime wraps it in so many others that the compiler would lose count.
        let handled = async move { handle(handler, event.payload, Invocation::from(&event.context)).await };
        Box::pin(handled) as Pin<Box<dyn Future<Output = Result<Value, P>>>>
    }))
    .await
}

impl From<&Context> for Invocation {
    fn from(context: &Context) -> Self {
        let time = time_left(context).saturating_sub(TIME_TO_ANSWER);
        Self { request_id: context.request_id.clone(), deadline: Deadline::after(time) }
    }
}
