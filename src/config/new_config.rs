//! A new claimctl.toml: commented, checked before it is written, and never over one that is there.

use std::fmt::Write as _;
use std::fs::{File, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use claimctl_core::error::{Error, IoContext, Result};
use serde_json::Value;

use super::{Backend, Config, Locking};

/// What a new configuration says.
#[derive(Debug, Clone)]
pub struct NewConfig {
    pub project: String,
    pub locking: Locking,
    pub environments: Vec<NewEnvironment>,
}

#[derive(Debug, Clone, Default)]
pub struct NewEnvironment {
    pub name: String,
    pub region: String,
    pub account: Option<String>,
    pub profile: Option<String>,
    pub protected: bool,
    /// The backend whose bucket and table are the environment's.
    pub adopted: Option<Backend>,
}

impl NewConfig {
    /// Writes the file whole or not at all.
    pub fn save(&self, path: &Path) -> Result<()> {
        let text = self.text();
        Config::parse(&text, path).1.into_result()?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new()
            .prefix(".claimctl.toml")
            // As any file of the repository; the umask takes away what the operator wants to keep private.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)
            .on("write into", folder)?;
        file.write_all(text.as_bytes()).on("write", path)?;
        file.as_file().sync_all().on("write", path)?;
        file.persist_noclobber(path).map_err(|error| match error.error.kind() {
            ErrorKind::AlreadyExists => already_there(path),
            _ => Error::unexpected(format!("cannot write {}", path.display())).caused_by(error.error),
        })?;
        File::open(folder).and_then(|folder| folder.sync_all()).on("write into", folder)
    }

    fn text(&self) -> String {
        let locking = Value::from(self.locking.name());
        let mut text = format!(
            "# The configuration of claimctl; every key is described in its guide, docs/configuration.md.\n\
             # Look at what holds with `claimctl config show`, and for problems with `claimctl config check`.\n\n\
             [project]\n\
             # The first part of every resource name: PROJECT-ENV-...\n\
             name = {project}\n\n\
             # The environment `local`, a sandbox on this machine, needs no entry.\n",
            project = quoted(&self.project),
        );
        for environment in &self.environments {
            environment.write(&mut text);
        }
        if self.environments.is_empty() {
            text.push_str(EXAMPLE);
        }
        // Writing into a string does not fail.
        let _ = write!(
            text,
            "\n[terraform]\n# terraform, or tofu\nbinary = \"terraform\"\n# How states are locked: lockfile (Terraform \
             1.10 or later), table (DynamoDB), or both\nlocking = {locking}\n"
        );
        text
    }
}

const EXAMPLE: &str = "# [environments.dev]\n# region = \"us-east-1\"\n# account = \"111111111111\"\n";

impl NewEnvironment {
    fn write(&self, text: &mut String) {
        let mut line = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        line(format!("\n[environments.{}]", self.name));
        line(format!("region = {}", quoted(&self.region)));
        match &self.account {
            Some(account) => {
                line("# Before a change, STS must name this account.".to_owned());
                line(format!("account = {}", quoted(account)));
            }
            None => line("# account = \"111111111111\"   # before a change, STS must name this account".to_owned()),
        }
        match &self.profile {
            Some(profile) => line(format!("profile = {}", quoted(profile))),
            None => {
                line("# profile = \"NAME\"            # of ~/.aws/config; without it, the SDK's own chain".to_owned())
            }
        }
        if self.protected {
            line("# Changes want the environment's name typed.".to_owned());
            line("protected = true".to_owned());
        }
        if let Some(backend) = &self.adopted {
            line("# Terraform's state was here before claimctl.".to_owned());
            line(format!("state_bucket = {}", quoted(&backend.bucket)));
            for (key, value) in [("lock_table", &backend.lock_table), ("kms_key", &backend.kms_key)] {
                if let Some(value) = value {
                    line(format!("{key} = {}", quoted(value)));
                }
            }
        }
    }
}

/// The escapes of a JSON string are those of a basic string in TOML.
fn quoted(text: &str) -> Value {
    Value::from(text)
}

/// `init` is for the first time only.
pub fn already_there(path: &Path) -> Error {
    Error::refused(format!("{} is there already, and stays as it is", path.display()))
        .hint("look at it: claimctl config check; or move it away first")
}
