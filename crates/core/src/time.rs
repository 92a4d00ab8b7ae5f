//! Durations and moments as operators type them.

use std::ops::RangeBounds;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

use crate::range::within;

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

/// A duration within a range, such as `1s..=12h`.
pub fn parse_duration_in(text: &str, range: impl RangeBounds<Duration>) -> Result<Duration, String> {
    within(parse_duration(text)?, &range, |limit| typed(*limit))
}

/// A duration of whole seconds within a range: what services count in seconds.
pub fn parse_seconds_in(text: &str, range: impl RangeBounds<Duration>) -> Result<Duration, String> {
    let duration = parse_duration_in(text, range)?;
    match duration.subsec_nanos() {
        0 => Ok(duration),
        _ => Err("it must be a number of whole seconds".to_owned()),
    }
}

/// As [`parse_duration`] reads it: 12 hours are `12h`, 90 seconds `1m 30s`.
pub fn typed(duration: Duration) -> String {
    SignedDuration::try_from(duration).map_or_else(|_| format!("{}s", duration.as_secs()), |it| format!("{it:#}"))
}

/// A moment in the past: a time in RFC 3339, a local time or a date without a zone, or an age before now.
pub fn parse_moment(text: &str) -> Result<Timestamp, String> {
    parse_moment_in(text, &TimeZone::system())
}

/// A time without a zone is of this one: that of the operator, in which tables print times too.
fn parse_moment_in(text: &str, zone: &TimeZone) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    if let Ok(time) = text.parse::<DateTime>() {
        return zone.to_timestamp(time).map_err(|error| error.to_string());
    }
    let age = parse_duration(text)
        .map_err(|_| "a time looks like 2026-01-31T12:00 or 2026-01-31T12:00:00Z, an age like 2h or 7d".to_owned())?;
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
    fn a_duration_out_of_its_range_is_told_the_range() {
        let range = Duration::from_secs(1)..=Duration::from_secs(12 * 3600);
        assert_eq!(parse_duration_in("12h", range.clone()), Ok(Duration::from_secs(43_200)));
        for text in ["0", "43201s"] {
            assert_eq!(parse_duration_in(text, range.clone()), Err("it must be from 1s to 12h".to_owned()), "{text}");
        }
        assert_eq!(parse_seconds_in("1.5s", range), Err("it must be a number of whole seconds".to_owned()));
    }

    #[test]
    fn a_moment_is_a_time_a_date_or_an_age() {
        assert_eq!(parse_moment("1970-01-01T00:01:00Z").unwrap().as_second(), 60);
        let age = Timestamp::now().as_second() - parse_moment("2h").unwrap().as_second();
        assert!((7_200..7_210).contains(&age));
        assert!(parse_moment("yesterday").is_err());
    }

    #[test]
    fn a_time_without_a_zone_is_local() {
        let tokyo = TimeZone::fixed(jiff::tz::offset(9));
        for (text, utc) in [
            ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
            ("2026-01-31T12:00Z", "2026-01-31T12:00:00Z"),
            ("2026-01-31T12:00:00+02:00", "2026-01-31T10:00:00Z"),
            ("2026-01-31T12:00:00", "2026-01-31T03:00:00Z"),
            ("2026-01-31T12:00", "2026-01-31T03:00:00Z"),
            ("2026-01-31 12:00:30.5", "2026-01-31T03:00:30.5Z"),
            ("2026-01-31", "2026-01-30T15:00:00Z"),
        ] {
            assert_eq!(parse_moment_in(text, &tokyo).unwrap(), utc.parse().unwrap(), "{text}");
        }
        // Neither an hour that there is twice nor one that there is not is refused.
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        for (text, utc) in [
            ("2026-03-29T02:30", "2026-03-29T01:30:00Z"),
            ("2026-10-25T02:30", "2026-10-25T00:30:00Z"),
            ("2026-07-01T12:00", "2026-07-01T10:00:00Z"),
        ] {
            assert_eq!(parse_moment_in(text, &berlin).unwrap(), utc.parse().unwrap(), "{text}");
        }
    }
}
