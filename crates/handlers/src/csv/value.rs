//! The types of columns, and what a field is as one of them.

use std::borrow::Cow;

use super::Reason;

/// Of a number (Amazon DynamoDB Developer Guide, "Data types": 38 digits of precision, magnitudes from 1E-130 to
/// 9.99…E+125).
const MOST_DIGITS: usize = 38;
const EXPONENTS: std::ops::RangeInclusive<i64> = -130..=125;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColumnType {
    #[default]
    String,
    Number,
    Boolean,
}

/// A field that holds something; an empty one is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    String(&'a str),
    /// Digits with at most a sign, a point and an exponent.
    Number(Cow<'a, str>),
    Boolean(bool),
}

impl ColumnType {
    /// As DynamoDB calls its types.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "S" => Some(Self::String),
            "N" => Some(Self::Number),
            "BOOL" => Some(Self::Boolean),
            _ => None,
        }
    }

    /// `None` for an empty field.
    pub fn read<'a>(self, field: &'a str, column: &str) -> Result<Option<Value<'a>>, Reason> {
        if field.is_empty() {
            return Ok(None);
        }
        match self {
            Self::String => Ok(Some(Value::String(field))),
            Self::Number => number(field.trim(), column).map(|number| number.map(Value::Number)),
            Self::Boolean => match field.trim() {
                "" => Ok(None),
                "1" => Ok(Some(Value::Boolean(true))),
                "0" => Ok(Some(Value::Boolean(false))),
                word if word.eq_ignore_ascii_case("true") => Ok(Some(Value::Boolean(true))),
                word if word.eq_ignore_ascii_case("false") => Ok(Some(Value::Boolean(false))),
                _ => Err(Reason::NotABoolean { column: column.to_owned() }),
            },
        }
    }
}

/// Checks what the service would: one number that it refuses would take its whole batch with it.
fn number<'a>(text: &'a str, column: &str) -> Result<Option<Cow<'a, str>>, Reason> {
    if text.is_empty() {
        return Ok(None);
    }
    let not_a_number = || Reason::NotANumber { column: column.to_owned() };
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        None => (text, 0),
        Some(at) => (&text[..at], exponent(&text[at + 1..]).ok_or_else(not_a_number)?),
    };
    let unsigned = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !are_digits(whole) || !are_digits(fraction) {
        return Err(not_a_number());
    }
    let digits = whole.bytes().chain(fraction.bytes());
    let mut significant = digits.enumerate().filter(|(_, digit)| *digit != b'0').map(|(at, _)| at);
    // All zeros are a zero, no matter how many.
    if let Some(first) = significant.next() {
        let last = significant.last().unwrap_or(first);
        if last - first >= MOST_DIGITS {
            return Err(Reason::TooManyDigits { column: column.to_owned() });
        }
        let magnitude = i64::try_from(whole.len()).unwrap_or(i64::MAX) - 1 - i64::try_from(first).unwrap_or(i64::MAX);
        if !EXPONENTS.contains(&magnitude.saturating_add(exponent)) {
            return Err(Reason::OutOfRange { column: column.to_owned() });
        }
    }
    // The service knows no plus, and no number that begins or ends with its point.
    let plain = !mantissa.starts_with('+') && !whole.is_empty() && !mantissa.ends_with('.');
    if plain {
        return Ok(Some(Cow::Borrowed(text)));
    }
    let sign = if mantissa.starts_with('-') { "-" } else { "" };
    let whole = if whole.is_empty() { "0" } else { whole };
    let point = if fraction.is_empty() { "" } else { "." };
    Ok(Some(Cow::Owned(format!("{sign}{whole}{point}{fraction}E{exponent}"))))
}

fn exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // What no integer holds is out of every range.
    let size = digits.parse::<i64>().unwrap_or(i64::MAX / 2);
    Some(if text.starts_with('-') { -size } else { size })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: ColumnType, field: &str) -> Result<Option<Value<'_>>, String> {
        kind.read(field, "c").map_err(|reason| reason.to_string())
    }

    #[test]
    fn numbers_are_what_the_service_takes_as_one() {
        for same in ["0", "-1", "12.50", "1E5", "1e-7", "00012", "99999999999999999999999999999999999999", "1E125"] {
            assert_eq!(read(ColumnType::Number, same), Ok(Some(Value::Number(same.into()))), "{same}");
        }
        for (field, number) in [("+5", "5E0"), (" 7 ", "7"), (".5", "0.5E0"), ("5.", "5E0"), ("-.5e2", "-0.5E2")] {
            assert_eq!(read(ColumnType::Number, field), Ok(Some(Value::Number(number.into()))), "{field}");
        }
    }

    #[test]
    fn what_is_no_number_says_why() {
        for field in ["abc", "1,5", "1 000", "1_000", "0x10", "NaN", "inf", "-", ".", "1e", "1e1.5", "--1", "١"] {
            assert_eq!(read(ColumnType::Number, field), Err("c is not a number".into()), "{field}");
        }
        let long = "1".repeat(39);
        assert_eq!(read(ColumnType::Number, &long), Err("c has more than 38 significant digits".into()));
        // Zeros at either end are no digits that count.
        let zeros = format!("{}1{}", "0".repeat(50), "0".repeat(50));
        assert!(read(ColumnType::Number, &zeros).is_ok());
        for field in ["1E126", "1E-131", "1e99999999999999999999", "-1E126"] {
            assert_eq!(read(ColumnType::Number, field), Err("c is too large or too small for a number".into()));
        }
        assert!(read(ColumnType::Number, "0.001E-127").is_ok());
    }

    #[test]
    fn booleans_are_words_or_digits() {
        for (field, value) in [("true", true), ("FALSE", false), ("1", true), ("0", false), (" True ", true)] {
            assert_eq!(read(ColumnType::Boolean, field), Ok(Some(Value::Boolean(value))), "{field}");
        }
        assert_eq!(read(ColumnType::Boolean, "yes"), Err("c is neither true, false, 1 nor 0".into()));
    }

    #[test]
    fn an_empty_field_is_no_value() {
        for kind in [ColumnType::String, ColumnType::Number, ColumnType::Boolean] {
            assert_eq!(read(kind, ""), Ok(None));
        }
        assert_eq!(read(ColumnType::String, " "), Ok(Some(Value::String(" "))));
        assert_eq!(read(ColumnType::Number, " "), Ok(None));
    }
}
