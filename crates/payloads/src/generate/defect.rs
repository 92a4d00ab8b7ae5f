//! What is wrong with a row that no loader may store.

use serde::Serialize;

use super::random::Random;
use super::schema::{KEY, Schema};

/// Bytes of an item, at most (Amazon DynamoDB Developer Guide, "Quotas"): a field of more fits none.
const LONGEST_ITEM: usize = 400 << 10;
/// One bad row of so many has the field that is too long: a file is not to consist of them.
const ONE_TOO_LONG_OF: u64 = 100;

const NO_NUMBERS: [&str; 6] = ["n/a", "twelve", "1.2.3", "12,50", "--5", "0x1F"];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Defect {
    /// A field is missing, or there is one more than the header names.
    Ragged,
    /// Text where a number belongs.
    NoNumber,
    /// The key is empty.
    NoKey,
    /// The key of an earlier row, with other content.
    DuplicateKey,
    /// A field that makes the row larger than an item may be.
    TooLong,
}

impl Defect {
    pub const ALL: [Defect; 5] =
        [Defect::Ragged, Defect::NoNumber, Defect::NoKey, Defect::DuplicateKey, Defect::TooLong];

    /// As people read it.
    pub fn words(self) -> &'static str {
        match self {
            Defect::Ragged => "ragged",
            Defect::NoNumber => "with text for a number",
            Defect::NoKey => "without a key",
            Defect::DuplicateKey => "with the key of an earlier row",
            Defect::TooLong => "with a field that is too long",
        }
    }

    /// Of the bad row with this number: each kind once among the first, then by chance.
    pub fn choose(number: u64, has_earlier: bool, random: &mut Random) -> Defect {
        const BY_CHANCE: u64 = Defect::ALL.len() as u64 - 1;
        let index = match number {
            number if number <= BY_CHANCE => number,
            number if number.is_multiple_of(ONE_TOO_LONG_OF) => BY_CHANCE,
            _ => random.below(BY_CHANCE),
        };
        match Defect::ALL[index as usize] {
            Defect::DuplicateKey if !has_earlier => Defect::Ragged,
            defect => defect,
        }
    }

    /// Does this to a row. `earlier` is the key of a good row before it.
    pub fn apply(self, schema: Schema, earlier: Option<String>, fields: &mut Vec<String>, random: &mut Random) {
        match self {
            Defect::Ragged if random.below(2) == 0 => drop(fields.pop()),
            Defect::Ragged => fields.push("one more".to_owned()),
            Defect::NoNumber => {
                let numbers = schema.numbers();
                fields[numbers[random.below(numbers.len() as u64) as usize]] = random.one_of(&NO_NUMBERS).to_owned();
            }
            Defect::NoKey => fields[KEY].clear(),
            Defect::DuplicateKey => fields[KEY] = earlier.unwrap_or_default(),
            Defect::TooLong => fields[schema.text()] = "x".repeat(LONGEST_ITEM + 1),
        }
    }
}
