//! What a failed call means to an operator: the kind, in words, and what to do.

mod codes;
mod connection;

use std::error::Error as StdError;

use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use claimctl_core::error::{Error, Kind};
use claimctl_core::next::{Hint, Next};

use self::codes::Told;
pub(super) use self::connection::{is_final, may_have_left};

const SIGN_IN: &str = "sign in (aws sso login), choose a profile, or set AWS_ACCESS_KEY_ID and its secret";

/// Turns the SDK's error into one of ours. `doing` reads like "list queues" and is the first thing the user sees.
pub trait Explain<T> {
    fn or_explain(self, doing: &str) -> Result<T, Error>;

    /// The same for a call whose permission is known: a denial says what to allow, and how.
    fn or_needs(self, doing: &str, action: &str, resource: &str) -> Result<T, Error>;
}

impl<T, E> Explain<T> for Result<T, SdkError<E, HttpResponse>>
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    fn or_explain(self, doing: &str) -> Result<T, Error> {
        self.map_err(|error| explain(error, doing))
    }

    fn or_needs(self, doing: &str, action: &str, resource: &str) -> Result<T, Error> {
        self.map_err(|error| {
            let denied = is_denied(&error) && !is_denied_a_key(&error) && elsewhere(&error).is_none();
            let explained = explain(error, doing);
            if !denied {
                return explained;
            }
            let statement = serde_json::json!({"Effect": "Allow", "Action": action, "Resource": resource});
            let explained = explained
                .hint(format!("needed: {action} on {resource}"))
                .hint(format!("the IAM statement: {statement}"));
            match action.starts_with("s3:") {
                // S3 tells no more of it, so that nobody learns whose a bucket is.
                true => explained.hint("or the bucket of this name is another account's than its stack says"),
                false => explained,
            }
        })
    }
}

/// Signed by somebody known who may not do this. An answer to HEAD has no code.
fn is_denied<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        SdkError::ServiceError(answer) => match answer.err().code() {
            // The last one is SNS's.
            Some(code) => {
                matches!(code, "AccessDenied" | "AccessDeniedException" | "Forbidden" | "AuthorizationError")
            }
            None => answer.raw().status().as_u16() == 403,
        },
        _ => false,
    }
}

/// Whether the caller may do this, but not use the KMS key that it takes.
pub fn is_denied_a_key<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    told(error).is_some_and(|told| told.is_denied_a_key())
}

/// What to do about a denial that came by another way than the SDK's own clients.
pub(super) fn denied_hint(code: &str, message: &str, status: u16) -> Hint {
    Told { code, message, status }.hint().unwrap_or_else(|| SIGN_IN.into())
}

/// What the service answered, where it answered with an error.
fn told<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<Told<'_>> {
    let SdkError::ServiceError(answer) = error else { return None };
    Some(Told {
        code: answer.err().code().unwrap_or_default(),
        message: answer.err().message().unwrap_or_default(),
        status: answer.raw().status().as_u16(),
    })
}

/// Whether the service itself refused or was too busy, by a code of its own: neither a store that does not know the call
/// nor something in between.
pub(super) fn is_refusal<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    told(error).is_some_and(|told| {
        !told.code.is_empty() && !is_unknown_call(error) && matches!(told.kind(), Kind::Denied | Kind::Unreachable)
    })
}

/// The service's own code of an error it answered with, such as `NoSuchBucket`.
pub fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    match error {
        SdkError::ServiceError(answer) => answer.err().code(),
        _ => None,
    }
}

/// Whether somebody answered who does not know the call: an emulator, or a store without this service.
pub fn is_unknown_call<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        SdkError::ResponseError(_) => true,
        SdkError::ServiceError(answer) => {
            let unknown = ["InvalidAction", "NotImplemented", "MethodNotAllowed", "UnknownOperationException"];
            match answer.err().code() {
                Some(code) => unknown.contains(&code),
                None => matches!(answer.raw().status().as_u16(), 404 | 405 | 501),
            }
        }
        _ => false,
    }
}

/// Whether the service may have done what was asked, although the call failed: there was no answer, or one that leaves
/// it open.
pub fn may_have_arrived<E>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        SdkError::ConstructionFailure(_) => false,
        SdkError::DispatchFailure(failure) => failure.as_connector_error().is_some_and(may_have_left),
        SdkError::ServiceError(answer) => is_ambiguous(answer.raw().status().as_u16()),
        _ => true,
    }
}

/// 503 means that nothing was begun; other failures of the server may come after the deed.
pub(super) fn is_ambiguous(status: u16) -> bool {
    status >= 500 && status != 503
}

/// In which S3 tells the region of the bucket that was asked for.
pub(super) const BUCKET_REGION: &str = "x-amz-bucket-region";
/// The same of an answer to a call in another region. Set by the client, which alone knows where it asked.
pub(super) const BUCKET_ELSEWHERE: &str = "x-claimctl-bucket-elsewhere";

/// The region of the bucket, where the call failed because it was made in another one. S3 says so by many codes, and in
/// the answer to a HEAD by none.
pub fn elsewhere<E>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    let SdkError::ServiceError(answer) = error else { return None };
    let answer = answer.raw();
    let may_be = matches!(answer.status().as_u16(), 301 | 307 | 400 | 403);
    answer.headers().get(BUCKET_ELSEWHERE).filter(|_| may_be)
}

fn explain<E>(error: SdkError<E, HttpResponse>, doing: &str) -> Error
where
    E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
{
    match &error {
        SdkError::ServiceError(answer) => {
            let Some(told) = told(&error) else { return without_credentials(error, doing) };
            if let Some(region) = elsewhere(&error) {
                let explained = Error::usage(format!("cannot {doing}: the bucket is in {region}"))
                    .hint("choose the environment or the region of the bucket");
                return match answer.err().message() {
                    Some(said) => explained.caused_by(format!("{said} ({})", told.code)),
                    None => explained,
                };
            }
            let said = answer.err().message().unwrap_or("the service gave no reason");
            let code = if told.code.is_empty() { format!("HTTP {}", told.status) } else { told.code.to_owned() };
            let described = Error::new(told.kind(), format!("cannot {doing}: {said} ({code})"));
            match told.hint() {
                _ if is_unknown_call(&error) => {
                    described.hint("is this endpoint an AWS service? check its URL, given or in AWS_ENDPOINT_URL")
                }
                Some(hint) => described.hint(hint),
                None => described,
            }
        }
        SdkError::DispatchFailure(failure) => {
            let by_connection = failure.as_connector_error().and_then(|error| connection::explain(error, doing));
            by_connection.unwrap_or_else(|| without_credentials(error, doing))
        }
        SdkError::TimeoutError(_) => Error::unreachable(format!("cannot {doing}: the service did not answer in time"))
            .caused_by(error)
            .hint("check the network, then run the same command again"),
        SdkError::ConstructionFailure(_) => without_credentials(error, doing),
        _ => Error::unreachable(format!("cannot {doing}: the answer could not be read"))
            .caused_by(error)
            .hint("is this endpoint an AWS service?"),
    }
}

/// Before a call leaves, credentials are the one thing that can be missing; other causes speak for themselves.
fn without_credentials<E>(error: SdkError<E, HttpResponse>, doing: &str) -> Error
where
    E: StdError + Send + Sync + 'static,
{
    if let Some(failed) = find::<SdkError<AssumeRoleError, HttpResponse>>(&error) {
        return without_role(failed, doing);
    }
    let text = causes(&error).join(": ");
    let about_credentials = ["credential", "identity", "profile", "token"].iter().any(|word| text.contains(word));
    if text.contains("was not defined") {
        return Error::denied(format!("cannot {doing}: the AWS profile does not exist"))
            .caused_by(root_cause(&error))
            .hint("it is neither in ~/.aws/config nor in ~/.aws/credentials: aws configure list-profiles");
    }
    if about_credentials {
        return Error::denied(format!("cannot {doing}: no usable AWS credentials"))
            .caused_by(root_cause(&error))
            .hint(SIGN_IN)
            .next("without an environment, claimctl works on this machine", Next::verb("local up"));
    }
    Error::new(Kind::Unexpected, format!("cannot {doing}: the call could not be made")).caused_by(error)
}

/// The call itself never left: STS did not give the role's credentials.
fn without_role(error: &SdkError<AssumeRoleError, HttpResponse>, doing: &str) -> Error {
    match error {
        SdkError::ServiceError(answer) => {
            let said = answer.err().message().unwrap_or("STS gave no reason");
            let code = answer.err().code().unwrap_or("no code");
            let kind = told(error).map_or(Kind::Denied, |told| told.kind());
            Error::new(kind, format!("cannot {doing}: {said} ({code})"))
                .hint("the role cannot be assumed: check role_arn, external_id, and whom the role's trust policy names")
                .hint(
                    "where it wants MFA, set mfa_serial in claimctl.toml: a profile's own mfa_serial is not asked for",
                )
        }
        SdkError::ConstructionFailure(_) => Error::denied(format!("cannot {doing}: no credentials to assume the role"))
            .caused_by(root_cause(error))
            .hint(SIGN_IN),
        SdkError::DispatchFailure(failure) if !failure.is_io() && !failure.is_timeout() => {
            Error::denied(format!("cannot {doing}: no credentials to assume the role"))
                .caused_by(root_cause(error))
                .hint(SIGN_IN)
        }
        _ => Error::unreachable(format!("cannot {doing}: STS cannot be reached to assume the role"))
            .caused_by(root_cause(error))
            .hint("check the network, the region's name and any proxy"),
    }
}

/// The first cause of this type.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    std::iter::successors(Some(error), |error| (*error).source()).find_map(|error| error.downcast_ref())
}

/// Everything the SDK says of an error, outermost first.
fn causes(error: &(dyn StdError + 'static)) -> Vec<String> {
    std::iter::successors(Some(error), |error| (*error).source()).map(ToString::to_string).collect()
}

/// The layers in between ("dispatch failure", "io error") tell an operator nothing.
fn root_cause(error: &(dyn StdError + 'static)) -> String {
    let said = causes(error).pop().unwrap_or_default();
    said.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}
