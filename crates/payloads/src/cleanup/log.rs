//! The file that names every object before it is deleted, one line of JSON each, with what its record said.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::spool::Sorter;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::plan::Due;

/// A line: this object is about to be deleted. Its form is a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    v: u8,
    pub bucket: String,
    pub key: String,
    pub etag: String,
    pub size: u64,
    /// Of the record.
    pub recorded_at: Option<String>,
    /// When it was written down.
    pub at: Timestamp,
}

impl Line {
    fn of(bucket: &str, due: &Due, at: Timestamp) -> Line {
        let Due { object, record } = due;
        Line {
            v: 1,
            bucket: bucket.to_owned(),
            key: object.key.clone(),
            etag: object.etag.clone(),
            size: object.size,
            recorded_at: record.recorded_at.clone(),
            at,
        }
    }
}

/// Appends to the file. Locked for as long as it lives.
#[derive(Debug)]
pub struct Log {
    file: File,
    path: PathBuf,
    bucket: String,
    /// Bytes of whole lines.
    whole: u64,
    /// Half a line is at its end, and cannot be cut off.
    is_broken: bool,
}

impl Log {
    /// Opens the file, or makes it. What is torn at its end was never on the disk as a whole, so that nothing was deleted
    /// by it: it is cut off.
    pub fn open(path: &Path, bucket: &str) -> Result<Log> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path).on("open", path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::refused(format!("another cleanup writes to {}", path.display()))
                    .hint("wait for its end, or name another file"));
            }
            Err(TryLockError::Error(error)) => return Err(error).on("lock", path),
        }
        let mut log = Log { file, path: path.to_owned(), bucket: bucket.to_owned(), whole: 0, is_broken: false };
        log.whole = log.find_end()?;
        log.file.set_len(log.whole).on("write", path)?;
        log.file.sync_all().on("write", path)?;
        // A new name is on the disk with its folder.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).on("write", folder)?;
        Ok(log)
    }

    /// Bytes up to the end of the last whole line. A file that is none of ours is refused, and stays as it is.
    fn find_end(&mut self) -> Result<u64> {
        self.file.seek(SeekFrom::Start(0)).on("read", &self.path)?;
        let mut reader = BufReader::new(&self.file);
        let (mut whole, mut line) = (0, Vec::new());
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line).on("read", &self.path)? as u64;
            if line.last() != Some(&b'\n') {
                let begins_as_ours = line.starts_with(b"{\"v\":1,") || b"{\"v\":1,".starts_with(&line);
                return if begins_as_ours { Ok(whole) } else { Err(not_ours(&self.path)) };
            }
            read_line(&line, &self.path, &self.bucket)?;
            whole += read;
        }
    }

    /// Once this has returned, the lines are on the disk.
    pub fn write(&mut self, due: &[Due]) -> Result<()> {
        let at = Timestamp::now();
        let mut lines = Vec::new();
        for due in due {
            serde_json::to_writer(&mut lines, &Line::of(&self.bucket, due, at))
                .map_err(|error| Error::unexpected("a line of the log cannot be written").caused_by(error))?;
            lines.push(b'\n');
        }
        if self.is_broken {
            return Err(Error::unexpected(format!("an earlier line could not be written to {}", self.path.display()))
                .hint("make room for it; the same command goes on"));
        }
        let written = self.file.write_all(&lines).and_then(|()| self.file.sync_data());
        if written.is_err() {
            // No line stands behind half a line. What stays torn is cut off by the next run.
            self.is_broken = self.file.set_len(self.whole).is_err();
            return written.on("write", &self.path);
        }
        self.whole += lines.len() as u64;
        Ok(())
    }
}

/// All lines of the file by key, which an earlier run may have left; none where there is no file.
pub fn read(path: &Path, bucket: &str) -> Result<Sorter<Line>> {
    let mut sorter = Sorter::by(|line: &Line| &line.key);
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(sorter),
        file => file.on("read", path)?,
    };
    let (mut reader, mut line) = (BufReader::new(file), Vec::new());
    loop {
        line.clear();
        reader.by_ref().read_until(b'\n', &mut line).on("read", path)?;
        if line.last() != Some(&b'\n') {
            return Ok(sorter);
        }
        sorter.push(read_line(&line, path, bucket)?)?;
    }
}

fn read_line(line: &[u8], path: &Path, bucket: &str) -> Result<Line> {
    let line: Line = serde_json::from_slice(line).map_err(|_| not_ours(path))?;
    match line.v == 1 && line.bucket == bucket {
        true => Ok(line),
        false => Err(not_ours(path).hint(format!("it names bucket {}, and this cleanup is of {bucket}", line.bucket))),
    }
}

fn not_ours(path: &Path) -> Error {
    Error::usage(format!("{} is not the log of a cleanup of this bucket", path.display()))
        .hint("name a file that is not there yet, or that of an earlier cleanup of this bucket")
}

#[cfg(test)]
mod tests {
    use claimctl_aws::objects::ObjectEntry;
    use claimctl_aws::sinks::record::RecordEntry;
    use claimctl_core::error::Kind;

    use super::*;

    fn due(key: &str) -> Due {
        Due {
            object: ObjectEntry { key: key.to_owned(), etag: "e".to_owned(), size: 1, modified: 0 },
            record: RecordEntry {
                key: key.to_owned(),
                etag: Some("e".to_owned()),
                size: None,
                rows: None,
                sequencer: None,
                recorded_at: None,
                status: None,
                step_error: None,
                item: None,
            },
        }
    }

    fn keys(path: &Path) -> Vec<String> {
        let mut sorted = read(path, "b").unwrap().sorted();
        std::iter::from_fn(|| sorted.take_next().unwrap()).map(|line| line.key).collect()
    }

    #[test]
    fn what_is_torn_is_cut_off_and_what_is_whole_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        Log::open(&path, "b").unwrap().write(&[due("b"), due("new\nline")]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        for torn in first..whole.len() {
            std::fs::write(&path, &whole[..torn]).unwrap();
            assert_eq!(keys(&path), ["b"]);
            Log::open(&path, "b").unwrap().write(&[due("a")]).unwrap();
            assert_eq!(keys(&path), ["a", "b"], "torn at {torn}");
        }
    }

    #[test]
    fn one_writes_at_a_time_and_to_no_other_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let mut log = Log::open(&path, "b").unwrap();
        log.write(&[due("k")]).unwrap();
        assert_eq!(Log::open(&path, "b").unwrap_err().kind(), Kind::Refused);
        drop(log);
        assert_eq!(Log::open(&path, "other").unwrap_err().kind(), Kind::Usage);
        for content in ["notes", "notes\n", "{\"v\":1,\"x\":2}\n"] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(Log::open(&path, "b").unwrap_err().kind(), Kind::Usage);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        }
    }
}
