//! The sandbox's database: a real MariaDB on loopback, for the stacks that end in one. Nothing of it is there until one
//! of them is brought up.
//!
//! As with the server, the kernel is asked whether it is up: InnoDB holds a lock on its system tablespace for as long as
//! it lives. Its data are the sandbox's: they outlive a kill of it, and go when the sandbox goes.

mod bootstrap;
mod process;
pub mod program;
mod unpack;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::private_files::create_private;
use claimctl_core::progress::Unit;
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;

use self::program::Program;
use super::home::{gone, holder_of};
use crate::context::Ctx;

/// The database that it is made with, as Terraform names the cluster's.
pub const NAME: &str = "claims";
pub const HOST: &str = "127.0.0.1";
const ENDS_WITHIN: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The folder of it, whether it is there or not.
#[derive(Debug, Clone)]
pub struct Database {
    folder: PathBuf,
}

/// What is known of it. The JSON form is a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatabaseStatus {
    pub running: bool,
    pub host: &'static str,
    pub port: u16,
    pub pid: Option<i32>,
}

/// How to reach it.
#[derive(Clone)]
pub struct DatabaseAccess {
    pub port: u16,
    /// What its secret holds: `{"username":…,"password":…}`, as the secret that RDS manages.
    pub secret: String,
}

impl Database {
    pub fn below(folder: &Path) -> Database {
        Database { folder: folder.join("database") }
    }

    /// None: no stack needed one yet.
    pub fn status(&self) -> Result<Option<DatabaseStatus>> {
        let Some(port) = self.port().filter(|_| self.data().exists()) else { return Ok(None) };
        let pid = self.holder()?.map(|pid| pid.as_raw_nonzero().get());
        Ok(Some(DatabaseStatus { running: pid.is_some(), host: HOST, port, pid }))
    }

    /// Brings it up with the data that it has, or makes it, or finds the one that is up.
    pub async fn start(&self, ctx: &Ctx) -> Result<DatabaseAccess> {
        create_private(&self.folder).on("create", &self.folder)?;
        if self.holder()?.is_none() {
            let program = program::find(ctx).await?;
            ctx.progress.start("starting the database", None, Unit::Steps);
            let started = self.begin(&program).await;
            ctx.progress.finish();
            started?;
        }
        self.wait_for_greeting(None).await?;
        let secret = std::fs::read_to_string(self.secret()).on("read", &self.secret())?;
        let port = self.port().ok_or_else(|| Error::unexpected("the port of the database is not known"))?;
        Ok(DatabaseAccess { port, secret })
    }

    /// Ends it and removes its data. There need not be one.
    pub async fn discard(&self) -> Result<()> {
        if let Some(pid) = self.holder()? {
            // Nothing that it could still write would be kept. Fails only where it has ended meanwhile.
            let _ = kill_process(pid, Signal::KILL);
            self.wait_for_end(pid).await?;
        }
        gone(std::fs::remove_dir_all(&self.folder)).on("remove", &self.folder)
    }

    async fn begin(&self, program: &Program) -> Result<()> {
        if !self.data().exists() {
            bootstrap::make(self, program).await?;
        }
        self.run(program).await
    }

    async fn wait_for_end(&self, pid: Pid) -> Result<()> {
        let deadline = Instant::now() + ENDS_WITHIN;
        while self.holder()? == Some(pid) {
            if Instant::now() > deadline {
                let pid = pid.as_raw_nonzero();
                return Err(Error::unexpected(format!("the sandbox's database (pid {pid}) does not end"))
                    .hint(format!("end it by hand: kill -9 {pid}")));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    /// The process that works on the data.
    fn holder(&self) -> Result<Option<Pid>> {
        holder_of(&self.data().join("ibdata1"))
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The JSON text of its secret.
    fn secret(&self) -> PathBuf {
        self.folder.join("secret.json")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("mariadbd.log")
    }

    /// The one that it had last: the function and whoever else is connected knows it by that.
    fn port(&self) -> Option<u16> {
        std::fs::read_to_string(self.port_file()).ok()?.trim().parse().ok()
    }

    fn port_file(&self) -> PathBuf {
        self.folder.join("port")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_that_was_never_needed_is_none_and_can_be_discarded() {
        let state = tempfile::tempdir().unwrap();
        let database = Database::below(state.path());
        assert_eq!(database.status().unwrap(), None);
        database.discard().await.unwrap();
    }

    #[tokio::test]
    async fn one_that_was_killed_is_down_and_goes_with_its_data() {
        let state = tempfile::tempdir().unwrap();
        let database = Database::below(state.path());
        std::fs::create_dir_all(database.data()).unwrap();
        std::fs::write(database.data().join("ibdata1"), "").unwrap();
        std::fs::write(database.port_file(), "3306\n").unwrap();
        let down = DatabaseStatus { running: false, host: HOST, port: 3306, pid: None };
        assert_eq!(database.status().unwrap(), Some(down));
        database.discard().await.unwrap();
        assert_eq!(std::fs::read_dir(state.path()).unwrap().count(), 0);
    }
}
