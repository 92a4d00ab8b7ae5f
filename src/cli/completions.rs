//! `claimctl completions`: the script that teaches a shell to complete claimctl.

use claimctl_core::error::Result;
use serde::Serialize;

use crate::completion::Shell;
use crate::output::{Outcome, Page, Report, report};

/// Print the script that completes verbs, flags and names in a shell
///
/// Load it where the shell starts: `source <(claimctl completions bash)` in ~/.bashrc, the same with zsh in ~/.zshrc,
/// `claimctl completions fish | source` in ~/.config/fish/config.fish. Environments come from claimctl.toml, queues,
/// buckets and tables from the stacks that claimctl saw last.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Loaded in ~/.bashrc by source <(claimctl completions bash):
  claimctl completions bash
Loaded in ~/.config/fish/config.fish by claimctl completions fish | source:
  claimctl completions fish")]
pub struct Args {
    /// The shell that will load it
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

#[derive(Debug, Serialize)]
struct Completions {
    shell: Shell,
    script: &'static str,
}

pub fn run(args: &Args) -> Result<Outcome> {
    report(Completions { shell: args.shell, script: args.shell.script() })
}

impl Report for Completions {
    fn page(&self) -> Page {
        Page::new().verbatim(self.script)
    }
}
