//! What the operator says of the files: the types of columns, the delimiter, how much may be left out.

use std::collections::BTreeMap;
use std::fmt;

use super::{ColumnType, Refusal};

/// By which a file is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// The types of columns that are no strings; a file need not have all of them.
    pub columns: BTreeMap<String, ColumnType>,
    pub delimiter: u8,
    /// The column that tells one row from another, where there is one.
    pub key: Option<String>,
    /// The table whose columns the file has to have; `None` where a row may have any.
    pub table: Option<Table>,
    /// Names that no column may have.
    pub reserved: Vec<String>,
    pub max_rejected: MaxRejected,
    /// Bytes of a row, its names and values together.
    pub largest_row: usize,
    /// Bytes of a row's key.
    pub longest_key: usize,
    /// Bytes of a column's name.
    pub longest_name: usize,
}

/// A table with columns of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub name: String,
    /// Those that a file may have.
    pub columns: Vec<String>,
    /// Those of them that it has to have: the table takes no row without.
    pub needed: Vec<String>,
}

impl Table {
    /// Databases take a column's name whatever its case: it is written as the table has it.
    pub(super) fn spell(&self, name: &mut String) {
        if let Some(column) = self.columns.iter().find(|column| column.eq_ignore_ascii_case(name)) {
            name.clone_from(column);
        }
    }

    pub(super) fn check(&self, header: &[String]) -> Result<(), Refusal> {
        let not_in = |names: &[String], all: &[String]| -> Vec<String> {
            names.iter().filter(|name| !all.contains(name)).cloned().collect()
        };
        let (unknown, missing) = (not_in(header, &self.columns), not_in(&self.needed, header));
        if unknown.is_empty() && missing.is_empty() {
            return Ok(());
        }
        Err(Refusal::NotTheTables { table: self.name.clone(), unknown, missing, columns: header.len() })
    }
}

/// The share of a file's rows that may be left out, in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxRejected(f64);

impl MaxRejected {
    pub fn parse(text: &str) -> Option<Self> {
        let percent = text.parse::<f64>().ok()?;
        (0.0..=100.0).contains(&percent).then_some(Self(percent))
    }

    pub fn is_exceeded(self, rejected: u64, rows: u64) -> bool {
        rejected as f64 * 100.0 > self.0 * rows as f64
    }
}

impl Default for MaxRejected {
    fn default() -> Self {
        Self(10.0)
    }
}

impl fmt::Display for MaxRejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// `{"price":"N","active":"BOOL"}`; the error reads behind the name of the variable.
pub fn columns(json: &str) -> Result<BTreeMap<String, ColumnType>, String> {
    let object: BTreeMap<String, String> = serde_json::from_str(json)
        .map_err(|_| format!("is {json:?}: it has to be an object of names and types, such as {{\"price\":\"N\"}}"))?;
    let kind = |(name, text): (String, String)| match ColumnType::parse(&text) {
        Some(kind) => Ok((name, kind)),
        None => Err(format!("gives {name} the type {text:?}: a type can be S, N or BOOL")),
    };
    object.into_iter().map(kind).collect()
}

/// One character, or `tab`.
pub fn delimiter(text: &str) -> Result<u8, String> {
    match text {
        "tab" | "\t" | "\\t" => Ok(b'\t'),
        _ => match *text.as_bytes() {
            [byte] if byte.is_ascii_punctuation() && !b"\"'_-.".contains(&byte) => Ok(byte),
            _ => Err(format!("is {text:?}: it can be a comma, a semicolon, a pipe, another sign of ASCII, or tab")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_names_and_types() {
        let read = columns(r#"{"price":"N","active":"BOOL","note":"S"}"#).unwrap();
        assert_eq!(read["price"], ColumnType::Number);
        assert_eq!((read["active"], read["note"]), (ColumnType::Boolean, ColumnType::String));
        assert_eq!(columns("{}"), Ok(BTreeMap::new()));
        for (wrong, word) in [("", "object"), ("[]", "object"), (r#"{"a":1}"#, "object"), (r#"{"a":"X"}"#, "\"X\"")] {
            assert!(columns(wrong).unwrap_err().contains(word), "{wrong}");
        }
    }

    #[test]
    fn a_delimiter_is_one_sign() {
        for (text, byte) in [(",", b','), (";", b';'), ("|", b'|'), ("tab", b'\t'), ("\t", b'\t')] {
            assert_eq!(delimiter(text), Ok(byte));
        }
        for wrong in ["", ",,", "\"", "a", "\n", "ü", " ", "0"] {
            assert!(delimiter(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_share_is_a_percentage() {
        let ten = MaxRejected::default();
        assert!(!ten.is_exceeded(0, 0) && !ten.is_exceeded(1, 10) && ten.is_exceeded(1, 9));
        let none = MaxRejected::parse("0").unwrap();
        assert!(none.is_exceeded(1, 1_000_000) && !none.is_exceeded(0, 1));
        assert_eq!(MaxRejected::parse("0.5").unwrap().to_string(), "0.5");
        for wrong in ["", "-1", "101", "ten", "NaN"] {
            assert_eq!(MaxRejected::parse(wrong), None, "{wrong}");
        }
    }
}
