//! Why a call did not succeed.

use std::error::Error;
use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::error::operation::BuildError;

/// Why a call did not succeed, though the SDK has tried again where that may help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The service answered, and the answer was no: its HTTP status, error code and message.
    Refused(String),
    /// The service answered that it cannot now: too many requests, or a fault of its own.
    Busy(String),
    /// No answer, or half of one. The call may have been carried out all the same.
    Unreachable(String),
    /// The request could not even be made.
    Unsendable(String),
    /// The invocation's time was over before the call was done. It may have been carried out all the same.
    TimeIsUp,
}

impl<E: Error + ProvideErrorMetadata + 'static> From<SdkError<E, HttpResponse>> for Failure {
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        match &error {
            SdkError::ServiceError(refusal) => {
                let mut text = format!("HTTP {}", refusal.raw().status());
                // An answer to HEAD has neither.
                for part in [error.code(), error.message()].into_iter().flatten().filter(|part| !part.is_empty()) {
                    text.push_str(": ");
                    text.push_str(part);
                }
                let status = refusal.raw().status().as_u16();
                let passes = status == 429 || status >= 500 || error.code().is_some_and(is_throttle);
                if passes { Self::Busy(text) } else { Self::Refused(text) }
            }
            SdkError::ConstructionFailure(_) => Self::Unsendable(causes(&error)),
            SdkError::TimeoutError(_) => Self::Unreachable("no answer in time".into()),
            _ => Self::Unreachable(causes(&error)),
        }
    }
}

impl Failure {
    /// Whether the same call may succeed a little later.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Unreachable(_))
    }

    /// One word for it, as error codes are.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "Refused",
            Self::Busy(_) => "Busy",
            Self::Unreachable(_) => "Unreachable",
            Self::Unsendable(_) => "Unsendable",
            Self::TimeIsUp => "TimeIsUp",
        }
    }
}

/// Whether an error code says "slow down", and nothing of the request. Every service has its own spelling.
pub(super) fn is_throttle(code: &str) -> bool {
    ["Throttl", "TooManyRequests", "ThroughputExceeded", "RequestLimitExceeded", "ExecutionLimitExceeded"]
        .iter()
        .any(|part| code.contains(part))
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        Self::Unsendable(error.to_string())
    }
}

/// The whole chain of causes, because the SDK's own first line says next to nothing.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(answer) | Self::Busy(answer) => f.write_str(answer),
            Self::Unreachable(why) => write!(f, "AWS cannot be reached: {why}"),
            Self::Unsendable(why) => write!(f, "the request cannot be made: {why}"),
            Self::TimeIsUp => f.write_str("the invocation's time is nearly up"),
        }
    }
}
