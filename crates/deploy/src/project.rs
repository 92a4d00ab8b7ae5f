//! What a project declares of its deployments, as values: who reads them from a file is above.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use serde::{Deserialize, Serialize};

/// A project, as far as deploying it goes.
#[derive(Debug, Clone, Default)]
pub struct Project {
    /// The first part of every resource name: `PROJECT-ENV-…`.
    pub name: String,
    /// The folder of claimctl.toml; none outside any project.
    pub folder: Option<PathBuf>,
    pub environments: BTreeMap<String, Declared>,
    pub terraform: Terraform,
    pub functions: BTreeMap<String, Function>,
    pub stacks: BTreeMap<String, Stack>,
}

/// What is declared of an environment's place and its state.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    pub region: String,
    /// An existing bucket for Terraform's state, instead of `PROJECT-tfstate-ACCOUNT-REGION`.
    pub state_bucket: Option<String>,
    /// An existing DynamoDB table for Terraform's locks.
    pub lock_table: Option<String>,
    /// The KMS key that encrypts the state: an ARN, an id or `alias/NAME`.
    pub kms_key: Option<String>,
}

impl Project {
    /// Where stacks are looked for.
    pub fn folder(&self) -> Result<&Path> {
        self.folder.as_deref().ok_or_else(|| {
            Error::usage("there is no claimctl.toml here or above, so no stacks are known")
                .next("change into the project, or make one", Next::verb("init"))
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Terraform {
    pub binary: String,
    pub locking: Locking,
    pub lock_file: LockFile,
}

impl Default for Terraform {
    fn default() -> Self {
        Terraform { binary: "terraform".to_owned(), locking: Locking::Lockfile, lock_file: LockFile::Update }
    }
}

/// Whether `terraform init` may write `.terraform.lock.hcl`, which says by their digests which providers a stack runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LockFile {
    Update,
    /// What is committed holds, and what it does not know is an error: for machines that commit nothing.
    ReadOnly,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Locking {
    /// A file beside the state (Terraform 1.10 or later)
    Lockfile,
    /// A DynamoDB table
    Table,
    /// Both, while moving from one to the other
    Both,
}

impl Locking {
    /// As claimctl.toml spells it.
    pub fn name(self) -> &'static str {
        match self {
            Locking::Lockfile => "lockfile",
            Locking::Table => "table",
            Locking::Both => "both",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Function {
    pub binary: String,
    #[serde(default)]
    pub architecture: Architecture,
    /// Files that lie beside the binary in its zip: their names there, and their paths from claimctl.toml.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, PathBuf>,
}

/// A stack of `terraform/stacks`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Stack {
    /// Stacks that are deployed before it, and destroyed after it.
    #[serde(default)]
    pub depends_on: Vec<String>,
}

/// A processor architecture, named as Lambda names it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    #[default]
    Arm64,
    #[serde(rename = "x86_64")]
    X86_64,
}

impl Architecture {
    /// This machine's, if Lambda has it.
    pub fn host() -> Option<Architecture> {
        match std::env::consts::ARCH {
            "aarch64" => Some(Architecture::Arm64),
            "x86_64" => Some(Architecture::X86_64),
            _ => None,
        }
    }

    /// As Lambda spells it.
    pub fn name(self) -> &'static str {
        match self {
            Architecture::Arm64 => "arm64",
            Architecture::X86_64 => "x86_64",
        }
    }

    /// As Rust spells it, with Lambda's operating system.
    pub fn triple(self) -> &'static str {
        match self {
            Architecture::Arm64 => "aarch64-unknown-linux-gnu",
            Architecture::X86_64 => "x86_64-unknown-linux-gnu",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
