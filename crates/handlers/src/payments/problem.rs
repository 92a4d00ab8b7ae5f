//! What an API answers to a request that it does not do: problem details (RFC 9457).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::http::Response;
use crate::aws::Failure;

/// What may be in a fragment as it is (RFC 3986), of what a field's name may hold.
const IN_A_FRAGMENT: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Faults that one answer lists.
const MOST_FAULTS: usize = 20;

/// A refusal.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    pub status: u16,
    /// For whoever sent the request.
    pub detail: String,
    pub faults: Vec<Fault>,
    pub headers: Vec<(&'static str, String)>,
    /// For the log only: what the service said.
    pub cause: Option<String>,
}

/// What is wrong in one place of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A JSON Pointer (RFC 6901) as a fragment.
    pub pointer: String,
    detail: String,
}

impl Problem {
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), faults: vec![], headers: vec![], cause: None }
    }

    pub fn of_faults(status: u16, faults: Vec<Fault>) -> Self {
        Self { faults, ..Self::new(status, "The body is not as it has to be: see errors.") }
    }

    pub fn method_not_allowed(allowed: &str) -> Self {
        Self {
            headers: vec![("Allow", allowed.to_owned())],
            ..Self::new(405, format!("Here it can be {allowed} only."))
        }
    }

    /// Not the request's fault, and over soon.
    fn busy(cause: impl Into<String>) -> Self {
        Self {
            headers: vec![("Retry-After", "1".into())],
            cause: Some(cause.into()),
            ..Self::new(503, "The request cannot be done at the moment. It may be sent again as it is.")
        }
    }

    /// Not the request's fault, and somebody has to look.
    pub fn internal(cause: impl Into<String>) -> Self {
        Self { cause: Some(cause.into()), ..Self::new(500, "The request could not be done.") }
    }

    pub fn response(&self) -> Response {
        let mut body = json!({
            "type": "about:blank", "title": title(self.status), "status": self.status, "detail": self.detail,
        });
        if !self.faults.is_empty() {
            let faults = self.faults.iter().take(MOST_FAULTS);
            body["errors"] =
                faults.map(|fault| json!({ "pointer": fault.pointer, "detail": fault.detail })).collect::<Value>();
        }
        let mut response = Response::json(self.status, body);
        response.content_type = "application/problem+json";
        response.headers.extend(self.headers.iter().cloned());
        response
    }
}

/// The table did not do what it was asked: as soon as that is over, the same request may succeed.
impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        if failure.passes() || failure == Failure::TimeIsUp {
            Self::busy(failure.to_string())
        } else {
            Self::internal(failure.to_string())
        }
    }
}

impl Fault {
    /// Of one member of the body.
    pub fn of(name: &str, detail: impl ToString) -> Self {
        let name = name.replace('~', "~0").replace('/', "~1");
        Self { pointer: format!("#/{}", utf8_percent_encode(&name, &IN_A_FRAGMENT)), detail: detail.to_string() }
    }

    /// Of the body as a whole.
    pub fn of_body(detail: impl ToString) -> Self {
        Self { pointer: "#".into(), detail: detail.to_string() }
    }
}

/// The phrase of the status: with the type `about:blank` a title has to be that one.
fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}
