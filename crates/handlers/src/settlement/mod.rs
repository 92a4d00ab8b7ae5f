//! The handler of two functions, `start-settlement` and `settle`: the way into the state machine, and its task.
//!
//! Where `STATE_MACHINE_ARN` is set, it starts an execution for each event `PaymentCreated` of the bus, named after the
//! payment, so that an event that comes twice settles once. By hand it takes a payment itself, and with `"again": N` beside
//! it another execution of the same one, named `PAYMENT_ID-N`: for one that was aborted. Elsewhere it settles the payment
//! that it is given, and declines what is above the limit of its currency (`LIMITS`, a JSON object such as
//! `{"EUR":"10000.00"}`; a currency that is not there has none). It keeps no books: the same payment has the same
//! settlement, however often it is asked for, and the state machine writes the outcome once.

mod settle;
mod start;

use std::sync::Arc;

use lambda_runtime::Diagnostic;
use serde_json::Value;

use super::Env;
use super::aws::{self, Aws, Failure};
use super::event::{self, Invocation};
use super::log::{self, Level};
use settle::Limits;
use start::Start;

/// The handler, as one of the two. One per cold start.
enum Settlement {
    Start(Box<Start>),
    Settle(Limits),
}

/// Why a payment was not settled, or its settlement not started.
#[derive(Clone, Debug, PartialEq)]
enum Problem {
    /// Not a payment, or not an event of one.
    InvalidPayment(String),
    /// A decision, and final.
    PaymentDeclined(String),
    NotStarted(Failure),
}

impl Settlement {
    async fn handle(self: &Arc<Self>, event: Value, invocation: Invocation) -> Result<Value, Problem> {
        match &**self {
            Self::Start(start) => start.handle(event, &invocation).await,
            Self::Settle(limits) => limits.handle(&event, &invocation),
        }
    }
}

/// One line for what was done, or why not; and the result as it was.
fn told<T>(done: &str, id: Option<&str>, invocation: &Invocation, result: Result<T, Problem>) -> Result<T, Problem> {
    let mut fields = vec![
        ("request_id", Value::from(invocation.request_id.as_str())),
        (super::payments::payment::PAYMENT_ID, id.into()),
    ];
    match &result {
        Ok(_) => log::line(Level::Info, done, fields),
        Err(problem) => {
            let diagnostic = Diagnostic::from(problem.clone());
            let level = if matches!(problem, Problem::PaymentDeclined(_)) { Level::Warn } else { Level::Error };
            fields.push(("code", diagnostic.error_type.into()));
            fields.push(("error", diagnostic.error_message.into()));
            log::line(level, "payment failed", fields);
        }
    }
    result
}

/// Runs the handler in the Lambda runtime until Lambda ends the process.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    let env: Env = &|name| std::env::var(name).ok();
    event::run(handler(env), async |settlement, event, invocation| settlement.handle(event, invocation).await).await
}

fn handler(env: Env) -> Result<Settlement, String> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    match set("STATE_MACHINE_ARN") {
        Some(state_machine) => {
            let aws = Aws::from_env(env, aws::http_client(env))?;
            Ok(Settlement::Start(Box::new(Start { aws, state_machine })))
        }
        None => {
            let limits = set("LIMITS").unwrap_or_else(|| "{}".into());
            Ok(Settlement::Settle(Limits::parse(&limits).map_err(|why| format!("LIMITS {why}"))?))
        }
    }
}

impl From<Problem> for Diagnostic {
    fn from(problem: Problem) -> Self {
        let (error_type, error_message) = match problem {
            Problem::InvalidPayment(why) => ("InvalidPayment", why),
            Problem::PaymentDeclined(why) => ("PaymentDeclined", why),
            Problem::NotStarted(failure) => ("NotStarted", failure.to_string()),
        };
        Self { error_type: error_type.into(), error_message }
    }
}

#[cfg(test)]
mod tests;
