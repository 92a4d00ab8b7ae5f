//! To whom a dead letter is given that says itself who it was for: the target that a rule of EventBridge could not
//! deliver an event to, and the function that failed at records of a stream.

mod find;
mod give;
mod input;

pub use find::{Addressed, Found, RULE, Recipients, TARGET, Unaddressed, named_by};
pub use give::{CREATE_STREAM, Clients, PUBLISH, PUT_EVENTS, START, give};

use aws_sdk_lambda::types::InvocationType;

use crate::consumers::invoke::Manner;

/// Whoever takes a dead letter, with what the call needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    Function {
        name: String,
        /// A version or an alias. None: the function as such.
        qualifier: Option<String>,
        manner: Manner,
    },
    /// By its ARN.
    Topic(String),
    Queue {
        arn: String,
        /// Of a FIFO queue.
        group: Option<String>,
    },
    StateMachine {
        arn: String,
        /// Name of the execution: the same for the same event, so that it is started once.
        execution: String,
    },
    LogGroup {
        name: String,
        /// Milliseconds of the epoch.
        at: i64,
    },
}

impl Recipient {
    /// As people call it: "function P-start-settlement".
    pub fn words(&self) -> String {
        let last = |arn: &str| arn.rsplit(':').next().unwrap_or(arn).to_owned();
        match self {
            Recipient::Function { name, .. } => format!("function {name}"),
            Recipient::Topic(arn) => format!("topic {}", last(arn)),
            Recipient::Queue { arn, .. } => format!("queue {}", last(arn)),
            Recipient::StateMachine { arn, .. } => format!("state machine {}", last(arn)),
            Recipient::LogGroup { name, .. } => format!("log group {name}"),
        }
    }

    /// Whether the answer to the call is the delivery: nothing is left that could fail behind it and throw the dead letter
    /// back.
    pub fn answers_for_it(&self) -> bool {
        !matches!(self, Recipient::Function { manner: Manner::Asynchronous, .. })
    }
}

/// How Lambda calls it.
fn invocation(manner: Manner) -> InvocationType {
    match manner {
        Manner::Synchronous => InvocationType::RequestResponse,
        Manner::Asynchronous => InvocationType::Event,
    }
}
