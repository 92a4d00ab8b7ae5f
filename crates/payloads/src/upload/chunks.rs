//! Reading a payload in chunks of one part each, and noticing when it changes meanwhile.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, IoContext, Kind, Result};
use claimctl_core::next::Next;

use super::buffers::Buffers;
use super::checksum::{Algorithm, Checksum, Value};
use super::limits;

/// After so many parts of a stream of unknown length, parts become twice as long: 10,000 of them, beginning at
/// 8 MiB, hold 484 GiB.
const PARTS_BEFORE_GROWTH: u64 = 2_000;

/// The chunks of one payload, in order.
pub struct Chunks {
    reader: Option<Box<dyn Read + Send>>,
    name: String,
    file: Option<Watched>,
    part_size: u64,
    /// Parts read so far.
    parts: u64,
    read: u64,
    /// A byte read ahead, which tells whether anything follows.
    ahead: Option<u8>,
    algorithm: Algorithm,
    buffers: Buffers,
}

pub struct Chunk {
    pub bytes: Bytes,
    pub checksum: Checksum,
    /// Nothing follows.
    pub last: bool,
}

impl Chunk {
    pub fn checksum_by(&self, algorithm: Algorithm) -> Value {
        let value = self.checksum.value();
        if value.algorithm == algorithm { value } else { Checksum::of(algorithm, &self.bytes).value() }
    }
}

/// What a file looked like when it was opened.
struct Watched {
    file: File,
    path: PathBuf,
    opened: Stamp,
}

#[derive(PartialEq, Eq)]
struct Stamp {
    size: u64,
    /// Which file it is: device and inode.
    file: (u64, u64),
    /// Seconds and nanoseconds: of the content, which programs can set, and of anything, which they cannot.
    changed: [(i64, i64); 2],
}

impl From<Metadata> for Stamp {
    fn from(metadata: Metadata) -> Self {
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        Stamp {
            size: metadata.len(),
            file: (metadata.dev(), metadata.ino()),
            changed: [modified, (metadata.ctime(), metadata.ctime_nsec())],
        }
    }
}

/// Opens what was a file when it was found, and is perhaps none any more: the open of a pipe waits for a writer.
fn open(path: &Path) -> Result<(File, Metadata)> {
    let unreadable = |error: Error| error.hint("check the path and who may read it; nothing of it was uploaded");
    let no_wait = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(no_wait).open(path).on("read", path).map_err(unreadable)?;
    let metadata = file.metadata().on("read", path)?;
    match metadata.is_file() {
        true => Ok((file, metadata)),
        false => Err(Error::new(Kind::Partial, format!("{} is no file any more", path.display()))
            .hint("it was one when it was found: see who replaces it")),
    }
}

/// The checksum and the size of a whole file.
pub(super) async fn checksum_of(path: &Path, algorithm: Algorithm, cancel: &Cancel) -> Result<(Value, u64)> {
    let mut chunks = Chunks::of_file(path, limits::SMALLEST_PART, algorithm)?;
    let mut whole = Checksum::of(algorithm, b"");
    loop {
        if cancel.is_cancelled() {
            return Err(Error::interrupted("interrupted while it was compared"));
        }
        let chunk = chunks.next().await?;
        whole.append(&chunk.checksum);
        if chunk.last {
            return Ok((whole.value(), chunks.read));
        }
    }
}

impl Chunks {
    /// Opens a file. Parts are `part_size` bytes, or longer where 10,000 would not hold the file.
    pub fn of_file(path: &Path, part_size: u64, algorithm: Algorithm) -> Result<Chunks> {
        let (file, metadata) = open(path)?;
        let opened = Stamp::from(metadata);
        let part_size = part_size_for(opened.size, part_size);
        if part_size > limits::LARGEST_PART {
            return Err(Error::usage(format!("{} is larger than S3 can hold", path.display())));
        }
        // One byte more than expected is enough to know that the file grew.
        let reader = file.try_clone().on("read", path)?.take(opened.size + 1);
        let watched = Watched { file, path: path.to_owned(), opened };
        Ok(Chunks::new(Box::new(reader), path.display().to_string(), Some(watched), part_size, algorithm))
    }

    pub fn of_stream(reader: impl Read + Send + 'static, name: &str, part_size: u64, algorithm: Algorithm) -> Chunks {
        Chunks::new(Box::new(reader), name.to_owned(), None, part_size, algorithm)
    }

    fn new(
        reader: Box<dyn Read + Send>,
        name: String,
        file: Option<Watched>,
        part_size: u64,
        algorithm: Algorithm,
    ) -> Chunks {
        Chunks {
            reader: Some(reader),
            name,
            file,
            part_size,
            parts: 0,
            read: 0,
            ahead: None,
            algorithm,
            buffers: Buffers::default(),
        }
    }

    /// Size and size of parts, where they are known.
    pub fn layout(&self) -> Option<(u64, u64)> {
        self.file.as_ref().map(|file| (file.opened.size, self.part_size))
    }

    /// With memory that others have used before.
    pub fn with(self, buffers: Buffers) -> Chunks {
        Chunks { buffers, ..self }
    }

    /// Bytes of memory that the next chunk will take.
    pub fn next_size(&self) -> u64 {
        // The byte beyond lets the end be seen.
        self.file.as_ref().map_or(u64::MAX, |file| file.opened.size.saturating_sub(self.read) + 1).min(self.most())
    }

    /// The most that the next chunk can hold, in bytes.
    fn most(&self) -> u64 {
        match &self.file {
            Some(_) => self.part_size,
            None => (self.part_size << (self.parts / PARTS_BEFORE_GROWTH)).min(limits::LARGEST_PART),
        }
    }

    /// The next chunk; an empty payload has one, which is empty. Dropped before it ends, no other call succeeds.
    ///
    /// A chunk of a file comes only if the file is what it was when it was opened.
    pub async fn next(&mut self) -> Result<Chunk> {
        if self.parts == limits::PARTS {
            return Err(Error::usage(format!("{} does not fit into 10,000 parts", self.name))
                .next("use longer parts", longer_parts(self.part_size)));
        }
        let Some(mut reader) = self.reader.take() else {
            return Err(Error::unexpected(format!("{} was given up while it was read", self.name)));
        };
        let size = self.most();
        let expected = self.file.as_ref().map_or(size, |file| file.opened.size.saturating_sub(self.read).min(size));
        let ahead = self.ahead.take();
        let (algorithm, buffers) = (self.algorithm, self.buffers.clone());
        let read = tokio::task::spawn_blocking(move || {
            // The byte beyond lets the end be seen without growing the buffer.
            let buffer = buffers.lend(usize::try_from(expected).unwrap_or(0) + 1);
            let (bytes, ahead) = read_chunk(&mut reader, buffer, ahead, size)?;
            let checksum = Checksum::of(algorithm, &bytes);
            let bytes = buffers.fill(bytes);
            Ok::<_, io::Error>((reader, bytes, ahead, checksum))
        });
        let read = read.await.map_err(|error| Error::unexpected("a reader failed").caused_by(error))?;
        let (reader, bytes, ahead, checksum) = read.on("read", Path::new(&self.name))?;
        (self.reader, self.ahead) = (Some(reader), ahead);
        self.parts += 1;
        self.read += bytes.len() as u64;
        let last = ahead.is_none();
        self.check_unchanged(last)?;
        Ok(Chunk { bytes, checksum, last })
    }

    /// With every chunk, so that no time is spent on what comes to nothing.
    fn check_unchanged(&self, is_last: bool) -> Result<()> {
        let Some(Watched { file, path, opened }) = &self.file else { return Ok(()) };
        let now = Stamp::from(file.metadata().on("read", path)?);
        // Not by following the open file: another may lie there by now.
        let there = std::fs::metadata(path).map(Stamp::from).ok();
        let is_replaced = there.is_none_or(|there| there.file != opened.file);
        let is_all = self.read == opened.size;
        if now == *opened && is_all == is_last && !is_replaced {
            return Ok(());
        }
        let how = match now.size.cmp(&opened.size) {
            std::cmp::Ordering::Less => format!("shrank from {} to {} bytes", opened.size, now.size),
            std::cmp::Ordering::Greater => format!("grew from {} to {} bytes", opened.size, now.size),
            std::cmp::Ordering::Equal if is_replaced => "was replaced".to_owned(),
            std::cmp::Ordering::Equal => "changed".to_owned(),
        };
        Err(Error::new(Kind::Partial, format!("{} {how} while it was read, so it was not uploaded", path.display()))
            .hint("upload a file once whoever writes it is done"))
    }
}

/// Reads `size` bytes, or as many as there are, and one more to see whether anything follows.
fn read_chunk(
    reader: &mut dyn Read,
    mut bytes: Vec<u8>,
    ahead: Option<u8>,
    size: u64,
) -> io::Result<(Vec<u8>, Option<u8>)> {
    bytes.extend(ahead);
    let missing = size - bytes.len() as u64;
    reader.take(missing).read_to_end(&mut bytes)?;
    let mut next = Vec::with_capacity(1);
    if bytes.len() as u64 == size {
        reader.take(1).read_to_end(&mut next)?;
    }
    Ok((bytes, next.pop()))
}

/// The shortest parts, from `asked` upward in whole MiB, of which 10,000 hold `size` bytes.
fn part_size_for(size: u64, asked: u64) -> u64 {
    asked.max(size.div_ceil(limits::PARTS).next_multiple_of(1 << 20))
}

/// The same upload with parts eight times as long. `size` is in bytes.
fn longer_parts(size: u64) -> Next {
    Next::again().flag("--part-size", format!("{}MiB", (size >> 20).max(1) * 8))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    async fn all(mut chunks: Chunks) -> Result<Vec<Bytes>> {
        let mut read = Vec::new();
        loop {
            let chunk = chunks.next().await?;
            read.push(chunk.bytes);
            if chunk.last {
                return Ok(read);
            }
        }
    }

    fn file(content: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        file
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    proptest! {
        #[test]
        fn chunks_are_full_but_for_the_last(content: Vec<u8>, size in 1_u64..64) {
            let stream = Chunks::of_stream(io::Cursor::new(content.clone()), "-", size, Algorithm::Crc32);
            let chunks = run(all(stream)).unwrap();
            prop_assert_eq!(chunks.concat(), content);
            let (last, full) = chunks.split_last().unwrap();
            prop_assert!(full.iter().all(|chunk| chunk.len() as u64 == size));
            prop_assert!(last.len() as u64 <= size && (!last.is_empty() || full.is_empty()));
        }

        #[test]
        fn ten_thousand_parts_hold_any_object(size in 0_u64..(48 << 40), asked in (5_u64 << 20)..(64 << 20)) {
            let part = part_size_for(size, asked);
            prop_assert!(part >= asked && part <= limits::LARGEST_PART);
            prop_assert!(size.div_ceil(part) <= limits::PARTS);
        }
    }

    #[test]
    fn a_file_that_changes_between_two_chunks_has_no_last_one() {
        type Change = fn(&File);
        let changes: [(Change, &str); 3] = [
            (|file| file.set_len(12).unwrap(), "shrank from 20 to 12 bytes"),
            (|mut file| file.write_all(b"more").unwrap(), "grew from 20 to 24 bytes"),
            (|file| file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap(), "changed while"),
        ];
        for (change, said) in changes {
            let file = file(&[b'x'; 20]);
            let mut chunks = Chunks::of_file(file.path(), 8, Algorithm::Crc32).unwrap();
            chunks.part_size = 8;
            run(async {
                assert!(!chunks.next().await.unwrap().last);
                change(file.as_file());
                let error = all(chunks).await.unwrap_err();
                assert!(error.to_string().contains(said), "{error}");
            });
        }
    }

    #[test]
    fn a_file_that_is_left_alone_is_read_whole() {
        for size in [0, 1, 8, 9, 16] {
            let content = vec![b'x'; size];
            let file = file(&content);
            let mut chunks = Chunks::of_file(file.path(), 8, Algorithm::Crc32).unwrap();
            chunks.part_size = 8;
            assert_eq!(run(all(chunks)).unwrap().concat(), content);
        }
    }

    #[test]
    fn parts_of_an_endless_stream_grow() {
        let mut chunks = Chunks::of_stream(io::empty(), "-", 8 << 20, Algorithm::Crc32);
        let total: u64 = (0..limits::PARTS)
            .map(|parts| {
                chunks.parts = parts;
                chunks.next_size()
            })
            .sum();
        assert_eq!(total >> 30, 484);
        chunks.parts = limits::PARTS;
        let error = run(chunks.next()).err().unwrap();
        assert!(error.advice().contains("--part-size 64MiB"), "{:?}", error.hints());
    }
}
