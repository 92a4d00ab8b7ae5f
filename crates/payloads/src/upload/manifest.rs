//! The manifest: a file with a line for each payload that was sent, from which a later run goes on.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use claimctl_claim::claim_id;
use claimctl_core::error::{Error, IoContext, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::engine::Object;
use super::plan::Upload;

/// Lines are safe from a loss of power after so long at most, and when the run ends.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// One line: an object and what it was made of.
#[derive(Debug, Serialize, Deserialize)]
pub struct Line {
    pub bucket: String,
    pub key: String,
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// When the file was written last, in nanoseconds since 1970; None of stdin and of copies.
    pub modified_ns: Option<i64>,
    pub etag: String,
    pub version_id: Option<String>,
    pub checksum_algorithm: Option<String>,
    /// Of the whole content, in base64.
    pub checksum: Option<String>,
}

/// What earlier runs have sent: for each object, by a digest of its place, the content that was sent last.
#[derive(Default)]
pub struct Before(HashMap<[u8; 16], (u64, Option<i64>)>);

impl Before {
    /// Whether just this content was sent last, as far as size and time of the file tell.
    pub fn has(&self, bucket: &str, upload: &Upload) -> bool {
        let (Some(size), Some(modified)) = (upload.size, upload.modified) else { return false };
        self.0.get(&place(bucket, &upload.key)) == Some(&(size, Some(modified)))
    }
}

fn place(bucket: &str, key: &str) -> [u8; 16] {
    let digest: [u8; 32] = Sha256::digest(claim_id(bucket, key)).into();
    let mut place = [0; 16];
    place.copy_from_slice(&digest[..16]);
    place
}

pub struct Manifest {
    path: PathBuf,
    file: File,
    before: Arc<Before>,
    synced: Instant,
}

impl Manifest {
    /// Reads what is there. A last line that was torn is cut off: what it told of is sent again.
    pub fn open(path: &Path) -> Result<Manifest> {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).open(path).on("open", path)?;
        file.try_lock().map_err(|error| {
            Error::refused(format!("another run writes to {}", path.display()))
                .caused_by(error)
                .hint("wait until it is done, or choose another file")
        })?;
        let (before, whole) = read(path, &file)?;
        file.set_len(whole).on("write", path)?;
        file.seek(SeekFrom::End(0)).on("write", path)?;
        Ok(Manifest { path: path.to_owned(), file, before: Arc::new(before), synced: Instant::now() })
    }

    pub fn before(&self) -> Arc<Before> {
        self.before.clone()
    }

    pub fn add(&mut self, bucket: &str, upload: &Upload, object: &Object) -> Result<()> {
        let line = Line {
            bucket: bucket.to_owned(),
            key: upload.key.clone(),
            path: upload.input.name(),
            size: object.size,
            modified_ns: upload.modified,
            etag: object.etag.clone(),
            version_id: object.version_id.clone(),
            checksum_algorithm: object.checksum.as_ref().map(|checksum| checksum.algorithm.name().to_owned()),
            checksum: object.checksum.as_ref().map(|checksum| checksum.text.clone()),
        };
        let mut line = serde_json::to_vec(&line).map_err(|error| Error::unexpected("a line").caused_by(error))?;
        line.push(b'\n');
        self.file.write_all(&line).on("write", &self.path)?;
        if self.synced.elapsed() >= SYNC_EVERY {
            self.sync()?;
        }
        Ok(())
    }

    pub fn sync(&mut self) -> Result<()> {
        self.file.sync_data().on("write", &self.path)?;
        self.synced = Instant::now();
        Ok(())
    }
}

/// What the lines tell, and how many bytes of the file are whole lines.
fn read(path: &Path, file: &File) -> Result<(Before, u64)> {
    let (mut before, mut whole, mut number) = (Before::default(), 0, 0_u64);
    let mut reader = BufReader::new(file);
    let mut text = Vec::new();
    while reader.read_until(b'\n', &mut text).on("read", path)? > 0 {
        if text.last() != Some(&b'\n') {
            break;
        }
        number += 1;
        let line: Line = serde_json::from_slice(&text).map_err(|error| {
            Error::usage(format!("line {number} of {} is none of a manifest", path.display()))
                .caused_by(error)
                .hint("name a file that an upload wrote, or one that is not there yet; nothing was sent")
        })?;
        before.0.insert(place(&line.bucket, &line.key), (line.size, line.modified_ns));
        whole += text.len() as u64;
        text.clear();
    }
    Ok((before, whole))
}
