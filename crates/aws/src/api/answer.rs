//! What an API answered, and what it means where it is no success.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use claimctl_core::error::{Error, Kind};
use claimctl_core::next::Hint;
use serde::Deserialize;

use super::request::ApiRequest;
use crate::failure::denied_hint;

/// So much of an answer that is no problem and no JSON is told as its words.
const LONGEST_WORDS: usize = 300;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiAnswer {
    pub status: u16,
    /// By name, in small letters, sorted; one that came several times is there as often.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Problem details (RFC 9457), and what API Gateway itself says.
#[derive(Debug, Default, Deserialize)]
struct Problem {
    detail: Option<String>,
    title: Option<String>,
    #[serde(alias = "Message")]
    message: Option<String>,
    #[serde(default)]
    errors: Vec<Fault>,
}

/// What is wrong with one part of the request.
#[derive(Debug, Deserialize)]
struct Fault {
    #[serde(default)]
    pointer: String,
    #[serde(default)]
    detail: String,
}

impl ApiAnswer {
    pub(super) fn of(response: &HttpResponse) -> ApiAnswer {
        let headers = response.headers().iter();
        let mut headers: Vec<_> = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        headers.sort();
        let body = response.body().bytes().unwrap_or_default().to_vec();
        ApiAnswer { status: response.status().as_u16(), headers, body }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether the same request may be answered otherwise a little later.
    pub fn may_pass(&self) -> bool {
        matches!(self.status, 429 | 500..=599)
    }

    /// Why the request did not succeed. None: it did.
    pub fn failure(&self, request: &ApiRequest) -> Option<Error> {
        if (200..300).contains(&self.status) {
            return None;
        }
        let problem = self.problem();
        let words = problem.detail.or(problem.message).or(problem.title).unwrap_or_else(|| self.words());
        let error = Error::new(self.kind(), format!("{}: HTTP {}: {words}", request.named(), self.status));
        let error = problem.errors.iter().fold(error, |error, fault| {
            error.details([format!("{}: {}", fault.pointer, fault.detail).trim_start_matches(": ").to_owned()])
        });
        Some(error.hint(self.hint(&words)))
    }

    fn kind(&self) -> Kind {
        match self.status {
            401 | 403 | 407 => Kind::Denied,
            404 | 410 => Kind::NotFound,
            408 | 429 | 503 => Kind::Unreachable,
            400..500 => Kind::Usage,
            _ => Kind::Unexpected,
        }
    }

    fn hint(&self, words: &str) -> Hint {
        let code = self.header("x-amzn-errortype").unwrap_or_default();
        let code = code.split([':', ',']).next().unwrap_or_default();
        match self.status {
            // To a signed request API Gateway says so of a path that it does not have.
            403 if code == "MissingAuthenticationTokenException" || words == "Missing Authentication Token" => {
                "the API has no such path or method: that is how API Gateway tells it".into()
            }
            401 | 403 => denied_hint(code, words, self.status),
            409 => "the same key with another body is another request: give it a key of its own".into(),
            429 | 503 => match self.header("retry-after") {
                Some(after) => format!("run the same command again, after {after} seconds").into(),
                None => "run the same command again later".into(),
            },
            404 | 410 => "check the id in the path, and the environment".into(),
            300..=399 => "redirects are not followed: the request is signed for this place and no other".into(),
            400..=499 => "mend the path, the headers or the body as it says, and send it again".into(),
            _ => "what went wrong is in the log of the API's function".into(),
        }
    }

    fn problem(&self) -> Problem {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    fn words(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let text = text.trim();
        match text.char_indices().nth(LONGEST_WORDS) {
            _ if text.is_empty() => "the answer has no words".to_owned(),
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::Method;
    use super::*;

    fn failure(status: u16, headers: &[(&str, &str)], body: &str) -> Option<Error> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let answer = ApiAnswer { status, headers, body: body.as_bytes().to_vec() };
        answer.failure(&ApiRequest::new(Method::Post, "/payments").unwrap())
    }

    #[test]
    fn a_status_is_a_kind() {
        for status in [200, 201, 204] {
            assert!(failure(status, &[], "").is_none());
        }
        for (status, kind) in [
            (400, Kind::Usage),
            (409, Kind::Usage),
            (413, Kind::Usage),
            (422, Kind::Usage),
            (401, Kind::Denied),
            (403, Kind::Denied),
            (404, Kind::NotFound),
            (429, Kind::Unreachable),
            (503, Kind::Unreachable),
            (500, Kind::Unexpected),
            (502, Kind::Unexpected),
            (302, Kind::Unexpected),
        ] {
            assert_eq!(failure(status, &[], "").unwrap().kind(), kind, "{status}");
        }
    }

    #[test]
    fn the_words_are_those_of_the_problem_else_of_whoever_answered() {
        let said = |body: &str| failure(422, &[], body).unwrap().to_string();
        let problem = r##"{"type":"about:blank","title":"Unprocessable","status":422,"detail":"no such currency",
            "errors":[{"pointer":"#/currency","detail":"XXY is none"}]}"##;
        assert_eq!(said(problem), "POST /payments: HTTP 422: no such currency");
        assert_eq!(failure(422, &[], problem).unwrap().detail_lines(), ["#/currency: XXY is none"]);
        assert_eq!(said(r#"{"title":"Unprocessable"}"#), "POST /payments: HTTP 422: Unprocessable");
        assert_eq!(said(r#"{"message":"Invalid request body"}"#), "POST /payments: HTTP 422: Invalid request body");
        assert_eq!(said("<html>no</html>"), "POST /payments: HTTP 422: <html>no</html>");
        assert_eq!(said(""), "POST /payments: HTTP 422: the answer has no words");
        assert!(said(&"é".repeat(400)).ends_with('…'));
    }

    #[test]
    fn a_denial_says_what_to_do() {
        let advice = |code: &str, message: &str| {
            let body = serde_json::json!({ "message": message }).to_string();
            failure(403, &[("x-amzn-errortype", code)], &body).unwrap().advice()
        };
        let unknown = advice("MissingAuthenticationTokenException", "Missing Authentication Token");
        assert!(unknown.contains("no such path"), "{unknown}");
        let denied = advice("AccessDeniedException", "User: x is not authorized to perform: execute-api:Invoke");
        assert!(denied.contains("permission"), "{denied}");
        let expired = advice("InvalidSignatureException", "Signature expired: 20310101T000000Z is now earlier");
        assert!(expired.contains("doctor"), "{expired}");
        let later = failure(503, &[("retry-after", "3")], "").unwrap().advice();
        assert!(later.contains("after 3 seconds"), "{later}");
    }
}
