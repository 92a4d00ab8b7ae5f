//! What of a field is sent to the database: nearly always the field as it stands, and the server makes of it what the
//! column's type says.
//!
//! Spellings that are common in files and not known to every server are written as one that is. And what a server would
//! round without a word, in strict mode too, is refused.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;

/// Of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conversion {
    None,
    /// A number may have spaces around it.
    Number,
    /// To a server 1.5 is 2 here.
    Integer,
    /// Words, for a column that is a boolean: to the server it is a small number.
    Boolean,
    /// A time with its zone, for a column without one, which means UTC here. MariaDB 10.11 knows no zones in texts, and
    /// MySQL 8.0 none that is written `Z`. So many digits behind the second; a server rounds to them.
    Time {
        digits: usize,
    },
    TimeOfDay {
        digits: usize,
    },
    /// Of these, in quotes. A server takes a number for the place of one.
    Member {
        of: String,
    },
    /// To a server a text is its bytes here.
    Bits,
}

/// Why a field cannot be sent: the server would store something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    NotWhole,
    TooPrecise,
    NoMember,
    Bits,
}

impl Conversion {
    /// By the type of the column, without and with its length.
    pub fn of(data_type: &str, column_type: &str) -> Self {
        let digits = || {
            let (_, length) = column_type.split_once('(').unwrap_or_default();
            length.trim_end_matches(')').parse().unwrap_or(0)
        };
        match (data_type, column_type) {
            (_, "tinyint(1)") => Self::Boolean,
            ("tinyint" | "smallint" | "mediumint" | "int" | "bigint", _) => Self::Integer,
            ("decimal" | "float" | "double", _) => Self::Number,
            ("datetime" | "timestamp", _) => Self::Time { digits: digits() },
            ("time", _) => Self::TimeOfDay { digits: digits() },
            ("enum" | "set", _) => Self::Member { of: column_type.to_owned() },
            ("bit", _) => Self::Bits,
            _ => Self::None,
        }
    }

    /// `None` for an empty field: it is no value.
    pub fn of_field<'a>(&self, field: &'a str) -> Result<Option<Cow<'a, str>>, Unfit> {
        let field = match self {
            Self::Number | Self::Integer | Self::Boolean => field.trim(),
            _ => field,
        };
        if field.is_empty() {
            return Ok(None);
        }
        Ok(Some(match self {
            Self::Boolean if field.eq_ignore_ascii_case("true") => "1".into(),
            Self::Boolean if field.eq_ignore_ascii_case("false") => "0".into(),
            Self::Integer | Self::Boolean if has_fraction(field) => return Err(Unfit::NotWhole),
            Self::Time { digits } | Self::TimeOfDay { digits } if is_finer(field, *digits) => {
                return Err(Unfit::TooPrecise);
            }
            // Without a zone it is no moment, and is left as it is.
            Self::Time { .. } => match field.parse::<Timestamp>() {
                Ok(moment) => {
                    let text = format!("{moment:.6}").replace('T', " ");
                    text.trim_end_matches('Z').to_owned().into()
                }
                Err(_) => field.into(),
            },
            Self::Member { of } if is_number(field) && !of.contains(&format!("'{field}'")) => {
                return Err(Unfit::NoMember);
            }
            Self::Bits => return Err(Unfit::Bits),
            _ => field.into(),
        }))
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotWhole => "a number is not whole, and its column takes whole ones only",
            Self::TooPrecise => "a time is finer than its column keeps it",
            Self::NoMember => "a number is none of the values that its column has",
            Self::Bits => "its column is of bits, which no field can be",
        })
    }
}

/// As the server reads the number of a member.
fn is_number(field: &str) -> bool {
    field.trim().bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a number has digits behind its point that count; what is none the server tells.
fn has_fraction(field: &str) -> bool {
    let (mantissa, exponent) = match field.split_once(['e', 'E']) {
        None => (field, 0),
        Some((mantissa, exponent)) => match exponent.parse::<i32>() {
            Ok(exponent) => (mantissa, exponent),
            Err(_) => return false,
        },
    };
    let unsigned = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if !digits().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let point = (whole.len() as i64 + i64::from(exponent)).max(0);
    digits().skip(usize::try_from(point).unwrap_or(usize::MAX)).any(|byte| byte != b'0')
}

/// Whether a time has digits behind its second, more than so many, that count.
fn is_finer(field: &str, digits: usize) -> bool {
    let fraction = field.split_once('.').map_or("", |(_, fraction)| fraction);
    fraction.bytes().take_while(u8::is_ascii_digit).skip(digits).any(|byte| byte != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(conversion: Conversion, field: &str) -> Option<String> {
        conversion.of_field(field).unwrap().map(Cow::into_owned)
    }

    #[test]
    fn times_with_a_zone_become_utc_and_others_stay() {
        for (field, wanted) in [
            ("2026-03-01T00:30:00+02:00", "2026-02-28 22:30:00.000000"),
            ("2026-03-01T00:30:00.25Z", "2026-03-01 00:30:00.250000"),
            ("2026-03-01 00:30:00-05:00", "2026-03-01 05:30:00.000000"),
            ("2026-03-01 00:30:00", "2026-03-01 00:30:00"),
            ("0000-00-00 00:00:00", "0000-00-00 00:00:00"),
            ("yesterday", "yesterday"),
        ] {
            assert_eq!(sent(Conversion::Time { digits: 6 }, field).as_deref(), Some(wanted), "{field}");
        }
    }

    #[test]
    fn words_are_booleans_only_where_the_column_is_one() {
        assert_eq!(Conversion::of("tinyint", "tinyint(1)"), Conversion::Boolean);
        assert_eq!(Conversion::of("tinyint", "tinyint(4)"), Conversion::Integer);
        for (field, wanted) in [("true", "1"), ("FALSE", "0"), (" 1", "1"), ("yes", "yes")] {
            assert_eq!(sent(Conversion::Boolean, field).as_deref(), Some(wanted));
        }
        assert_eq!(sent(Conversion::None, "true").as_deref(), Some("true"));
    }

    #[test]
    fn what_a_server_would_round_to_a_whole_number_is_refused() {
        for field in ["1.5", "-0.1", "2.50", "15e-1", " .5 ", "9007199254740993.5e0", "1e-400"] {
            assert_eq!(Conversion::Integer.of_field(field), Err(Unfit::NotWhole), "{field}");
            assert_eq!(sent(Conversion::Number, field).as_deref(), Some(field.trim()));
        }
        for field in ["15", "-3", "2.00", "15e1", "1.5e1", "7.", "1.2.3", "one", "1,5", "0.00e-3", "1e400"] {
            assert_eq!(sent(Conversion::Integer, field).as_deref(), Some(field));
        }
    }

    #[test]
    fn a_time_that_a_server_would_round_is_refused() {
        let of = |column_type: &str| Conversion::of(column_type.split('(').next().unwrap(), column_type);
        for (column_type, field, unfit) in [
            ("datetime", "2026-03-01 00:30:00.5", true),
            ("datetime", "2026-03-01T00:30:00.000Z", false),
            ("datetime(3)", "2026-03-01T00:30:00.1234+01:00", true),
            ("timestamp(3)", "2026-03-01 00:30:00.123", false),
            ("datetime(6)", "2026-03-01T00:30:00.1234567Z", true),
            ("time(1)", "10:00:00.25", true),
            ("time(2)", "10:00:00.25", false),
        ] {
            let refused = of(column_type).of_field(field) == Err(Unfit::TooPrecise);
            assert_eq!(refused, unfit, "{column_type}: {field}");
        }
    }

    #[test]
    fn a_number_is_no_place_of_a_member_and_no_bits() {
        let member = Conversion::of("enum", "enum('small','2','large')");
        assert_eq!(member.of_field("1"), Err(Unfit::NoMember));
        for field in ["2", "small", "other"] {
            assert_eq!(sent(member.clone(), field).as_deref(), Some(field));
        }
        assert_eq!(Conversion::of("bit", "bit(8)").of_field("1"), Err(Unfit::Bits));
    }

    #[test]
    fn an_empty_field_is_no_value() {
        for conversion in [
            Conversion::None,
            Conversion::Number,
            Conversion::Integer,
            Conversion::Boolean,
            Conversion::Time { digits: 6 },
        ] {
            assert_eq!(sent(conversion, ""), None);
        }
        assert_eq!((sent(Conversion::None, " ").as_deref(), sent(Conversion::Number, " ")), (Some(" "), None));
    }
}
