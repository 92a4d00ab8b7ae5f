//! The messages of a drained file, in its order, each checked.

use std::path::Path;

use claimctl_core::error::{Error, Result};

use super::line::{Drained, Fault};
use super::raw::RawLines;

/// Reads a drained file. A torn last line, or a torn last frame, is left out: see [`Lines::is_torn`].
pub struct Lines {
    raw: RawLines,
    line: Vec<u8>,
    torn: bool,
}

impl Lines {
    pub fn open(path: &Path) -> Result<Lines> {
        Ok(Lines::of(RawLines::open(path)?))
    }

    pub fn of(raw: RawLines) -> Lines {
        Lines { raw, line: Vec::new(), torn: false }
    }

    /// Of the line that was given last; the first is 1.
    pub fn number(&self) -> u64 {
        self.raw.number()
    }

    /// After the last line: something torn stands behind it. What it was is still in the queue, because a drain deletes
    /// only what is whole in the file.
    pub fn is_torn(&self) -> bool {
        self.torn || self.raw.is_torn()
    }

    fn read(&mut self) -> Result<Option<Drained>> {
        let Some(ended) = self.raw.next_into(&mut self.line)? else { return Ok(None) };
        match Drained::decode(&self.line) {
            Ok(drained) => Ok(Some(drained)),
            Err(fault) if ended => Err(bad_line(self.raw.path(), self.raw.number(), fault)),
            Err(_) => {
                self.torn = true;
                Ok(None)
            }
        }
    }
}

impl Iterator for Lines {
    type Item = Result<Drained>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// Names the file and the line.
pub fn bad_line(path: &Path, number: u64, fault: Fault) -> Error {
    let error = Error::usage(format!("{}, line {number}: {fault}", path.display()));
    match fault {
        Fault::Newer(_) => error.hint("use the claimctl that wrote it, or a later one"),
        Fault::Foreign | Fault::Altered => error.hint(format!("see it: sed -n {number}p, after unpacking")),
    }
}
