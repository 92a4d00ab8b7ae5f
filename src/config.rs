//! `claimctl.toml`: found upward from the working directory, checked to the letter.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::context::Ctx;
use crate::error::{Error, IoContext, Result};
use crate::names;

pub const FILE_NAME: &str = "claimctl.toml";

/// The environment that needs no entry: the sandbox on this machine.
pub const LOCAL: &str = "local";

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
    /// Where it was read from; none when there is no file.
    #[serde(skip)]
    pub path: Option<PathBuf>,
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
    pub profile: Option<String>,
    /// Changes want the environment's name typed.
    #[serde(default)]
    pub protected: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Terraform {
    pub binary: String,
    pub locking: Locking,
}

impl Default for Terraform {
    fn default() -> Self {
        Terraform { binary: "terraform".to_owned(), locking: Locking::Lockfile }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Locking {
    Lockfile,
    Table,
    Both,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Function {
    pub binary: String,
    #[serde(default)]
    pub architecture: Architecture,
}

/// A processor architecture, named as Lambda names it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    #[default]
    Arm64,
    #[value(name = "x86_64")]
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

impl Config {
    /// The configuration of the project that the working directory is in; the default one outside any project.
    pub fn find(ctx: &Ctx) -> Result<Config> {
        let named = ctx.variable("CLAIMCTL_CONFIG").map(|path| ctx.working_directory.join(path));
        let found = named.or_else(|| {
            ctx.working_directory
                .ancestors()
                .map(|folder| folder.join(FILE_NAME))
                .find(|path| path.symlink_metadata().is_ok())
        });
        found.map_or_else(|| Ok(Config::default()), |path| Config::read(&path))
    }

    pub fn read(path: &Path) -> Result<Config> {
        let bytes = std::fs::read(path).on("read", path)?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let line =
                error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
            Error::usage(format!("{}:{}: not UTF-8", path.display(), line + 1)).hint("save the file as UTF-8")
        })?;
        let mut config: Config = toml::from_str(&text).map_err(|error| describe(&error, &text, path))?;
        config.check(path)?;
        config.path = Some(path.to_owned());
        Ok(config)
    }

    fn check(&self, path: &Path) -> Result<()> {
        let wrong = |what: String| Error::usage(format!("{}: {what}", path.display()));
        if !is_name(&self.project.name) {
            return Err(wrong(format!("project.name {:?} cannot start resource names", self.project.name))
                .hint("use lower-case letters, digits and hyphens, at most 24 characters, beginning with a letter"));
        }
        for (name, environment) in &self.environments {
            if name == LOCAL {
                return Err(wrong("environment \"local\" is built in".to_owned())
                    .hint("remove [environments.local], or give the environment another name"));
            }
            if !is_name(name) {
                return Err(wrong(format!("environment {name:?} cannot be part of resource names")).hint(
                    "use lower-case letters, digits and hyphens, at most 24 characters, beginning with a letter",
                ));
            }
            if let Some(account) = &environment.account
                && !is_account(account)
            {
                return Err(wrong(format!("environments.{name}.account {account:?} is not an AWS account id"))
                    .hint("an account id is 12 digits, in quotes: account = \"111111111111\""));
            }
            if !is_region(&environment.region) {
                return Err(wrong(format!("environments.{name}.region {:?} is not a region", environment.region))
                    .hint("a region looks like us-east-1 or eu-central-1"));
            }
        }
        Ok(())
    }

    pub fn environment(&self, name: &str) -> Result<&Environment> {
        self.environments.get(name).ok_or_else(|| {
            let known: Vec<&str> = std::iter::once(LOCAL).chain(self.environments.keys().map(String::as_str)).collect();
            let error = Error::not_found(format!("there is no environment {name:?}"));
            let error = match names::nearest(name, known.iter().copied()) {
                Some(near) => error.hint(format!("did you mean {near}? Known: {}", known.join(", "))),
                None => error.hint(format!("known: {}", known.join(", "))),
            };
            match &self.path {
                Some(path) => error.hint(format!("add [environments.{name}] to {}", path.display())),
                None => error.hint(format!("no {FILE_NAME} was found here or above; environments are declared there")),
            }
        })
    }
}

fn is_name(name: &str) -> bool {
    name.len() <= 24
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// Twelve digits (AWS Account Management Reference Guide, "View AWS account identifiers").
pub fn is_account(account: &str) -> bool {
    account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())
}

/// The shape of a region's name. Whether it exists is for the service to say: regions are added every year.
pub fn is_region(region: &str) -> bool {
    let parts: Vec<&str> = region.split('-').collect();
    let letters = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    parts.len() >= 3
        && parts[..parts.len() - 1].iter().all(letters)
        && parts[parts.len() - 1].bytes().all(|byte| byte.is_ascii_digit())
        && !parts[parts.len() - 1].is_empty()
}

/// Says where in the file the error is, and for an unknown key which known one is nearest.
fn describe(error: &toml::de::Error, text: &str, path: &Path) -> Error {
    let place = error.span().map(|span| {
        let before = &text[..span.start.min(text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        format!(":{line}:{column}")
    });
    let message = error.message().replace('\n', ", ");
    let described = Error::usage(format!("{}{}: {message}", path.display(), place.unwrap_or_default()));
    let mut quoted = message.split('`').skip(1).step_by(2);
    match (message.starts_with("unknown "), quoted.next()) {
        (true, Some(unknown)) => match names::nearest(unknown, quoted) {
            Some(near) => described.hint(format!("did you mean {near}?")),
            None => described.hint("remove the key, or look it up in docs/configuration.md"),
        },
        _ => described,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        std::fs::write(&path, text).unwrap();
        Config::read(&path)
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
        assert_eq!(error.hints(), ["did you mean region?"]);
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
            assert_eq!(error.kind(), crate::error::Kind::Usage);
        }
    }
}
