//! Cuts bytes that come in pieces into records and fields, and knows where each record began.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

/// Bytes of a record's fields that are kept. More can be stored in no row, and would be held for nothing.
pub const MOST_BYTES: usize = 1 << 20;
/// Fields of a record that are told apart.
pub const MOST_FIELDS: usize = 16_384;
/// What is read of a record whose beginning is not kept any more goes here.
const SCRATCH: usize = 4 << 10;
const FIRST_ENDS: usize = 64;

pub struct Records {
    reader: Reader,
    /// Content of the record so far.
    fields: Vec<u8>,
    used: usize,
    ends: Vec<usize>,
    ends_used: usize,
    /// The record is larger than what is kept.
    large: bool,
    /// The record is whole: the next byte begins another one.
    whole: bool,
    /// Ends of lines in the content of the record so far.
    newlines_inside: u64,
    ended_by_newline: bool,
    /// Of the next byte in the file.
    offset: u64,
}

/// One record, whole or too large to be kept.
pub struct Record<'a> {
    /// Of its first byte, from 1.
    pub line: u64,
    /// `None` where it is larger than [`MOST_BYTES`], or has more than [`MOST_FIELDS`] fields.
    pub fields: Option<Fields<'a>>,
}

#[derive(Clone, Copy)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    ends: &'a [usize],
}

impl<'a> Fields<'a> {
    pub fn len(self) -> usize {
        self.ends.len()
    }

    /// Of all fields together.
    pub fn bytes(self) -> usize {
        self.bytes.len()
    }

    /// The fields as text, or `None` where one of them is not UTF-8.
    pub fn text(self) -> Option<TextFields<'a>> {
        let text = str::from_utf8(self.bytes).ok()?;
        // Halves of a character on both sides of a delimiter are no character.
        let whole = self.ends.iter().all(|end| text.is_char_boundary(*end));
        whole.then_some(TextFields { text, ends: self.ends })
    }

    pub fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        starts(self.ends).zip(self.ends).map(move |(start, end)| &self.bytes[start..*end])
    }
}

#[derive(Clone, Copy)]
pub struct TextFields<'a> {
    text: &'a str,
    ends: &'a [usize],
}

impl<'a> TextFields<'a> {
    pub fn iter(self) -> impl Iterator<Item = &'a str> {
        starts(self.ends).zip(self.ends).map(move |(start, end)| &self.text[start..*end])
    }

    pub fn get(self, at: usize) -> &'a str {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.text[start..self.ends[at]]
    }
}

fn starts(ends: &[usize]) -> impl Iterator<Item = usize> {
    std::iter::once(0).chain(ends.iter().copied())
}

impl Records {
    /// Begins before the byte `offset`, with `newlines` ends of lines before it; there a record has to begin.
    pub fn new(delimiter: u8, offset: u64, newlines: u64) -> Self {
        let mut reader = ReaderBuilder::new().delimiter(delimiter).build();
        // At its own beginning the reader would take the mark of UTF-8 away: in the middle of a file it is content.
        reader.read_record(b"\n", &mut [0], &mut [0]);
        reader.set_line(newlines + 1);
        Self {
            reader,
            fields: vec![0; SCRATCH],
            used: 0,
            ends: vec![0; FIRST_ENDS],
            ends_used: 0,
            large: false,
            whole: false,
            newlines_inside: 0,
            ended_by_newline: false,
            offset,
        }
    }

    /// Of the next byte in the file.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Ends of lines before the next byte.
    pub fn newlines(&self) -> u64 {
        self.reader.line() - 1
    }

    /// Takes bytes from the input until a record is whole, and says whether it is; if not, the input is used up.
    ///
    /// The record is there until the next call.
    pub fn read(&mut self, input: &mut &[u8]) -> bool {
        self.begin();
        while !input.is_empty() {
            if self.step(input) {
                return true;
            }
        }
        false
    }

    /// At the end of the file: whether there is a last record, without an end of line. The error is a quote that
    /// nothing closes.
    pub fn end(&mut self) -> Result<bool, UnclosedQuote> {
        self.begin();
        // One more end of line, which the file does not have, ends the record, or shows that a quote is open. (To ask a
        // clone of the reader would leave it as it is, but a clone reads as if nothing were quoted.)
        let inside = self.newlines_inside;
        let (ended, offset) = (self.step(&mut &b"\n"[..]), self.offset);
        self.offset = offset - 1;
        if self.newlines_inside > inside { Err(UnclosedQuote) } else { Ok(ended) }
    }

    /// The record that is whole.
    pub fn record(&self) -> Record<'_> {
        let ends = &self.ends[..self.ends_used];
        let bytes = &self.fields[..self.used];
        Record { line: self.line(), fields: (!self.large).then_some(Fields { bytes, ends }) }
    }

    /// Of the first byte of the record that is being read, where no end of line is before that byte any more.
    pub fn line(&self) -> u64 {
        self.reader.line() - self.newlines_inside - u64::from(self.ended_by_newline)
    }

    fn begin(&mut self) {
        if self.whole {
            (self.used, self.ends_used, self.newlines_inside) = (0, 0, 0);
            (self.large, self.whole, self.ended_by_newline) = (false, false, false);
        }
    }

    /// One call of the reader, whose buffers have room; true once the record is whole.
    fn step(&mut self, input: &mut &[u8]) -> bool {
        self.make_room();
        let mut content = [0; SCRATCH];
        let mut ends = [0; FIRST_ENDS];
        let (content, ends) = match self.large {
            true => (&mut content[..], &mut ends[..]),
            false => (&mut self.fields[self.used..], &mut self.ends[self.ends_used..]),
        };
        let (result, read, written, ended) = self.reader.read_record(input, content, ends);
        self.newlines_inside += content[..written].iter().filter(|byte| **byte == b'\n').count() as u64;
        if !self.large {
            self.used += written;
            self.ends_used += ended;
        }
        self.whole = result == ReadRecordResult::Record;
        self.ended_by_newline = self.whole && read > 0 && input[read - 1] == b'\n';
        self.offset += read as u64;
        *input = &input[read..];
        self.whole
    }

    fn make_room(&mut self) {
        if self.used == self.fields.len() {
            self.fields.resize((self.used * 2).min(MOST_BYTES), 0);
            self.large |= self.used == MOST_BYTES;
        }
        if self.ends_used == self.ends.len() {
            self.ends.resize((self.ends_used * 2).min(MOST_FIELDS), 0);
            self.large |= self.ends_used == MOST_FIELDS;
        }
    }
}

/// The file ends inside of a quoted field.
#[derive(Debug, PartialEq, Eq)]
pub struct UnclosedQuote;

#[cfg(test)]
mod tests {
    use super::*;

    type Read = (u64, Option<Vec<String>>);

    /// The records of a file that comes in pieces of this size, each with its line and where it ended.
    fn read(file: &[u8], piece: usize) -> Result<Vec<(Read, u64)>, UnclosedQuote> {
        let mut records = Records::new(b',', 0, 0);
        let mut all = Vec::new();
        let take = |records: &Records| {
            let record = records.record();
            let text = |fields: Fields| fields.iter().map(|field| String::from_utf8(field.to_vec()).unwrap()).collect();
            ((record.line, record.fields.map(text)), records.offset())
        };
        for mut piece in file.chunks(piece) {
            while records.read(&mut piece) {
                all.push(take(&records));
            }
        }
        if records.end()? {
            all.push(take(&records));
        }
        Ok(all)
    }

    fn lines(file: &str) -> Vec<(u64, Vec<String>)> {
        let whole = read(file.as_bytes(), 1 << 20).unwrap();
        for piece in 1..5 {
            assert_eq!(read(file.as_bytes(), piece).unwrap(), whole, "in pieces of {piece}");
        }
        whole.into_iter().map(|((line, fields), _)| (line, fields.unwrap())).collect()
    }

    #[test]
    fn a_record_has_the_line_that_it_begins_in() {
        let expected = |line, fields: [&str; 2]| (line, fields.map(str::to_owned).to_vec());
        let wanted =
            [expected(1, ["a", "b"]), expected(3, ["x\ny", "1"]), expected(5, ["c", "\n"]), expected(7, ["d", ""])];
        assert_eq!(lines("a,b\n\n\"x\ny\",1\nc,\"\n\"\nd,"), wanted);
        let crlf =
            [expected(1, ["a", "b"]), expected(3, ["x\r\ny", "1"]), expected(5, ["c", "\r\n"]), expected(7, ["d", ""])];
        assert_eq!(lines("a,b\r\n\r\n\"x\r\ny\",1\r\nc,\"\r\n\"\r\nd,\r\n"), crlf);
    }

    #[test]
    fn where_a_record_ended_another_reader_goes_on() {
        let file = "a,b\r\n\"x\r\ny\",1\r\n\r\n\u{feff}c,2\r\nd,3".as_bytes();
        let all = read(file, 1 << 20).unwrap();
        for at in 0..all.len() {
            let (_, offset) = all[at];
            let before = &file[..usize::try_from(offset).unwrap()];
            let newlines = before.iter().filter(|byte| **byte == b'\n').count() as u64;
            let mut records = Records::new(b',', offset, newlines);
            let mut rest = &file[before.len()..];
            let mut found = Vec::new();
            while records.read(&mut rest) || records.end().unwrap() {
                let record = records.record();
                let text =
                    record.fields.unwrap().iter().map(|field| String::from_utf8(field.to_vec()).unwrap()).collect();
                found.push(((record.line, Some(text)), records.offset()));
            }
            assert_eq!(found, all[at + 1..]);
        }
    }

    #[test]
    fn a_quote_that_is_not_closed_is_told_from_an_end_without_a_line() {
        for open in ["a,b\n\"", "a,\"b", "a,\"b\n", "a,\"\"\"", "a,\"b\"\"\nc\n"] {
            assert_eq!(read(open.as_bytes(), 3), Err(UnclosedQuote), "{open:?}");
        }
        for (closed, count) in
            [("", 0), ("\n\n", 0), ("a", 1), ("a,\"b\"", 1), ("a,\"b\"\"\"\n", 1), ("a\r", 1), ("5\" pipe", 1)]
        {
            assert_eq!(read(closed.as_bytes(), 3).unwrap().len(), count, "{closed:?}");
        }
    }

    #[test]
    fn of_what_is_too_large_nothing_is_kept_and_the_next_record_is_whole() {
        let long = format!("a,{}\nb,1\n", "x".repeat(10 << 20));
        let wide = format!("{}\nb,1\n", ",".repeat(1_000_000));
        for file in [long, wide] {
            let all = read(file.as_bytes(), 64 << 10).unwrap();
            assert_eq!(all.len(), 2);
            assert_eq!(all[0].0, (1, None));
            assert_eq!(all[1].0, (2, Some(vec!["b".into(), "1".into()])));
        }
        let mut records = Records::new(b',', 0, 0);
        records.read(&mut &vec![b'x'; 10 << 20][..]);
        assert!(records.fields.len() <= MOST_BYTES && records.ends.len() <= MOST_FIELDS);
    }
}
