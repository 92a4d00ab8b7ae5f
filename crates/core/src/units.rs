//! Sizes, durations, counts and foreign text as people read them.

use std::borrow::Cow;
use std::ops::RangeBounds;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::range::within;

/// Bytes in binary units: `0 B`, `1.5 KiB`, `12 MiB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    // 1023.95 would be printed as 1024.0
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if value < 10.0 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}

/// Reads what [`bytes`] writes: `1048576`, `8MiB`, `1.5 GiB`, also without the `iB`.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let bad = || format!("{text:?} is not a size: a number of bytes, or like 8MiB");
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        "t" | "tib" => 40,
        _ => return Err(bad()),
    };
    let number: f64 = number.parse().map_err(|_| bad())?;
    Ok((number * (1_u64 << shift) as f64).round() as u64)
}

/// A size within a range, such as `5MiB..=5GiB`.
pub fn parse_bytes_in(text: &str, range: impl RangeBounds<u64>) -> Result<u64, String> {
    within(parse_bytes(text)?, &range, |limit| typed(*limit))
}

/// A number within a range, such as `1..=256`.
pub fn parse_number_in(text: &str, range: impl RangeBounds<u64>) -> Result<u64, String> {
    let number = text.parse().map_err(|_| format!("{text:?} is not a whole number"))?;
    within(number, &range, u64::to_string)
}

/// Exactly, as [`parse_bytes`] reads it: `5MiB`.
fn typed(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let whole = |unit: &usize| bytes != 0 && bytes.is_multiple_of(1 << (10 * (unit + 1)));
    match (0..UNITS.len()).rev().find(whole) {
        Some(unit) => format!("{}{}", bytes >> (10 * (unit + 1)), UNITS[unit]),
        None => bytes.to_string(),
    }
}

/// `3ms`, `4.2s`, `5m 12s`, `3h 7m`, `2d 4h`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{}ms", duration.as_millis()),
        1..60 => format!("{:.1}s", duration.as_secs_f64()),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86400 => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {}h", seconds / 86400, seconds % 86400 / 3600),
    }
}

/// `1 message`, `2 messages`.
pub fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// A moment as the clock on the wall shows it, for tables. JSON has RFC 3339 in UTC.
pub fn local_time(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The same with its zone, where it is told what a time was understood as.
pub fn zoned_time(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

/// Text from elsewhere with control characters made visible: a key or a message body must not be able to
/// move the cursor, colour the terminal or fake a line.
pub fn printable(text: &str) -> Cow<'_, str> {
    let hidden = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(hidden) {
        return Cow::Borrowed(text);
    }
    let mut visible = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\u{1b}' => visible.push_str("\\e"),
            c if hidden(c) => visible.extend(c.escape_default()),
            c => visible.push(c),
        }
    }
    Cow::Owned(visible)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_change_unit_before_they_grow_to_five_characters() {
        let rows = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (10 * 1024, "10 KiB"),
            (1024 * 1024 - 1, "1.0 MiB"),
            (5 << 30, "5.0 GiB"),
        ];
        for (number, text) in rows {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn sizes_are_read_in_binary_units() {
        for (text, number) in [("0", 0), ("1048576", 1 << 20), ("8MiB", 8 << 20), ("1.5 g", 3 << 29), ("16k", 16384)] {
            assert_eq!(parse_bytes(text), Ok(number), "{text}");
        }
        for text in ["", "MiB", "8MB", "-1", "1.2.3M", "8 MiB MiB"] {
            assert!(parse_bytes(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_size_or_number_out_of_its_range_is_told_the_range() {
        assert_eq!(parse_bytes_in("5MiB", 5 << 20..=5 << 30), Ok(5 << 20));
        assert_eq!(parse_bytes_in("4MiB", 5 << 20..=5 << 30), Err("it must be from 5MiB to 5GiB".to_owned()));
        assert_eq!(parse_bytes_in("1", 64 << 10..), Err("it must be at least 64KiB".to_owned()));
        assert_eq!(parse_number_in("0", 1..), Err("it must be at least 1".to_owned()));
        assert_eq!(parse_number_in("1.5", 1..), Err("\"1.5\" is not a whole number".to_owned()));
    }

    #[test]
    fn durations_keep_two_figures() {
        let rows = [
            (0, "0ms"),
            (999, "999ms"),
            (1500, "1.5s"),
            (61_000, "1m 1s"),
            (3_600_000, "1h 0m"),
            (90_000_000, "1d 1h"),
        ];
        for (millis, text) in rows {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn foreign_text_cannot_drive_the_terminal() {
        assert_eq!(printable("naïve 🙂 key"), "naïve 🙂 key");
        assert_eq!(printable("a\u{1b}[2Jb\nc\u{202e}d"), "a\\e[2Jb\\nc\\u{202e}d");
    }
}
