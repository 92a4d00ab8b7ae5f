//! What a run of the tool has around it: what every part stands on, and the terminal.

use std::io::IsTerminal;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use claimctl_core::cancel::Cancel;
use claimctl_core::change_log::ChangeLog;
use claimctl_core::context::{Context, Paths, Variables};
use claimctl_core::error::Result;
use claimctl_core::next::{Hint, Next, joined};
use claimctl_core::progress::Silent;
use claimctl_core::shell::command_line;

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
pub struct OutputOptions {
    pub format: Format,
    pub color: ColorChoice,
    pub quiet: bool,
    pub verbose: u8,
    pub yes: bool,
}

/// The context of a verb. Engines see the [`Context`] in it, and no terminal.
#[derive(Clone)]
pub struct Ctx {
    pub options: OutputOptions,
    pub terminal: Terminal,
    context: Context,
    commands: Commands,
}

/// How commands to run next are written out.
#[derive(Clone)]
struct Commands {
    change_log: Arc<ChangeLog>,
    /// The flags that lead to the environment, once they are known: `--env`, `dev`.
    target_flags: Arc<OnceLock<Vec<String>>>,
    verbs: Verbs,
}

/// What commands are written out by: the tree of verbs, which the context does not know.
#[derive(Clone, Copy)]
pub struct Verbs {
    /// Whether the verb of a command, given by its words, takes the flags that lead to an environment.
    pub takes_target_flags: fn(&[String]) -> bool,
    /// The words of a line with more words behind them; what may stand there once is replaced.
    pub again: fn(&[String], &[String]) -> Vec<String>,
    /// Why a command line would be refused. Checked of every command that is told, except in a release.
    pub refusal: fn(&[String]) -> Option<String>,
}

impl Verbs {
    /// For a run that tells no command.
    pub fn unknown() -> Verbs {
        Verbs { takes_target_flags: |_| false, again: joined, refusal: |_| None }
    }
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
    pub fn new(options: OutputOptions, cancel: Cancel, verbs: Verbs) -> Result<Self> {
        let variables = Variables::of_process();
        let terminal = Terminal::detect(&options, &variables);
        let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
        let mut context = Context::new(variables, arguments, Arc::new(Silent), cancel)?;
        let commands = Commands { change_log: context.change_log.clone(), target_flags: Arc::default(), verbs };
        let of_notes = commands.clone();
        context.progress = terminal_progress(&options, &terminal, move |hint| of_notes.hint(hint));
        Ok(Ctx { options, terminal, context, commands })
    }

    /// The same context with what it keeps elsewhere, for a private sandbox.
    pub fn with_paths(&self, paths: Paths) -> Ctx {
        Ctx { context: self.context.with_paths(paths), ..self.clone() }
    }

    /// From now on commands to run next lead to the same environment, by these flags.
    pub fn set_target_flags(&self, flags: Vec<String>) {
        // A verb that works in several environments names each in its commands.
        let _ = self.commands.target_flags.set(flags);
    }

    /// A command to run next, as a shell reads it.
    pub fn command(&self, next: &Next) -> String {
        self.commands.command(next)
    }

    /// A remedy as it is told.
    pub fn hint(&self, hint: &Hint) -> String {
        self.commands.hint(hint)
    }

    /// For tidying up after an interrupt, which must not be interrupted by it.
    pub fn without_interrupts(&self) -> Ctx {
        Ctx { context: self.context.without_interrupts(), ..self.clone() }
    }
}

impl Commands {
    fn command(&self, next: &Next) -> String {
        let words = match next.is_again() {
            true => (self.verbs.again)(&self.change_log.words(), next.as_words()),
            false => joined(next.as_words(), &self.flags_of(next)),
        };
        debug_assert_eq!((self.verbs.refusal)(&words), None, "a command that is told can be typed");
        format!("claimctl {}", command_line(&words))
    }

    /// The flags that lead to the environment of a command, where its verb takes them.
    fn flags_of(&self, next: &Next) -> Vec<String> {
        if !(self.verbs.takes_target_flags)(next.as_words()) {
            return Vec::new();
        }
        let typed = self.target_flags.get().map(Vec::as_slice).unwrap_or_default();
        match (next.environment(), typed) {
            (Some(name), [flag, _, others @ ..]) if flag == "--env" => [&environment(name), others].concat(),
            (Some(name), others) => [&environment(name), others].concat(),
            (None, all) => all.to_vec(),
        }
    }

    fn hint(&self, hint: &Hint) -> String {
        match hint {
            Hint::Say(text) => text.clone(),
            Hint::Run { why, next } => format!("{why}: {}", self.command(next)),
        }
    }
}

fn environment(name: &str) -> Vec<String> {
    vec!["--env".to_owned(), name.to_owned()]
}

impl Terminal {
    fn detect(options: &OutputOptions, variables: &Variables) -> Self {
        let stdout = std::io::stdout().is_terminal();
        let no_color = variables.os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = variables.os("TERM").is_some_and(|term| term == "dumb");
        let color = match options.color {
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
