//! What a record says of a load, from its begin to its end.

use claimctl_claim::{Claim, Status};
use serde_json::{Value, json};

use crate::csv::{Position, Tally};

/// Milliseconds since the epoch.
pub type Millis = i64;

/// How far a load has come that has looked at all of its file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub rows: u64,
    pub rejected: u64,
    pub repeated: u64,
    /// Rows that an earlier one with their key keeps out. Which ones they are is found out again.
    pub left_out: u64,
    /// All rows before it are written.
    pub written: Position,
    /// The key after which rows that do not count are still to be removed; some: nothing is written any more.
    pub removing: Option<String>,
    /// Why the file is refused, where that is decided and its rows are being removed.
    pub refusing: Option<String>,
}

/// The record of one file, from the begin of a load to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    pub claim: Claim,
    pub number: u64,
    pub status: Status,
    /// Why the file is not loaded, and will not be.
    pub refused: Option<String>,
    /// None until all of the file is looked at: no row is written before.
    pub progress: Option<Progress>,
    /// The load whose rows the table has, all of them and no others. None: there are none, or the table holds a part.
    pub rows_of: Option<u64>,
    /// How many those are.
    pub rows: u64,
    /// The table may have rows of earlier loads.
    pub replaces: bool,
    /// Until when an invocation may still write rows of this load.
    pub writing_until: Millis,
    /// More than one invocation has written rows of this load: the end of one is not the end of all.
    pub shared: bool,
    /// Until then an earlier load may still write: no row of this one before.
    pub not_before: Millis,
    pub rejected: u64,
    pub repeated: u64,
    pub rejected_key: Option<String>,
}

impl Load {
    /// The first load of a file.
    pub fn first(claim: Claim) -> Self {
        Self {
            claim,
            number: 1,
            status: Status::Recorded,
            refused: None,
            progress: None,
            rows_of: None,
            rows: 0,
            replaces: false,
            writing_until: 0,
            shared: false,
            not_before: 0,
            rejected: 0,
            repeated: 0,
            rejected_key: None,
        }
    }

    /// The load that comes in the place of this one.
    pub fn next(&self, claim: Claim) -> Self {
        let in_the_middle = !self.is_finished() && self.progress.is_some();
        let (rows_of, rows) = if in_the_middle { (None, 0) } else { (self.rows_of, self.rows) };
        Self {
            number: self.number + 1,
            rows_of,
            rows,
            replaces: in_the_middle || self.replaces || self.rows > 0,
            not_before: self.writing_until.max(self.not_before),
            ..Self::first(claim)
        }
    }

    /// Loaded, or refused: nothing more will become of it.
    pub fn is_finished(&self) -> bool {
        self.status != Status::Recorded || self.refused.is_some()
    }

    /// Whether rows of several loads, or a part of one, may be in the table.
    pub fn is_mixed(&self) -> bool {
        self.progress.is_some() || (self.replaces && self.rows_of.is_none())
    }

    /// As it is when all rows are stored, and no others are there.
    pub fn loaded(mut self) -> Self {
        let progress = self.progress.take().unwrap_or_default();
        self.status = Status::Processed;
        self.rows = progress.rows - progress.rejected - progress.repeated;
        self.rows_of = Some(self.number);
        (self.rejected, self.repeated) = (progress.rejected, progress.repeated);
        (self.replaces, self.not_before) = (false, 0);
        self
    }

    /// As it is when nothing of the file is loaded: the table has what it had before, or, where that was a mixture and
    /// was cleared, nothing.
    pub fn refused(mut self, why: String, tally: Option<&Tally>, cleared: bool) -> Self {
        if cleared {
            (self.rows, self.rows_of, self.replaces) = (0, None, false);
        }
        self.refused = Some(why);
        self.progress = None;
        self.not_before = 0;
        if let Some(tally) = tally {
            (self.rejected, self.repeated) = (tally.rejected, tally.repeated);
        }
        self
    }
}

impl Progress {
    pub fn of(tally: &Tally) -> Self {
        let left_out = tally.left_out.len() as u64;
        let Tally { rows, rejected, repeated, .. } = *tally;
        Self { rows, rejected, repeated, left_out, ..Self::default() }
    }

    pub fn to_text(&self) -> String {
        let Self { rows, rejected, repeated, left_out, written, removing, refusing } = self;
        json!({
            "rows": rows, "rejected": rejected, "repeated": repeated, "left_out": left_out,
            "offset": written.offset, "newlines": written.newlines, "row": written.rows, "removing": removing,
            "refusing": refusing,
        })
        .to_string()
    }

    pub fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let count = |name: &str| value[name].as_u64();
        Some(Self {
            rows: count("rows")?,
            rejected: count("rejected")?,
            repeated: count("repeated")?,
            left_out: count("left_out")?,
            written: Position { offset: count("offset")?, newlines: count("newlines")?, rows: count("row")? },
            removing: value["removing"].as_str().map(str::to_owned),
            refusing: value["refusing"].as_str().map(str::to_owned),
        })
    }
}
