//! The exit codes: every way in which a run of claimctl can end.

/// How a run ended. The numbers are a contract (`docs/exit-codes.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; for `verify`, all accounted for.
    Done,
    /// A failure that claimctl has no name for.
    Unexpected,
    /// Bad flag, bad configuration, bad input file, ambiguous name.
    Usage,
    /// Some items failed or stay undetermined; the report lists each.
    Partial,
    /// Wrong account, protected environment, not confirmed, unsafe look, a lock held by someone else.
    Refused,
    /// Something named does not exist.
    NotFound,
    /// Access denied, or no credentials.
    Denied,
    /// The service cannot be reached, or throttles beyond the retry budget.
    Unreachable,
    /// A check found what it looks for: `verify` with losses, `doctor` with findings.
    Findings,
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM or SIGHUP.
    Terminated,
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Unexpected => 1,
            Exit::Usage => 2,
            Exit::Partial => 3,
            Exit::Refused => 4,
            Exit::NotFound => 5,
            Exit::Denied => 6,
            Exit::Unreachable => 7,
            Exit::Findings => 8,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
        }
    }

    /// The code in words, for a log that is read long after the run.
    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Done => "done",
            Exit::Unexpected => "failed",
            Exit::Usage => "not understood",
            Exit::Partial => "done in part",
            Exit::Refused => "refused",
            Exit::NotFound => "not found",
            Exit::Denied => "access denied",
            Exit::Unreachable => "unreachable",
            Exit::Findings => "done, with findings",
            Exit::Interrupted => "interrupted",
            Exit::Terminated => "terminated",
        }
    }
}
