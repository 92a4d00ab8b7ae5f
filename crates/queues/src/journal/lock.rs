//! Who is at work: a lock that a run holds while its process lives. The kernel lets go of it, whatever ends the
//! process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use claimctl_core::error::{IoContext, Result};
use claimctl_core::private_files::create_private;

/// The folder of the locks, one file a run.
#[derive(Debug, Clone)]
pub struct Locks(PathBuf);

/// Held until dropped.
#[derive(Debug)]
pub struct HeldLock {
    _file: File,
}

/// Who only looks holds the lock for microseconds; who works, for long.
const LOOKS: u32 = 20;
const LOOK_AGAIN: Duration = Duration::from_millis(5);

impl Locks {
    pub fn beside(journal: &Path) -> Self {
        Locks(journal.with_file_name("runs"))
    }

    /// None: another process holds it.
    pub fn take(&self, id: &str) -> Result<Option<HeldLock>> {
        create_private(&self.0).on("create", &self.0)?;
        let path = self.path(id);
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path).on("open", &path)?;
        for _ in 0..LOOKS {
            match file.try_lock() {
                Ok(()) => return Ok(Some(HeldLock { _file: file })),
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK_AGAIN),
                Err(TryLockError::Error(error)) => return Err(error).on("lock", &path),
            }
        }
        Ok(None)
    }

    /// Whether a process works on this run.
    pub fn is_held(&self, id: &str) -> Result<bool> {
        let path = self.path(id);
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            file => file.on("open", &path)?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error).on("lock", &path),
        }
    }

    /// Only of a run that is removed or done: another one may already wait for the file.
    pub fn remove(&self, id: &str) -> Result<()> {
        let path = self.path(id);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.on("remove", &path),
        }
    }

    fn path(&self, id: &str) -> PathBuf {
        self.0.join(format!("{id}.lock"))
    }
}
