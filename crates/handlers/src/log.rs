//! Structured logs: one line of JSON per event on stdout, which is where Lambda looks for them.
//!
//! Nothing of a message body or of a payload may be logged, only names and outcomes.

use std::io::Write as _;
use std::time::SystemTime;

use jiff::Timestamp;
use serde_json::{Map, Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Info,
    Warn,
    Error,
}

/// Writes one line. Fields that are `null` are left out.
///
/// A line that cannot be written is dropped: no claim may fail because of its log.
pub fn line(level: Level, message: &str, fields: Vec<(&str, Value)>) {
    let mut text = render(now(), level, message, fields);
    text.push('\n');
    // The test harness cannot capture what goes to stdout directly, and would drown in it.
    if cfg!(not(test)) {
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }
}

/// The time of day to the millisecond.
pub fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let millis = i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
}

fn render(at: Timestamp, level: Level, message: &str, fields: Vec<(&str, Value)>) -> String {
    let level = match level {
        Level::Info => "INFO",
        Level::Warn => "WARN",
        Level::Error => "ERROR",
    };
    let mut line = Map::new();
    line.insert("timestamp".into(), format!("{at:.3}").into());
    line.insert("level".into(), level.into());
    line.insert("message".into(), message.into());
    for (name, value) in fields {
        if !value.is_null() {
            line.insert(name.into(), value);
        }
    }
    Value::from(line).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_object_without_nulls() {
        let at = Timestamp::from_millisecond(1_767_323_045_250).unwrap();
        let line = render(at, Level::Warn, "x\ny", vec![("key", "a\nb".into()), ("message_id", Value::Null)]);
        assert!(!line.contains('\n'));
        assert_eq!(
            serde_json::from_str::<Value>(&line).unwrap(),
            serde_json::json!({
                "timestamp": "2026-01-02T03:04:05.250Z", "level": "WARN", "message": "x\ny", "key": "a\nb"
            })
        );
    }
}
