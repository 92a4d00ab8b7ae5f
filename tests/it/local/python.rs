//! A machine without a Python that will do: each lack has an error of its own, with the exact fix.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use crate::run::{Run, Running, claimctl};

/// Puts a program on the PATH that does as the shell lines say.
fn program(home: &TempDir, name: &str, script: &str) {
    let path = home.path().join("bin").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn up(home: &TempDir, python: Option<&Path>) -> Run {
    let artifact = home.path().join("a.zip");
    std::fs::write(&artifact, "").unwrap();
    let mut command = claimctl(home.path());
    command.args(["local", "up", "--artifact"]).arg(artifact);
    command.env("PATH", home.path().join("bin")).env("XDG_CACHE_HOME", home.path().join("cache"));
    command.envs(python.map(|python| ("CLAIMCTL_PYTHON", python)));
    command.run()
}

fn nothing_is_left(home: &TempDir) {
    let left: Vec<_> = std::fs::read_dir(home.path().join("cache/claimctl/sandbox")).unwrap().flatten().collect();
    assert!(left.iter().all(|entry| entry.file_name() == "build.lock"), "{left:?}");
}

#[test]
fn without_python_it_says_what_to_install() {
    let home = tempfile::tempdir().unwrap();
    up(&home, None).fails_with(5, "there is no python3").says("install Python 3.10 or newer").says("CLAIMCTL_PYTHON");
    nothing_is_left(&home);
}

#[test]
fn a_python_that_is_too_old_is_named_with_its_version() {
    let home = tempfile::tempdir().unwrap();
    program(&home, "python3", "echo 3.9");
    up(&home, None).fails_with(5, "python3 is Python 3.9, and the sandbox needs Python 3.10 or newer");
    let chosen = home.path().join("bin/python3");
    up(&home, Some(&chosen)).fails_with(5, "is Python 3.9").says("CLAIMCTL_PYTHON names it");
}

#[test]
fn a_python_without_venv_says_which_package_to_install() {
    let home = tempfile::tempdir().unwrap();
    program(&home, "python3", "echo 3.12; echo \"ModuleNotFoundError: No module named 'ensurepip'\" >&2; exit 1");
    up(&home, None).fails_with(5, "lacks the modules").says("sudo apt install python3.12-venv");
    nothing_is_left(&home);
}

#[test]
fn a_shim_without_a_version_behind_it_is_passed_over() {
    let home = tempfile::tempdir().unwrap();
    program(&home, "python3", "echo 'pyenv: python3: command not found' >&2; exit 127");
    up(&home, None).fails_with(5, "python3 does not work").says("pyenv: python3: command not found");
    program(&home, "python3.11", "echo 3.11; exit 1");
    up(&home, None).fails_with(5, "python3.11 (Python 3.11) lacks the modules");
}

#[test]
fn a_failed_download_shows_what_pip_said_and_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    // Makes a "virtual environment" whose pip cannot reach anything.
    program(
        &home,
        "python3",
        r#"case "$*" in
            *"-m venv"*) for folder; do :; done; mkdir=/bin/mkdir; $mkdir -p "$folder/bin"; /bin/cp "$0" "$folder/bin/python" ;;
            *"-m pip"*) echo "WARNING: Retrying"; echo "ERROR: No matching distribution found for ministack" >&2; exit 1 ;;
            *) echo 3.12 ;;
        esac"#,
    );
    up(&home, None).fails_with(1, "cannot install MiniStack").says("No matching distribution").says("PIP_INDEX_URL");
    nothing_is_left(&home);
}
