//! Why a message body could not be opened, in words that show none of its content.

use std::fmt;

use crate::key::BadKey;

/// Why a message body could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    Empty,
    NotJson {
        line: usize,
        column: usize,
    },
    /// JSON, but none of the known envelopes.
    UnknownEnvelope,
    /// A `Records` list without any record.
    NoRecords,
    /// An EventBridge event that is about no object of S3.
    OtherEvent,
    /// Envelopes in envelopes beyond [`super::MAX_DEPTH`].
    TooDeep,
    /// A known envelope with a field that makes no claim.
    Field {
        /// Which of several records, from one.
        record: Option<usize>,
        field: &'static str,
        fault: Fault,
    },
}

/// What is wrong with one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Missing,
    Null,
    NotText,
    Empty,
    Key(BadKey),
    NotHexadecimal,
    /// An `eventVersion` whose major number is not 2.
    Version,
}

impl Unreadable {
    pub(super) fn field(field: &'static str, fault: Fault) -> Self {
        Self::Field { record: None, field, fault }
    }

    pub(super) fn in_record(self, number: usize) -> Self {
        match self {
            Self::Field { field, fault, .. } => Self::Field { record: Some(number), field, fault },
            other => other,
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the body is empty"),
            Self::NotJson { line, column } => write!(f, "not JSON (line {line}, column {column})"),
            Self::UnknownEnvelope => f.write_str("JSON of no known envelope"),
            Self::NoRecords => f.write_str("an event with an empty list of records"),
            Self::OtherEvent => f.write_str("an EventBridge event that is about no object of S3"),
            Self::TooDeep => write!(f, "more than {} envelopes in each other", super::MAX_DEPTH),
            Self::Field { record, field, fault } => {
                if let Some(number) = record {
                    write!(f, "record {number}: ")?;
                }
                write!(f, "the {field} {fault}")
            }
        }
    }
}

impl std::error::Error for Unreadable {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "is missing",
            Self::Null => "is null",
            Self::NotText => "is not a string",
            Self::Empty => "is empty",
            Self::Key(bad) => return bad.fmt(f),
            Self::NotHexadecimal => "is not hexadecimal",
            Self::Version => "is not 2.x",
        })
    }
}
