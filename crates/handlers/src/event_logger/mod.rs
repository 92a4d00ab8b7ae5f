//! The handler `event-logger`: writes one line of JSON to its log for every claim it is given.
//!
//! The line is the claim's record, so that the log group is read like a table of records. A claim that comes twice is
//! logged twice: whoever reads takes the line with the latest sequencer. It calls no service, so that its role has to
//! allow nothing but the queue and the log.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use claimctl_claim::{Claim, Unreadable};
use lambda_runtime::Diagnostic;
use serde_json::{Value, json};

use crate::event::{self, ClaimHandler, Invocation, Message, Trigger};

/// The handler. One per cold start.
struct EventLogger {
    /// Lambda sends each line that is written there to the function's log group.
    out: Mutex<Box<dyn Write + Send>>,
}

/// Why a message was not logged. It stays in its queue, or its invocation fails.
#[derive(Debug)]
enum Problem {
    Unreadable(Unreadable),
    /// A schedule woke it, and it has no queue of its own to empty.
    NothingToLog,
    Unwritten(io::Error),
}

impl EventLogger {
    fn new(out: impl Write + Send + 'static) -> Self {
        Self { out: Mutex::new(Box::new(out)) }
    }

    /// Handles one event, whatever triggered it. The answer to an SQS event names the messages that failed.
    async fn handle(self: &Arc<Self>, event: Value, invocation: Invocation) -> Result<Value, Problem> {
        match Trigger::of(event) {
            Trigger::Queue(messages) => Ok(event::answer(event::handle_batch(self, messages, &invocation).await)),
            Trigger::Schedule => Err(Problem::NothingToLog),
            Trigger::Direct(event) => {
                let claims = event::handle_message(&**self, &Message::direct(event), &invocation).await?;
                Ok(json!({ "claims": claims }))
            }
        }
    }

    /// Returns once the line has left the process: what is answered as done is not lost with it.
    fn write(&self, mut line: String) -> io::Result<()> {
        line.push('\n');
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // One write per line: however the process ends, no line holds half of another.
        out.write_all(line.as_bytes())?;
        out.flush()
    }
}

impl ClaimHandler for EventLogger {
    type Problem = Problem;

    async fn handle_claim(&self, claim: Claim, message: &Message, invocation: &Invocation) -> Result<(), Problem> {
        let record = message.record_of(claim, invocation);
        self.write(record.log_line()).map_err(Problem::Unwritten)
    }
}

/// Runs the handler in the Lambda runtime until Lambda ends the process.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    let logger = Ok(EventLogger::new(io::stdout()));
    event::run(logger, async |logger, event, invocation| logger.handle(event, invocation).await).await
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(unreadable) => unreadable.fmt(f),
            Self::NothingToLog => f.write_str("an event of a schedule has no claim to log: its queue is to trigger it"),
            Self::Unwritten(error) => write!(f, "the log cannot be written: {error}"),
        }
    }
}

impl From<Unreadable> for Problem {
    fn from(unreadable: Unreadable) -> Self {
        Self::Unreadable(unreadable)
    }
}

impl From<Problem> for Diagnostic {
    fn from(problem: Problem) -> Self {
        let error_type = match &problem {
            Problem::Unreadable(_) => "Unreadable",
            Problem::NothingToLog => "NothingToLog",
            Problem::Unwritten(_) => "Unwritten",
        };
        Self { error_type: error_type.into(), error_message: problem.to_string() }
    }
}

#[cfg(test)]
mod tests;
