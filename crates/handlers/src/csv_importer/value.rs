//! What of a field is sent to the database: nearly always the field as it stands, and the server makes of it what the
//! column's type says.
//!
//! Spellings that are common in files and not known to every server are written as one that is. And what a server would
//! round without a word, in strict mode too, is refused.

use std::borrow::Cow;

use jiff::Timestamp;

/// Of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    None,
    /// A number may have spaces around it.
    Number,
    /// To a server 1.5 is 2 here.
    Integer,
    /// Words, for a column that is a boolean: to the server it is a small number.
    Boolean,
    /// A time with its zone, for a column without one, which means UTC here. MariaDB 10.11 knows no zones in texts, and
    /// MySQL 8.0 none that is written `Z`.
    Time,
}

/// The field is a number, and the column takes whole ones only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotWhole;

impl Conversion {
    /// By the type of the column, without and with its length.
    pub fn of(data_type: &str, column_type: &str) -> Self {
        match (data_type, column_type) {
            (_, "tinyint(1)") => Self::Boolean,
            ("tinyint" | "smallint" | "mediumint" | "int" | "bigint", _) => Self::Integer,
            ("decimal" | "float" | "double", _) => Self::Number,
            ("datetime" | "timestamp", _) => Self::Time,
            _ => Self::None,
        }
    }

    /// `None` for an empty field: it is no value.
    pub fn of_field(self, field: &str) -> Result<Option<Cow<'_, str>>, NotWhole> {
        let field = match self {
            Self::Number | Self::Integer | Self::Boolean => field.trim(),
            Self::None | Self::Time => field,
        };
        if field.is_empty() {
            return Ok(None);
        }
        Ok(Some(match self {
            Self::Boolean if field.eq_ignore_ascii_case("true") => "1".into(),
            Self::Boolean if field.eq_ignore_ascii_case("false") => "0".into(),
            Self::Integer | Self::Boolean if has_fraction(field) => return Err(NotWhole),
            // Without a zone it is no moment, and is left as it is.
            Self::Time => match field.parse::<Timestamp>() {
                Ok(moment) => {
                    let text = format!("{moment:.6}").replace('T', " ");
                    text.trim_end_matches('Z').to_owned().into()
                }
                Err(_) => field.into(),
            },
            _ => field.into(),
        }))
    }
}

/// Of a number; what is none the server tells.
fn has_fraction(field: &str) -> bool {
    if field.contains(['e', 'E']) {
        return field.parse::<f64>().is_ok_and(|number| number.fract() != 0.0);
    }
    let fraction = field.split_once('.').map_or("", |(_, fraction)| fraction);
    fraction.bytes().all(|byte| byte.is_ascii_digit()) && fraction.bytes().any(|byte| byte != b'0')
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
            assert_eq!(sent(Conversion::Time, field).as_deref(), Some(wanted), "{field}");
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
        for field in ["1.5", "-0.1", "2.50", "15e-1", " .5 "] {
            assert_eq!(Conversion::Integer.of_field(field), Err(NotWhole), "{field}");
            assert_eq!(sent(Conversion::Number, field).as_deref(), Some(field.trim()));
        }
        for field in ["15", "-3", "2.00", "15e1", "1.5e1", "7.", "1.2.3", "one", "1,5"] {
            assert_eq!(sent(Conversion::Integer, field).as_deref(), Some(field));
        }
    }

    #[test]
    fn an_empty_field_is_no_value() {
        for conversion in
            [Conversion::None, Conversion::Number, Conversion::Integer, Conversion::Boolean, Conversion::Time]
        {
            assert_eq!(sent(conversion, ""), None);
        }
        assert_eq!((sent(Conversion::None, " ").as_deref(), sent(Conversion::Number, " ")), (Some(" "), None));
    }
}
