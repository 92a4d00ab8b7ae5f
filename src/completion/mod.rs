//! Shell completion: the script that a shell loads, and the answers that it asks claimctl for while one types.
//!
//! The scripts of `completions/` hold no knowledge of the verbs. At each Tab they run claimctl with [`VARIABLE`] set,
//! which answers from the command tree, claimctl.toml and the surfaces last seen: no network, no error, no other work.

mod line;
mod shells;
mod values;

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::sync::Arc;

use clap::{Command, CommandFactory, ValueEnum};
use clap_complete::engine::{ArgValueCompleter, complete};
use serde::Serialize;

use self::shells::Typed;
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
    /// The script for it to load.
    pub fn script(self) -> &'static str {
        match self {
            Shell::Bash => include_str!("../../completions/claimctl.bash"),
            Shell::Zsh => include_str!("../../completions/claimctl.zsh"),
            Shell::Fish => include_str!("../../completions/claimctl.fish"),
            Shell::Powershell => include_str!("../../completions/claimctl.powershell"),
            Shell::Elvish => include_str!("../../completions/claimctl.elvish"),
        }
    }
}

/// Answers a shell that asks what may be typed next. False in an ordinary run, at the cost of one look at a variable.
pub fn answer() -> bool {
    let Some(shell) = std::env::var(VARIABLE).ok().and_then(|name| Shell::from_str(&name, false).ok()) else {
        return false;
    };
    let arguments = std::env::args_os().skip_while(|word| word != "--").skip(1);
    let arguments: Vec<_> = arguments.map(|word| word.to_string_lossy().into_owned()).collect();
    let typed = Typed::of(shell, &arguments);
    let last = typed.words.len().saturating_sub(1);
    let here = std::env::current_dir().ok();
    // An error would land in the middle of the line that is being typed: there is nothing to offer, that is all.
    if let Ok(found) = complete(&mut command(&typed.words), typed.words.clone(), last, here.as_deref()) {
        let _ = std::io::stdout().write_all(typed.answer(shell, &found).as_bytes());
    }
    true
}

/// The command tree with what its arguments can be, found by the name of the value or of the argument: `QUEUE`.
fn command(typed: &[OsString]) -> Command {
    with_values(Cli::command(), &typed.to_vec().into())
}

fn with_values(command: Command, typed: &Arc<[OsString]>) -> Command {
    command
        .mut_args(|argument| {
            let value = argument.get_value_names().and_then(|names| values::Kind::named(names.first()?.as_str()));
            match value.or_else(|| values::Kind::named(&argument.get_id().as_str().to_uppercase())) {
                Some(kind) => {
                    let typed = typed.clone();
                    argument.add(ArgValueCompleter::new(move |word: &OsStr| kind.like(word, &typed)))
                }
                None => argument,
            }
        })
        .mut_subcommands(|verb| with_values(verb, typed))
}
