//! Writing to stdout and stderr. A reader that went away is not an error of ours.

use std::io::{BufWriter, ErrorKind, StdoutLock, Write};

use claimctl_core::error::{Error, Kind, Result};
use serde::Serialize;

/// Buffered stdout. A closed pipe comes back as [`Kind::ClosedPipe`], so that an engine can stop and tidy up.
pub struct Stdout(BufWriter<StdoutLock<'static>>);

impl Stdout {
    #[allow(clippy::new_without_default, reason = "locks a global stream")]
    pub fn new() -> Self {
        Stdout(BufWriter::with_capacity(64 * 1024, std::io::stdout().lock()))
    }

    pub fn text(&mut self, text: &str) -> Result<()> {
        self.bytes(text.as_bytes())
    }

    /// Data as it is: a payload.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.write_all(bytes).map_err(describe)
    }

    /// One JSON document, indented. Written as it is made: a report may be larger than memory.
    pub fn json_document(&mut self, value: &impl Serialize) -> Result<()> {
        serde_json::to_writer_pretty(&mut self.0, value).map_err(|error| describe(error.into()))?;
        self.text("\n")
    }

    /// One JSON document on a line of its own.
    pub fn json_line(&mut self, value: &impl Serialize) -> Result<()> {
        serde_json::to_writer(&mut self.0, value).map_err(|error| describe(error.into()))?;
        self.text("\n")
    }

    pub fn flush(&mut self) -> Result<()> {
        self.0.flush().map_err(describe)
    }
}

fn describe(error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::BrokenPipe => Error::new(Kind::ClosedPipe, "the reader of stdout went away"),
        _ => Error::unexpected("cannot write to stdout").caused_by(error),
    }
}

/// A sentence on stderr. Nobody listening is no reason to stop.
pub fn write_stderr(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
