use std::time::Instant;

use aws_sdk_sqs::types::Message as Received;
use claimctl_core::error::Kind;

use super::*;

fn message(body: &str) -> Message {
    Message::from(Received::builder().message_id("m-1").body(body).build())
}

fn claim(key: &str) -> Message {
    message(&format!(r#"{{"Records":[{{"s3":{{"bucket":{{"name":"b"}},"object":{{"key":"{key}","size":5}}}}}}]}}"#))
}

fn holds(expression: &str, message: &Message) -> Result<bool> {
    Expression::parse(expression)?.holds(message)
}

#[test]
fn an_expression_sees_the_message_that_peek_prints() {
    let csv = claim("in/a.csv");
    for (expression, expected) in [
        (EXAMPLE, true),
        (".receive_count > 3", false),
        (".claims[0].size == 5 and .claims[0].bucket == \"b\"", true),
        (".envelope | index(\"s3\") != null", true),
        (".claims[].key | test(\"^in/\")", true),
        (".body | fromjson | .Records | length", true),
        // Truth is jq's: of the first output, and no output is false.
        ("0", true),
        ("null, true", false),
        ("true, error", true),
        ("empty", false),
        (".attributes.none", false),
        ("(.body | fromjson | .a.b.c)?", false),
        ("[range(3)] == [0, 1, 2] and [range(4; 0; -2)] == [4, 2] and [range(2; 1)] == []", true),
    ] {
        assert_eq!(holds(expression, &csv).unwrap(), expected, "{expression}");
    }
}

#[test]
fn a_label_is_a_string_as_it_is_and_anything_else_as_json() {
    for (expression, label) in [
        (".claims[0].key | split(\"/\")[0]", "in"),
        (".receive_count", "1"),
        (".envelope", "[\"s3\"]"),
        (".none", "null"),
        ("empty", "(none)"),
    ] {
        assert_eq!(Expression::parse(expression).unwrap().label(&claim("in/a.csv")).unwrap(), label, "{expression}");
    }
}

#[test]
fn what_does_not_parse_says_where() {
    for (expression, why, column) in [
        ("", "term is expected", 0),
        (".a |", "term is expected", 4),
        ("any(.claims[]; .key", "closing parenthesis is expected", 19),
        (".a ==", "term is expected", 5),
        (".a § .b", "token is expected", 3),
        ("\"open", "closing quote is expected", 5),
        (".a | nosuch", "unknown filter nosuch", 5),
        ("\"ä\" | $x", "unknown variable $x", 6),
        ("test(1; 2; 3)", "unknown filter test with 3 arguments", 0),
        ("import \"m\" as m; .", "modules cannot be loaded", 8),
    ] {
        let error = Expression::parse(expression).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage, "{expression}");
        assert!(error.to_string().contains(why), "{expression}: {error}");
        let caret = &error.detail_lines()[1];
        assert_eq!(caret.find('^'), Some(column), "{expression}\n{}", error.detail_lines().join("\n"));
        assert!(error.advice().contains(EXAMPLE));
    }
    let error = Expression::parse(".a\n | .b |").unwrap_err();
    assert!(error.to_string().ends_with("(line 2, column 8)"), "{error}");
    assert_eq!(Expression::parse(&".".repeat(MOST_BYTES + 1)).unwrap_err().kind(), Kind::Usage);
    for nested in ["(", "[", "{a:", "\"\\(", "-", "if "] {
        let deep = nested.repeat(MOST_BYTES / nested.len());
        assert_eq!(Expression::parse(&deep).unwrap_err().kind(), Kind::Usage, "{nested}");
    }
}

#[test]
fn nothing_but_the_message_is_seen() {
    for expression in ["env", "$ENV", "input", "inputs", "debug", "stderr", "halt", "halt_error", "env.PATH"] {
        let error = Expression::parse(expression).unwrap_err();
        assert!(error.advice().contains("nothing else"), "{expression}: {error}");
    }
}

#[test]
fn what_fails_on_one_message_names_it_and_goes_on_with_the_next() {
    let expression = Expression::parse(".body | fromjson | .kind").unwrap();
    for body in ["not json", "", "[1]", &"[".repeat(1 << 20)] {
        let error = expression.holds(&message(body)).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.to_string().starts_with("the jq expression fails on message m-1: "), "{error}");
        assert!(error.to_string().len() < 1_000, "{error}");
        assert!(error.advice().contains('?'));
    }
    assert!(expression.holds(&message(r#"{"kind":"a"}"#)).unwrap());
    let long = Expression::parse("error(\"é\" * 100000)").unwrap();
    assert!(long.holds(&message("")).unwrap_err().to_string().len() < 1_000);
}

#[test]
fn an_expression_without_end_is_given_up() {
    for expression in [
        "last(range(infinite))",
        "[range(infinite)]",
        "last(repeat(1))",
        "until(false; .)",
        "def f: f; f",
        "[recurse(.)]",
        "def f: 1 + f; f",
        "def f: [f]; f",
        "def f(g): f(g | g); f(.)",
        "reduce range(60) as $i (\"x\"; . + .)",
    ] {
        let began = Instant::now();
        let parsed = Expression::parse(expression).unwrap();
        let error = parsed.holds(&message("")).unwrap_err();
        assert!(began.elapsed() < TIME + GRACE + GRACE, "{expression}");
        assert_eq!(error.kind(), Kind::Usage);
        // Which of them is met first depends on the machine, and on what else runs in this process.
        let limits = [Limit::Time, Limit::Recursion, Limit::Memory].map(|limit| limit.to_string());
        let said = error.to_string();
        assert!(limits.iter().any(|limit| said.contains(limit)) && said.contains("m-1"), "{expression}: {said}");
        assert!(parsed.holds(&message("")).is_err(), "it stays given up");
    }
}

#[test]
fn deep_values_are_freed_and_printed_without_harm() {
    for depth in [1_000, 100_000] {
        let expression = Expression::parse(&format!("reduce range({depth}) as $i (null; [.])")).unwrap();
        let answer = expression.label(&message(""));
        assert!(answer.map_or_else(|error| error.kind() == Kind::Usage, |label| label.len() >= 2 * depth));
    }
}
