//! The file of the rows that were left out: CSV itself, with line, row, reason, and the row as it stood.

use super::{Judged, Reason};

const HEADER: &str = "line,row,reason,content\r\n";
/// Bytes of a row's content that are repeated: enough to know it again, and the line says where all of it is.
const MOST_CONTENT: usize = 4 << 10;

/// Text that grows, and is taken away in parts.
pub struct Rejects {
    text: Vec<u8>,
    delimiter: u8,
}

impl Rejects {
    pub fn new(delimiter: u8) -> Self {
        Self { text: HEADER.into(), delimiter }
    }

    pub fn add(&mut self, judged: &Judged<'_>, reason: &Reason) {
        let content = judged.fields.map(|fields| cut_content(fields.iter(), self.delimiter));
        self.add_row(judged.line, judged.number, &reason.to_string(), content.as_deref());
    }

    /// One of which its [`cut_content`] was kept.
    pub fn add_row(&mut self, line: u64, number: u64, reason: &str, content: Option<&[u8]>) {
        self.text.extend_from_slice(format!("{line},{number},").as_bytes());
        quote(&mut self.text, reason.as_bytes());
        self.text.push(b',');
        if let Some(content) = content {
            quote(&mut self.text, content);
        }
        self.text.extend_from_slice(b"\r\n");
    }

    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// What there is so far.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.text)
    }
}

/// The fields as they would stand in a file, cut where they are long. What is not UTF-8 is shown as far as it is.
pub fn cut_content<'a>(fields: impl Iterator<Item = &'a [u8]>, delimiter: u8) -> Vec<u8> {
    let mut text = Vec::new();
    for (at, field) in fields.enumerate() {
        if text.len() > MOST_CONTENT {
            break;
        }
        if at > 0 {
            text.push(delimiter);
        }
        let field = String::from_utf8_lossy(&field[..field.len().min(MOST_CONTENT)]);
        if field.bytes().any(|byte| byte == delimiter || b"\"\r\n".contains(&byte)) {
            quote(&mut text, field.as_bytes());
        } else {
            text.extend_from_slice(field.as_bytes());
        }
    }
    text
}

fn quote(text: &mut Vec<u8>, field: &[u8]) {
    text.push(b'"');
    for byte in field {
        if *byte == b'"' {
            text.push(b'"');
        }
        text.push(*byte);
    }
    text.push(b'"');
}
