//! The program: Terraform or OpenTofu, of a version that can do what is asked of it.

use claimctl_core::child;
use claimctl_core::error::{Error, Kind, Result};
use serde::Deserialize;
use tokio::process::Command;

use crate::project::Project;

/// The first with lock files in S3 (Terraform documentation, "Backend Type: s3", use_lockfile).
const LEAST: (u64, u64) = (1, 10);
const INSTALL: &str = "install Terraform 1.10 or later, or OpenTofu and set binary = \"tofu\" under [terraform] in \
                       claimctl.toml";

#[derive(Debug, Clone)]
pub struct Binary {
    pub program: String,
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
    pub async fn find(project: &Project) -> Result<Binary> {
        let program = project.terraform.binary.clone();
        let mut command = Command::new(&program);
        command.args(["version", "-json"]).env("CHECKPOINT_DISABLE", "1");
        let answer = child::output(&mut command).await.map_err(|error| match error.kind() {
            Kind::NotFound => error.hint(INSTALL),
            _ => error,
        })?;
        let version = serde_json::from_slice::<Version>(&answer.stdout)
            .map_err(|_| {
                let said = String::from_utf8_lossy(&answer.stderr).into_owned();
                Error::usage(format!("{program} does not say which version of Terraform it is"))
                    .details(said.lines().take(10))
                    .hint(INSTALL)
            })?
            .terraform_version;
        if parts(&version) < LEAST {
            return Err(Error::usage(format!("{program} is version {version}, and 1.10 is the least")).hint(INSTALL));
        }
        Ok(Binary { program, version })
    }
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
