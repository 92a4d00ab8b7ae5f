//! What a run of claimctl has around it: terminal, environment variables, folders, clock, cancellation.
//! Built once in `main`; everything below takes it as an argument, so that tests can make their own.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

use crate::cancel::Cancel;
use crate::changes::Changes;
use crate::error::{Error, Result};
use crate::output::terminal_progress;
use crate::progress::Progress;

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

#[derive(Clone)]
pub struct Ctx {
    pub manners: Manners,
    pub terminal: Terminal,
    pub paths: Paths,
    pub working_directory: PathBuf,
    pub cancel: Cancel,
    pub progress: Arc<dyn Progress>,
    pub changes: Arc<Changes>,
    variables: HashMap<String, OsString>,
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

/// Where claimctl keeps things on this machine (XDG Base Directory Specification; all below `CLAIMCTL_HOME` when set).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// What can be made again: virtual environments, built artifacts.
    pub cache: PathBuf,
    /// What cannot: journals, the running sandbox.
    pub state: PathBuf,
}

impl Ctx {
    pub fn new(manners: Manners, cancel: Cancel) -> Result<Self> {
        let variables = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v))).collect();
        let terminal = Terminal::detect(&manners, &variables);
        let progress = terminal_progress(&manners, &terminal);
        let working_directory = std::env::current_dir().map_err(|error| {
            Error::usage("the working directory cannot be read").caused_by(error).hint("change to a folder that exists")
        })?;
        let paths = Paths::from(&variables)?;
        let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
        let changes = Arc::new(Changes::at(&paths.state, arguments));
        Ok(Ctx { manners, terminal, paths, working_directory, cancel, progress, changes, variables })
    }

    /// An environment variable, if it is set, not empty, and Unicode.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).and_then(|value| value.to_str()).filter(|value| !value.is_empty())
    }

    /// The names of all environment variables that are Unicode, in no order.
    pub fn variable_names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }

    /// The same context with its state elsewhere, for a private sandbox. The cache stays shared.
    pub fn with_state(&self, state: PathBuf) -> Ctx {
        let changes = Arc::new(self.changes.moved_to(&state));
        Ctx { paths: Paths { cache: self.paths.cache.clone(), state }, changes, ..self.clone() }
    }

    /// For tidying up after an interrupt, which must not be interrupted by it.
    pub fn without_interrupts(&self) -> Ctx {
        Ctx { cancel: Cancel::default(), ..self.clone() }
    }
}

impl Terminal {
    fn detect(manners: &Manners, variables: &HashMap<String, OsString>) -> Self {
        let stdout = std::io::stdout().is_terminal();
        let no_color = variables.get("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = variables.get("TERM").is_some_and(|term| term == "dumb");
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

impl Paths {
    fn from(variables: &HashMap<String, OsString>) -> Result<Self> {
        let absolute = |name: &str| variables.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
        if let Some(home) = variables.get("CLAIMCTL_HOME").filter(|home| !home.is_empty()) {
            let home = std::path::absolute(home)
                .map_err(|error| Error::usage("CLAIMCTL_HOME is not a usable path").caused_by(error))?;
            return Ok(Paths { cache: home.join("cache"), state: home.join("state") });
        }
        let home = absolute("HOME");
        let below_home = |folder: &str| home.as_ref().map(|home| home.join(folder));
        let place = |variable: &str, folder: &str| {
            absolute(variable).or_else(|| below_home(folder)).map(|base| base.join("claimctl")).ok_or_else(|| {
                Error::usage("neither HOME nor CLAIMCTL_HOME is set").hint("set CLAIMCTL_HOME to a folder of your own")
            })
        };
        Ok(Paths { cache: place("XDG_CACHE_HOME", ".cache")?, state: place("XDG_STATE_HOME", ".local/state")? })
    }
}
