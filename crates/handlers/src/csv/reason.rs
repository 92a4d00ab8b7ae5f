//! Why a row cannot be stored, and why a whole file cannot.

use std::fmt;

/// Why a row goes to the rejects. Names columns and lines, never what a field holds: reasons are logged too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    Ragged {
        found: usize,
        wanted: usize,
    },
    NotUtf8,
    NotANumber {
        column: String,
    },
    TooManyDigits {
        column: String,
    },
    OutOfRange {
        column: String,
    },
    NotABoolean {
        column: String,
    },
    NoKey {
        column: String,
    },
    KeyTooLong {
        column: String,
        bytes: usize,
        most: usize,
    },
    TooLarge {
        most: usize,
    },
    /// An earlier row of the file has the same key and other content.
    Repeated {
        column: String,
        row: u64,
    },
    /// The database does not take it: why, without any of its values.
    Refused(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ragged { found, wanted } => {
                let fields = if *found == 1 { "field" } else { "fields" };
                write!(f, "it has {found} {fields}, and the header has {wanted}")
            }
            Self::NotUtf8 => f.write_str("it is not UTF-8"),
            Self::NotANumber { column } => write!(f, "{column} is not a number"),
            Self::TooManyDigits { column } => write!(f, "{column} has more than 38 significant digits"),
            Self::OutOfRange { column } => write!(f, "{column} is too large or too small for a number"),
            Self::NotABoolean { column } => write!(f, "{column} is neither true, false, 1 nor 0"),
            Self::NoKey { column } => write!(f, "{column} is empty, and it is the key"),
            Self::KeyTooLong { column, bytes, most } => {
                write!(f, "{column} has {bytes} bytes, and a key has at most {most}")
            }
            Self::TooLarge { most } => write!(f, "it is larger than {most} bytes"),
            Self::Repeated { column, row } => {
                write!(f, "{column} is the key of row {row} already, which has other content")
            }
            Self::Refused(why) => f.write_str(why),
        }
    }
}

/// Why nothing of a file is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    Empty,
    /// A file of another kind, by its name: a PNG image, gzip.
    OtherKind(&'static str),
    /// Text in an encoding that is not UTF-8.
    OtherEncoding(&'static str),
    NotText,
    HeaderNotUtf8,
    HeaderTooLong {
        most: usize,
    },
    TooManyColumns {
        most: usize,
    },
    EmptyName {
        column: usize,
    },
    LongName {
        column: usize,
        most: usize,
    },
    DuplicateName(String),
    ReservedName(String),
    NoKeyColumn {
        key: String,
        header: Vec<String>,
    },
    /// The columns are not those of the table.
    NotTheTables {
        table: String,
        unknown: Vec<String>,
        missing: Vec<String>,
        /// How many the header has.
        columns: usize,
    },
    UnclosedQuote {
        line: u64,
    },
    TooManyRejected {
        rejected: u64,
        /// Nobody has looked for more.
        at_least: bool,
        rows: u64,
        max_percent: String,
        first: Option<(u64, Reason)>,
    },
    /// More keys may be there twice than can be told apart in flat memory.
    TooManyRepeated {
        most: usize,
    },
}

/// Header names that a refusal shows.
const SHOWN_NAMES: usize = 5;

/// The first of them, and how many more there are.
fn names(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(SHOWN_NAMES).map(|name| format!("{name:?}")).collect();
    match names.len() {
        more if more > SHOWN_NAMES => format!("{} and {} more", shown.join(", "), more - SHOWN_NAMES),
        _ => shown.join(", "),
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the file is empty: it has no header"),
            Self::OtherKind(kind) => write!(f, "the file is {kind}, not CSV"),
            Self::OtherEncoding(encoding) => write!(f, "the file is in {encoding}: save it as UTF-8"),
            Self::NotText => f.write_str("the file is binary, not CSV, or text in UTF-16: save it as UTF-8"),
            Self::HeaderNotUtf8 => f.write_str("the header is not UTF-8"),
            Self::HeaderTooLong { most } => write!(f, "the header is longer than {most} bytes"),
            Self::TooManyColumns { most } => write!(f, "the header has more than {most} columns"),
            Self::EmptyName { column } => write!(f, "column {column} has no name in the header"),
            Self::LongName { column, most } => {
                write!(f, "the name of column {column} is longer than the {most} bytes that there are for one")
            }
            Self::DuplicateName(name) => write!(f, "the header has the column {name:?} twice"),
            Self::ReservedName(name) => {
                write!(f, "the header has the column {name:?}, an attribute that the table has for itself: rename it")
            }
            Self::NoKeyColumn { key, header } => {
                write!(f, "the header has no column {key:?}, the table's key: it has {}", names(header))?;
                if header.len() == 1 { f.write_str(" alone; is another delimiter meant?") } else { Ok(()) }
            }
            Self::NotTheTables { table, unknown, missing, columns } => {
                write!(f, "the header is not that of the table {table}: ")?;
                if !unknown.is_empty() {
                    write!(f, "the table has no column {}", names(unknown))?;
                }
                if !missing.is_empty() {
                    let and = if unknown.is_empty() { "" } else { ", and " };
                    write!(f, "{and}the header has no column {}", names(missing))?;
                }
                if *columns == 1 && !unknown.is_empty() { f.write_str("; is another delimiter meant?") } else { Ok(()) }
            }
            Self::UnclosedQuote { line } => {
                write!(f, "a quote that is opened in the record of line {line} is never closed")
            }
            Self::TooManyRejected { rejected, at_least, rows, max_percent, first } => {
                let at_least = if *at_least { "at least " } else { "" };
                write!(
                    f,
                    "{at_least}{rejected} of {rows} rows cannot be stored, and at most {max_percent} % may be left out"
                )?;
                match first {
                    Some((line, reason)) => write!(f, "; the first one is in line {line}: {reason}"),
                    None => Ok(()),
                }
            }
            Self::TooManyRepeated { most } => {
                write!(f, "more than {most} rows may repeat a key of the file: split it, or remove what repeats")
            }
        }
    }
}
