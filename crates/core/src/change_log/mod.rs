//! The change log: every change that was authorized leaves a line when it begins and a line when it ends.
//!
//! A change without an end was killed, or is still at work: the log shows it as such. Authorizing a change begins an
//! entry (`claimctl_aws::target`), and `main` ends it, so that no verb can forget to.

mod file;
mod read;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::exit::Exit;
use crate::redact::{redact, redact_arguments};
use crate::shell::command_line;
use file::LogFile;
pub use read::{History, LoggedChange};

/// An upload of a shell glob can have thousands of arguments; so many tell what was meant.
const MOST_ARGUMENTS: usize = 50;
/// A report can be long; so many characters of it tell how it went.
const MOST_OF_SUMMARY: usize = 500;

/// The change log of this machine's user, and what the running command has begun in it.
pub struct ChangeLog {
    file: LogFile,
    arguments: Vec<String>,
    open: Mutex<Vec<String>>,
    /// Names of variables whose values are never written.
    sensitive: Mutex<BTreeSet<String>>,
}

/// Where a change happens, and who makes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeOrigin {
    /// None: AWS without an environment.
    pub environment: Option<String>,
    pub region: String,
    /// None where the caller is not known: in the sandbox, or where no STS answers.
    pub account: Option<String>,
    /// The ARN that STS gave for the credentials.
    pub caller: Option<String>,
    /// The user's name on this machine.
    pub user: Option<String>,
}

/// How a change begins: what is known of it before.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ChangeStart {
    #[serde(flatten)]
    pub origin: ChangeOrigin,
    /// Reads like "upload 12 files to bucket b".
    pub what: String,
}

/// How a change ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeEnd {
    /// The exit code of the command.
    pub exit: u8,
    /// What the exit code means.
    pub result: String,
    /// What the command reported, shortened.
    pub summary: String,
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    v: u32,
    /// Joins the two lines of a change.
    id: String,
    /// RFC 3339, UTC.
    at: Timestamp,
    #[serde(flatten)]
    event: Event,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Event {
    Begun {
        #[serde(flatten)]
        start: ChangeStart,
        arguments: Vec<String>,
    },
    Ended(ChangeEnd),
}

const VERSION: u32 = 1;

impl ChangeLog {
    /// `arguments` are the command line without the program; credentials in them are never written.
    pub fn at(state: &Path, arguments: Vec<String>) -> Self {
        ChangeLog { file: LogFile::at(state), arguments, open: Mutex::default(), sensitive: Mutex::default() }
    }

    /// The same command line, logged below another state folder.
    pub(crate) fn moved_to(&self, state: &Path) -> Self {
        ChangeLog::at(state, self.arguments.clone())
    }

    /// The command line without the program, as it may be written down: without credentials, shortened.
    pub fn arguments(&self) -> Vec<String> {
        shortened(self.redacted(&self.arguments))
    }

    /// The whole command line, to be typed again in a shell; credentials in it are left out.
    pub fn command(&self) -> String {
        format!("claimctl {}", command_line(&self.words()))
    }

    /// The same without the program, word by word.
    pub fn words(&self) -> Vec<String> {
        self.redacted(&self.arguments)
    }

    /// From now on the values of these variables are hidden as well.
    pub fn hide(&self, sensitive: &BTreeSet<String>) {
        self.sensitive.lock().unwrap_or_else(PoisonError::into_inner).extend(sensitive.iter().cloned());
    }

    /// Arguments as they may be written down or shown again: without credentials.
    pub fn redacted(&self, arguments: &[String]) -> Vec<String> {
        redact_arguments(arguments, &self.sensitive.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes, durably, that a change begins. Where that fails, the change must not begin.
    pub fn begin(&self, start: ChangeStart) -> Result<()> {
        let at = Timestamp::now();
        let id = format!("{:x}-{:x}", at.as_nanosecond(), std::process::id());
        let start = ChangeStart { what: redact(&start.what), ..start };
        let event = Event::Begun { start, arguments: self.arguments() };
        self.file.append(&Line { v: VERSION, id: id.clone(), at, event }).map_err(|error| {
            Error::unexpected("the change cannot be logged, so nothing was done")
                .caused_by(error)
                .hint("free some room or repair the folder (claimctl doctor), or point CLAIMCTL_HOME at another one")
        })?;
        self.open.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        Ok(())
    }

    /// Writes how the command ended, for each change that it began. `signal` is the exit code of an interrupt.
    ///
    /// A command that came to an end has an exit code and a summary, which is only made where it is written.
    pub fn end(&self, ended: Result<(Exit, impl FnOnce() -> String), &Error>, signal: Option<Exit>) -> Result<()> {
        let open = std::mem::take(&mut *self.open.lock().unwrap_or_else(PoisonError::into_inner));
        if open.is_empty() {
            return Ok(());
        }
        let (exit, summary) = match ended {
            Ok((exit, summarize)) => (signal.unwrap_or(exit), summarize()),
            Err(error) if error.kind() == Kind::Interrupted => {
                (signal.unwrap_or(error.exit()), error.chain().join(": "))
            }
            Err(error) => (error.exit(), error.chain().join(": ")),
        };
        let summary = redact(&summary).chars().take(MOST_OF_SUMMARY).collect();
        let ended = ChangeEnd { exit: exit.code(), result: exit.meaning().to_owned(), summary };
        for id in open {
            let line = Line { v: VERSION, id, at: Timestamp::now(), event: Event::Ended(ended.clone()) };
            self.file
                .append(&line)
                .map_err(|error| Error::unexpected("how the change ended could not be logged").caused_by(error))?;
        }
        Ok(())
    }

    /// Everything logged, oldest first.
    pub fn history(&self) -> Result<History> {
        let (rotated, current) = self.file.read()?;
        Ok(read::pair(&[rotated, current]))
    }
}

fn shortened(mut arguments: Vec<String>) -> Vec<String> {
    if let Some(more) = arguments.len().checked_sub(MOST_ARGUMENTS).filter(|more| *more > 0) {
        arguments.truncate(MOST_ARGUMENTS);
        arguments.push(format!("… and {more} more"));
    }
    arguments
}

#[cfg(test)]
mod tests;
