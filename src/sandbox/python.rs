//! Finds a Python that the sandbox's server can run on, and says exactly what is missing where there is none.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use claimctl_core::error::{Error, Result};
use tokio::process::Command;

use crate::context::Ctx;

/// The oldest Python that MiniStack runs on (its package metadata, Requires-Python).
const OLDEST: (u32, u32) = (3, 10);
/// What `python3` may be too old for, a second Python beside it may do.
const CANDIDATES: [&str; 6] = ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10"];
/// Prints the version first, so that it is known even when what makes virtual environments is missing.
const PROBE: &str = "import sys; print('%d.%d' % sys.version_info[:2]); sys.stdout.flush(); import venv, ensurepip";

/// A Python that is new enough, and whether it can make a virtual environment by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Python {
    pub program: PathBuf,
    pub version: (u32, u32),
    pub has_venv: bool,
}

enum Probed {
    Found(Python),
    TooOld(u32, u32),
    NotThere,
    /// It is there and does not work: a version manager's shim without a version behind it, for one.
    Broken(String),
}

/// The Python of CLAIMCTL_PYTHON, or the first on the PATH that is new enough.
pub async fn find(ctx: &Ctx) -> Result<Python> {
    if let Some(chosen) = ctx.variable("CLAIMCTL_PYTHON") {
        return match probe(Path::new(chosen)).await {
            Probed::Found(python) => Ok(python),
            bad => Err(explain(chosen, &bad).hint("CLAIMCTL_PYTHON names it: point it at another one, or unset it")),
        };
    }
    let path = ctx.variable("PATH").unwrap_or_default();
    let mut first = None;
    for candidate in CANDIDATES {
        // Every one on the PATH: in front of the system's there may be a shim with no version behind it.
        for folder in std::env::split_paths(path) {
            match probe(&folder.join(candidate)).await {
                Probed::Found(python) => return Ok(python),
                Probed::NotThere => {}
                bad => first = first.or_else(|| Some(explain(candidate, &bad))),
            }
        }
    }
    let error = first.unwrap_or_else(|| explain("python3", &Probed::NotThere));
    Err(error
        .hint(format!("install Python {}.{} or newer: {}", OLDEST.0, OLDEST.1, install_command()))
        .hint("or name one that is not on the PATH: CLAIMCTL_PYTHON=/path/to/python3"))
}

/// The error for a Python that cannot make virtual environments (Debian and Ubuntu ship that part apart).
pub fn without_venv(python: &Python) -> Error {
    let (major, minor) = python.version;
    let program = python.program.display();
    Error::not_found(format!("{program} (Python {major}.{minor}) lacks the modules that make virtual environments"))
        .hint(format!("on Debian and Ubuntu: sudo apt install python{major}.{minor}-venv (or python3-venv)"))
        .hint("or install uv, which needs neither: claimctl uses it when it is on the PATH")
}

async fn probe(program: &Path) -> Probed {
    let output = Command::new(program).args(["-I", "-c", PROBE]).stdin(Stdio::null()).kill_on_drop(true).output().await;
    match output {
        Ok(output) => read_probe(program, &output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Probed::NotThere,
        Err(error) => Probed::Broken(error.to_string()),
    }
}

fn read_probe(program: &Path, output: &Output) -> Probed {
    match version(&String::from_utf8_lossy(&output.stdout)) {
        Some((major, minor)) if (major, minor) < OLDEST => Probed::TooOld(major, minor),
        Some(version) => {
            Probed::Found(Python { program: program.to_owned(), version, has_venv: output.status.success() })
        }
        None => {
            let said = String::from_utf8_lossy(&output.stderr);
            Probed::Broken(if said.is_empty() { output.status.to_string() } else { said.into_owned() })
        }
    }
}

fn version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.trim().split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn explain(name: &str, bad: &Probed) -> Error {
    let (major, minor) = OLDEST;
    match bad {
        Probed::TooOld(old_major, old_minor) => Error::not_found(format!(
            "{name} is Python {old_major}.{old_minor}, and the sandbox needs Python {major}.{minor} or newer"
        )),
        Probed::Broken(said) => Error::not_found(format!("{name} does not work")).caused_by(said.clone()),
        _ => Error::not_found(format!("there is no {name}, and the sandbox runs on Python")),
    }
}

fn install_command() -> &'static str {
    if cfg!(target_os = "macos") { "brew install python3" } else { "sudo apt install python3 python3-venv" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_two_numbers() {
        assert_eq!(version("3.11\n"), Some((3, 11)));
        assert_eq!(version("pyenv: python3: command not found"), None);
        assert_eq!(version(""), None);
    }
}
