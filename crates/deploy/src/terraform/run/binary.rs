//! The program: Terraform or OpenTofu, of a version that can do what is asked of it.

use std::path::{Path, PathBuf};

use claimctl_core::child;
use claimctl_core::context::Context;
use claimctl_core::error::{Error, Kind, Result};
use serde::Deserialize;

use crate::project::Project;
use crate::terraform::run::shell::{self, version_command};
use crate::terraform::run::words::{document, plain};

/// The first with lock files in S3 (Terraform documentation, "Backend Type: s3", use_lockfile).
const LEAST: (u64, u64) = (1, 10);
const INSTALL: &str = "install Terraform 1.10 or later, or OpenTofu and set binary = \"tofu\" under [terraform] in \
                       claimctl.toml";

#[derive(Debug, Clone)]
pub struct Binary {
    /// As it is declared.
    pub program: String,
    /// What is started.
    pub path: PathBuf,
    pub version: String,
}

/// What `version -json` says; OpenTofu uses the same key.
#[derive(Deserialize)]
struct Version {
    terraform_version: String,
}

impl Binary {
    /// Asks the program that the project declares for its version. Each time: what is found on the PATH may be a version
    /// manager's, which is the same file whatever version it starts in this folder.
    pub async fn find(ctx: &Context, project: &Project, folder: &Path) -> Result<Binary> {
        let program = project.terraform.binary.clone();
        let mut command = version_command(ctx, &program, folder);
        let answer = child::output(&mut command).await.map_err(|error| match error.kind() {
            Kind::NotFound => error.hint(INSTALL),
            _ => error,
        })?;
        let said = [answer.stdout, answer.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
        let version = version_in(&said[0]).ok_or_else(|| {
            let lines = said.iter().flat_map(|said| said.lines()).map(plain).filter(|line| !line.trim().is_empty());
            Error::usage(format!("{program} does not say which version of Terraform it is"))
                .details(lines.take(10))
                .hint(INSTALL)
        })?;
        if parts(&version) < LEAST {
            return Err(Error::usage(format!("{program} is version {version}, and 1.10 is the least")).hint(INSTALL));
        }
        Ok(Binary { path: shell::program(ctx, &program), program, version })
    }
}

/// The version that `version -json` names, whatever a program in front of Terraform says besides.
pub fn version_in(said: &str) -> Option<String> {
    let version = serde_json::from_str::<Version>(document(said).0?).ok()?;
    Some(version.terraform_version)
}

/// Major and minor; nothing where they cannot be read.
fn parts(version: &str) -> (u64, u64) {
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        for (version, is_enough) in
            [("1.10.0", true), ("1.9.8", false), ("2.0.0-beta1", true), ("0.15", false), ("", false), ("new", false)]
        {
            assert_eq!(parts(version) >= LEAST, is_enough, "{version}");
        }
    }
}
