//! Random files against a model that knows of each field whether the table takes it, and as what.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use super::trial::Trial;

/// What the database gives back of a field; `Err`: the row is left out.
type Stored = Result<&'static str, ()>;

const NULL: Stored = Ok("NULL");

/// Columns, each with fields and what becomes of them.
const COLUMNS: [(&str, &[(&str, Stored)]); 6] = [
    ("id", &[("a", Ok("a")), ("é😀", Ok("é😀")), (" x ", Ok(" x ")), ("0", Ok("0")), ("", Err(()))]),
    (
        "name",
        &[
            ("", NULL),
            ("two\nlines", Ok("two\nlines")),
            ("a \"b\", c", Ok("a \"b\", c")),
            ("'; --", Ok("'; --")),
            ("NULL", Ok("NULL")),
        ],
    ),
    (
        "orders",
        &[
            ("", NULL),
            ("5", Ok("5")),
            (" 6 ", Ok("6")),
            ("1e2", Ok("100")),
            ("-3", Ok("-3")),
            ("x", Err(())),
            ("1.5", Err(())),
            ("9223372036854775808", Err(())),
        ],
    ),
    (
        "credit_limit",
        &[
            ("", NULL),
            ("2.5", Ok("2.5000000000")),
            ("-1", Ok("-1.0000000000")),
            ("1e-3", Ok("0.0010000000")),
            ("0.00000000001", Err(())),
            ("1,5", Err(())),
        ],
    ),
    (
        "since",
        &[
            ("", NULL),
            ("2024-02-29", Ok("2024-02-29")),
            ("2023-02-29", Err(())),
            ("0000-00-00", Err(())),
            ("soon", Err(())),
        ],
    ),
    (
        "created_at",
        &[
            ("", NULL),
            ("2024-01-01T01:00:00+01:00", Ok("2024-01-01 00:00:00.000000")),
            ("2024-01-01 01:00:00", Ok("2024-01-01 01:00:00.000000")),
            ("25:00", Err(())),
        ],
    ),
];
/// Files that are tried; each has up to so many rows.
const FILES: u32 = 24;
const ROWS: usize = 80;

#[derive(Debug, Clone)]
struct File {
    /// In the order of the header.
    columns: Vec<usize>,
    /// A field of each column, by its place in the list; `None`: a row that lacks its last field.
    rows: Vec<Option<Vec<usize>>>,
}

fn file() -> impl Strategy<Value = File> {
    let columns = subsequence((1..COLUMNS.len()).collect::<Vec<_>>(), 0..COLUMNS.len()).prop_flat_map(|mut columns| {
        columns.push(0);
        Just(columns).prop_shuffle()
    });
    columns.prop_flat_map(|columns| {
        let fields: Vec<_> =
            columns.iter().map(|column| select((0..COLUMNS[*column].1.len()).collect::<Vec<_>>())).collect();
        let row = prop_oneof![12 => fields.prop_map(Some), 1 => Just(None)];
        let rows = prop::collection::vec(row, 0..ROWS);
        rows.prop_map(move |rows| File { columns: columns.clone(), rows })
    })
}

impl File {
    fn text(&self) -> String {
        let mut text = self.columns.iter().map(|column| COLUMNS[*column].0).collect::<Vec<_>>().join(",") + "\n";
        for row in &self.rows {
            let fields = match row {
                None => vec!["\"one more than there may be\"".to_owned(); self.columns.len() + 1],
                Some(row) => {
                    row.iter().zip(&self.columns).map(|(at, column)| quoted(COLUMNS[*column].1[*at].0)).collect()
                }
            };
            text.push_str(&(fields.join(",") + "\r\n"));
        }
        text
    }

    /// Number of the row, and what is stored of it.
    fn stored(&self) -> Vec<Vec<String>> {
        let of = |row: &Option<Vec<usize>>| {
            let fields = row.as_ref()?.iter().zip(&self.columns);
            fields.map(|(at, column)| COLUMNS[*column].1[*at].1.ok().map(str::to_owned)).collect::<Option<Vec<_>>>()
        };
        let numbered = (1..).zip(&self.rows).filter_map(|(number, row)| Some((number, of(row)?)));
        numbered.map(|(number, row): (u64, _)| [vec![number.to_string()], row].concat()).collect()
    }
}

fn quoted(field: &str) -> String {
    format!("\"{}\"", field.replace('"', "\"\""))
}

#[test]
fn any_file_comes_to_what_the_model_says() {
    let mut trial = Trial::up();
    trial.function.with(&[("MAX_REJECTED", "100")]);
    let sequencer = Cell::new(0);
    let mut runner = TestRunner::new(Config { cases: FILES, failure_persistence: None, ..Config::default() });
    let ended = runner.run(&file(), |file| {
        sequencer.set(sequencer.get() + 1);
        let loaded = trial.load("any.csv", file.text(), sequencer.get());
        let stored = file.stored();
        let rejected = file.rows.len() - stored.len();
        prop_assert_eq!(&loaded["outcome"], &json!("loaded"), "{}", loaded);
        prop_assert_eq!((&loaded["rows"], &loaded["rejected"]), (&json!(stored.len()), &json!(rejected)));
        let columns = file.columns.iter().map(|column| format!(", {}", COLUMNS[*column].0)).collect::<String>();
        prop_assert_eq!(trial.sql(&format!("SELECT `row`{columns} FROM current_customer ORDER BY `row`")), stored);
        if rejected > 0 {
            let left_out = trial.object(loaded["rejected_key"].as_str().unwrap());
            let mut reader = csv::Reader::from_reader(left_out.as_bytes());
            prop_assert_eq!(reader.records().count(), rejected);
        }
        Ok(())
    });
    ended.unwrap_or_else(|failed| panic!("{failed}"));
}
