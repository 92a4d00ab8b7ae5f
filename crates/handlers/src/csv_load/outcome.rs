//! What became of a file, why a load does not go on, and why an invocation failed.

use std::fmt;

use claimctl_claim::Unreadable;
use lambda_runtime::Diagnostic;
use serde_json::Value;

use super::Load;
use crate::aws::Failure;
use crate::csv::{Refusal, Tally};

/// What became of a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Loaded(Load),
    /// Nothing of it is loaded, and the record says why.
    Refused(Load),
    Duplicate,
    Superseded,
    /// No file to be loaded: one of our own, or one that went away.
    Ignored,
    /// Goes on in a further invocation.
    Continued(Load),
}

/// Why a load does not go on here.
#[derive(Debug)]
pub enum Stop {
    /// The file cannot be loaded. What was counted of it, if it was.
    Refused(String, Option<Box<Tally>>),
    /// Another invocation has finished it.
    Finished,
    /// Newer content came in its place.
    Superseded,
    TimeIsUp,
    Failed(Problem),
}

/// Why an invocation failed. Lambda tries it again, and then it is a dead letter.
#[derive(Debug)]
pub enum Problem {
    Unreadable(Unreadable),
    MissingObject(String),
    /// Other invocations change the same record all the time.
    ConcurrentWrite(String),
    /// An invocation ended where it began.
    TooSlow(String),
    /// What was being done, and why it failed.
    Aws(String, Failure),
    /// What a sink has to say that is no call of AWS: the type of the function's error, and its message.
    Sink(&'static str, String),
}

impl Stop {
    pub fn problem(doing: impl Into<String>, failure: Failure) -> Self {
        match failure {
            Failure::TimeIsUp => Self::TimeIsUp,
            failure => Self::Failed(Problem::Aws(doing.into(), failure)),
        }
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.to_string(), None)
    }
}

impl Outcome {
    pub fn fields(&self) -> Vec<(&'static str, Value)> {
        let (outcome, load) = match self {
            Self::Loaded(load) => ("loaded", Some(load)),
            Self::Refused(load) => ("refused", Some(load)),
            Self::Duplicate => ("duplicate", None),
            Self::Superseded => ("superseded", None),
            Self::Ignored => ("ignored", None),
            Self::Continued(load) => ("continued", Some(load)),
        };
        let mut fields = vec![("outcome", outcome.into())];
        if let Some(load) = load {
            let written = load.progress.as_ref().map(|progress| progress.written.rows);
            fields.extend([
                ("load", load.number.into()),
                ("rows", load.rows.into()),
                ("rejected", load.rejected.into()),
                ("repeated", load.repeated.into()),
                ("rejected_key", load.rejected_key.as_deref().into()),
                ("written_up_to", written.into()),
                ("why", load.refused.as_deref().into()),
            ]);
        }
        fields
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "{why}"),
            Self::MissingObject(id) => write!(f, "{id} is not there, and there is no record of it"),
            Self::ConcurrentWrite(id) => write!(f, "the record of {id} is changed by others all the time"),
            Self::TooSlow(id) => write!(
                f,
                "{id} did not come further within the function's timeout: looking at all of it takes longer (give the \
                 function more time or memory), or an earlier load of it may still write"
            ),
            Self::Aws(doing, failure) => write!(f, "cannot {doing}: {failure}"),
            Self::Sink(_, message) => f.write_str(message),
        }
    }
}

impl From<Problem> for Diagnostic {
    fn from(problem: Problem) -> Self {
        let error_type = match &problem {
            Problem::Unreadable(_) => "Unreadable",
            Problem::MissingObject(_) => "MissingObject",
            Problem::ConcurrentWrite(_) => "ConcurrentWrite",
            Problem::TooSlow(_) => "TooSlow",
            Problem::Aws(..) => "Aws",
            Problem::Sink(error_type, _) => error_type,
        };
        Self { error_type: error_type.into(), error_message: problem.to_string() }
    }
}
