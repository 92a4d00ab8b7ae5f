//! Finds a MariaDB server on this machine, with the files that it cannot do without, or says what is missing.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use claimctl_core::error::{Error, Result};

use super::unpack;
use crate::context::Ctx;

pub const PROGRAM: &str = "mariadbd";
/// Names one that is elsewhere.
const VARIABLE: &str = "CLAIMCTL_MARIADBD";
/// Where distributions put it; a user's PATH often has none of these.
const FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/libexec", "/usr/local/sbin"];
/// Of the folder that it was installed into, and the names that the file has had.
const SHARED: [&str; 4] = ["share/mysql", "share/mariadb", "../share/mysql", "../share/mariadb"];
const SYSTEM_TABLES: [&str; 2] = ["mysql_system_tables.sql", "mariadb_system_tables.sql"];

/// Small, and as durable as it has to be: what is committed outlives a kill. `max_allowed_packet` and the time zone are
/// Aurora's (Aurora MySQL version 3), which a handler must get along with.
const SETTINGS: [&str; 9] = [
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=32M",
    "--innodb-flush-log-at-trx-commit=1",
    "--skip-log-bin",
    "--skip-performance-schema",
    "--max-allowed-packet=64M",
    "--default-time-zone=+00:00",
    "--character-set-server=utf8mb4",
    "--collation-server=utf8mb4_bin",
];

/// A server that can be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    pub path: PathBuf,
    /// The SQL that makes the tables that every MariaDB has.
    pub system_tables: PathBuf,
    /// Where the libraries are that came with it.
    pub libraries: Option<OsString>,
}

impl Program {
    /// None where the server, or what belongs to it, is not there.
    pub fn at(path: &Path) -> Option<Program> {
        let path = path.canonicalize().ok().filter(|path| path.is_file())?;
        let installed = path.parent()?.parent()?;
        let mut files = SHARED.iter().flat_map(|shared| SYSTEM_TABLES.map(|name| installed.join(shared).join(name)));
        let system_tables = files.find(|file| file.is_file())?;
        Some(Program { path, system_tables, libraries: None })
    }

    /// A server on these data, with nothing of what the machine's configuration says.
    pub fn command(&self, data: &Path) -> Command {
        let mut command = Command::new(&self.path);
        let with = |flag: &str, value: &Path| {
            let mut argument = OsString::from(flag);
            argument.push(value);
            argument
        };
        command.arg("--no-defaults").arg(with("--datadir=", data)).arg(with("--tmpdir=", data)).args(SETTINGS);
        if let Some(shared) = self.system_tables.parent() {
            command.arg(with("--lc-messages-dir=", shared));
            command.arg(with("--character-sets-dir=", &shared.join("charsets")));
        }
        // As root it works only where it is told to.
        if rustix::process::geteuid().is_root() {
            command.arg("--user=root");
        }
        command.env_clear().env("TZ", "UTC");
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
    }
}

/// The server of CLAIMCTL_MARIADBD, of this machine, or of the cache; put into the cache where apt can.
pub async fn find(ctx: &Ctx) -> Result<Program> {
    if let Some(chosen) = ctx.variable(VARIABLE) {
        let missing = match Path::new(chosen).is_file() {
            true => format!("{chosen} comes without its share folder, where {} is", SYSTEM_TABLES[0]),
            false => format!("{chosen} is not there"),
        };
        return Program::at(Path::new(chosen)).ok_or_else(|| {
            Error::not_found(missing).hint(format!("{VARIABLE} names it: point it at {PROGRAM}, or unset it"))
        });
    }
    let path = ctx.variable("PATH").unwrap_or_default();
    let folders = std::env::split_paths(path).chain(FOLDERS.iter().map(PathBuf::from));
    for folder in folders {
        if let Some(program) = Program::at(&folder.join(PROGRAM)) {
            return Ok(program);
        }
    }
    unpack::ensure(ctx).await
}

/// The error where there is none.
pub fn missing() -> Error {
    let install = match cfg!(target_os = "macos") {
        true => "brew install mariadb",
        false => "sudo apt install mariadb-server-core",
    };
    Error::not_found(format!("there is no {PROGRAM}, and the stack's database in the sandbox is a MariaDB"))
        .hint(format!("install it, without starting it as a service: {install}"))
        .hint(format!("or name one that is elsewhere: {VARIABLE}=/path/to/{PROGRAM}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_one_only_with_what_belongs_to_it() {
        let machine = tempfile::tempdir().unwrap();
        let server = machine.path().join("usr/sbin/mariadbd");
        assert_eq!(Program::at(&server), None);
        std::fs::create_dir_all(server.parent().unwrap()).unwrap();
        std::fs::write(&server, "").unwrap();
        assert_eq!(Program::at(&server), None);
        let tables = machine.path().join("usr/share/mysql/mysql_system_tables.sql");
        std::fs::create_dir_all(tables.parent().unwrap()).unwrap();
        std::fs::write(&tables, "").unwrap();
        assert_eq!(Program::at(&server).unwrap().system_tables, tables.canonicalize().unwrap());
    }

    #[test]
    fn without_one_the_package_and_the_variable_are_named() {
        let advice = missing().advice();
        assert!(advice.contains("CLAIMCTL_MARIADBD=/path/to/mariadbd"), "{advice}");
        assert!(advice.contains(" install mariadb"), "{advice}");
    }
}
