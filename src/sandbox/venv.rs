//! The cached virtual environment of the server: made once per set of requirements, whole or not at all.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Stdio;

use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, IoContext, Kind, Result};
use claimctl_core::lock;
use claimctl_core::progress::Unit;
use rustix::process::{Pid, Signal, kill_process_group};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::process::Command;

use super::python::{self, Python};
use crate::context::Ctx;

const REQUIREMENTS: &str = include_str!("requirements.txt");
const LAUNCHER: &str = include_str!("launcher.py");
const BUILD_PREFIX: &str = ".build-";
/// Variables that would send packages elsewhere than into the virtual environment, or change what is run.
const MISLEADING: [&str; 5] = ["PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PYTHONHOME", "PYTHONPATH"];
/// So much of what an installer said is shown when it fails.
const LAST_LINES: usize = 6;
/// A disk with less room than this, in bytes, is what made the installer fail.
const FULL_BELOW: u64 = 4 << 20;
const MAKE: &str = "make a virtual environment";
const INSTALL: &str = "install MiniStack";

/// What the server is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Venv {
    pub python: PathBuf,
    pub launcher: PathBuf,
}

/// The virtual environment from the cache; made first where it is not there, or no longer works.
pub async fn ensure(ctx: &Ctx) -> Result<Venv> {
    let folder = ctx.paths.cache.join("sandbox");
    let place = folder.join(format!("ministack-{}", fingerprint()));
    if let Some(venv) = Venv::in_place(&place) {
        return Ok(venv);
    }
    let _lock = lock::take(&folder.join("build.lock"), "the sandbox", &*ctx.progress, &ctx.cancel).await?;
    if let Some(venv) = Venv::in_place(&place) {
        return Ok(venv);
    }
    remove_abandoned(&folder)?;
    let building =
        tempfile::Builder::new().prefix(BUILD_PREFIX).tempdir_in(&folder).on("create a folder in", &folder)?;
    ctx.progress.start("preparing the sandbox (once)", None, Unit::Steps);
    let built = build(ctx, building.path()).await;
    ctx.progress.finish();
    built?;
    put_in_place(building, &place)?;
    Venv::in_place(&place).ok_or_else(|| {
        Error::unexpected("the virtual environment was made and does not work")
            .hint(format!("remove {}", place.display()))
    })
}

impl Venv {
    fn in_place(place: &Path) -> Option<Venv> {
        // A link to a Python that was uninstalled does not exist.
        let venv = Venv { python: place.join("venv/bin/python"), launcher: place.join("launcher.py") };
        (venv.python.exists() && venv.launcher.exists()).then_some(venv)
    }
}

/// Names the cache entry: another claimctl may want other packages, or start them in another way.
fn fingerprint() -> String {
    let digest = Sha256::new().chain_update(REQUIREMENTS).chain_update(LAUNCHER).finalize();
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// What a killed run left. Only the holder of the lock builds, so that nobody needs it. Its installer may still be
/// writing there: what cannot be removed now, the next build removes.
fn remove_abandoned(folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(folder).on("read", folder)? {
        let path = entry.on("read", folder)?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(BUILD_PREFIX)) {
            let _ = std::fs::remove_dir_all(&path);
        }
    }
    Ok(())
}

/// The scripts in `bin` know the folder they were made in and are not used; Python itself finds its folder anew.
fn put_in_place(building: TempDir, place: &Path) -> Result<()> {
    if place.exists() {
        std::fs::remove_dir_all(place).on("remove", place)?;
    }
    std::fs::rename(building.keep(), place).on("create", place)
}

async fn build(ctx: &Ctx, folder: &Path) -> Result<()> {
    let requirements = folder.join("requirements.txt");
    let launcher = folder.join("launcher.py");
    std::fs::write(&requirements, REQUIREMENTS).on("write", &requirements)?;
    std::fs::write(&launcher, LAUNCHER).on("write", &launcher)?;
    let python = python::find(ctx).await?;
    let installer = Installer { python, folder, requirements, cancel: &ctx.cancel };
    match installer.uv().await {
        Some(Err(error)) if error.kind() == Kind::Interrupted || !installer.python.has_venv => Err(error),
        // uv does not read pip's configuration, which may be what knows the way to the packages.
        Some(Err(_)) => installer.pip().await,
        Some(Ok(())) => Ok(()),
        None if installer.python.has_venv => installer.pip().await,
        None => Err(python::without_venv(&installer.python)),
    }
}

struct Installer<'a> {
    python: Python,
    folder: &'a Path,
    requirements: PathBuf,
    cancel: &'a Cancel,
}

impl Installer<'_> {
    async fn pip(&self) -> Result<()> {
        let mut make = Command::new(&self.python.program);
        make.args(["-I", "-m", "venv", "--clear"]).arg(self.folder.join("venv"));
        self.run(make, MAKE).await?;
        let mut install = Command::new(self.folder.join("venv/bin/python"));
        install
            .args(["-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--no-user"])
            // Python compiles what it uses when it first does; all of it takes longer.
            .args(["--no-compile", "--require-hashes", "--only-binary", ":all:", "-r"])
            .arg(&self.requirements);
        self.run(install, INSTALL).await
    }

    /// None where there is no uv.
    async fn uv(&self) -> Option<Result<()>> {
        Command::new("uv").arg("--version").stdin(Stdio::null()).output().await.ok()?;
        let mut make = Command::new("uv");
        make.args(["venv", "--quiet", "--no-project", "--python"]).arg(&self.python.program);
        make.arg(self.folder.join("venv"));
        let mut install = Command::new("uv");
        install
            .args(["pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:", "--python"])
            .arg(self.folder.join("venv/bin/python"))
            .arg("-r")
            .arg(&self.requirements);
        Some(match self.run(make, MAKE).await {
            Ok(()) => self.run(install, INSTALL).await,
            failed => failed,
        })
    }

    async fn run(&self, mut command: Command, doing: &str) -> Result<()> {
        for name in MISLEADING {
            command.env_remove(name);
        }
        let failed = |error| Error::unexpected(format!("cannot {doing}")).caused_by(error);
        // What is unpacked on the way goes the way of the rest, and a full disk is this one.
        command.env("TMPDIR", self.folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Installers start children of their own; as a group they can be ended together.
        let child = command.process_group(0).spawn().map_err(failed)?;
        let group = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        let mut ended = pin!(child.wait_with_output());
        let output = tokio::select! {
            output = &mut ended => output.map_err(failed)?,
            () = self.cancel.cancelled() => {
                if let Some(group) = group {
                    // Fails only when all have ended by themselves.
                    let _ = kill_process_group(group, Signal::KILL);
                }
                let _ = ended.await;
                return Err(Error::interrupted("stopped while the sandbox was prepared: nothing is left of it"));
            }
        };
        if output.status.success() {
            return Ok(());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(explain(doing, &String::from_utf8_lossy(&said), self.folder))
    }
}

fn explain(doing: &str, said: &str, folder: &Path) -> Error {
    let last: Vec<_> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = last[last.len().saturating_sub(LAST_LINES)..].join("\n");
    let tells = |texts: &[&str]| texts.iter().any(|text| said.contains(text));
    if is_full(folder) || tells(&["No space left on device", "os error 28", "Disk quota exceeded"]) {
        let place = folder.parent().unwrap_or(folder).display();
        return Error::unexpected(format!("cannot {doing}: the disk of {place} is full"))
            .hint("free about 150 MB there, or point CLAIMCTL_HOME at a folder on another disk");
    }
    let error = Error::unexpected(format!("cannot {doing}")).caused_by(last);
    if tells(&["THESE PACKAGES DO NOT MATCH THE HASHES", "Hash mismatch"]) {
        return error.hint("the package index served other files than the ones that are pinned: check the mirror");
    }
    error
        .hint("the first start downloads about 20 MB from the Python package index: check the network and the proxy")
        .hint("a mirror is used when pip is configured for it (PIP_INDEX_URL, PIP_CERT, pip.conf)")
}

/// Installers do not always say why they failed.
fn is_full(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < FULL_BELOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_requirement_is_pinned_and_hashed() {
        let lines: Vec<_> = REQUIREMENTS.lines().filter(|line| !line.starts_with('#')).collect();
        let packages = lines.iter().filter(|line| line.contains("==")).count();
        assert!(packages > 15);
        for pair in lines.windows(2).filter(|pair| pair[0].contains("==")) {
            assert!(pair[1].trim().starts_with("--hash=sha256:"), "{}", pair[0]);
        }
        assert!(REQUIREMENTS.contains("ministack==1.5.33"));
        assert!(!REQUIREMENTS.contains("://"));
    }

    #[test]
    fn a_full_disk_names_the_folder_and_the_way_out() {
        let error =
            explain("install MiniStack", "ERROR: [Errno 28] No space left on device", Path::new("/c/sandbox/.build-x"));
        assert!(error.to_string().contains("/c/sandbox is full"), "{error}");
        assert!(error.advice().contains("CLAIMCTL_HOME"));
    }

    #[test]
    fn a_failed_download_shows_the_last_lines_and_no_more() {
        let said: String = (0..50).map(|line| format!("line {line}\n")).collect();
        let chain = explain("install MiniStack", &said, Path::new("/c")).chain();
        assert_eq!(chain[1].lines().count(), LAST_LINES);
        assert!(chain[1].ends_with("line 49"));
    }

    #[test]
    fn what_a_killed_build_left_is_removed_and_the_rest_kept() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join(".build-abc/venv")).unwrap();
        std::fs::create_dir_all(folder.path().join("ministack-1")).unwrap();
        remove_abandoned(folder.path()).unwrap();
        assert!(!folder.path().join(".build-abc").exists() && folder.path().join("ministack-1").exists());
    }
}
