//! The folder of one sandbox: which files are in it, and what they say about the server.

use std::fs::File;
use std::path::{Path, PathBuf};

use claimctl_core::error::{Error, IoContext, Result};
use rustix::process::{Flock, FlockType, Pid, fcntl_getlk};
use serde::{Deserialize, Serialize};

/// What the launcher writes into `server.json` once the server's port is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    pub pid: i32,
    pub port: u16,
    pub endpoint: String,
    /// Of MiniStack.
    pub version: String,
    /// RFC 3339, UTC.
    pub started_at: String,
}

/// What is known about the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    Down,
    /// A server was up and ended without being told to.
    Died(Server),
    /// The process lives and has not said yet where it listens.
    Starting(Pid),
    Up(Server),
    /// The process lives and does not answer. Only told by [`Sandbox::ask`](super::Sandbox::ask).
    Stuck(Server),
}

#[derive(Debug, Clone)]
pub struct Home {
    folder: PathBuf,
}

impl Home {
    pub fn at(state: &Path) -> Self {
        Home { folder: state.join("sandbox") }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The lock of whoever starts, stops or changes the sandbox.
    pub fn turn(&self) -> PathBuf {
        self.folder.join("turn.lock")
    }

    pub fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    /// Asks the kernel who holds the server's lock, and the file what that process said of itself.
    pub fn look(&self) -> Result<Look> {
        let holder = self.holder()?;
        let said = self.said()?;
        Ok(match (holder, said) {
            (None, None) => Look::Down,
            (None, Some(server)) => Look::Died(server),
            (Some(pid), Some(server)) if server.pid == pid.as_raw_nonzero().get() => Look::Up(server),
            (Some(pid), _) => Look::Starting(pid),
        })
    }

    /// Removes what a server that is gone has left.
    pub fn clear(&self) -> Result<()> {
        let said = self.folder.join("server.json");
        let scratch = self.folder.join("scratch");
        gone(std::fs::remove_file(&said)).on("remove", &said)?;
        gone(std::fs::remove_dir_all(&scratch)).on("remove", &scratch)
    }

    /// Opens an empty log and keeps the one before.
    pub fn new_log(&self) -> Result<File> {
        let log = self.log();
        gone(std::fs::rename(&log, self.folder.join("server.log.1"))).on("rename", &log)?;
        File::create(&log).on("create", &log)
    }

    /// The process that holds the server's lock.
    pub fn holder(&self) -> Result<Option<Pid>> {
        holder_of(&self.folder.join("server.lock"))
    }

    fn said(&self) -> Result<Option<Server>> {
        let path = self.folder.join("server.json");
        match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            // The launcher writes it whole; what cannot be read is not its work and says nothing.
            bytes => Ok(serde_json::from_slice(&bytes.on("read", &path)?).ok()),
        }
    }
}

/// The process that holds a lock on the file, by the kernel's word.
pub fn holder_of(path: &Path) -> Result<Option<Pid>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file.on("open", path)?,
    };
    let held = fcntl_getlk(&file, &Flock::from(FlockType::WriteLock)).map_err(std::io::Error::from);
    match held.on("ask for the lock on", path)? {
        None => Ok(None),
        Some(Flock { pid: Some(pid), .. }) => Ok(Some(pid)),
        Some(Flock { pid: None, .. }) => {
            Err(Error::refused("the sandbox belongs to a process that cannot be seen from here")
                .hint("it was started in another container: use it from there, or set CLAIMCTL_HOME here"))
        }
    }
}

/// What was to be removed is, or was not there.
pub fn gone(removed: std::io::Result<()>) -> std::io::Result<()> {
    match removed {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home_that_says(pid: i32) -> (tempfile::TempDir, Home) {
        let state = tempfile::tempdir().unwrap();
        let home = Home::at(state.path());
        std::fs::create_dir_all(home.folder()).unwrap();
        let server = Server {
            pid,
            port: 1,
            endpoint: "http://127.0.0.1:1".to_owned(),
            version: "1.5.33".to_owned(),
            started_at: "2026-01-01T00:00:00Z".to_owned(),
        };
        std::fs::write(home.folder().join("server.json"), serde_json::to_vec(&server).unwrap()).unwrap();
        (state, home)
    }

    #[test]
    fn an_empty_folder_is_down() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(Home::at(state.path()).look().unwrap(), Look::Down);
    }

    #[test]
    fn a_number_that_now_belongs_to_another_process_is_not_the_server() {
        let (_state, home) = home_that_says(std::process::id().cast_signed());
        std::fs::write(home.folder().join("server.lock"), "").unwrap();
        assert!(matches!(home.look().unwrap(), Look::Died(_)));
    }

    #[test]
    fn what_a_dead_server_left_is_cleared() {
        let (_state, home) = home_that_says(1);
        std::fs::create_dir_all(home.folder().join("scratch/below")).unwrap();
        home.clear().unwrap();
        assert_eq!(home.look().unwrap(), Look::Down);
        home.clear().unwrap();
    }

    #[test]
    fn the_log_of_the_run_before_is_kept() {
        let (_state, home) = home_that_says(1);
        std::fs::write(home.log(), "before").unwrap();
        home.new_log().unwrap();
        assert_eq!(std::fs::read_to_string(home.log()).unwrap(), "");
        assert_eq!(std::fs::read_to_string(home.folder().join("server.log.1")).unwrap(), "before");
    }
}
