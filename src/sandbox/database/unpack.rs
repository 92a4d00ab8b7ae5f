//! The distribution's own packages of MariaDB, unpacked into the cache: nothing is installed, and nobody has to be root.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use claimctl_core::child;
use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::lock;
use claimctl_core::progress::Unit;
use tokio::process::Command;

use super::program::{PROGRAM, Program, missing};
use crate::context::Ctx;

const PACKAGE: &str = "mariadb-server-core";
const LAST_LINES: usize = 4;

/// The server in the cache. It is fetched once, where this machine has apt.
pub async fn ensure(ctx: &Ctx) -> Result<Program> {
    let folder = ctx.paths.cache.join("sandbox");
    let place = folder.join("mariadb");
    if let Some(program) = unpacked(&place) {
        return Ok(program);
    }
    let _lock =
        lock::take(&folder.join("mariadb.lock"), "the database's packages", &*ctx.progress, &ctx.cancel).await?;
    if let Some(program) = unpacked(&place) {
        return Ok(program);
    }
    let building =
        tempfile::Builder::new().prefix(".mariadb-").tempdir_in(&folder).on("create a folder in", &folder)?;
    ctx.progress.start("fetching the packages of MariaDB (once)", None, Unit::Steps);
    let fetched = tokio::select! {
        fetched = fetch(building.path()) => fetched,
        // What is at work ends with its handle, and what it wrote goes with the folder.
        () = ctx.cancel.cancelled() => Err(Error::interrupted("stopped while the packages of MariaDB were fetched")),
    };
    ctx.progress.finish();
    fetched?;
    if place.exists() {
        std::fs::remove_dir_all(&place).on("remove", &place)?;
    }
    std::fs::rename(building.path().join("root"), &place).on("create", &place)?;
    unpacked(&place).ok_or_else(missing)
}

fn unpacked(place: &Path) -> Option<Program> {
    let program = Program::at(&place.join("usr/sbin").join(PROGRAM))?;
    Some(Program { libraries: Some(libraries(place)), ..program })
}

/// The folders of libraries, as LD_LIBRARY_PATH takes them: `usr/lib/x86_64-linux-gnu`, and as is usual elsewhere.
fn libraries(place: &Path) -> OsString {
    let mut folders = Vec::new();
    for base in ["usr/lib", "lib"].map(|base| place.join(base)) {
        let below = std::fs::read_dir(&base).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut found: Vec<PathBuf> = below.filter(|path| path.is_dir()).collect();
        found.sort();
        folders.extend(found);
        folders.push(base);
    }
    std::env::join_paths(folders).unwrap_or_default()
}

/// Asks apt what it would install, which is the package and whatever of its libraries is not there, and unpacks that.
async fn fetch(folder: &Path) -> Result<()> {
    let simulated = apt(folder, &["install", "--simulate", "--no-install-recommends", PACKAGE]).await?;
    let packages: Vec<&str> = simulated.lines().filter_map(to_be_installed).collect();
    if packages.is_empty() {
        return Err(missing());
    }
    apt(folder, &[&["download"], packages.as_slice()].concat()).await?;
    let root = folder.join("root");
    for entry in std::fs::read_dir(folder).on("read", folder)? {
        let package = entry.on("read", folder)?.path();
        if package.extension().is_some_and(|extension| extension == "deb") {
            run(Command::new("dpkg-deb").arg("--extract").arg(&package).arg(&root)).await?;
        }
    }
    Ok(())
}

/// The name in `Inst NAME (VERSION …)`.
fn to_be_installed(line: &str) -> Option<&str> {
    line.strip_prefix("Inst ")?.split(' ').next()
}

async fn apt(folder: &Path, arguments: &[&str]) -> Result<String> {
    run(Command::new("apt-get").args(["--quiet", "--yes"]).args(arguments).current_dir(folder)).await
}

/// What the command says; where it fails, there is no MariaDB, and that is why.
async fn run(command: &mut Command) -> Result<String> {
    let output = child::output(command.env("LC_ALL", "C")).await.map_err(|_| missing())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<_> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n");
    let missing = missing().caused_by(last);
    match said.contains("Unable to locate package") || said.contains("no installation candidate") {
        true => Err(missing.hint("or let apt know of it, then run the same command again: sudo apt-get update")),
        false => Err(missing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packages_are_those_that_apt_would_install() {
        let said = "Reading package lists...\nInst libaio1 (0.3.113-4 Debian:12/stable [amd64])\n\
                    Inst mariadb-server-core [1:10] (1:10.11 Debian [amd64])\nConf libaio1 (0.3.113-4 Debian)\n";
        let packages: Vec<_> = said.lines().filter_map(to_be_installed).collect();
        assert_eq!(packages, ["libaio1", "mariadb-server-core"]);
    }

    #[test]
    fn libraries_are_looked_for_wherever_packages_put_them() {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(place.path().join("usr/lib/aarch64-linux-gnu")).unwrap();
        let found = libraries(place.path());
        let first = std::env::split_paths(&found).next().unwrap();
        assert_eq!(first, place.path().join("usr/lib/aarch64-linux-gnu"));
    }
}
