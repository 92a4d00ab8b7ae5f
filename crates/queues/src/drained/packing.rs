//! How a drained file is packed, by its extension: plain, or in frames (zstd) or members (gzip) of whole lines.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

/// Fast before small: a drain is as fast as its disk and its queue.
const ZSTD_LEVEL: i32 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    /// None: it is plain.
    pub fn of(path: &Path) -> Option<Packing> {
        match path.extension()?.to_str()? {
            "zst" => Some(Packing::Zstd),
            "gz" => Some(Packing::Gzip),
            _ => None,
        }
    }

    /// The bytes as one frame, which stands for itself whatever follows.
    pub fn pack(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Packing::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(bytes)?;
                encoder.finish()
            }
            Packing::Zstd => {
                let mut encoder = zstd::Encoder::new(Vec::new(), ZSTD_LEVEL)?;
                encoder.include_checksum(true)?;
                encoder.write_all(bytes)?;
                encoder.finish()
            }
        }
    }
}

/// What a drained file begins with: an empty frame where it is packed.
pub fn header(path: &Path) -> io::Result<Vec<u8>> {
    Packing::of(path).map_or(Ok(Vec::new()), |packing| packing.pack(&[]))
}

/// A file read from any place in it, whoever else reads it.
#[derive(Debug, Clone)]
pub struct At {
    file: Arc<File>,
    offset: u64,
}

impl At {
    pub fn new(file: Arc<File>, offset: u64) -> Self {
        At { file, offset }
    }
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

/// One frame, unpacked.
pub enum Frame {
    Gzip(Box<GzDecoder<BufReader<At>>>),
    Zstd(zstd::Decoder<'static, BufReader<At>>),
}

impl Frame {
    pub fn open(packing: Packing, at: At) -> io::Result<Frame> {
        let reader = BufReader::new(at);
        Ok(match packing {
            Packing::Gzip => Frame::Gzip(Box::new(GzDecoder::new(reader))),
            Packing::Zstd => Frame::Zstd(zstd::Decoder::with_buffer(reader)?.single_frame()),
        })
    }

    /// Where the frame ends; reads it to its end. [`io::ErrorKind::UnexpectedEof`]: the file ends before.
    pub fn end(mut self) -> io::Result<u64> {
        io::copy(&mut self, &mut io::sink())?;
        let reader = match self {
            Frame::Gzip(decoder) => decoder.into_inner(),
            Frame::Zstd(decoder) => decoder.finish(),
        };
        Ok(reader.get_ref().offset - reader.buffer().len() as u64)
    }
}

impl Read for Frame {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Frame::Gzip(decoder) => decoder.read(buffer),
            Frame::Zstd(decoder) => decoder.read(buffer),
        }
    }
}
