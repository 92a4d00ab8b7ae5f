//! What a run has around it below the terminal: environment variables, folders, progress, cancellation, change log.
//! Built once; everything below takes it as an argument, so that tests can make their own.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use crate::cancel::Cancel;
use crate::change_log::ChangeLog;
use crate::error::{Error, Result};
use crate::progress::Progress;

#[derive(Clone)]
pub struct Context {
    pub paths: Paths,
    pub working_directory: PathBuf,
    pub cancel: Cancel,
    pub progress: Arc<dyn Progress>,
    pub change_log: Arc<ChangeLog>,
    pub variables: Variables,
}

/// The environment variables whose names are Unicode.
#[derive(Debug, Clone, Default)]
pub struct Variables(HashMap<String, OsString>);

/// Where claimctl keeps things on this machine (XDG Base Directory Specification; all below `CLAIMCTL_HOME` when set).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// What can be made again: virtual environments, built artifacts.
    pub cache: PathBuf,
    /// What cannot: journals, the running sandbox.
    pub state: PathBuf,
}

impl Variables {
    /// Those of this process.
    pub fn of_process() -> Variables {
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect()
    }

    pub fn os(&self, name: &str) -> Option<&OsString> {
        self.0.get(name)
    }

    /// One that is set, not empty, and Unicode. A variable that is set and empty is not set: CI sets them so.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.os(name).and_then(|value| value.to_str()).filter(|value| !value.is_empty())
    }

    /// All that are set, as [`get`](Self::get) says it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.keys().filter_map(|name| Some((name.as_str(), self.get(name)?)))
    }
}

/// Variables of a test's own.
impl<N: Into<String>, V: Into<OsString>> FromIterator<(N, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Variables {
        Variables(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl Context {
    /// `arguments` are the command line without the program.
    pub fn new(
        variables: Variables,
        arguments: Vec<String>,
        progress: Arc<dyn Progress>,
        cancel: Cancel,
    ) -> Result<Context> {
        let working_directory = std::env::current_dir().map_err(|error| {
            Error::usage("the working directory cannot be read").caused_by(error).hint("change to a folder that exists")
        })?;
        let paths = Paths::from(&variables)?;
        let change_log = Arc::new(ChangeLog::at(&paths.state, arguments));
        Ok(Context { paths, working_directory, cancel, progress, change_log, variables })
    }

    /// An environment variable, if it is set, not empty, and Unicode.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name)
    }

    /// The names of all environment variables that are Unicode, in no order.
    pub fn variable_names(&self) -> impl Iterator<Item = &str> {
        self.variables.0.keys().map(String::as_str)
    }

    /// The same context with what it keeps elsewhere, for a private sandbox.
    pub fn with_paths(&self, paths: Paths) -> Context {
        let change_log = Arc::new(self.change_log.moved_to(&paths.state));
        Context { paths, change_log, ..self.clone() }
    }

    /// For tidying up after an interrupt, which must not be interrupted by it.
    pub fn without_interrupts(&self) -> Context {
        Context { cancel: Cancel::default(), ..self.clone() }
    }
}

impl Paths {
    fn from(variables: &Variables) -> Result<Self> {
        let absolute = |name: &str| variables.os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        if let Some(home) = variables.os("CLAIMCTL_HOME").filter(|home| !home.is_empty()) {
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
