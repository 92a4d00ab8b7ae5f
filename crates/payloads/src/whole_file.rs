//! A file that is there whole or not at all: written beside its place, and renamed at the end.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::next::Next;
use tempfile::NamedTempFile;

pub struct WholeFile<'a> {
    path: &'a Path,
    temporary: NamedTempFile,
}

impl<'a> WholeFile<'a> {
    pub fn begin(path: &'a Path) -> Result<WholeFile<'a>> {
        let folder = folder_of(path);
        // As if it had been made in place: readable for whom the umask says, and not for the owner alone.
        let permissions = Permissions::from_mode(0o666);
        let temporary = tempfile::Builder::new().prefix(".claimctl-").permissions(permissions).tempfile_in(folder);
        Ok(WholeFile { path, temporary: temporary.on("create a file in", folder)? })
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.temporary.write_all(bytes).on("write", self.path)
    }

    /// Puts it into its place. Without `overwrite`, a file that is there by then is not touched.
    pub fn keep(self, overwrite: bool) -> Result<()> {
        let WholeFile { path, temporary } = self;
        temporary.as_file().sync_all().on("write", path)?;
        let renamed = if overwrite { temporary.persist(path) } else { temporary.persist_noclobber(path) };
        match renamed {
            Ok(_) => Ok(()),
            Err(failed) if failed.error.kind() == std::io::ErrorKind::AlreadyExists => Err(exists(path)),
            Err(failed) => Err(failed.error).on("write", path),
        }
    }
}

/// The folder that a path lies in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Found out before the work: a file that is there is not touched, unless it may be.
pub fn check_free(path: &Path, overwrite: bool) -> Result<()> {
    if !overwrite && path.symlink_metadata().is_ok() { Err(exists(path)) } else { Ok(()) }
}

fn exists(path: &Path) -> Error {
    Error::refused(format!("{} is there already, and was not touched", path.display()))
        .hint("name another file")
        .next("or replace it", Next::again().word("--force"))
}
