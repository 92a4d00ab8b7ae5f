//! Finds the rows that repeat a key of their file, in memory that does not grow with the file.
//!
//! Two looks. The first one, [`Survey`], puts every key into a filter of fixed size, and remembers the few that may have
//! been there before: those that were, and some that the filter takes for others. Most files have none, and are done. The
//! second one, [`Check`], holds the content of only those few, and so knows for certain. Contents are compared by 128 bits
//! of hash.
//!
//! The filter has 64 MiB at most. With 50 million rows it takes a key in 500 for another, and what it remembers is small;
//! from some 70 million rows on that would be more than is allowed, and the file is refused.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::{Judged, MaxRejected, Reason, Refusal, Row, Rules};

/// Bits of the filter for a row, where it may have as many: one key in 2,000 is then taken for another.
const BITS_PER_ROW: u64 = 16;
/// Shorter than most rows are: the number of rows is not known beforehand.
const BYTES_PER_ROW: u64 = 16;
const SMALLEST_FILTER: u64 = 64 << 10;
const LARGEST_FILTER: u64 = 64 << 20;
/// Words of 64 bits that one key sets its bits in: a line of the processor's cache.
const LINE: usize = 8;
const BITS_PER_KEY: u32 = 6;
/// Rows that may repeat a key, in one file.
const MOST_REPEATED: usize = 1_000_000;

/// The first look.
pub struct Survey {
    filter: Vec<u64>,
    /// Hashes of keys that may be in the file twice.
    suspects: HashSet<u64>,
    rows: u64,
    rejected: u64,
}

/// The second look, at a file of which the first one is done.
pub struct Check {
    suspects: HashSet<u64>,
    /// Of each suspect: its content and its row, as it came first.
    first: HashMap<u128, (u128, u64)>,
    tally: Tally,
}

/// What the first look has found.
pub enum Surveyed {
    /// Every row can be stored.
    Clean(Tally),
    /// Rows are to be rejected, or may repeat a key: the second look tells which.
    Doubtful(Check),
}

/// What the rows of a file come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub rows: u64,
    pub rejected: u64,
    /// Rows that say the same as an earlier one: they are neither stored once more nor rejected.
    pub repeated: u64,
    /// Rows that are not stored because an earlier one has their key, in ascending order.
    pub left_out: Vec<u64>,
    /// The line of the first row that is rejected, and why it is.
    pub first_rejected: Option<(u64, Reason)>,
}

impl Tally {
    fn reject(&mut self, judged: &Judged<'_>, reason: &Reason) {
        self.rejected += 1;
        self.first_rejected.get_or_insert_with(|| (judged.line, reason.clone()));
    }

    /// Takes a row where any two may be the same.
    pub fn count(&mut self, judged: &Judged<'_>) {
        self.rows += 1;
        if let Err(reason) = &judged.row {
            self.reject(judged, reason);
        }
    }

    pub fn check_share(&self, max: MaxRejected) -> Result<(), Refusal> {
        if !max.is_exceeded(self.rejected, self.rows) {
            return Ok(());
        }
        let first = self.first_rejected.clone();
        Err(Refusal::TooManyRejected {
            rejected: self.rejected,
            at_least: false,
            rows: self.rows,
            max_percent: max.to_string(),
            first,
        })
    }
}

impl Survey {
    /// For a file of this many bytes.
    pub fn new(file: u64) -> Self {
        let bytes = (file / BYTES_PER_ROW * BITS_PER_ROW / 8).clamp(SMALLEST_FILTER, LARGEST_FILTER);
        let words = usize::try_from(bytes / 8).unwrap_or(LINE).next_power_of_two();
        Self { filter: vec![0; words], suspects: HashSet::new(), rows: 0, rejected: 0 }
    }

    pub fn add(&mut self, judged: &Judged<'_>) -> Result<(), Refusal> {
        self.rows += 1;
        let Ok(row) = &judged.row else {
            self.rejected += 1;
            return Ok(());
        };
        let Some(key) = row.key().map(short_hash) else { return Ok(()) };
        if self.may_have_seen(key) && self.suspects.insert(key) && self.suspects.len() > MOST_REPEATED {
            return Err(Refusal::TooManyRepeated { most: MOST_REPEATED });
        }
        Ok(())
    }

    pub fn end(self) -> Surveyed {
        let Self { suspects, rows, rejected, .. } = self;
        if suspects.is_empty() && rejected == 0 {
            return Surveyed::Clean(Tally { rows, ..Tally::default() });
        }
        Surveyed::Doubtful(Check { suspects, first: HashMap::new(), tally: Tally::default() })
    }

    fn may_have_seen(&mut self, key: u64) -> bool {
        let lines = self.filter.len() / LINE;
        // The upper half of the hash chooses the line, the lower one the bits in it.
        let line = (key >> 32) as usize % lines * LINE;
        let mut bits = (key as u32).wrapping_mul(0x9E37_79B9) as u64 | (key << 32);
        let mut seen = true;
        for _ in 0..BITS_PER_KEY {
            let word = &mut self.filter[line + (bits >> 6) as usize % LINE];
            let bit = 1 << (bits & 63);
            seen &= *word & bit != 0;
            *word |= bit;
            bits >>= 9;
        }
        seen
    }
}

impl Check {
    /// Takes every row in the file's order, and gives the reason of one that is rejected.
    pub fn add(&mut self, judged: &Judged<'_>, rules: &Rules) -> Result<Option<Reason>, Refusal> {
        self.tally.rows += 1;
        let row = match &judged.row {
            Ok(row) => row,
            Err(reason) => {
                self.tally.reject(judged, reason);
                return Ok(Some(reason.clone()));
            }
        };
        let Some(key) = row.key().filter(|key| self.suspects.contains(&short_hash(key))) else {
            return Ok(None);
        };
        let content = content(row);
        let key = long_hash(std::iter::once(key));
        let (first, number) = *self.first.entry(key).or_insert((content, judged.number));
        if number == judged.number {
            return Ok(None);
        }
        self.tally.left_out.push(judged.number);
        if self.tally.left_out.len() > MOST_REPEATED {
            return Err(Refusal::TooManyRepeated { most: MOST_REPEATED });
        }
        if first == content {
            self.tally.repeated += 1;
            return Ok(None);
        }
        let reason = Reason::Repeated { column: rules.key.clone().unwrap_or_default(), row: number };
        self.tally.reject(judged, &reason);
        Ok(Some(reason))
    }

    pub fn end(self) -> Tally {
        self.tally
    }
}

fn content(row: &Row<'_>) -> u128 {
    long_hash(row.texts())
}

/// Keyed by nothing, so that every process of one version finds the same.
fn short_hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn long_hash<'a>(texts: impl Iterator<Item = &'a str>) -> u128 {
    let (mut one, mut other) = (DefaultHasher::new(), DefaultHasher::new());
    other.write_u8(1);
    for text in texts {
        text.hash(&mut one);
        text.hash(&mut other);
    }
    u128::from(one.finish()) << 64 | u128::from(other.finish())
}
