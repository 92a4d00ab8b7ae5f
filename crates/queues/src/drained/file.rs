//! The file that a drain appends to: one writer, whole commits, on the disk before anything is deleted.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::next::Next;
use claimctl_core::units::{bytes, count};

use super::packing::{self, Packing};
use super::scan::{Scanned, scan};
use super::series::Series;

/// Appends commits of whole lines. Locked for as long as it lives, so that no other drain writes to it.
#[derive(Debug)]
pub struct Appender {
    series: Series,
    number: u32,
    path: PathBuf,
    file: File,
    packing: Option<Packing>,
    /// Bytes of an empty file: see [`packing::header`].
    header: u64,
    /// Bytes that are on the disk.
    length: u64,
    rotate_size: Option<u64>,
}

const NOTHING_LOST: &str = "what is not whole in the file is still in the queue: make room, then run it again";

/// What an existing series of files holds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Existing {
    pub files: u64,
    /// Messages that are whole in the files.
    pub messages: u64,
    /// Bytes of a torn end.
    pub torn: u64,
}

impl fmt::Display for Existing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Existing { files, messages, torn } = *self;
        write!(f, "{} in {}", count(messages, "message"), count(files, "file"))?;
        match torn {
            0 => Ok(()),
            torn => write!(f, "; a torn end of {} was cut off, and is received again", bytes(torn)),
        }
    }
}

impl Appender {
    /// Opens the newest file of the series, or makes the first. What is torn at its end is cut off.
    ///
    /// `found` gets the id of every message that is whole in the files. Once this has returned, those are on the disk.
    pub fn open(
        first: &Path,
        queue_arn: &str,
        rotate_size: Option<u64>,
        mut found: impl FnMut(&str) -> Result<()>,
    ) -> Result<(Appender, Existing)> {
        let series = Series::of(first)?;
        let (number, mut appender) = loop {
            let number = series.existing()?.pop().unwrap_or(1);
            let path = series.nth(number);
            let file = open_alone(&path)?;
            // Whoever held the lock until now may have gone on to another file.
            if series.existing()?.pop() == Some(number) {
                let packing = Packing::of(&path);
                let header = packing::header(&path).on("pack", &path)?.len() as u64;
                break (number, Appender { series, number, path, file, packing, header, length: 0, rotate_size });
            }
        };
        let mut existing = Existing::default();
        for earlier in appender.series.existing()?.into_iter().filter(|earlier| *earlier < number) {
            existing.messages += scan(&appender.series.nth(earlier), queue_arn, false, &mut found)?.lines;
            existing.files += 1;
        }
        let scanned = scan(&appender.path, queue_arn, true, &mut found)?;
        existing.messages += scanned.lines;
        existing.files += 1;
        existing.torn = appender.go_on(&scanned).on("write", &appender.path)?;
        appender.keep_name()?;
        Ok((appender, existing))
    }

    /// What the files hold, without touching them. None of them may be there.
    pub fn look(first: &Path, queue_arn: &str) -> Result<Existing> {
        let series = Series::of(first)?;
        let numbers = series.existing()?;
        let mut existing = Existing { files: numbers.len() as u64, ..Existing::default() };
        for number in &numbers {
            let path = series.nth(*number);
            check_regular(&path)?;
            let scanned = scan(&path, queue_arn, Some(number) == numbers.last(), |_| Ok(()))?;
            existing.messages += scanned.lines;
            existing.torn += std::fs::metadata(&path).on("read", &path)?.len() - scanned.whole;
        }
        Ok(existing)
    }

    /// The first file of the series.
    pub fn first(&self) -> PathBuf {
        self.series.nth(1)
    }

    /// Which file of the series is written to; the first is 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Appends whole lines and waits until the disk has them: how many bytes they take there.
    ///
    /// On an error none of them may be relied on, and nothing more is to be written.
    pub fn append(&mut self, lines: &[u8]) -> Result<u64> {
        let packed = self.packing.map(|packing| packing.pack(lines)).transpose().on("pack", &self.path)?;
        let bytes = packed.as_deref().unwrap_or(lines);
        if self.rotate_size.is_some_and(|most| self.length > self.header && self.length + bytes.len() as u64 > most) {
            self.rotate()?;
        }
        let written = self.file.write_all(bytes).and_then(|()| self.file.sync_data());
        if written.is_err() {
            // What is there of it would be cut off by the next drain as well.
            let _ = self.file.set_len(self.length);
        }
        written.on("write", &self.path).map_err(|error| error.hint(NOTHING_LOST))?;
        self.length += bytes.len() as u64;
        self.check()?;
        Ok(bytes.len() as u64)
    }

    /// Deleting from the queue would lose messages where somebody took the file away meanwhile.
    fn check(&self) -> Result<()> {
        let metadata = self.file.metadata().on("read", &self.path)?;
        match (metadata.nlink(), metadata.len()) {
            (1.., length) if length == self.length => Ok(()),
            (0, _) => Err(Error::unexpected(format!("{} was deleted while it was written", self.path.display()))
                .hint("what was written to it and deleted from the queue is lost with it: restore the file")),
            _ => Err(Error::unexpected(format!(
                "{} was changed by another program while it was written",
                self.path.display()
            ))
            .hint("stop that program, then run the same command again: it checks the file")),
        }
    }

    /// Brings a file into order that was written before: its bytes that were cut off.
    fn go_on(&mut self, scanned: &Scanned) -> io::Result<u64> {
        let torn = self.file.metadata()?.len() - scanned.whole;
        if torn > 0 {
            self.file.set_len(scanned.whole)?;
        }
        if scanned.whole == 0 {
            self.file.write_all(&packing::header(&self.path)?)?;
        } else if scanned.unended {
            self.file.write_all(&self.packing.map_or_else(|| Ok(b"\n".to_vec()), |packing| packing.pack(b"\n"))?)?;
        }
        // A drain that was killed may have written what the disk does not have yet.
        self.file.sync_all()?;
        self.length = self.file.metadata()?.len();
        Ok(torn)
    }

    /// Goes on in the next file. The lock on this one ends when that one has its own.
    fn rotate(&mut self) -> Result<()> {
        self.number += 1;
        self.path = self.series.nth(self.number);
        self.file = open_alone(&self.path)?;
        if self.file.metadata().on("read", &self.path)?.len() > 0 {
            return Err(Error::unexpected(format!("{} was made by another program", self.path.display()))
                .hint("move it away, then run the same command again"));
        }
        self.go_on(&Scanned::default()).on("write", &self.path)?;
        self.keep_name()
    }

    /// A new file is durable only when its folder is.
    fn keep_name(&self) -> Result<()> {
        let folder = self.series.folder();
        File::open(folder).and_then(|folder| folder.sync_all()).on("write", folder)
    }
}

/// Opens a file for appending, makes it where there is none, and locks out other drains.
fn open_alone(path: &Path) -> Result<File> {
    check_regular(path)?;
    let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path).on("open", path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(Error::refused(format!("{} is being written by another drain", path.display()))
                .next("which one", Next::verb("runs ls"))
                .hint("wait for it, or drain into another file"))
        }
        Err(TryLockError::Error(error)) => Err(error).on("lock", path),
    }
}

/// A pipe or a device keeps nothing, and a drain deletes what it has written.
fn check_regular(path: &Path) -> Result<()> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(metadata) if metadata.is_dir() => Err(io::Error::from(ErrorKind::IsADirectory)).on("write", path),
        Ok(_) => Err(Error::usage(format!("{} is not a regular file", path.display()))
            .hint("messages are deleted once they are written, so that the file has to keep them")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).on("open", path),
    }
}
