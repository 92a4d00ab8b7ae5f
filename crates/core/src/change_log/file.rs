//! The file of the change log: whole lines, appended durably by one process at a time, rotated by size.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::Serialize;

use crate::error::{Error, IoContext, Result};
use crate::private_files::create_private;

/// About forty thousand changes. One file of that size before it is kept beside it.
const ROTATE_AT: u64 = 16 << 20;

pub struct LogFile {
    path: PathBuf,
    rotate_at: u64,
}

impl LogFile {
    pub fn at(state: &Path) -> Self {
        LogFile { path: state.join("changes.jsonl"), rotate_at: ROTATE_AT }
    }

    /// Appends one line and waits until the disk has it.
    pub fn append(&self, line: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_vec(line)
            .map_err(|error| Error::unexpected("a line of the log has no JSON form").caused_by(error))?;
        text.push(b'\n');
        let mut file = self.open_alone()?;
        if !ends_whole(&file).on("read", &self.path)? {
            // A writer was killed in its line: what follows must not be glued to it.
            text.insert(0, b'\n');
        }
        file.write_all(&text).and_then(|()| file.sync_data()).on("write", &self.path)
    }

    /// The text of the rotated file and of the current one; empty where there is none.
    pub fn read(&self) -> Result<(String, String)> {
        let file = match File::open(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok((whole(&self.rotated())?, String::new())),
            file => file.on("open", &self.path)?,
        };
        // Nobody is in the middle of a line, or of a rotation, while this is held.
        flock(&file, FlockOperation::LockShared).map_err(std::io::Error::from).on("lock", &self.path)?;
        Ok((whole(&self.rotated())?, whole(&self.path)?))
    }

    /// The file, locked, after rotation where it is due.
    fn open_alone(&self) -> Result<File> {
        if let Some(folder) = self.path.parent() {
            create_private(folder).on("create", folder)?;
        }
        loop {
            let file = OpenOptions::new()
                .read(true)
                .append(true)
                .create(true)
                .mode(0o600)
                .open(&self.path)
                .on("open", &self.path)?;
            flock(&file, FlockOperation::LockExclusive).map_err(std::io::Error::from).on("lock", &self.path)?;
            let opened = file.metadata().on("read", &self.path)?;
            // Another process may have rotated it between the opening and the lock.
            let same = std::fs::metadata(&self.path).is_ok_and(|named| named.ino() == opened.ino());
            if same && opened.len() < self.rotate_at {
                if opened.len() == 0 {
                    self.keep_name()?;
                }
                return Ok(file);
            }
            if same {
                std::fs::rename(&self.path, self.rotated()).on("rename", &self.path)?;
            }
        }
    }

    /// A new file is durable only when its folder is.
    fn keep_name(&self) -> Result<()> {
        let Some(folder) = self.path.parent() else { return Ok(()) };
        File::open(folder).and_then(|folder| folder.sync_all()).on("write", folder)
    }

    fn rotated(&self) -> PathBuf {
        self.path.with_extension("jsonl.1")
    }
}

fn ends_whole(file: &File) -> std::io::Result<bool> {
    let length = file.metadata()?.len();
    if length == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.read_exact_at(&mut last, length - 1)?;
    Ok(last == *b"\n")
}

fn whole(path: &Path) -> Result<String> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        file => {
            file.and_then(|mut file| file.read_to_end(&mut bytes)).on("read", path)?;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn log(rotate_at: u64) -> (tempfile::TempDir, LogFile) {
        let state = tempfile::tempdir().unwrap();
        let log = LogFile { rotate_at, ..LogFile::at(&state.path().join("made/when/needed")) };
        (state, log)
    }

    #[test]
    fn only_its_user_can_read_it() {
        let (_state, log) = log(ROTATE_AT);
        log.append(&1).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&log.path), 0o600);
        assert_eq!(mode(log.path.parent().unwrap()), 0o700);
    }

    #[test]
    fn a_line_after_a_torn_one_stands_alone() {
        let (_state, log) = log(ROTATE_AT);
        log.append(&1).unwrap();
        OpenOptions::new().append(true).open(&log.path).unwrap().write_all(b"{\"v\":1,\"id").unwrap();
        log.append(&2).unwrap();
        assert_eq!(log.read().unwrap().1, "1\n{\"v\":1,\"id\n2\n");
    }

    #[test]
    fn a_full_file_is_set_aside_whole() {
        let (_state, log) = log(6);
        for line in 1..=5 {
            log.append(&line).unwrap();
        }
        assert_eq!(log.read().unwrap(), ("1\n2\n3\n".to_owned(), "4\n5\n".to_owned()));
    }

    #[test]
    fn writers_at_the_same_time_lose_no_line_to_each_other() {
        let (_state, log) = log(1000);
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let log = &log;
                scope.spawn(move || (0..50).for_each(|line| log.append(&(writer * 100 + line)).unwrap()));
            }
        });
        let (rotated, current) = log.read().unwrap();
        let mut lines: Vec<u32> = rotated.lines().chain(current.lines()).map(|line| line.parse().unwrap()).collect();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), 400);
    }
}
