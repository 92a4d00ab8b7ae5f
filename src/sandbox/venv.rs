//! The cached virtual environment of the server: made once per set of requirements, whole or not at all.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::process::Command;

use super::lock;
use super::python::{self, Python};
use crate::context::Ctx;
use crate::error::{Error, IoContext, Result};
use crate::progress::Unit;

const REQUIREMENTS: &str = include_str!("requirements.txt");
const LAUNCHER: &str = include_str!("launcher.py");
const BUILD_PREFIX: &str = ".build-";
/// Variables that would send packages elsewhere than into the virtual environment, or change what is run.
const MISLEADING: [&str; 5] = ["PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PYTHONHOME", "PYTHONPATH"];
/// So much of what an installer said is shown when it fails.
const LAST_LINES: usize = 6;

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
    let _lock = lock::take(&folder.join("build.lock"), &*ctx.progress, &ctx.cancel).await?;
    if let Some(venv) = Venv::in_place(&place) {
        return Ok(venv);
    }
    remove_abandoned(&folder)?;
    let building =
        tempfile::Builder::new().prefix(BUILD_PREFIX).tempdir_in(&folder).on("create a folder in", &folder)?;
    ctx.progress.start("preparing the sandbox (once)", None, Unit::Steps);
    let built = tokio::select! {
        built = build(ctx, building.path()) => built,
        () = ctx.cancel.cancelled() => Err(interrupted()),
    };
    ctx.progress.finish();
    // A child that got the same Ctrl-C fails for that reason and no other.
    built.map_err(|error| if ctx.cancel.is_cancelled() { interrupted() } else { error })?;
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

fn interrupted() -> Error {
    Error::interrupted("stopped while the sandbox was prepared: nothing is left of it")
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
    match with_uv(&python, folder, &requirements).await {
        Some(Ok(())) => Ok(()),
        Some(Err(error)) if !python.has_venv => Err(error),
        // uv does not read pip's configuration, which may be what knows the way to the packages.
        Some(Err(_)) => with_pip(&python, folder, &requirements).await,
        None if python.has_venv => with_pip(&python, folder, &requirements).await,
        None => Err(python::without_venv(&python)),
    }
}

async fn with_pip(python: &Python, folder: &Path, requirements: &Path) -> Result<()> {
    let mut make = Command::new(&python.program);
    make.args(["-I", "-m", "venv", "--clear"]).arg(folder.join("venv"));
    run(make, "make a virtual environment", folder).await?;
    let mut install = Command::new(folder.join("venv/bin/python"));
    install
        .args(["-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--no-user"])
        .args(["--require-hashes", "--only-binary", ":all:", "-r"])
        .arg(requirements);
    run(install, "install MiniStack", folder).await
}

/// None where there is no uv.
async fn with_uv(python: &Python, folder: &Path, requirements: &Path) -> Option<Result<()>> {
    let mut make = Command::new("uv");
    make.args(["venv", "--quiet", "--no-project", "--python"]).arg(&python.program).arg(folder.join("venv"));
    let mut install = Command::new("uv");
    install
        .args(["pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:", "--compile-bytecode"])
        .arg("--python")
        .arg(folder.join("venv/bin/python"))
        .arg("-r")
        .arg(requirements);
    let there = Command::new("uv").arg("--version").stdin(Stdio::null()).output().await.is_ok();
    if !there {
        return None;
    }
    Some(match run(make, "make a virtual environment", folder).await {
        Ok(()) => run(install, "install MiniStack", folder).await,
        failed => failed,
    })
}

async fn run(mut command: Command, doing: &str, folder: &Path) -> Result<()> {
    for name in MISLEADING {
        command.env_remove(name);
    }
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = output.map_err(|error| Error::unexpected(format!("cannot {doing}")).caused_by(error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(explain(doing, &String::from_utf8_lossy(&said), folder))
}

fn explain(doing: &str, said: &str, folder: &Path) -> Error {
    let last: Vec<_> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = last[last.len().saturating_sub(LAST_LINES)..].join("\n");
    let tells = |texts: &[&str]| texts.iter().any(|text| said.contains(text));
    if tells(&["No space left on device", "os error 28", "Disk quota exceeded"]) {
        let place = folder.parent().unwrap_or(folder).display();
        return Error::unexpected(format!("cannot {doing}: the disk of {place} is full"))
            .hint("free about 100 MB there, or point CLAIMCTL_HOME at a folder on another disk");
    }
    let error = Error::unexpected(format!("cannot {doing}")).caused_by(last);
    if tells(&["THESE PACKAGES DO NOT MATCH THE HASHES", "Hash mismatch"]) {
        return error
            .hint("the package index served other files than the ones claimctl was tested with: check the mirror");
    }
    error
        .hint("the first start downloads about 20 MB from the Python package index: check the network and the proxy")
        .hint("a mirror is used when pip is configured for it (PIP_INDEX_URL, PIP_CERT, pip.conf)")
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
        assert!(error.hints()[0].contains("CLAIMCTL_HOME"));
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
