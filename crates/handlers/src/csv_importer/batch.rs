//! Rows of the file that go into the table together.

use std::ops::Range;

use crate::csv::{Fields, Judged, Position, Reason, cut_content};
use crate::csv_load::{File, Stop};

/// Rows of one transaction. Fewer make more commits, each of which waits for a disk; more make a longer way back.
const ROWS: usize = 4096;
/// Bytes of their fields. One row may be more.
const BYTES: usize = 2 << 20;

/// A stretch of the file.
#[derive(Default)]
pub struct Batch {
    pub rows: Vec<Row>,
    /// The fields of all of them, one behind the other, and where each ends.
    text: String,
    ends: Vec<usize>,
    /// Rows that no table could take.
    pub rejected: Vec<Rejected>,
    /// Behind its last row.
    pub end: Position,
    /// There is nothing behind it.
    pub is_last: bool,
    delimiter: u8,
    /// Bytes of what is kept of the rejected rows.
    rejected_bytes: usize,
}

pub struct Row {
    /// Of the file, from 1.
    pub number: u64,
    line: u64,
    /// In `ends`.
    fields: Range<usize>,
}

/// A row that is left out, as the file of them tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    pub row: u64,
    pub line: u64,
    pub reason: String,
    pub content: Option<Vec<u8>>,
}

impl Batch {
    /// The next one.
    pub async fn read(file: &mut File, delimiter: u8) -> Result<Self, Stop> {
        let mut batch = Self { delimiter, ..Self::default() };
        loop {
            if file.take(|judged| Ok(batch.add(judged)))? {
                break;
            }
            if !file.more().await? {
                file.last(|judged| Ok(batch.add(judged)))?;
                batch.is_last = true;
                break;
            }
        }
        batch.end = file.position();
        Ok(batch)
    }

    pub fn fields(&self, row: &Row) -> impl Iterator<Item = &str> {
        row.fields.clone().map(|at| &self.text[self.start(at)..self.ends[at]])
    }

    /// The same row with why the database does not take it.
    pub fn reject(&self, row: &Row, reason: &Reason) -> Rejected {
        let content = cut_content(self.fields(row).map(str::as_bytes), self.delimiter);
        Rejected { row: row.number, line: row.line, reason: reason.to_string(), content: Some(content) }
    }

    /// Bytes of the fields of these rows.
    pub fn bytes(&self, rows: &[Row]) -> usize {
        match (rows.first(), rows.last()) {
            (Some(first), Some(last)) if !last.fields.is_empty() => {
                self.ends[last.fields.end - 1] - self.start(first.fields.start)
            }
            _ => 0,
        }
    }

    fn start(&self, field: usize) -> usize {
        if field == 0 { 0 } else { self.ends[field - 1] }
    }

    /// Whether it is full then.
    fn add(&mut self, judged: &Judged<'_>) -> bool {
        match &judged.row {
            Ok(row) => {
                let first = self.ends.len();
                for field in row.texts() {
                    self.text.push_str(field);
                    self.ends.push(self.text.len());
                }
                self.rows.push(Row { number: judged.number, line: judged.line, fields: first..self.ends.len() });
            }
            Err(reason) => {
                let content = judged.fields.map(|fields| cut_content(Fields::iter(fields), self.delimiter));
                self.rejected_bytes += content.as_ref().map_or(0, Vec::len);
                let (row, line) = (judged.number, judged.line);
                self.rejected.push(Rejected { row, line, reason: reason.to_string(), content });
            }
        }
        self.rows.len() + self.rejected.len() >= ROWS || self.text.len() + self.rejected_bytes >= BYTES
    }
}
