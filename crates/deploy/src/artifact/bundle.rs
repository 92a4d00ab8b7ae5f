//! The zip that Lambda takes: `bootstrap`, with the files that the handler wants beside it, and the same bytes for the same
//! content on any day and machine.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};

use claimctl_core::error::{Error, IoContext, Result};
use sha2::{Digest, Sha256};
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

/// The name that `provided` runtimes start (AWS Lambda Developer Guide, "Building a custom runtime for AWS Lambda").
const ENTRY: &str = "bootstrap";

/// Above 9, the zip crate compresses with Zopfli, for as many rounds as the level exceeds 9. It is slow and small, and
/// takes no part of its answer from the vector instructions of the processor, as the faster library below 10 does.
const SMALL: i64 = 9 + 3;

/// Larger, and done at once: for what never leaves this machine.
const FAST: i64 = 1;

/// What is in a zip.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Content {
    pub binary: Vec<u8>,
    /// By their names in it.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Content {
    /// Name, content and permissions, in their order.
    fn entries(&self) -> impl Iterator<Item = (&str, &[u8], u32)> {
        let files = self.files.iter().map(|(name, content)| (name.as_str(), content.as_slice(), 0o644));
        std::iter::once((ENTRY, self.binary.as_slice(), 0o755)).chain(files)
    }
}

/// The zip's bytes.
fn zip(content: &Content, level: i64) -> Result<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(level))
        .last_modified_time(DateTime::DEFAULT);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let written = content
        .entries()
        .try_for_each(|(name, bytes, mode)| {
            zip.start_file(name, options.unix_permissions(mode))?;
            Ok(zip.write_all(bytes)?)
        })
        .and_then(|()| zip.finish())
        .map_err(|error: ZipError| Error::unexpected("cannot make a zip of the handler").caused_by(error))?;
    Ok(written.into_inner())
}

/// A zip for the sandbox.
pub fn zip_fast(content: &Content) -> Result<Vec<u8>> {
    zip(content, FAST)
}

/// The zip that was made of these same bytes before, if the folder `packed` has it, else a new one, kept there.
pub fn zip_once(content: &Content, packed: &Path, name: &str) -> Result<Vec<u8>> {
    // Another way of packing gives other bytes, so its zips are not mistaken for these.
    let path = packed.join(format!("{name}-{SMALL}.zip"));
    if let Some(kept) = std::fs::read(&path).ok().filter(|kept| holds(kept, content)) {
        return Ok(kept);
    }
    let zip = zip(content, SMALL)?;
    write_whole(&zip, packed, &path)?;
    Ok(zip)
}

fn holds(zip: &[u8], content: &Content) -> bool {
    let Ok(mut archive) = ZipArchive::new(Cursor::new(zip)) else { return false };
    let mut has = |name: &str, bytes: &[u8]| {
        let mut unpacked = Vec::with_capacity(bytes.len());
        archive.by_name(name).is_ok_and(|mut entry| entry.read_to_end(&mut unpacked).is_ok()) && unpacked == bytes
    };
    let has_all = content.entries().all(|(name, bytes, _)| has(name, bytes));
    has_all && archive.len() == content.entries().count()
}

/// Lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes `NAME-SHA256.zip` into the folder. Whoever sees the file sees all of it.
pub fn save(zip: &[u8], folder: &Path, name: &str) -> Result<PathBuf> {
    let path = folder.join(format!("{name}-{}.zip", sha256(zip)));
    write_whole(zip, folder, &path)?;
    Ok(path)
}

fn write_whole(zip: &[u8], folder: &Path, path: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).on("create", folder)?;
    let mut file = tempfile::Builder::new()
        .prefix(".building-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder)
        .on("write into", folder)?;
    file.write_all(zip).on("write", path)?;
    file.as_file().sync_all().on("write", path)?;
    file.persist(path).map_err(|error| error.error).on("write", path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(binary: &[u8]) -> Content {
        Content { binary: binary.to_owned(), ..Content::default() }
    }

    #[test]
    fn one_executable_entry_without_a_date() {
        let binary = b"\x7fELF and the rest of a program".repeat(1000);
        let mut archive = ZipArchive::new(Cursor::new(zip(&of(&binary), SMALL).unwrap())).unwrap();
        assert_eq!(archive.len(), 1);
        let mut entry = archive.by_name("bootstrap").unwrap();
        assert_eq!(entry.unix_mode(), Some(0o100_755));
        assert_eq!(entry.last_modified(), Some(DateTime::default()));
        assert_eq!(entry.extra_data(), None);
        let mut unpacked = Vec::new();
        entry.read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, binary);
    }

    #[test]
    fn the_same_binary_is_the_same_zip_for_ever() {
        // The digest was taken once; a change of it means that every artifact changes its name.
        let zip = zip(&of(&(0..=255u8).cycle().take(10_000).collect::<Vec<_>>()), SMALL).unwrap();
        assert_eq!(sha256(&zip), "d4fe5d678aff230c3793de179c0ab19350f220efafb4561482ee4d8d82f96aef");
    }

    #[test]
    fn a_zip_is_kept_for_its_own_bytes_only() {
        let folder = tempfile::tempdir().unwrap();
        let first = zip_once(&of(b"first"), folder.path(), "handler").unwrap();
        let kept = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        let made = kept.metadata().unwrap().modified().unwrap();
        assert_eq!(zip_once(&of(b"first"), folder.path(), "handler").unwrap(), first);
        assert_eq!(kept.metadata().unwrap().modified().unwrap(), made, "packed again");

        let second = zip_once(&of(b"second"), folder.path(), "handler").unwrap();
        assert_eq!((second == first, std::fs::read(&kept).unwrap() == second), (false, true));
        std::fs::write(&kept, &second[..second.len() / 2]).unwrap();
        assert_eq!(zip_once(&of(b"second"), folder.path(), "handler").unwrap(), second);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn files_lie_beside_the_binary_and_are_part_of_what_a_zip_is_known_by() {
        let files = |bytes: &[u8]| BTreeMap::from([("rds-ca.pem".to_owned(), bytes.to_owned())]);
        let with = |bytes: &[u8]| Content { files: files(bytes), ..of(b"binary") };
        let folder = tempfile::tempdir().unwrap();
        let made = |content: &Content| zip_once(content, folder.path(), "handler").unwrap();
        let zip = made(&with(b"one"));
        let mut archive = ZipArchive::new(Cursor::new(&zip[..])).unwrap();
        let names: Vec<_> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
        assert_eq!(names, ["bootstrap", "rds-ca.pem"]);
        let mut entry = archive.by_name("rds-ca.pem").unwrap();
        assert_eq!((entry.unix_mode(), entry.last_modified()), (Some(0o100_644), Some(DateTime::default())));
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one");
        drop(entry);
        assert_eq!(made(&with(b"one")), zip);
        for other in [with(b"two"), of(b"binary")] {
            assert_ne!(made(&other), zip);
            assert!(!holds(&zip, &other));
        }
    }

    #[test]
    fn a_saved_zip_is_named_by_its_digest_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("new/artifacts");
        let first = save(b"zip", &out, "handler").unwrap();
        assert_eq!(save(b"zip", &out, "handler").unwrap(), first);
        assert_eq!(first, out.join(format!("handler-{}.zip", sha256(b"zip"))));
        assert_eq!(std::fs::read(&first).unwrap(), b"zip");
        assert_eq!(std::fs::read_dir(&out).unwrap().count(), 1);
    }
}
