//! What the server and its functions said, from the end, and as it goes on.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use claimctl_core::error::{Error, IoContext, Result};

/// A place in the log. Bytes that are not text are replaced.
pub struct Log {
    path: PathBuf,
    reader: BufReader<File>,
    /// A line whose end is not written yet.
    begun: Vec<u8>,
}

impl Log {
    pub(super) fn open(path: PathBuf) -> Result<Log> {
        let file = File::open(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::not_found("the sandbox has no log yet").hint("start it: claimctl local up"),
            _ => Error::unexpected(format!("cannot read {}", path.display())).caused_by(error),
        })?;
        Ok(Log { reader: BufReader::new(file), path, begun: Vec::new() })
    }

    /// The last `count` lines of what is there, the oldest first. Reading goes on behind them.
    pub fn last(&mut self, count: usize) -> Result<Vec<String>> {
        let mut last = VecDeque::new();
        while let Some(line) = self.next_line()? {
            last.push_back(line);
            if last.len() > count {
                last.pop_front();
            }
        }
        Ok(last.into())
    }

    /// The lines that came since. Goes over to the log of a server that was started meanwhile.
    pub fn more(&mut self) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        while let Some(line) = self.next_line()? {
            lines.push(line);
        }
        if self.was_replaced()? {
            *self = Log::open(self.path.clone())?;
            lines.extend(self.more()?);
        }
        Ok(lines)
    }

    fn next_line(&mut self) -> Result<Option<String>> {
        self.reader.read_until(b'\n', &mut self.begun).on("read", &self.path)?;
        if self.begun.pop_if(|byte| *byte == b'\n').is_none() {
            return Ok(None);
        }
        Ok(Some(String::from_utf8_lossy(&std::mem::take(&mut self.begun)).into_owned()))
    }

    fn was_replaced(&self) -> Result<bool> {
        let ours = self.reader.get_ref().metadata().on("look at", &self.path)?;
        match std::fs::metadata(&self.path) {
            Ok(there) => Ok((there.dev(), there.ino()) != (ours.dev(), ours.ino())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).on("look at", &self.path),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_end_comes_first_and_then_what_is_added() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut file = File::create(&path).unwrap();
        write!(file, "a\nb\nc\nd").unwrap();
        let mut log = Log::open(path).unwrap();
        assert_eq!(log.last(2).unwrap(), ["b", "c"]);
        assert!(log.more().unwrap().is_empty());
        write!(file, "d\ne\n").unwrap();
        assert_eq!(log.more().unwrap(), ["dd", "e"]);
    }

    #[test]
    fn the_log_of_a_new_server_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "old\n").unwrap();
        let mut log = Log::open(path.clone()).unwrap();
        assert_eq!(log.last(0).unwrap(), [""; 0]);
        std::fs::rename(&path, folder.path().join("log.1")).unwrap();
        assert!(log.more().unwrap().is_empty());
        std::fs::write(&path, "new\n").unwrap();
        assert_eq!(log.more().unwrap(), ["new"]);
    }
}
