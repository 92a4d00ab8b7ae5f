//! Puts the bytes of an object into a file that is there whole or not at all, or onto stdout.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::fetch::Opened;
use crate::cancel::Cancel;
use crate::error::{Error, IoContext, Result};
use crate::progress::{Progress, Unit};

/// Writes beside `path` and renames at the end. Without `overwrite`, a file that is there by then is not touched.
pub async fn to_file(
    opened: Opened,
    path: &Path,
    overwrite: bool,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    // As if it had been made in place: readable for whom the umask says, and not for the owner alone.
    let permissions = Permissions::from_mode(0o666);
    let temporary = tempfile::Builder::new().prefix(".claimctl-").permissions(permissions).tempfile_in(folder);
    let mut temporary = temporary.on("create a file in", folder)?;
    pour(opened, cancel, progress, |bytes| temporary.write_all(bytes).on("write", path)).await?;
    temporary.as_file().sync_all().on("write", path)?;
    let renamed = if overwrite { temporary.persist(path) } else { temporary.persist_noclobber(path) };
    match renamed {
        Ok(_) => Ok(()),
        Err(failed) if failed.error.kind() == std::io::ErrorKind::AlreadyExists => Err(exists(path)),
        Err(failed) => Err(failed.error).on("write", path),
    }
}

/// Gives every piece to `write` as it comes, and fails where they are not the whole object.
pub async fn pour(
    opened: Opened,
    cancel: &Cancel,
    progress: &dyn Progress,
    mut write: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let Opened { object, mut body } = opened;
    let name = format!("s3://{}/{}", object.bucket, object.key);
    progress.start("getting", Some(object.size), Unit::Bytes);
    let mut read = 0;
    let short = |read: u64| {
        Error::unreachable(format!("{name} broke off after {read} of {} bytes, and nothing was kept", object.size))
            .hint("run the same command again")
    };
    loop {
        let piece = tokio::select! {
            piece = body.next() => piece,
            () = cancel.cancelled() => {
                return Err(Error::interrupted(format!("interrupted after {read} of {} bytes of {name}", object.size))
                    .hint("no file was left; run the same command again"));
            }
        };
        match piece {
            None if read == object.size => break,
            None => return Err(short(read)),
            Some(Err(error)) => return Err(short(read).caused_by(error)),
            Some(Ok(bytes)) => {
                write(&bytes)?;
                read += bytes.len() as u64;
                progress.advance(bytes.len() as u64);
            }
        }
    }
    progress.finish();
    Ok(())
}

pub fn exists(path: &Path) -> Error {
    Error::refused(format!("{} is there already, and was not touched", path.display()))
        .hint("name another file (--to FILE), or replace it: --force")
}
