//! For tests: events of the proxy integration such as nobody should send, and what every answer to one has to be.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Texts that something may stumble over.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        1 => "\\PC{0,12}",
        1 => "[a-zA-Z0-9_.%/+ -]{0,24}",
        9 => prop::sample::select(vec![
            "", "null", "0", "-1", "1e3", "+1", "01", "1.", "10.00", "0.001", "999999999999.99", "1000000000000000000",
            "NaN", "Infinity", "-0", "0x10", "EUR", "JPY", "XAU", "eur", "ABC", "c-1", "quo-1", "application/json",
            "APPLICATION/JSON; charset=latin1", "text/plain", "../..", "%2F", "%", "%zz", "%00", "a\0b", "\r\nx: y", "\u{FEFF}",
            "\u{FFFE}", "\u{FFFF}", "\u{202E}", "💰", "' OR 1=1 --", "${jndi:x}", "{{7*7}}", "constructor", "__proto__",
        ]).prop_map(str::to_owned),
        1 => (1_usize..20_000).prop_map(|length| "x".repeat(length)),
    ]
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![any::<i64>().prop_map(Value::from), any::<f64>().prop_map(Value::from), Just(json!(1e308))]
}

/// Any JSON.
pub fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => text().prop_map(Value::from),
        1 => number(),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(text(), inner, 0..4).prop_map(|map| Value::from(Map::from_iter(map))),
        ]
    })
}

/// One of these, mostly, and otherwise anything.
fn mostly(usual: Vec<Value>) -> impl Strategy<Value = Value> {
    prop_oneof![8 => prop::sample::select(usual), 1 => text().prop_map(Value::from), 1 => value()]
}

/// An object of members that are there or not, with members of other names beside them.
fn object(members: &[(&'static str, Vec<Value>)]) -> impl Strategy<Value = Value> + use<> {
    let members: Vec<_> = members
        .iter()
        .map(|(name, usual)| (Just((*name).to_owned()), prop::option::weighted(0.9, mostly(usual.clone()))))
        .collect();
    let more = prop::option::weighted(0.1, (text(), value()));
    (members, more).prop_map(|(members, more)| {
        let members = members.into_iter().filter_map(|(name, value)| Some((name, value?)));
        Value::from(Map::from_iter(members.chain(more)))
    })
}

/// A body that is nearly one of `members`, cut, doubled, nested, or something else altogether.
fn body(members: &[(&'static str, Vec<Value>)]) -> impl Strategy<Value = Value> + use<> {
    prop_oneof![
        10 => object(members).prop_map(|body| body.to_string().into()),
        1 => (object(members), any::<prop::sample::Index>()).prop_map(|(body, at)| {
            let text = body.to_string();
            let at = (0..=at.index(text.len() + 1)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text[..at].into()
        }),
        1 => object(members).prop_map(|body| format!("{body}{body}").into()),
        1 => (1_usize..4000).prop_map(|depth| "[".repeat(depth).into()),
        1 => Just(r#"{"amount":"1","amount":"2"}"#.into()),
        1 => Just(r#"{"customer_id":"\ud800"}"#.into()),
        1 => (10_000_usize..11_000).prop_map(|length| format!("{{\"a\":\"{}\"}}", "x".repeat(length)).into()),
        1 => text().prop_map(Value::from),
        1 => value(),
    ]
}

/// An event for an API with this resource, whose bodies have these members.
pub fn event(resource: &'static str, members: &[(&'static str, Vec<Value>)]) -> impl Strategy<Value = Value> + use<> {
    let texts = |texts: &[&str]| texts.iter().map(|text| Value::from(*text)).collect::<Vec<_>>();
    let below = format!("{resource}/{{payment_id}}");
    let encoded = prop_oneof![4 => Just(json!(false)), 1 => Just(json!(true)), 1 => value()];
    let headers = object(&[
        ("Content-Type", texts(&["application/json", "application/json", "text/plain"])),
        ("idempotency-key", texts(&["k1", "k2", "k3", "k4"])),
    ]);
    let query = object(&[
        ("customer_id", texts(&["c-1", "c-2"])),
        ("limit", texts(&["1", "100", "0"])),
        ("next", texts(&["", "bm8", "WyJhIiwiYiIsImMiXQ"])),
    ]);
    let lists = |map: Value| match map {
        Value::Object(map) => map.into_iter().map(|(name, value)| (name, json!([value]))).collect::<Map<_, _>>().into(),
        other => other,
    };
    let likely = (
        mostly(texts(&["POST", "POST", "POST", "GET", "GET", "PUT", "HEAD", "post"])),
        mostly(texts(&[resource, resource, &below, "/{proxy+}"])),
        mostly(texts(&[resource, "/", "//", "/payments/a%2Fb", "/quotes/%"])),
        prop_oneof![2 => Just(Value::Null), 2 => query, 1 => value()],
        prop_oneof![8 => headers, 1 => value()],
        object(&[("payment_id", texts(&["pay-1", "pay-0", "%", "a%2Fb"]))]),
        body(members),
        encoded,
        any::<[bool; 2]>(),
    )
        .prop_map(move |(method, resource, path, query, headers, parameters, body, encoded, many)| {
            let mut event = json!({ "httpMethod": method, "resource": resource, "path": path, "body": body,
                "pathParameters": parameters, "isBase64Encoded": encoded,
                "requestContext": { "path": path, "requestId": "r" } });
            if many[0] {
                event["multiValueQueryStringParameters"] = lists(query);
            } else {
                event["queryStringParameters"] = query;
            }
            if many[1] {
                event["multiValueHeaders"] = lists(headers);
            } else {
                event["headers"] = headers;
            }
            event
        });
    prop_oneof![20 => likely, 1 => value()]
}

/// Bodies that the schema of an API lets through, which has patterns and lengths of texts only.
pub fn of_schema(schema: &Value) -> impl Strategy<Value = Value> + use<> {
    let required = schema["required"].clone();
    let members = schema["properties"].as_object().unwrap().iter().map(|(name, member)| {
        let pattern = match member["pattern"].as_str() {
            Some(pattern) => pattern.trim_start_matches('^').trim_end_matches('$').to_owned(),
            None => format!("\\PC{{{},{}}}", member["minLength"].as_u64().unwrap_or(0), member["maxLength"]),
        };
        let text = prop::string::string_regex(&pattern).unwrap();
        let text = match required.as_array().unwrap().contains(&json!(name)) {
            true => text.prop_map(Some).boxed(),
            false => prop::option::of(text).boxed(),
        };
        (Just(name.clone()), text)
    });
    members.collect::<Vec<_>>().prop_map(|members| {
        Value::from(Map::from_iter(members.into_iter().filter_map(|(name, text)| Some((name, text?.into())))))
    })
}

/// What every answer has to be, while nothing but the request is at fault. Returns its status.
pub fn check(answer: &Value) -> u64 {
    let status = answer["statusCode"].as_u64().unwrap();
    assert!((200..500).contains(&status), "{answer}");
    let headers = answer["headers"].as_object().unwrap();
    for (name, value) in headers {
        let printable = |text: &str| !text.is_empty() && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        assert!(printable(name) && printable(value.as_str().unwrap()), "{answer}");
    }
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    let is_problem = status >= 400;
    assert_eq!(headers["Content-Type"], if is_problem { "application/problem+json" } else { "application/json" });
    if is_problem {
        assert_eq!((&body["type"], &body["status"]), (&json!("about:blank"), &json!(status)));
        assert!(["title", "detail"].iter().all(|name| body[name].as_str().is_some_and(|text| !text.is_empty())));
        for fault in body["errors"].as_array().into_iter().flatten() {
            let pointer = fault["pointer"].as_str().unwrap();
            assert!(pointer == "#" || pointer.starts_with("#/"), "{fault}");
            assert!(pointer.is_ascii() && fault["detail"].is_string(), "{fault}");
        }
    }
    status
}
