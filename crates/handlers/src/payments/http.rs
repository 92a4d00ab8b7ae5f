//! A request as API Gateway's Lambda proxy integration passes it on, and the answer as it takes one (payload format 1.0).
//!
//! Sources: "Set up Lambda proxy integrations in API Gateway", Amazon API Gateway Developer Guide. Everything in the event
//! may be anything, except that whoever sends it may invoke the function.

use aws_smithy_types::base64;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::problem::Problem;

/// Of a body: an API of ours takes nothing that is longer than a form.
const LONGEST_BODY: usize = 10 << 10;

#[derive(Debug)]
pub struct Request<'a> {
    event: &'a Value,
    pub method: &'a str,
    /// The parts of the path between the slashes, decoded.
    pub path: Vec<String>,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    pub status: u16,
    pub content_type: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: Value,
}

impl<'a> Request<'a> {
    pub fn of(event: &'a Value) -> Self {
        Self { event, method: event["httpMethod"].as_str().unwrap_or_default(), path: path(event) }
    }

    /// A header, whose name may be written in any case. Two that say the same are one.
    pub fn header(&self, name: &str) -> Result<Option<&'a str>, Problem> {
        let values = values(self.event, "multiValueHeaders", "headers", |key| key.eq_ignore_ascii_case(name));
        match values.as_slice() {
            [] => Ok(None),
            [value, rest @ ..] if rest.iter().all(|other| other == value) => Ok(Some(value)),
            _ => Err(Problem::new(400, format!("The header {name} is there more than once."))),
        }
    }

    /// The query parameters of these names, decoded as API Gateway decodes them. Others are refused.
    pub fn query<const N: usize>(&self, names: [&str; N]) -> Result<[Option<&'a str>; N], Problem> {
        let mut found = [None; N];
        for key in keys(self.event, "multiValueQueryStringParameters", "queryStringParameters") {
            let Some(at) = names.iter().position(|name| *name == key) else {
                return Err(Problem::new(400, format!("The query parameter {key} is not known here.")));
            };
            let values =
                values(self.event, "multiValueQueryStringParameters", "queryStringParameters", |name| name == key);
            match values.as_slice() {
                [value] => found[at] = Some(*value),
                _ => return Err(Problem::new(400, format!("The query parameter {key} has to be there once."))),
            }
        }
        Ok(found)
    }

    /// The text of a body of JSON.
    pub fn json_text(&self) -> Result<String, Problem> {
        let content_type = self.header("Content-Type")?.unwrap_or("application/json");
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/json") {
            return Err(Problem::new(415, "The body has to be JSON, with the Content-Type application/json."));
        }
        let Some(body) = self.event["body"].as_str() else {
            return Err(Problem::new(400, "The body is missing."));
        };
        let too_long = Problem::new(413, format!("The body is longer than {} KiB.", LONGEST_BODY >> 10));
        if self.event["isBase64Encoded"] != true {
            return if body.len() > LONGEST_BODY { Err(too_long) } else { Ok(body.to_owned()) };
        }
        if body.len() > base64::encoded_length(LONGEST_BODY) {
            return Err(too_long);
        }
        let bytes = base64::decode(body).map_err(|_| Problem::new(400, "The body is not base64."))?;
        String::from_utf8(bytes).map_err(|_| Problem::new(400, "The body is not UTF-8."))
    }

    /// Where something below the request's own path is found: with the stage, where API Gateway names it.
    pub fn location(&self, id: &str) -> String {
        let with_stage = self.event["requestContext"]["path"].as_str();
        let plain = |path: &&str| {
            path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte))
        };
        let path = with_stage.filter(plain).map_or_else(|| format!("/{}", self.path.join("/")), str::to_owned);
        format!("{}/{id}", path.trim_end_matches('/'))
    }
}

/// By the resource that API Gateway has matched, whose parameters are filled in; else by the path as it came.
fn path(event: &Value) -> Vec<String> {
    let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    let parts = |path: &str| path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let resource = event["resource"].as_str().filter(|resource| resource.starts_with('/') && !resource.contains('+'));
    let Some(resource) = resource else {
        return parts(event["path"].as_str().unwrap_or_default()).iter().map(|part| decoded(part)).collect();
    };
    let filled =
        parts(resource).into_iter().map(|part| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => decoded(event["pathParameters"][name].as_str().unwrap_or_default()),
            None => part,
        });
    filled.collect()
}

/// The names in a map that comes in two forms, of which the first one has all values.
fn keys<'a>(event: &'a Value, many: &str, one: &str) -> Vec<&'a str> {
    let map = event[many].as_object().or_else(|| event[one].as_object());
    map.into_iter().flat_map(Map::keys).map(String::as_str).collect()
}

/// What these names have for values. What is no text counts as an empty one: it is there, and good for nothing.
fn values<'a>(event: &'a Value, many: &str, one: &str, is_meant: impl Fn(&str) -> bool) -> Vec<&'a str> {
    let map = event[many].as_object().or_else(|| event[one].as_object());
    let meant = map.into_iter().flatten().filter(|(name, _)| is_meant(name)).map(|(_, value)| value);
    let text = |value: &'a Value| value.as_str().unwrap_or_default();
    meant
        .flat_map(|value| match value {
            Value::Array(values) => values.iter().map(text).collect(),
            Value::Null => vec![],
            value => vec![text(value)],
        })
        .collect()
}

impl Response {
    pub fn json(status: u16, body: Value) -> Self {
        Self { status, content_type: "application/json", headers: vec![], body }
    }

    /// As the proxy integration wants it.
    pub fn to_value(&self) -> Value {
        let mut headers = Map::from_iter([("Content-Type".to_owned(), Value::from(self.content_type))]);
        headers.extend(self.headers.iter().map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str()))));
        json!({
            "statusCode": self.status, "headers": headers, "body": self.body.to_string(), "isBase64Encoded": false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_found_in_any_case_and_must_not_contradict_itself() {
        let event = json!({ "multiValueHeaders": { "idempotency-KEY": ["a"], "x": ["1", "1"], "y": ["1", "2"] },
            "headers": { "z": "only one" } });
        let request = Request::of(&event);
        assert_eq!(request.header("Idempotency-Key").unwrap(), Some("a"));
        assert_eq!(request.header("X").unwrap(), Some("1"));
        assert_eq!(request.header("Y").unwrap_err().status, 400);
        assert_eq!(request.header("z").unwrap(), None, "where all values are there, they are all that there is");
        let event = json!({ "multiValueHeaders": null, "headers": { "Z": "v", "n": null } });
        assert_eq!(Request::of(&event).header("z").unwrap(), Some("v"));
        assert_eq!(Request::of(&event).header("n").unwrap(), None);
    }

    #[test]
    fn a_query_has_each_parameter_once_and_no_other() {
        let query =
            |event: &Value| Request::of(event).query(["a", "b"]).map(|found| found.map(|v| v.map(str::to_owned)));
        let many = json!({ "multiValueQueryStringParameters": { "a": ["x"] } });
        assert_eq!(query(&many).unwrap(), [Some("x".into()), None]);
        let one = json!({ "multiValueQueryStringParameters": null, "queryStringParameters": { "b": "" } });
        assert_eq!(query(&one).unwrap(), [None, Some(String::new())]);
        for wrong in [json!({ "a": ["x", "x"] }), json!({ "c": ["x"] }), json!({ "a": [] }), json!({ "A": ["x"] })] {
            assert_eq!(query(&json!({ "multiValueQueryStringParameters": wrong })).unwrap_err().status, 400, "{wrong}");
        }
    }

    #[test]
    fn a_path_is_decoded_once() {
        let path = |resource: &str, path: &str, id: &str| {
            Request::of(&json!({ "resource": resource, "path": path, "pathParameters": { "id": id } })).path
        };
        assert_eq!(path("/payments/{id}", "/dev/payments/x", "a%2Fb"), ["payments", "a/b"]);
        assert_eq!(path("/{proxy+}", "/payments//a%20b/", "x"), ["payments", "a b"]);
        assert_eq!(path("", "/payments/%FF%2525", "x"), ["payments", "\u{FFFD}%25"]);
        let nothing = Request::of(&Value::Null);
        assert_eq!((nothing.method, nothing.path.len()), ("", 0));
    }

    #[test]
    fn a_body_is_text_or_base64_and_not_long() {
        let body = |body: &str, base64: bool| {
            let event = json!({ "body": body, "isBase64Encoded": base64, "headers": { "content-type": "Application/JSON; charset=utf-8" } });
            Request::of(&event).json_text().map_err(|problem| problem.status)
        };
        assert_eq!(body("{}", false), Ok("{}".into()));
        assert_eq!(body("e30=", true), Ok("{}".into()));
        assert_eq!(body("e30", true), Err(400));
        assert_eq!(body("/w==", true), Err(400));
        assert_eq!(body(&"x".repeat(LONGEST_BODY), false).unwrap().len(), LONGEST_BODY);
        assert_eq!(body(&"x".repeat(LONGEST_BODY + 1), false), Err(413));
        assert_eq!(body(&base64::encode("x".repeat(LONGEST_BODY)), true).unwrap().len(), LONGEST_BODY);
        assert_eq!(body(&base64::encode("x".repeat(LONGEST_BODY + 3)), true), Err(413));
        let status = |event: Value| Request::of(&event).json_text().unwrap_err().status;
        assert_eq!(status(json!({ "body": null })), 400);
        assert_eq!(status(json!({ "body": "{}", "headers": { "Content-Type": "text/plain" } })), 415);
        assert!(Request::of(&json!({ "body": "{}" })).json_text().is_ok(), "API Gateway takes it for JSON too");
    }

    #[test]
    fn a_location_has_the_stage_and_nothing_that_breaks_a_header() {
        let location = |context: &str| {
            let event = json!({ "resource": "/payments", "requestContext": { "path": context } });
            Request::of(&event).location("pay-1")
        };
        assert_eq!(location("/dev/payments"), "/dev/payments/pay-1");
        assert_eq!(location("/dev/payments/"), "/dev/payments/pay-1");
        assert_eq!(location("/dev\r\nx: y"), "/payments/pay-1");
    }
}
