//! Puts the bytes of an object into a file that is there whole or not at all, or onto stdout.

use std::path::Path;

use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Result};
use claimctl_core::progress::{Progress, Unit};

use super::fetch::Opened;
use crate::whole_file::WholeFile;

/// Writes beside `path` and renames at the end. Without `overwrite`, a file that is there by then is not touched.
pub async fn to_file(
    opened: Opened,
    path: &Path,
    overwrite: bool,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<()> {
    let mut file = WholeFile::begin(path)?;
    pour(opened, cancel, progress, |bytes| file.write(bytes)).await?;
    file.keep(overwrite)
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
            biased;
            () = cancel.cancelled() => {
                return Err(Error::interrupted(format!("interrupted after {read} of {} bytes of {name}", object.size))
                    .hint("no file was left; run the same command again"));
            }
            piece = body.next() => piece,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::fetch::Object;
    use aws_sdk_s3::primitives::ByteStream;
    use claimctl_core::error::Kind;
    use claimctl_core::exit::Exit;
    use claimctl_core::progress::Silent;

    fn opened(size: u64, bytes: &'static [u8]) -> Opened {
        let object = Object {
            bucket: "b".into(),
            key: "k".into(),
            version_id: None,
            etag: None,
            size,
            content_type: None,
            last_modified: None,
            differs: Vec::new(),
        };
        Opened { object, body: ByteStream::from_static(bytes) }
    }

    #[tokio::test]
    async fn a_file_is_there_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("payload");
        let names =
            || std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
        let go_on = Cancel::default();
        let broken = to_file(opened(10, b"first"), &path, true, &go_on, &Silent).await.unwrap_err();
        assert_eq!((broken.kind(), names().len()), (Kind::Unreachable, 0));
        assert!(broken.to_string().contains("after 5 of 10 bytes"));

        let stopped = Cancel::default();
        stopped.request(Exit::Interrupted);
        let interrupted = to_file(opened(5, b"first"), &path, true, &stopped, &Silent).await.unwrap_err();
        assert_eq!((interrupted.kind(), names().len()), (Kind::Interrupted, 0));

        to_file(opened(5, b"first"), &path, false, &go_on, &Silent).await.unwrap();
        let there = to_file(opened(6, b"second"), &path, false, &go_on, &Silent).await.unwrap_err();
        assert_eq!((there.kind(), std::fs::read(&path).unwrap()), (Kind::Refused, b"first".to_vec()));
        to_file(opened(6, b"second"), &path, true, &go_on, &Silent).await.unwrap();
        assert_eq!((std::fs::read(&path).unwrap(), names().len()), (b"second".to_vec(), 1));
        let nowhere = to_file(opened(1, b"x"), &path.join("below"), false, &go_on, &Silent).await.unwrap_err();
        assert_eq!(nowhere.kind(), Kind::Usage);
    }
}
