//! The `CLAIMCTL_*` variables that stand before the file.

use claimctl_aws::naming::is_name;
use claimctl_core::error::{Error, Result};
use claimctl_deploy::project::LockFile;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as ValueError;

use super::{Config, Locking, ValueOrigin};
use crate::context::Ctx;

/// The configuration file to read instead of searching for one.
pub const CONFIG: &str = "CLAIMCTL_CONFIG";
/// The environment, as by `--env`.
pub const ENV: &str = "CLAIMCTL_ENV";
/// The profile and region of the environment that is chosen. Unlike the flags they choose none: a variable that
/// was left set must not lead from `local` into an account.
pub const PROFILE: &str = "CLAIMCTL_PROFILE";
pub const REGION: &str = "CLAIMCTL_REGION";

const PROJECT_NAME: &str = "CLAIMCTL_PROJECT_NAME";
const TERRAFORM_BINARY: &str = "CLAIMCTL_TERRAFORM_BINARY";
const TERRAFORM_LOCKING: &str = "CLAIMCTL_TERRAFORM_LOCKING";
const TERRAFORM_LOCK_FILE: &str = "CLAIMCTL_TERRAFORM_LOCK_FILE";

impl Config {
    pub(super) fn apply_variables(&mut self, ctx: &Ctx) -> Result<()> {
        if let Some(name) = ctx.variable(PROJECT_NAME) {
            if !is_name(name) {
                return Err(Error::usage(format!("{PROJECT_NAME} {name:?} cannot start resource names"))
                    .hint(super::check::NAME_HINT));
            }
            self.project.name = name.to_owned();
            self.origins.set("project.name", ValueOrigin::Variable { name: PROJECT_NAME });
        }
        if let Some(binary) = ctx.variable(TERRAFORM_BINARY) {
            self.terraform.binary = binary.to_owned();
            self.origins.set("terraform.binary", ValueOrigin::Variable { name: TERRAFORM_BINARY });
        }
        if let Some(locking) = ctx.variable(TERRAFORM_LOCKING) {
            self.terraform.locking =
                Locking::deserialize(locking.into_deserializer()).map_err(|error: ValueError| {
                    Error::usage(format!("{TERRAFORM_LOCKING}: {error}")).hint("use lockfile, table or both")
                })?;
            self.origins.set("terraform.locking", ValueOrigin::Variable { name: TERRAFORM_LOCKING });
        }
        if let Some(lock_file) = ctx.variable(TERRAFORM_LOCK_FILE) {
            self.terraform.lock_file =
                LockFile::deserialize(lock_file.into_deserializer()).map_err(|error: ValueError| {
                    Error::usage(format!("{TERRAFORM_LOCK_FILE}: {error}")).hint("use update or readonly")
                })?;
            self.origins.set("terraform.lock_file", ValueOrigin::Variable { name: TERRAFORM_LOCK_FILE });
        }
        Ok(())
    }
}
