//! Folders and files that only their user can look into: journals, logs, plans and states tell what went through a
//! pipeline, and hold its secrets.

use std::fs::{DirBuilder, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::error::{IoContext, Result};

/// Makes the folder and those above it that are missing. One that is there stays as it is.
pub fn create_private(folder: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// What becomes of a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    Replace,
    /// Nothing is written then, which is an error.
    Keep,
}

/// Writes a file whole or not at all, readable for its owner only from the start.
pub fn write_private(path: &Path, content: &[u8], existing: Existing) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = unfinished(path, folder).on("write in", folder)?;
    file.write_all(content).and_then(|()| file.as_file().sync_all()).on("write", path)?;
    let kept = match existing {
        Existing::Replace => file.persist(path),
        Existing::Keep => file.persist_noclobber(path),
    };
    kept.map_err(|failed| failed.error).on("write", path)?;
    Ok(())
}

/// What ignores the file ignores as well what a kill leaves of it: `*.tfstate`.
fn unfinished(path: &Path, folder: &Path) -> std::io::Result<NamedTempFile> {
    let suffix = format!("-{}", path.file_name().unwrap_or_default().to_string_lossy());
    let permissions = Permissions::from_mode(0o600);
    tempfile::Builder::new().prefix(".").suffix(&suffix).permissions(permissions).tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_file_is_its_owners_only_and_not_replaced_unasked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        write_private(&path, b"first", Existing::Keep).unwrap();
        assert!(write_private(&path, b"second", Existing::Keep).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        let unfinished = unfinished(Path::new("prod.tfstate"), folder.path()).unwrap();
        let name = unfinished.path().file_name().unwrap().to_string_lossy().into_owned();
        assert!(name.starts_with('.') && name.ends_with("-prod.tfstate"), "{name}");
        drop(unfinished);
        write_private(&path, b"third", Existing::Replace).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"third");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
