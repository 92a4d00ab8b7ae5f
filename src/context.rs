//! What a run of the tool has around it: what every part stands on, and the terminal.

use std::io::IsTerminal;
use std::ops::Deref;

use claimctl_core::cancel::Cancel;
use claimctl_core::context::{Context, Paths, Variables};
use claimctl_core::error::Result;

use crate::output::terminal_progress;

/// How to print the result of a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Aligned columns for people
    Table,
    /// One JSON document
    Json,
    /// One JSON document per line
    Jsonl,
    /// Tab-separated fields without a heading, for scripts
    Text,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    Auto,
    Always,
    Never,
}

/// What the operator asked for on the command line that every verb obeys.
#[derive(Debug, Clone)]
pub struct Manners {
    pub format: Format,
    pub color: ColorChoice,
    pub quiet: bool,
    pub verbose: u8,
    pub yes: bool,
}

/// The context of a verb. Engines see the [`Context`] in it, and no terminal.
#[derive(Clone)]
pub struct Ctx {
    pub manners: Manners,
    pub terminal: Terminal,
    context: Context,
}

impl Deref for Ctx {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

/// Which of the three standard streams is a terminal, and how it is drawn upon.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    pub stdin: bool,
    pub stdout: bool,
    pub stderr: bool,
    /// Columns of the terminal on stdout, where there is one.
    pub width: Option<u16>,
    pub color: bool,
}

impl Ctx {
    pub fn new(manners: Manners, cancel: Cancel) -> Result<Self> {
        let variables = Variables::of_process();
        let terminal = Terminal::detect(&manners, &variables);
        let progress = terminal_progress(&manners, &terminal);
        let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
        let context = Context::new(variables, arguments, progress, cancel)?;
        Ok(Ctx { manners, terminal, context })
    }

    /// The same context with what it keeps elsewhere, for a private sandbox.
    pub fn with_paths(&self, paths: Paths) -> Ctx {
        Ctx { context: self.context.with_paths(paths), ..self.clone() }
    }

    /// For tidying up after an interrupt, which must not be interrupted by it.
    pub fn without_interrupts(&self) -> Ctx {
        Ctx { context: self.context.without_interrupts(), ..self.clone() }
    }
}

impl Terminal {
    fn detect(manners: &Manners, variables: &Variables) -> Self {
        let stdout = std::io::stdout().is_terminal();
        let no_color = variables.os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = variables.os("TERM").is_some_and(|term| term == "dumb");
        let color = match manners.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => stdout && !no_color && !dumb,
        };
        Terminal {
            stdin: std::io::stdin().is_terminal(),
            stdout,
            stderr: std::io::stderr().is_terminal(),
            width: stdout
                .then(|| rustix::termios::tcgetwinsize(std::io::stdout()).ok())
                .flatten()
                .map(|size| size.ws_col)
                .filter(|columns| *columns > 0),
            color,
        }
    }
}
