//! From the bytes of a file to its rows, each judged: it can be stored, or for this reason it cannot.

use std::sync::Arc;

use super::header::{self, Header};
use super::magic;
use super::records::{Fields, Record, Records, TextFields, UnclosedQuote};
use super::{ColumnType, Reason, Refusal, Rules, Value};

/// A place between two rows of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Byte of the file.
    pub offset: u64,
    /// Ends of lines before it.
    pub newlines: u64,
    /// Rows before it.
    pub rows: u64,
}

pub struct Rows {
    rules: Arc<Rules>,
    records: Records,
    header: Option<Header>,
    rows: u64,
}

/// One row of the file.
pub struct Judged<'a> {
    /// From 1, the header not counted.
    pub number: u64,
    /// Of the file, from 1.
    pub line: u64,
    /// `Err` for one that cannot be stored.
    pub row: Result<Row<'a>, Reason>,
    /// As the file has it, whatever was made of it; `None` where it is too large to be kept.
    pub fields: Option<Fields<'a>>,
}

/// A row that can be stored.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    header: &'a Header,
    fields: TextFields<'a>,
}

impl<'a> Row<'a> {
    pub fn key(&self) -> Option<&'a str> {
        self.header.key.map(|at| self.fields.get(at))
    }

    pub fn columns(&self) -> usize {
        self.header.columns.len()
    }

    /// The fields as they stand in the file.
    pub fn texts(&self) -> impl Iterator<Item = &'a str> {
        self.fields.iter()
    }

    /// What is stored, column by column; an empty field is left out.
    pub fn values(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        self.header.columns.iter().zip(self.fields.iter()).filter_map(|(column, field)| {
            // It was read before, when the row was judged.
            let value = column.kind.read(field, &column.name).ok().flatten()?;
            Some((column.name.as_str(), value))
        })
    }
}

impl Rows {
    /// Begins a file, of which `start` are the first [`LOOKED_AT`](super::LOOKED_AT) bytes, or all of a shorter one. The
    /// input has to begin where [`Self::position`] says.
    pub fn begin(rules: Arc<Rules>, start: &[u8]) -> Result<Self, Refusal> {
        let mark = magic::check(start)?;
        let records = Records::new(rules.delimiter, mark as u64, 0);
        Ok(Self { rules, records, header: None, rows: 0 })
    }

    /// Goes on further behind in the file whose header was read.
    pub fn go_on(&mut self, from: Position) {
        self.records = Records::new(self.rules.delimiter, from.offset, from.newlines);
        self.rows = from.rows;
    }

    /// Behind the row that was given last: where another reader may go on.
    pub fn position(&self) -> Position {
        Position { offset: self.records.offset(), newlines: self.records.newlines(), rows: self.rows }
    }

    pub fn has_header(&self) -> bool {
        self.header.is_some()
    }

    /// The names of the columns, once the header was read.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.header.iter().flat_map(|header| header.columns.iter().map(|column| column.name.as_str()))
    }

    /// The next row; `None` when the input is used up. After that more input follows, or [`Self::end`].
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Judged<'_>>, Refusal> {
        while self.records.read(input) {
            if self.header.is_some() {
                return Ok(Some(self.judge()));
            }
            self.header = Some(header::read(&self.records.record(), &self.rules)?);
        }
        Ok(None)
    }

    /// The last row, where the file does not end in an end of line.
    pub fn end(&mut self) -> Result<Option<Judged<'_>>, Refusal> {
        match (self.records.end(), &self.header) {
            (Err(UnclosedQuote), _) => Err(Refusal::UnclosedQuote { line: self.records.line() }),
            (Ok(true), Some(_)) => Ok(Some(self.judge())),
            (Ok(true), None) => {
                self.header = Some(header::read(&self.records.record(), &self.rules)?);
                Ok(None)
            }
            (Ok(false), Some(_)) => Ok(None),
            (Ok(false), None) => Err(Refusal::Empty),
        }
    }

    /// The record that has just been read, behind a header.
    fn judge(&mut self) -> Judged<'_> {
        self.rows += 1;
        let record = self.records.record();
        let row = match &self.header {
            Some(header) => row(&self.rules, header, &record),
            None => Err(Reason::Ragged { found: record.fields.map_or(0, |fields| fields.len()), wanted: 0 }),
        };
        Judged { number: self.rows, line: record.line, row, fields: record.fields }
    }
}

/// The first thing that is wrong with a row, in an order that does not depend on its content.
fn row<'a>(rules: &Rules, header: &'a Header, record: &Record<'a>) -> Result<Row<'a>, Reason> {
    let too_large = Reason::TooLarge { most: rules.largest_row };
    let Some(fields) = record.fields else {
        return Err(too_large);
    };
    let (found, wanted) = (fields.len(), header.columns.len());
    if found != wanted {
        return Err(Reason::Ragged { found, wanted });
    }
    if fields.bytes() + header.names_bytes > rules.largest_row {
        return Err(too_large);
    }
    let fields = fields.text().ok_or(Reason::NotUtf8)?;
    let row = Row { header, fields };
    if let (Some(key), Some(column)) = (row.key(), &rules.key) {
        if key.is_empty() {
            return Err(Reason::NoKey { column: column.clone() });
        }
        if key.len() > rules.longest_key {
            return Err(Reason::KeyTooLong { column: column.clone(), bytes: key.len(), most: rules.longest_key });
        }
    }
    for (column, field) in header.columns.iter().zip(fields.iter()) {
        if column.kind != ColumnType::String {
            column.kind.read(field, &column.name)?;
        }
    }
    Ok(row)
}
