//! Starting the settlement of a payment, once.

use std::time::Duration;

use claimctl_claim::item::MOST_AGAIN;
use serde_json::{Value, json};

use super::{Problem, told};
use crate::aws::{Aws, Failure, Started, jittered};
use crate::event::Invocation;
use crate::payments::json_text;
use crate::payments::payment::{self, PAYMENT_ID};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const AGAIN: &str = "again";

pub struct Start {
    pub aws: Aws,
    pub state_machine: String,
}

/// An execution to be started.
#[derive(Debug, PartialEq)]
pub struct Execution {
    pub name: String,
    pub input: String,
}

impl Start {
    pub async fn handle(&self, event: Value, invocation: &Invocation) -> Result<Value, Problem> {
        let (id, execution) = match execution(event) {
            Ok(found) => found,
            Err(why) => return told("", None, invocation, Err(Problem::InvalidPayment(why))),
        };
        let started = self.start(&execution, invocation).await.map_err(Problem::NotStarted);
        let done = match started {
            Ok(Started::Before) => "settlement has been started before",
            _ => "settlement started",
        };
        told(done, Some(&id), invocation, started)?;
        Ok(json!({ "execution": execution.name }))
    }

    /// Again and again while that may help, until the invocation's time is up.
    async fn start(&self, execution: &Execution, invocation: &Invocation) -> Result<Started, Failure> {
        let deadline = invocation.deadline;
        let mut pause = FIRST_PAUSE;
        loop {
            let Execution { name, input } = execution;
            match self.aws.start_execution(&self.state_machine, name, input, deadline).await {
                Err(failure) if failure.passes() => {
                    deadline.bound(tokio::time::sleep(jittered(pause))).await.map_err(|_| failure)?;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                other => return other,
            }
        }
    }
}

/// The payment's id and what is to be started for it: by an event of the bus, or by a payment as it is.
pub fn execution(mut event: Value) -> Result<(String, Execution), String> {
    let is_of_bus = event.get("detail-type").is_some();
    let mut payment = if is_of_bus { event["detail"].take() } else { event };
    let id = payment[PAYMENT_ID].as_str().filter(|id| payment::is_id(id));
    let id = id.ok_or("it has no payment_id that can be the name of an execution")?.to_owned();
    let again = payment.as_object_mut().and_then(|payment| payment.remove(AGAIN));
    let name = match again {
        None => id.clone(),
        Some(again) => match again.as_u64() {
            Some(number @ 1..=MOST_AGAIN) if !is_of_bus => format!("{id}-{number}"),
            _ => {
                return Err(format!(
                    "{AGAIN} is {again}: it can be a number from 1 to {MOST_AGAIN}, in an event by hand"
                ));
            }
        },
    };
    Ok((id, Execution { name, input: json_text(&payment) }))
}
