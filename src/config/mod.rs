//! `claimctl.toml`: found upward from the working directory, checked to the letter.

mod backend;
mod check;
mod chosen_environment;
mod new_config;
mod value_origin;
mod variables;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use backend::{Backend, find as backends};
pub use check::Findings;
pub use chosen_environment::ChosenEnvironment;
pub use new_config::{NewConfig, NewEnvironment, already_there};
pub use value_origin::{ValueOrigin, ValueOrigins};
pub use variables::{CONFIG, ENV, PROFILE, REGION};

use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::nearest;
use claimctl_deploy::project::Declared;
use claimctl_payloads::flow::ConfiguredFlow;

use crate::context::Ctx;

pub const FILE_NAME: &str = "claimctl.toml";

pub use claimctl_aws::target::LOCAL;
pub use claimctl_deploy::project::{Function, Locking, Stack, Terraform};

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    pub project: Project,
    #[serde(default)]
    pub environments: BTreeMap<String, Environment>,
    #[serde(default)]
    pub terraform: Terraform,
    #[serde(default)]
    pub functions: BTreeMap<String, Function>,
    #[serde(default)]
    pub stacks: BTreeMap<String, Stack>,
    /// Flows that claimctl did not deploy.
    #[serde(default)]
    pub flows: BTreeMap<String, ConfiguredFlow>,
    /// Where it was read from; none when there is no file.
    #[serde(skip)]
    pub path: Option<PathBuf>,
    /// Where each value came from.
    #[serde(skip)]
    pub origins: ValueOrigins,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Project {
    /// The first part of every resource name: `PROJECT-ENV-…`.
    pub name: String,
}

impl Default for Project {
    fn default() -> Self {
        Project { name: "claim-check".to_owned() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    pub region: String,
    /// The account that STS must name before anything is changed.
    pub account: Option<String>,
    /// A profile of the AWS configuration, for the credentials.
    pub profile: Option<String>,
    /// The role to assume with those credentials.
    pub role_arn: Option<String>,
    /// What the role's trust policy may ask for.
    pub external_id: Option<String>,
    /// The name of the role's session in CloudTrail; `claimctl-USER` unless given.
    pub session_name: Option<String>,
    /// The MFA device whose code is asked for before anything else.
    pub mfa_serial: Option<String>,
    /// Changes want the environment's name typed.
    #[serde(default)]
    pub protected: bool,
    /// An existing bucket for Terraform's state, instead of `PROJECT-tfstate-ACCOUNT-REGION`.
    pub state_bucket: Option<String>,
    /// An existing DynamoDB table for Terraform's locks.
    pub lock_table: Option<String>,
    /// The KMS key that encrypts the state: an ARN, an id or `alias/NAME`.
    pub kms_key: Option<String>,
}

impl Config {
    /// What deploying needs to know of it.
    pub fn project(&self) -> claimctl_deploy::Project {
        let declared = |environment: &Environment| Declared {
            region: environment.region.clone(),
            state_bucket: environment.state_bucket.clone(),
            lock_table: environment.lock_table.clone(),
            kms_key: environment.kms_key.clone(),
        };
        claimctl_deploy::Project {
            name: self.project.name.clone(),
            folder: self.path.as_deref().and_then(Path::parent).map(Path::to_owned),
            environments: self.environments.iter().map(|(name, env)| (name.clone(), declared(env))).collect(),
            terraform: self.terraform.clone(),
            functions: self.functions.clone(),
            stacks: self.stacks.clone(),
        }
    }

    /// The configuration of the project that the working directory is in; the default one outside any project.
    pub fn find(ctx: &Ctx) -> Result<Config> {
        let (mut config, findings) = match Config::locate(ctx) {
            Some(path) => Config::examine(&path)?,
            None => (Config::default(), Findings::default()),
        };
        findings.into_result()?;
        config.apply_variables(ctx)?;
        Ok(config)
    }

    /// The file that holds for the working directory, whether or not it can be read.
    pub fn locate(ctx: &Ctx) -> Option<PathBuf> {
        let named = ctx.variable(CONFIG).map(|path| ctx.working_directory.join(path));
        named.or_else(|| {
            ctx.working_directory
                .ancestors()
                .map(|folder| folder.join(FILE_NAME))
                .find(|path| path.symlink_metadata().is_ok())
        })
    }

    /// Reads one file, with everything that is wrong in it. A configuration with problems must not be used.
    pub fn examine(path: &Path) -> Result<(Config, Findings)> {
        let bytes = std::fs::read(path).on("read", path).map_err(|error| {
            error.hint(format!("{FILE_NAME} is a text file that you may read; claimctl init writes one"))
        })?;
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => return Ok((Config::default(), Findings::not_utf8(path, &error))),
        };
        Ok(Config::parse(&text, path))
    }

    fn parse(text: &str, path: &Path) -> (Config, Findings) {
        match toml::from_str::<Config>(text) {
            Ok(mut config) => {
                config.path = Some(path.to_owned());
                config.origins = ValueOrigins::of(text);
                let findings = config.check();
                (config, findings)
            }
            Err(error) => (Config::default(), Findings::syntax(path, text, &error)),
        }
    }

    pub fn environment(&self, name: &str) -> Result<&Environment> {
        self.environments.get(name).ok_or_else(|| {
            let known: Vec<&str> = std::iter::once(LOCAL).chain(self.environments.keys().map(String::as_str)).collect();
            let error = Error::not_found(format!("there is no environment {name:?}"));
            let error = match nearest::name(name, known.iter().copied()) {
                Some(near) => error.hint(format!("did you mean {near}? Known: {}", known.join(", "))),
                None => error.hint(format!("known: {}", known.join(", "))),
            };
            match &self.path {
                Some(path) => error.hint(format!("add [environments.{name}] to {}", path.display())),
                None => error.hint(format!("no {FILE_NAME} was found here or above: claimctl init writes one")),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use claimctl_deploy::project::Architecture;

    use super::*;

    fn read(text: &str) -> Result<Config> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        std::fs::write(&path, text).unwrap();
        let (config, findings) = Config::examine(&path)?;
        findings.into_result().map(|()| config)
    }

    #[test]
    fn the_example_of_the_guide_is_read() {
        let config = read(
            "[project]\nname = \"claim-check\"\n[environments.dev]\nregion = \"us-west-1\"\naccount = \"111111111111\"\n\
             profile = \"claim-dev\"\n[environments.prod]\nregion = \"us-east-1\"\nprotected = true\n[terraform]\n\
             binary = \"tofu\"\nlocking = \"both\"\n[functions.claim-recorder]\nbinary = \"claim-recorder\"\n",
        )
        .unwrap();
        assert_eq!(config.environment("dev").unwrap().account.as_deref(), Some("111111111111"));
        assert!(config.environment("prod").unwrap().protected);
        assert_eq!(config.terraform.locking, Locking::Both);
        assert_eq!(config.functions["claim-recorder"].architecture, Architecture::Arm64);
    }

    #[test]
    fn an_error_names_line_column_and_the_nearest_key() {
        let error = read("[project]\nname = \"a\"\n[environments.dev]\n  regoin = \"us-east-1\"\n").unwrap_err();
        assert!(error.to_string().contains("claimctl.toml:4:3: unknown field `regoin`"), "{error}");
        assert_eq!(error.advice(), "did you mean region?");
    }

    #[test]
    fn what_cannot_be_right_is_refused() {
        let region = "region = \"us-east-1\"";
        for (text, said) in [
            (format!("[environments.local]\n{region}"), "built in"),
            (format!("[environments.Dev]\n{region}"), "resource names"),
            (format!("[environments.dev]\n{region}\naccount = \"12345678901a\""), "not an AWS account id"),
            ("[environments.dev]\nregion = \"frankfurt\"".to_owned(), "not a region"),
            ("[project]\nname = \"Claim.Check\"".to_owned(), "resource names"),
            (format!("[environments.dev]\n{region}\n[environments.dev]\n{region}"), "duplicate key"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
            assert_eq!(error.kind(), claimctl_core::error::Kind::Usage);
        }
    }
}
