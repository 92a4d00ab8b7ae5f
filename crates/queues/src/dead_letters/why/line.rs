//! What one line of a log tells: whom it is about, and what went wrong. Structured lines of any shape, and plain text.

use serde_json::Value;

const UUID: usize = 36;
/// Characters of an error that are shown; the rest rarely tells more.
const MOST: usize = 300;

/// Terms that a line about a failure has, as CloudWatch Logs searches for them: any of them, case and all.
pub const TERMS: [&str; 10] = [
    "ERROR",
    "Error",
    "error",
    "Exception",
    "exception",
    "\"timed out\"",
    "timeout",
    "Traceback",
    "panic",
    "\"Status: \"",
];

#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// Message ids and request ids alike: both are UUIDs.
    pub ids: Vec<String>,
    pub error: Option<String>,
}

pub fn read(text: &str) -> Line {
    let text = text.trim();
    let error = match serde_json::from_str::<Value>(text) {
        Ok(value) if value.is_object() => of_fields(&value),
        _ => of_text(text),
    };
    Line { ids: uuids(text).map(str::to_ascii_lowercase).collect(), error }
}

/// What is the same for every dead letter with this error: without ids, long numbers and the names of the dead letter
/// itself.
pub fn general(error: &str, names: &[&str]) -> String {
    let mut general = error.to_owned();
    for name in names.iter().filter(|name| name.len() > 2) {
        general = general.replace(name, "…");
    }
    for id in uuids(error) {
        general = general.replace(id, "…");
    }
    let mut shown = String::with_capacity(general.len());
    let mut digits = String::new();
    for c in general.chars().chain(['\0']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        shown.push_str(if digits.len() > 4 { "…" } else { &digits });
        digits.clear();
        shown.extend((c != '\0').then_some(c));
    }
    let mut words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = words.char_indices().nth(MOST) {
        words.truncate(end);
        words.push('…');
    }
    words
}

/// `error`, or whatever else loggers call it; the message itself where the level says that it is one.
fn of_fields(line: &Value) -> Option<String> {
    const ERRORS: [&str; 6] = ["error", "errorMessage", "error_message", "err", "exception", "exc_info"];
    let words = |value: &Value| match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Object(_) => of_fields(value).or_else(|| Some(value.get("message")?.as_str()?.to_owned())),
        _ => None,
    };
    if let Some(error) = ERRORS.iter().find_map(|name| words(line.get(name)?)) {
        return Some(error);
    }
    if let Some(record) = line.get("record") {
        let status = record.get("status").and_then(Value::as_str).filter(|status| *status != "success");
        return status.map(|status| format!("the invocation ended with status {status}"));
    }
    let level = line.get("level").or(line.get("levelname")).or(line.get("severity")).and_then(Value::as_str);
    let is_error =
        level.is_some_and(|level| ["error", "fatal", "critical"].iter().any(|bad| level.eq_ignore_ascii_case(bad)));
    let message = line.get("message").or(line.get("msg")).filter(|message| is_error || message.is_object());
    message.and_then(words)
}

fn of_text(text: &str) -> Option<String> {
    if text.starts_with("REPORT ") {
        let status = text.split('\t').find_map(|part| part.trim().strip_prefix("Status: "))?;
        return (status != "success").then(|| format!("the invocation ended with status {status}"));
    }
    let is_error = TERMS.iter().any(|term| text.contains(term.trim_matches('"')));
    let line = text.lines().rfind(|line| !line.trim().is_empty()).filter(|_| text.starts_with("Traceback"));
    // The time and the level in front of an error are not part of it.
    let said = line.or_else(|| text.lines().next())?;
    let said = said.rsplit('\t').next().unwrap_or(said);
    let stamp = |word: &&str| word.contains('T') && word.starts_with(|c: char| c.is_ascii_digit());
    let is_tag = |word: &&str| stamp(word) || is_uuid(word) || ["ERROR", "[ERROR]", "RequestId:"].contains(word);
    let words: Vec<_> = said.split_whitespace().skip_while(|word| is_tag(word)).collect();
    (is_error && !words.is_empty()).then(|| words.join(" "))
}

fn uuids(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_hexdigit() && c != '-').filter(|word| is_uuid(word))
}

pub fn is_uuid(word: &str) -> bool {
    let dash = |at: usize| [8, 13, 18, 23].contains(&at);
    word.len() == UUID
        && word.bytes().enumerate().all(|(at, c)| if dash(at) { c == b'-' } else { c.is_ascii_hexdigit() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5fea7756-0ea4-451a-a703-a558b933e274";
    const OTHER: &str = "0E2B1C3D-1111-4222-8333-444455556666";

    fn error(text: &str) -> Option<String> {
        read(text).error
    }

    #[test]
    fn a_structured_line_tells_whom_it_is_about_and_what_went_wrong() {
        let line =
            format!(r#"{{"level":"ERROR","message":"message failed","message_id":"{ID}","error":"no payload"}}"#);
        assert_eq!(read(&line), Line { ids: vec![ID.to_owned()], error: Some("no payload".to_owned()) });
        let powertools = r#"{"level":"ERROR","message":"boom","exception_name":"X"}"#;
        assert_eq!(error(powertools).as_deref(), Some("boom"));
        let node = r#"{"level":"ERROR","message":{"errorType":"E","errorMessage":"boom","stackTrace":[]}}"#;
        assert_eq!(error(node).as_deref(), Some("boom"));
        let report = r#"{"type":"platform.report","record":{"requestId":"r","status":"timeout"}}"#;
        assert_eq!(error(report).as_deref(), Some("the invocation ended with status timeout"));
        for fine in [
            r#"{"level":"INFO","message":"claim","error":""}"#,
            r#"{"type":"platform.report","record":{"status":"success"}}"#,
            r#"{"level":"INFO","message":"no Error at all"}"#,
        ] {
            assert_eq!(error(fine), None, "{fine}");
        }
    }

    #[test]
    fn a_line_of_text_is_an_error_where_it_says_so() {
        let timeout = format!("2026-01-01T00:00:00.000Z {ID} Task timed out after 3.00 seconds\n\n");
        assert_eq!(error(&timeout).as_deref(), Some("Task timed out after 3.00 seconds"));
        let exit = format!("RequestId: {OTHER} Error: Runtime exited with error: exit status 1\nRuntime.ExitError");
        assert_eq!(read(&exit).ids, [OTHER.to_ascii_lowercase()]);
        assert_eq!(error(&exit).as_deref(), Some("Error: Runtime exited with error: exit status 1"));
        let node = format!("2026-01-01T00:00:00.000Z\t{ID}\tERROR\tInvoke Error\tno payload");
        assert_eq!(error(&node).as_deref(), Some("no payload"));
        let python = "Traceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 'Records'";
        assert_eq!(error(python).as_deref(), Some("KeyError: 'Records'"));
        assert_eq!(
            error(&format!("REPORT RequestId: {ID}\tDuration: 1 ms\tStatus: timeout")),
            Some("the invocation ended with status timeout".into())
        );
        for fine in ["START RequestId: x", "REPORT RequestId: x\tDuration: 1 ms", "", "all is well"] {
            assert_eq!(error(fine), None, "{fine}");
        }
    }

    #[test]
    fn errors_that_differ_by_names_and_numbers_only_are_one() {
        let error = |key: &str, id: &str, at: &str| general(&format!("object b/{key} of {id} is gone ({at})"), &[key]);
        assert_eq!(error("in/1.csv", ID, "1700000000"), error("in/zwei.csv", OTHER, "1800000001"));
        assert_eq!(error("in/1.csv", ID, "404"), "object b/… of … is gone (404)");
        assert_eq!(general(&"é".repeat(1000), &[]).chars().count(), MOST + 1);
    }
}
