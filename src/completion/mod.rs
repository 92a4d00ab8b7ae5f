//! Shell completion: the script that a shell loads, and the answers that it asks claimctl for while one types.
//!
//! The script holds no knowledge of the verbs. At each Tab it runs claimctl with [`VARIABLE`] set, which answers from
//! the command tree, claimctl.toml and the surfaces last seen: no network, no error, no other work.

mod values;

use claimctl_core::error::{Error, Result};
use clap::{Command, CommandFactory};
use clap_complete::engine::ArgValueCompleter;
use clap_complete::env::{CompleteEnv, Shells};
use serde::Serialize;

pub use self::values::paths_and_buckets;
use crate::cli::Cli;

/// Names the shell that asks; the loaded script sets it.
const VARIABLE: &str = "CLAIMCTL_COMPLETE";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
    Elvish,
}

impl Shell {
    pub fn name(self) -> &'static str {
        match self {
            Shell::Bash => "bash",
            Shell::Zsh => "zsh",
            Shell::Fish => "fish",
            Shell::Powershell => "powershell",
            Shell::Elvish => "elvish",
        }
    }
}

/// The script for a shell to load.
pub fn script(shell: Shell) -> Result<String> {
    let unknown = || Error::unexpected(format!("no completion script for {}", shell.name()));
    let mut script = Vec::new();
    Shells::builtins()
        .completer(shell.name())
        .ok_or_else(unknown)?
        .write_registration(VARIABLE, "claimctl", "claimctl", "claimctl", &mut script)
        .map_err(|error| unknown().caused_by(error))?;
    let script = String::from_utf8(script).map_err(|error| unknown().caused_by(error))?;
    Ok(format!("{}\n", script.trim()))
}

/// Answers a shell that asks what may be typed next. False in an ordinary run, at the cost of one look at a variable.
pub fn answer() -> bool {
    let Some(shell) = std::env::var_os(VARIABLE) else { return false };
    if !Shells::builtins().names().any(|name| shell == name) {
        return false;
    }
    let here = std::env::current_dir().ok();
    let words = std::env::args_os();
    // An error would land in the middle of the line that is being typed: there is nothing to offer, that is all.
    let _ = CompleteEnv::with_factory(command).var(VARIABLE).try_complete(words, here.as_deref());
    true
}

/// The command tree with what its arguments can be, found by the name of the value or of the argument: `QUEUE`.
pub fn command() -> Command {
    with_values(Cli::command())
}

fn with_values(command: Command) -> Command {
    command
        .mut_args(|argument| {
            let value = argument.get_value_names().and_then(|names| values::Kind::named(names.first()?.as_str()));
            match value.or_else(|| values::Kind::named(&argument.get_id().as_str().to_uppercase())) {
                Some(kind) => argument.add(ArgValueCompleter::new(move |typed: &std::ffi::OsStr| kind.like(typed))),
                None => argument,
            }
        })
        .mut_subcommands(with_values)
}
