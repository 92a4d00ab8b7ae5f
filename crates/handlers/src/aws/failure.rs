//! Why a call did not succeed.

use std::fmt;

use bytes::Bytes;
use serde_json::Value;

/// Why a call did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The service answered, and the answer was no.
    Refused(Refusal),
    /// No answer, or half of one. The call may have been carried out all the same.
    Unreachable(String),
    /// The request could not even be made.
    Unsendable(String),
    /// The invocation's time was over before the call could be sent.
    TimeIsUp,
}

/// A service's answer other than success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The service's error code, such as `NoSuchKey`; empty where there was no body, as for every HEAD.
    pub code: String,
    pub message: String,
    pub body: Bytes,
}

impl Refusal {
    /// Reads an error of the JSON protocols (`__type`, `message`) or of S3 (XML).
    pub(super) fn read(status: u16, body: Bytes) -> Self {
        let (code, message) = match serde_json::from_slice::<Value>(&body) {
            Ok(json) => {
                let kind = json["__type"].as_str().unwrap_or_default();
                let message = json["message"].as_str().or(json["Message"].as_str()).unwrap_or_default();
                (kind.rsplit('#').next().unwrap_or_default().to_owned(), message.to_owned())
            }
            Err(_) => {
                let text = String::from_utf8_lossy(&body);
                let element = |name| xml_text(&text, name).unwrap_or_default().to_owned();
                (element("Code"), element("Message"))
            }
        };
        Self { status, code, message, body }
    }
}

/// The text of the first element of this name, escapes and all.
fn xml_text<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

/// The whole chain of causes, because hyper's own first line says next to nothing.
pub(super) fn unreachable(error: &dyn std::error::Error) -> Failure {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    Failure::Unreachable(text)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Unreachable(why) => write!(f, "AWS cannot be reached: {why}"),
            Self::Unsendable(why) => write!(f, "the request cannot be made: {why}"),
            Self::TimeIsUp => f.write_str("the invocation's time is nearly up"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}", self.status)?;
        for part in [&self.code, &self.message] {
            if !part.is_empty() {
                write!(f, ": {part}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(status: u16, body: &'static str) -> (String, String) {
        let refusal = Refusal::read(status, Bytes::from_static(body.as_bytes()));
        (refusal.code, refusal.message)
    }

    #[test]
    fn both_protocols_name_code_and_message() {
        let json = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"no table"}"#;
        assert_eq!(codes(400, json), ("ResourceNotFoundException".into(), "no table".into()));
        let xml = "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>gone</Message></Error>";
        assert_eq!(codes(404, xml), ("NoSuchKey".into(), "gone".into()));
        assert_eq!(codes(502, "<html>Bad Gateway"), (String::new(), String::new()));
    }

    #[test]
    fn a_refusal_reads_well_with_and_without_a_body() {
        assert_eq!(Refusal::read(403, Bytes::new()).to_string(), "HTTP 403");
        let xml = Bytes::from_static(b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>");
        assert_eq!(Refusal::read(403, xml).to_string(), "HTTP 403: AccessDenied: no");
    }
}
