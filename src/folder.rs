//! Folders that only their user can look into: journals and logs tell what went through a pipeline.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Makes the folder and those above it that are missing. One that is there stays as it is.
pub fn create_private(folder: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}
