//! What the rows of a sample file are about.

use serde::Serialize;

use super::random::Random;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Schema {
    Products,
    Customers,
}

/// The first column tells one row from another: the partition key of the stack csv-table, unless told otherwise.
pub const KEY: usize = 0;

/// Times begin here: 2024-01-01, and each row has its day.
const FIRST_YEAR: u64 = 2024;

const ADJECTIVES: [&str; 8] = ["Plain", "Green", "Café", "Sturdy", "Small", "Großer", "Silent", "Bright"];
const NOUNS: [&str; 8] = ["lamp", "chair", "kettle", "shelf", "bottle", "ladder", "brush", "clock"];
const CATEGORIES: [&str; 5] = ["home", "garden", "office", "kitchen", "outdoor"];
const FIRST_NAMES: [&str; 8] = ["Ada", "Zoë", "José", "Mary", "Łukasz", "Sean", "Ngọc", "Anna"];
const LAST_NAMES: [&str; 8] = ["Miller", "O'Brien", "Müller", "Smith", "Nguyễn", "Rossi", "van Dam", "Kowalska"];
const COUNTRIES: [&str; 6] = ["DE", "FR", "GB", "IE", "US", "VN"];
/// Texts that a reader of CSV has to take apart with care.
const NOTES: [&str; 6] =
    ["", "sold in pairs", "red, green and blue", "the \"new\" model", "first line\nsecond line", "naïve 🙂"];

impl Schema {
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            Schema::Products => &["id", "name", "category", "price", "stock", "weight_grams", "note", "updated_at"],
            Schema::Customers => &["id", "name", "email", "country", "orders", "credit_limit", "note", "since"],
        }
    }

    /// Those columns whose values are numbers.
    pub fn numbers(self) -> &'static [usize] {
        match self {
            Schema::Products => &[3, 4, 5],
            Schema::Customers => &[4, 5],
        }
    }

    /// The column that takes any text.
    pub fn text(self) -> usize {
        6
    }

    pub fn key(self, row: u64) -> String {
        let letter = if self == Schema::Products { 'P' } else { 'C' };
        format!("{letter}{:09}", row + 1)
    }

    /// A row that can be stored. No two rows have the same content.
    pub fn row(self, seed: u64, row: u64) -> Vec<String> {
        let mut random = Random::of(seed, row);
        let note = random.one_of(&NOTES).to_owned();
        let day = date(&mut random);
        match self {
            Schema::Products => vec![
                self.key(row),
                format!("{} {} {}", random.one_of(&ADJECTIVES), random.one_of(&NOUNS), row + 1),
                random.one_of(&CATEGORIES).to_owned(),
                money(&mut random, 100_000),
                random.below(1_000).to_string(),
                random.between(1, 50_000).to_string(),
                note,
                day,
            ],
            Schema::Customers => vec![
                self.key(row),
                format!("{} {}", random.one_of(&FIRST_NAMES), random.one_of(&LAST_NAMES)),
                format!("customer{}@example.com", row + 1),
                random.one_of(&COUNTRIES).to_owned(),
                random.below(500).to_string(),
                money(&mut random, 1_000_000),
                note,
                day,
            ],
        }
    }
}

fn money(random: &mut Random, cents: u64) -> String {
    let cents = random.below(cents);
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn date(random: &mut Random) -> String {
    // A day that every month has.
    format!("{}-{:02}-{:02}", FIRST_YEAR + random.below(2), random.between(1, 12), random.between(1, 28))
}
