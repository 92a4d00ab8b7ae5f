//! What SQLite says, in words that an operator can act on.

use std::path::Path;

use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use rusqlite::ErrorCode;

/// Turns a failed statement into an error that names the journal and the remedy.
pub trait Explain<T> {
    /// `doing` reads like "read" or "write to".
    fn on_journal(self, doing: &str, file: &Path) -> Result<T>;
}

impl<T> Explain<T> for rusqlite::Result<T> {
    fn on_journal(self, doing: &str, file: &Path) -> Result<T> {
        self.map_err(|error| explained(error, doing, file))
    }
}

fn explained(error: rusqlite::Error, doing: &str, file: &Path) -> Error {
    use ErrorCode as C;
    let at = file.display();
    let described = match error.sqlite_error_code() {
        Some(C::DatabaseCorrupt | C::NotADatabase) => return damaged(file).caused_by(error),
        Some(C::DatabaseBusy | C::DatabaseLocked) => {
            Error::refused(format!("the journal {at} is locked by another process"))
                .next("another claimctl works in it for long; see which, and try again", Next::verb("runs ls"))
        }
        Some(C::DiskFull) => Error::unexpected(format!("cannot {doing} the journal {at}: no room"))
            .hint("the disk is full: free some room, or point CLAIMCTL_HOME at another disk"),
        Some(C::ReadOnly | C::CannotOpen | C::PermissionDenied) => {
            Error::usage(format!("cannot {doing} the journal {at}"))
                .hint("the file and its folder must be writable for you; or point CLAIMCTL_HOME at another folder")
        }
        Some(C::SystemIoFailure) => Error::unexpected(format!("cannot {doing} the journal {at}"))
            .hint("is the disk full, or gone? free some room, or point CLAIMCTL_HOME at another disk"),
        _ => Error::unexpected(format!("cannot {doing} the journal {at}"))
            .next("what is wrong with the folder", Next::verb("doctor")),
    };
    described.caused_by(error)
}

/// The file holds something that this claimctl never wrote.
pub fn damaged(file: &Path) -> Error {
    let at = file.display();
    Error::unexpected(format!("the journal {at} is damaged"))
        .hint(format!("set it aside, and the next run begins a new one: mv {at} {at}.damaged"))
        .hint("drained files are whole without it; an unfinished send cannot be gone on with, and would begin anew")
}

/// The same error for one more of several that wait for one result.
pub fn again(error: &Error) -> Error {
    let mut chain = error.chain().into_iter();
    let same = Error::new(error.kind(), chain.next().unwrap_or_default());
    let causes: Vec<_> = chain.collect();
    let same = if causes.is_empty() { same } else { same.caused_by(causes.join(": ")) };
    error.hints().iter().fold(same, |same, hint| same.hint(hint))
}
