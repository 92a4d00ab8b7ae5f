//! What the services' error codes mean: a kind, and what to do.

use claimctl_core::error::Kind;
use claimctl_core::next::{Hint, Next};

const KEY: &str = "the KMS key that it says has to be allowed: in the caller's policy, and in the key's own";

/// An error as a service tells it.
pub(super) struct Told<'a> {
    /// Empty where it has none, as in the answer to a HEAD.
    pub code: &'a str,
    pub message: &'a str,
    pub status: u16,
}

/// What is wrong with a KMS key that a call would have used. Each service spells it in its own way:
/// `KmsDisabled` (SQS), `KMS.DisabledException` (S3, and SQS by its older protocol), `KMSDisabledException` (Lambda).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Denied,
    Throttled,
    Missing,
    /// Disabled, waiting to be deleted, or of another kind.
    Unusable,
}

impl Told<'_> {
    pub fn kind(&self) -> Kind {
        if self.is_skewed() {
            return Kind::Denied;
        }
        match self.key() {
            Some(Key::Denied | Key::Unusable) => return Kind::Denied,
            Some(Key::Throttled) => return Kind::Unreachable,
            Some(Key::Missing) => return Kind::NotFound,
            None => {}
        }
        match self.code {
            "NoSuchBucket"
            | "NoSuchKey"
            | "NoSuchUpload"
            | "NotFound"
            | "ResourceNotFoundException"
            | "AWS.SimpleQueueService.NonExistentQueue"
            | "QueueDoesNotExist"
            | "NoSuchEntity" => Kind::NotFound,
            "SlowDown"
            | "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "ProvisionedThroughputExceededException"
            | "TooManyRequestsException"
            | "RequestLimitExceeded" => Kind::Unreachable,
            "AccessDenied"
            | "AccessDeniedException"
            | "AuthorizationError"
            | "ExpiredToken"
            | "ExpiredTokenException"
            | "IncompleteSignature"
            | "InvalidAccessKeyId"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "InvalidToken"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
            | "NotAuthorized"
            | "OptInRequired"
            | "SignatureDoesNotMatch"
            | "UnrecognizedClientException" => Kind::Denied,
            _ => match self.status {
                401 | 403 | 407 => Kind::Denied,
                404 => Kind::NotFound,
                429 | 500..=599 => Kind::Unreachable,
                _ => Kind::Unexpected,
            },
        }
    }

    pub fn hint(&self) -> Option<Hint> {
        if self.is_skewed() {
            return Some(Hint::Run {
                why: "the clocks differ; to compare this machine's with the service's".to_owned(),
                next: Next::verb("doctor"),
            });
        }
        let said = match (self.key(), self.code, self.kind()) {
            (Some(Key::Denied), ..) => KEY,
            (Some(Key::Missing), ..) => "the KMS key that it says is not there, or not in this account and region",
            (Some(Key::Unusable), ..) => "the KMS key that it says has to be enabled, and not to wait for its deletion",
            (Some(Key::Throttled), ..) => "KMS throttles: run the same command again later",
            (_, "ExpiredToken" | "ExpiredTokenException", _) => "the credentials have expired: sign in again",
            (_, "InvalidToken", _) => "the session token is not known: sign in again",
            (_, "SignatureDoesNotMatch" | "InvalidSignatureException", _) => {
                "the secret access key does not belong to the access key id"
            }
            (_, "InvalidAccessKeyId" | "InvalidClientTokenId" | "UnrecognizedClientException", _) => {
                "these credentials are not known to the account: check the profile and the environment"
            }
            _ if self.status == 407 => super::connection::PROXY_PASSWORD,
            (.., Kind::Denied) => "ask for the permission, or use a profile that has it",
            (.., Kind::Unreachable) => "the service is overloaded or throttles: run the same command again later",
            _ => return None,
        };
        Some(said.into())
    }

    /// Signed by a clock that goes wrong, which some services tell by the same code as a wrong secret.
    fn is_skewed(&self) -> bool {
        let by_code = ["RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"].contains(&self.code);
        let by_text = ["Signature expired", "Signature not yet current", "is not a valid request time"];
        by_code || by_text.iter().any(|text| self.message.contains(text))
    }

    fn key(&self) -> Option<Key> {
        let is_denial = matches!(self.code, "AccessDenied" | "AccessDeniedException" | "Forbidden");
        if is_denial && self.message.contains("kms:") {
            return Some(Key::Denied);
        }
        let code = self.code.to_ascii_lowercase();
        let told = code.strip_prefix("kms")?.trim_start_matches('.');
        Some(match told.strip_prefix("kms").unwrap_or(told) {
            denied if denied.starts_with("accessdenied") => Key::Denied,
            throttled if throttled.starts_with("throttl") => Key::Throttled,
            missing if missing.starts_with("notfound") => Key::Missing,
            _ => Key::Unusable,
        })
    }

    /// Whether the caller may do this, but not use the KMS key that it takes.
    pub fn is_denied_a_key(&self) -> bool {
        self.key() == Some(Key::Denied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes as the references of S3, SQS, Lambda, DynamoDB and STS list them.
    #[test]
    fn a_reason_is_the_reason() {
        const MISMATCH: &str = "The request signature we calculated does not match the signature you provided.";
        let rows = [
            ("RequestTimeTooSkewed", "The difference is too large.", 403, Kind::Denied, "doctor"),
            (
                "SignatureDoesNotMatch",
                "Signature expired: 20310101T000000Z is now earlier",
                403,
                Kind::Denied,
                "doctor",
            ),
            ("InvalidSignatureException", "Signature not yet current: 2031", 400, Kind::Denied, "doctor"),
            ("RequestExpired", "Request has expired.", 400, Kind::Denied, "doctor"),
            ("SignatureDoesNotMatch", MISMATCH, 403, Kind::Denied, "secret access key"),
            ("InvalidSignatureException", MISMATCH, 400, Kind::Denied, "secret access key"),
            ("AccessDenied", "not authorized to perform: sqs:SendMessage", 403, Kind::Denied, "permission"),
            ("AccessDenied", "not authorized to perform: kms:GenerateDataKey", 403, Kind::Denied, "KMS key"),
            ("KmsAccessDenied", "", 400, Kind::Denied, "KMS key"),
            ("KMS.AccessDeniedException", "", 400, Kind::Denied, "KMS key"),
            ("KMSAccessDeniedException", "", 502, Kind::Denied, "KMS key"),
            ("KmsDisabled", "", 400, Kind::Denied, "enabled"),
            ("KMS.DisabledException", "", 400, Kind::Denied, "enabled"),
            ("KMSDisabledException", "", 502, Kind::Denied, "enabled"),
            ("KMS.KMSInvalidStateException", "", 400, Kind::Denied, "enabled"),
            ("KmsInvalidKeyUsage", "", 400, Kind::Denied, "enabled"),
            ("KmsNotFound", "", 400, Kind::NotFound, "not there"),
            ("KMS.NotFoundException", "", 400, Kind::NotFound, "not there"),
            ("KmsThrottled", "", 400, Kind::Unreachable, "again later"),
            ("KMS.ThrottlingException", "", 400, Kind::Unreachable, "again later"),
            ("", "", 407, Kind::Denied, "proxy"),
            ("", "", 503, Kind::Unreachable, "again later"),
        ];
        for (code, message, status, kind, hint) in rows {
            let told = Told { code, message, status };
            assert_eq!(told.kind(), kind, "{code}");
            let said = told.hint().unwrap().to_string();
            assert!(said.contains(hint), "{code}: {said}");
        }
        assert_eq!(Told { code: "Other", message: "", status: 400 }.hint(), None);
    }
}
