//! Which of cargo's subcommands builds for an architecture: cargo itself for this machine's, and for another one
//! cargo-zigbuild or cargo-lambda, which bring a linker.

use std::path::{Path, PathBuf};

use claimctl_core::error::{Error, Result};

use super::cargo::{Cargo, Compiler};
use super::runtime;
use crate::project::Architecture;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builder {
    Cargo,
    Zigbuild,
    Lambda,
}

impl Builder {
    pub async fn choose(cargo: &Cargo, compiler: &Compiler, architecture: Architecture, folder: &Path) -> Result<Self> {
        let triple = architecture.triple();
        if compiler.host == triple {
            return Ok(Builder::Cargo);
        }
        let mut lacking = Vec::new();
        let cross = Builder::cross(cargo, folder).await?;
        if cross.is_none() {
            lacking.push(
                "install cargo-zigbuild with its linker: pip install cargo-zigbuild (or cargo-lambda)".to_owned(),
            );
        }
        if !compiler.has(triple) {
            lacking.push(format!("install the standard library for it: rustup target add {triple}"));
        }
        match cross {
            Some(cross) if lacking.is_empty() => Ok(cross),
            _ => {
                let error =
                    Error::not_found(format!("this machine ({}) cannot build for {architecture} yet", compiler.host));
                Err(lacking.into_iter().fold(error, Error::hint))
            }
        }
    }

    /// The builder for other machines that is installed, if any is.
    pub async fn cross(cargo: &Cargo, folder: &Path) -> Result<Option<Self>> {
        Ok(if cargo.has("zigbuild", folder).await? {
            Some(Builder::Zigbuild)
        } else if cargo.has("lambda", folder).await? {
            Some(Builder::Lambda)
        } else {
            None
        })
    }

    pub fn subcommand(self) -> &'static [&'static str] {
        match self {
            Builder::Cargo => &["build"],
            Builder::Zigbuild => &["zigbuild"],
            Builder::Lambda => &["lambda", "build"],
        }
    }

    /// The target to name. The builders with a linker of their own also take the GLIBC to link against.
    pub fn target(self, triple: &str) -> String {
        match self {
            Builder::Cargo => triple.to_owned(),
            Builder::Zigbuild | Builder::Lambda => format!("{triple}.{}", runtime::GLIBC),
        }
    }

    pub fn own_arguments(self, target_directory: &Path) -> Vec<PathBuf> {
        match self {
            Builder::Cargo | Builder::Zigbuild => Vec::new(),
            Builder::Lambda => vec!["--lambda-dir".into(), lambda_directory(target_directory)],
        }
    }

    /// Where the binary is after the build.
    pub fn binary(self, target_directory: &Path, triple: &str, profile: &str, name: &str) -> PathBuf {
        match self {
            Builder::Cargo | Builder::Zigbuild => target_directory.join(triple).join(profile).join(name),
            Builder::Lambda => lambda_directory(target_directory).join(name).join("bootstrap"),
        }
    }
}

/// cargo-lambda moves the binary away from where cargo left it.
fn lambda_directory(target_directory: &Path) -> PathBuf {
    target_directory.join("cargo-lambda")
}
