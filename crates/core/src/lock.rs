//! A lock on a file, for what only one run of claimctl may do at a time. It ends with the process that holds it.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::cancel::Cancel;
use crate::error::{Error, IoContext, Result};
use crate::private_files::create_private;
use crate::progress::Progress;

/// Held until dropped.
pub struct Lock {
    file: File,
}

impl Lock {
    /// The same lock for a child: it is held until both are done with it.
    pub fn share(&self) -> std::io::Result<File> {
        self.file.try_clone()
    }
}

const LOOK_EVERY: Duration = Duration::from_millis(20);
const NOTE_AFTER: Duration = Duration::from_secs(1);

/// Waits for the lock; says so when that takes long. `busy` reads like "the sandbox".
pub async fn take(path: &Path, busy: &str, progress: &dyn Progress, cancel: &Cancel) -> Result<Lock> {
    if let Some(folder) = path.parent() {
        create_private(folder).on("create", folder)?;
    }
    let file = File::options().create(true).truncate(false).write(true).open(path).on("open", path)?;
    let began = Instant::now();
    let mut noted = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Lock { file }),
            Err(TryLockError::Error(error)) => return Err(error).on("lock", path),
            Err(TryLockError::WouldBlock) => {}
        }
        if cancel.is_cancelled() {
            return Err(Error::interrupted(format!("stopped while another claimctl was busy with {busy}")));
        }
        if !noted && began.elapsed() > NOTE_AFTER {
            progress.note(&format!("another claimctl is busy with {busy}: waiting for it"));
            noted = true;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Whether a run holds the lock now. A file that cannot be looked at is held by nobody that is known.
pub fn is_held(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}
