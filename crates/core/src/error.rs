//! Errors that say what was wrong, why, and what to do: a kind, a cause chain and hints.

use std::error::Error as StdError;
use std::fmt;

use crate::exit::Exit;
use crate::next::{Hint, Next};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as far as the exit code is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Unexpected,
    Usage,
    Partial,
    Refused,
    NotFound,
    Denied,
    Unreachable,
    /// The reader of stdout went away (`| head -1`): nobody is left to tell, and nothing is wrong.
    ClosedPipe,
    /// Stopped by the operator; which signal it was decides the exit code.
    Interrupted,
}

/// An error that a user can act on.
///
/// The hint is added where the knowledge is: next to the check that failed, not at the edge.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
    details: Vec<String>,
    hints: Vec<Hint>,
}

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error(Box::new(Inner { kind, message: message.into(), source: None, details: Vec::new(), hints: Vec::new() }))
    }

    pub fn unexpected(message: impl Into<String>) -> Self {
        Self::new(Kind::Unexpected, message)
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Kind::Refused, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(Kind::Denied, message)
    }

    pub fn unreachable(message: impl Into<String>) -> Self {
        Self::new(Kind::Unreachable, message)
    }

    /// Stopped by the operator before there was a result. The message says what that leaves undone.
    pub fn interrupted(message: impl Into<String>) -> Self {
        Self::new(Kind::Interrupted, message)
    }

    /// What to do about it, in words.
    pub fn hint(mut self, hint: impl Into<Hint>) -> Self {
        self.0.hints.push(hint.into());
        self
    }

    /// The command that helps. `why` reads like "make the state bucket".
    pub fn next(self, why: impl Into<String>, next: Next) -> Self {
        self.hint(Hint::Run { why: why.into(), next })
    }

    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Another program's own words, line by line.
    pub fn details<L: Into<String>>(mut self, lines: impl IntoIterator<Item = L>) -> Self {
        self.0.details.extend(lines.into_iter().map(Into::into));
        self
    }

    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    pub fn detail_lines(&self) -> &[String] {
        &self.0.details
    }

    /// The hints as text, a line each, where nothing is known of how the environment was reached.
    pub fn advice(&self) -> String {
        self.0.hints.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    pub fn hints(&self) -> &[Hint] {
        &self.0.hints
    }

    /// The exit code of an error that ended the run. Which signal interrupted it is known to the context only.
    pub fn exit(&self) -> Exit {
        match self.0.kind {
            Kind::Unexpected => Exit::Unexpected,
            Kind::Usage => Exit::Usage,
            Kind::Partial => Exit::Partial,
            Kind::Refused => Exit::Refused,
            Kind::NotFound => Exit::NotFound,
            Kind::Denied => Exit::Denied,
            Kind::Unreachable => Exit::Unreachable,
            Kind::ClosedPipe => Exit::Done,
            Kind::Interrupted => Exit::Interrupted,
        }
    }

    /// The message followed by its causes, without a cause that only repeats what was already said.
    pub fn chain(&self) -> Vec<String> {
        let mut said = vec![self.0.message.clone()];
        let mut next = self.0.source.as_deref().map(|source| source as &dyn StdError);
        while let Some(cause) = next {
            let text = cause.to_string();
            if !said.iter().any(|earlier| earlier.contains(&text)) {
                said.push(text);
            }
            next = cause.source();
        }
        said
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// Turns a failed file operation into an error that names the file and, where it is known, the remedy.
pub trait IoContext<T> {
    /// `doing` reads like "read" or "create".
    fn on(self, doing: &str, path: &std::path::Path) -> Result<T>;
}

impl<T> IoContext<T> for std::io::Result<T> {
    fn on(self, doing: &str, path: &std::path::Path) -> Result<T> {
        self.map_err(|error| {
            use std::io::ErrorKind as E;
            let message = format!("cannot {doing} {}", path.display());
            let kind = match error.kind() {
                E::NotFound => Kind::NotFound,
                E::IsADirectory | E::NotADirectory | E::PermissionDenied | E::InvalidData => Kind::Usage,
                _ => Kind::Unexpected,
            };
            let full = error.kind() == E::StorageFull || error.kind() == E::QuotaExceeded;
            let described = Error::new(kind, message).caused_by(error);
            match full {
                true => described.hint("the disk is full: free some room, or point CLAIMCTL_HOME at another disk"),
                false => described,
            }
        })
    }
}
