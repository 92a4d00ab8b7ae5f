//! Lines of a file, plain or packed, without a look at what they hold; and where the last whole one ends.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use claimctl_core::error::{Error, IoContext, Result};

use super::packing::{At, Frame, Packing};

/// No line of ours is longer, and what is none of ours must not fill the memory.
const LONGEST: u64 = super::LARGEST_COMMIT;

/// Reads lines one by one, however long the file. What stands in a frame that the file's end tears is not read.
pub struct RawLines {
    path: PathBuf,
    number: u64,
    source: Source,
    /// Where the lines read so far end, in bytes of the file; of a packed one, where their frames end.
    whole: u64,
    torn: bool,
}

/// A packed file, of which one frame at a time is unpacked.
struct Packed {
    file: Arc<File>,
    length: u64,
    packing: Packing,
    frame: Option<BufReader<Frame>>,
    /// Where the open frame ends, or the next one begins.
    next: u64,
}

enum Source {
    Plain(Box<dyn BufRead + Send>),
    Packed(Box<Packed>),
}

impl RawLines {
    pub fn open(path: &Path) -> Result<RawLines> {
        let file = File::open(path).on("open", path)?;
        let metadata = file.metadata().on("read", path)?;
        if metadata.is_dir() {
            return Err(io::Error::from(ErrorKind::IsADirectory)).on("read", path);
        }
        let source = match Packing::of(path) {
            None => Source::Plain(Box::new(BufReader::with_capacity(1 << 16, file))),
            Some(packing) => {
                let (file, length) = (Arc::new(file), metadata.len());
                Source::Packed(Box::new(Packed { file, length, packing, frame: None, next: 0 }))
            }
        };
        Ok(RawLines { path: path.to_owned(), number: 0, source, whole: 0, torn: false })
    }

    /// Of a stream that has no name of its own, such as stdin; plain.
    pub fn over(name: &str, reader: impl Read + Send + 'static) -> RawLines {
        let source = Source::Plain(Box::new(BufReader::with_capacity(1 << 16, reader)));
        RawLines { path: PathBuf::from(name), number: 0, source, whole: 0, torn: false }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Of the line that was read last; the first is 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Bytes of the file that end with a whole line, or a whole frame.
    pub fn whole(&self) -> u64 {
        self.whole
    }

    /// The file ends within a frame, which begins at [`RawLines::whole`].
    pub fn is_torn(&self) -> bool {
        self.torn
    }

    /// Puts the next line into `line`, without its newline. None: there is no more. False: the newline is missing.
    pub fn next_into(&mut self, line: &mut Vec<u8>) -> Result<Option<bool>> {
        line.clear();
        match &mut self.source {
            Source::Plain(reader) => {
                let read = reader.take(LONGEST).read_until(b'\n', line).on("read", &self.path)?;
                if line.ends_with(b"\n") {
                    self.whole += read as u64;
                }
            }
            Source::Packed(packed) => {
                while !line.ends_with(b"\n") && (line.len() as u64) < LONGEST {
                    let damaged = |error| damaged(&self.path, self.number + 1, error);
                    if let Some(frame) = &mut packed.frame {
                        if frame.take(LONGEST).read_until(b'\n', line).map_err(damaged)? == 0 {
                            packed.frame = None;
                        }
                        continue;
                    }
                    if line.is_empty() {
                        self.whole = packed.next;
                    }
                    if packed.next == packed.length || self.torn {
                        break;
                    }
                    match packed.open_next() {
                        // A frame is used when it is whole, because a drain goes on behind the last whole one.
                        Err(error) if error.kind() == ErrorKind::UnexpectedEof => self.torn = true,
                        opened => opened.map_err(damaged)?,
                    }
                }
            }
        }
        if line.is_empty() {
            return Ok(None);
        }
        if line.len() as u64 >= LONGEST {
            return Err(damaged(&self.path, self.number + 1, io::Error::other("no message is that long")));
        }
        self.number += 1;
        Ok(Some(line.pop_if(|last| *last == b'\n').is_some()))
    }
}

impl Packed {
    fn open_next(&mut self) -> io::Result<()> {
        let open = |at| Frame::open(self.packing, At::new(self.file.clone(), at));
        let begin = self.next;
        let end = open(begin)?.end()?;
        (self.frame, self.next) = (Some(BufReader::new(open(begin)?)), end);
        Ok(())
    }
}

fn damaged(path: &Path, number: u64, error: io::Error) -> Error {
    Error::usage(format!("{}, line {number}: the file is damaged here, or packed in another way", path.display()))
        .caused_by(error)
        .hint("what is whole in it can still be unpacked (zstd -dc, gzip -dc); a drain wants another file")
}
