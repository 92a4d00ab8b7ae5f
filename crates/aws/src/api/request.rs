//! A request as it is sent: its path encoded once, its body JSON, its headers such as nobody else sets.

use std::fmt::Write as _;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use claimctl_core::error::{Error, Result};
use claimctl_core::units::bytes;
use serde::de::IgnoredAny;

use super::place::Place;

/// Of a body (Amazon API Gateway Developer Guide, "Quotas for configuring and running a REST API": payload size).
pub const MOST_BYTES: usize = 10 << 20;

/// Set by claimctl, or by HTTP itself.
const OURS: [&str; 8] = [
    "authorization",
    "connection",
    "content-length",
    "host",
    "transfer-encoding",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-content-sha256",
];

/// What API Gateway takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
    Options,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    const ALL: [Method; 7] =
        [Method::Get, Method::Head, Method::Options, Method::Post, Method::Put, Method::Patch, Method::Delete];

    /// In whichever case it was typed.
    pub fn parse(text: &str) -> Result<Method, String> {
        let found = Method::ALL.into_iter().find(|method| method.name().eq_ignore_ascii_case(text));
        found.ok_or_else(|| format!("a method is one of {}", Method::ALL.map(Method::name).join(", ")))
    }

    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Options => "OPTIONS",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }

    /// Those that HTTP calls safe change nothing (RFC 9110, 9.2.1).
    fn is_safe(self) -> bool {
        matches!(self, Method::Get | Method::Head | Method::Options)
    }
}

/// Made of what was checked; what comes of it is up to the API.
#[derive(Debug, Clone)]
pub struct ApiRequest {
    method: Method,
    /// With the query, percent-encoded.
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl ApiRequest {
    /// `path` is of the API, without its stage, and may have a query. What is percent-encoded in it stays as it is.
    pub fn new(method: Method, path: &str) -> Result<ApiRequest> {
        Ok(ApiRequest { method, path: encoded(path)?, headers: Vec::new(), body: Vec::new() })
    }

    /// One that [`parse_header`] has taken.
    pub fn header(mut self, name: &str, value: &str) -> ApiRequest {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// `name` is where the body comes from.
    pub fn json(self, body: Vec<u8>, name: &str) -> Result<ApiRequest> {
        if self.method.is_safe() {
            return Err(Error::usage(format!("a {} has no body", self.method.name()))
                .hint("name the method that takes it, such as POST, or leave the body out"));
        }
        if body.len() > MOST_BYTES {
            return Err(Error::usage(format!("{name} is larger than API Gateway takes: {}", bytes(MOST_BYTES as u64)))
                .hint("what is larger goes into a bucket, and a reference to it to the API"));
        }
        serde_json::from_slice::<IgnoredAny>(&body).map_err(|error| {
            Error::usage(format!("{name} is not JSON, so nothing was sent")).caused_by(error).hint("mend it")
        })?;
        Ok(ApiRequest { body, ..self })
    }

    /// Whether it may change something.
    pub fn is_change(&self) -> bool {
        !self.method.is_safe()
    }

    pub fn method(&self) -> Method {
        self.method
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// `POST /payments`
    pub fn named(&self) -> String {
        format!("{} {}", self.method.name(), self.path)
    }

    pub fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    /// Not signed yet.
    pub(super) fn http(&self, place: &Place) -> Result<HttpRequest> {
        let broken = |error| Error::unexpected("the request could not be made").caused_by(error);
        let mut http = HttpRequest::new(SdkBody::from(self.body.clone()));
        http.set_method(self.method.name()).map_err(broken)?;
        http.set_uri(place.url(&self.path)).map_err(broken)?;
        let headers = http.headers_mut();
        headers.try_append("user-agent", concat!("claimctl/", env!("CARGO_PKG_VERSION"))).map_err(broken)?;
        if !self.body.is_empty() && !self.has_header("content-type") {
            headers.try_append("content-type", "application/json").map_err(broken)?;
        }
        for (name, value) in &self.headers {
            headers.try_append(name.to_ascii_lowercase(), value.clone()).map_err(broken)?;
        }
        Ok(http)
    }
}

/// `NAME:VALUE`, such as is sent and signed as it is.
pub fn parse_header(text: &str) -> Result<(String, String), String> {
    let Some((name, value)) = text.split_once(':') else { return Err("a header is NAME:VALUE".to_owned()) };
    let (name, value) = (name.trim(), value.trim());
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(is_token) {
        return Err(format!("{name:?} is not the name of a header"));
    }
    if !value.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        return Err(format!("the value of {name} may have printable ASCII only"));
    }
    match OURS.contains(&name.to_ascii_lowercase().as_str()) {
        true => Err(format!("{name} is claimctl's to set")),
        false => Ok((name.to_owned(), value.to_owned())),
    }
}

/// A path with a query, as it goes over the wire: what has to be percent-encoded is, once.
fn encoded(path: &str) -> Result<String> {
    let wrong = |what: String| {
        Error::usage(format!("{path:?} is not the path of a request: {what}"))
            .hint("one looks like /payments/ID or /payments?customer_id=ID, without the API's stage")
    };
    if !path.starts_with('/') {
        return Err(wrong("it does not begin with a slash".to_owned()));
    }
    if let Some(c) = path.chars().find(|c| *c == ' ' || c.is_control()) {
        return Err(wrong(format!("it holds {c:?}, which is written %{:02X}", u32::from(c))));
    }
    if path.contains('#') {
        return Err(wrong("what is behind # is never sent; the sign itself is written %23".to_owned()));
    }
    let only_path = path.split('?').next().unwrap_or_default();
    let segments: Vec<&str> = only_path.split('/').skip(1).collect();
    let is_last_empty = segments.last().is_some_and(|last| last.is_empty());
    let within = &segments[..segments.len() - usize::from(is_last_empty)];
    // What lies between counts these out before the API sees them, and the signature is another one then.
    if within.iter().any(|segment| ["", ".", ".."].contains(segment)) {
        return Err(wrong("a part of it is empty, . or ..".to_owned()));
    }
    let broken = path.match_indices('%').any(|(at, _)| {
        let digits = path.as_bytes().get(at + 1..at + 3);
        !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if broken {
        return Err(wrong("a % stands before two hex digits; the sign itself is written %25".to_owned()));
    }
    let mut encoded = String::with_capacity(path.len());
    let mut in_query = false;
    for byte in path.bytes() {
        match byte {
            b'?' if !in_query => {
                in_query = true;
                encoded.push('?');
            }
            // A blank in both, by a spelling that nobody reads otherwise.
            b'+' if in_query => encoded.push_str("%20"),
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | 0x80.. => {
                let _ = write!(encoded, "%{byte:02X}");
            }
            _ => encoded.push(byte.into()),
        }
    }
    Ok(encoded)
}

#[cfg(test)]
mod tests {
    use claimctl_core::error::Kind;

    use super::*;

    #[test]
    fn a_path_is_encoded_once() {
        for (typed, sent) in [
            ("/", "/"),
            ("/payments/", "/payments/"),
            ("/payments/pay-1", "/payments/pay-1"),
            ("/payments?customer_id=c&limit=2", "/payments?customer_id=c&limit=2"),
            ("/a%20b?c=%2F%25", "/a%20b?c=%2F%25"),
            ("/é|{x}?q=ü&r=a+b?c", "/%C3%A9%7C%7Bx%7D?q=%C3%BC&r=a%20b?c"),
        ] {
            assert_eq!(encoded(typed).unwrap(), sent, "{typed}");
        }
    }

    #[test]
    fn what_is_no_path_is_told_with_its_fault() {
        for (typed, why) in [
            ("payments", "begin with a slash"),
            ("", "begin with a slash"),
            ("https://x/payments", "begin with a slash"),
            ("/a b", "written %20"),
            ("/a\n", "written %0A"),
            ("/a#b", "%23"),
            ("/a/../b", "empty, . or .."),
            ("//payments", "empty, . or .."),
            ("/a%2", "two hex digits"),
            ("/a?b=%zz", "two hex digits"),
        ] {
            let error = encoded(typed).unwrap_err();
            assert!(error.kind() == Kind::Usage && error.to_string().contains(why), "{typed}: {error}");
        }
    }

    #[test]
    fn a_header_is_one_that_nobody_else_sets() {
        let key = parse_header("Idempotency-Key: a:b").unwrap();
        assert_eq!(key, ("Idempotency-Key".to_owned(), "a:b".to_owned()));
        for wrong in ["", "x", ":v", "a b:c", "Host: x", "authorization:x", "X-Amz-Date: 1", "X: a\r\nY: b", "X: é"] {
            assert!(parse_header(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_body_is_json_and_not_too_large_and_no_part_of_a_look() {
        let post = || ApiRequest::new(Method::Post, "/p").unwrap();
        assert_eq!(post().json(b"{\"a\": 1}".to_vec(), "f").unwrap().body(), b"{\"a\": 1}");
        for (body, why) in [(b"{".to_vec(), "f is not JSON"), (vec![b'1'; MOST_BYTES + 1], "larger than API Gateway")] {
            let error = post().json(body, "f").unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
        let get = ApiRequest::new(Method::Get, "/p").unwrap();
        assert!(get.json(b"1".to_vec(), "f").unwrap_err().to_string().contains("a GET has no body"));
    }
}
