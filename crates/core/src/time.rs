//! Durations and moments as operators type them.

use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// `30s`, `5m`, `2h`, `7d`, `1h30m`; a bare number is seconds.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<u32>() {
        return Ok(Duration::from_secs(seconds.into()));
    }
    text.parse::<Span>()
        .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()))
        .ok()
        .and_then(|span: SignedDuration| span.try_into().ok())
        .ok_or_else(|| "a duration looks like 30s, 5m, 2h or 7d".to_owned())
}

/// A moment in the past: a time in RFC 3339 or a date, or an age before now.
pub fn parse_moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    if let Ok(date) = text.parse::<jiff::civil::DateTime>() {
        return date.in_tz("UTC").map(|zoned| zoned.timestamp()).map_err(|error| error.to_string());
    }
    let age =
        parse_duration(text).map_err(|_| "a time looks like 2026-01-31T12:00:00Z, an age like 2h or 7d".to_owned())?;
    SignedDuration::try_from(age)
        .ok()
        .and_then(|age| Timestamp::now().checked_sub(age).ok())
        .ok_or_else(|| "that is too long ago".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_type_them() {
        for (text, seconds) in [("90", 90), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("7d", 604_800)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "soon", "-5s", "5 parsecs"] {
            assert!(parse_duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_moment_is_a_time_a_date_or_an_age() {
        assert_eq!(parse_moment("1970-01-01T00:01:00Z").unwrap().as_second(), 60);
        assert_eq!(parse_moment("1970-01-02").unwrap().as_second(), 86_400);
        let age = Timestamp::now().as_second() - parse_moment("2h").unwrap().as_second();
        assert!((7_200..7_210).contains(&age));
        assert!(parse_moment("yesterday").is_err());
    }
}
