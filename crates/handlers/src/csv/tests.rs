//! Random files against a model that reads them whole, with the `csv` crate, and remembers everything.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;

/// What became of a file.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    /// Row → what is stored of it.
    stored: BTreeMap<u64, Vec<(String, String)>>,
    /// Row → why it is not.
    rejected: BTreeMap<u64, String>,
    repeated: u64,
}

fn rules() -> Rules {
    Rules {
        columns: columns(r#"{"n":"N","b":"BOOL"}"#).unwrap(),
        delimiter: b',',
        key: Some("id".into()),
        table: None,
        reserved: vec!["row".into()],
        max_rejected: MaxRejected::parse("100").unwrap(),
        largest_row: 60,
        longest_key: 20,
        longest_name: 255,
    }
}

/// All rows of the file, which comes in pieces of this size.
fn each(
    file: &[u8],
    piece: usize,
    rules: &Rules,
    mut take: impl FnMut(&Judged<'_>, Position) -> Result<(), Refusal>,
) -> Result<Rows, Refusal> {
    let mut rows = Rows::begin(Arc::new(rules.clone()), &file[..file.len().min(LOOKED_AT)])?;
    go(&mut rows, file, piece, &mut take)?;
    Ok(rows)
}

fn go(
    rows: &mut Rows,
    file: &[u8],
    piece: usize,
    take: &mut impl FnMut(&Judged<'_>, Position) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let from = usize::try_from(rows.position().offset).unwrap();
    let mut position = rows.position();
    for mut piece in file[from..].chunks(piece) {
        while let Some(judged) = rows.next(&mut piece)? {
            take(&judged, position)?;
            position = rows.position();
        }
    }
    if let Some(judged) = rows.end()? {
        take(&judged, position)?;
    }
    Ok(())
}

fn text(value: &Value<'_>) -> String {
    match value {
        Value::String(text) => (*text).to_owned(),
        Value::Number(text) => text.clone().into_owned(),
        Value::Boolean(value) => value.to_string(),
    }
}

/// What the loaders do: look twice, then load, from the row `from` on by another reader.
fn load(file: &[u8], piece: usize, rules: &Rules, from: u64) -> Result<Outcome, Refusal> {
    let mut survey = Survey::new(file.len() as u64);
    each(file, piece, rules, |judged, _| survey.add(judged))?;
    let (mut outcome, mut place) = (Outcome::default(), Position::default());
    let tally = match survey.end() {
        Surveyed::Clean(tally) => tally,
        Surveyed::Doubtful(mut check) => {
            each(file, piece, rules, |judged, _| {
                if let Some(reason) = check.add(judged, rules)? {
                    outcome.rejected.insert(judged.number, reason.to_string());
                }
                Ok(())
            })?;
            check.end()
        }
    };
    // Another reader begins behind a row, never at the first one: the header would be a row to it.
    let mut rows = each(file, piece, rules, |judged, position| {
        if judged.number == from {
            place = position;
        }
        Ok(())
    })?;
    let mut take = |judged: &Judged<'_>, _| {
        if let (Ok(row), Err(_)) = (&judged.row, tally.left_out.binary_search(&judged.number)) {
            let values = row.values().map(|(name, value)| (name.to_owned(), text(&value))).collect();
            outcome.stored.insert(judged.number, values);
        }
        Ok(())
    };
    match place == Position::default() {
        true => drop(each(file, piece, rules, &mut take)?),
        false => {
            each(
                file,
                piece,
                rules,
                |judged, position| if judged.number < from { take(judged, position) } else { Ok(()) },
            )?;
            rows.go_on(place);
            go(&mut rows, file, piece, &mut take)?;
        }
    }
    outcome.repeated = tally.repeated;
    assert_eq!(tally.rejected, outcome.rejected.len() as u64);
    assert_eq!(tally.rows - tally.rejected - tally.repeated, outcome.stored.len() as u64);
    Ok(outcome)
}

/// Fields, with what each is as a number and as a boolean, where it is one.
const FIELDS: &[(&str, Option<&str>, Option<&str>)] = &[
    ("", Some(""), Some("")),
    ("1", Some("1"), Some("true")),
    ("0", Some("0"), Some("false")),
    ("+2.5", Some("2.5E0"), None),
    ("-7e3", Some("-7e3"), None),
    ("true", None, Some("true")),
    ("FALSE", None, Some("false")),
    ("x", None, None),
    ("ä€😀", None, None),
    ("two\nlines", None, None),
    ("a \"word\", and more", None, None),
    ("\u{feff}mark", None, None),
    ("longer than any key may be", None, None),
    ("so long that only one of its kind fits into a row, and two do not", None, None),
];

#[derive(Clone, Debug)]
struct File {
    bytes: Vec<u8>,
    /// As they were written, by position in [`FIELDS`]; `None`: bytes that are not UTF-8.
    rows: Vec<Vec<Option<usize>>>,
}

fn field() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![30 => (0..FIELDS.len()).prop_map(Some), 1 => Just(None)]
}

fn file() -> impl Strategy<Value = File> {
    let row = prop_oneof![
        12 => prop::collection::vec(field(), 4),
        1 => prop::collection::vec(field(), 1..6),
    ];
    let ends = prop_oneof![Just("\n"), Just("\r\n")];
    (prop::collection::vec(row, 0..40), ends, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(mut rows, end, mark, last_end, quote_all)| {
            // One empty field is a blank line, which is no row.
            rows.retain(|row| row.len() > 1 || row[0] != Some(0) || quote_all);
            let mut bytes = if mark { b"\xEF\xBB\xBF".to_vec() } else { Vec::new() };
            bytes.extend_from_slice(b"id,n, b ,s");
            for row in &rows {
                bytes.extend_from_slice(end.as_bytes());
                for (at, field) in row.iter().enumerate() {
                    if at > 0 {
                        bytes.push(b',');
                    }
                    match field.map(|field| FIELDS[field].0) {
                        None => bytes.extend_from_slice(b"\xFF\xC3"),
                        Some(text) if quote_all || text.contains([',', '"', '\n']) => {
                            bytes.extend_from_slice(format!("\"{}\"", text.replace('"', "\"\"")).as_bytes());
                        }
                        Some(text) => bytes.extend_from_slice(text.as_bytes()),
                    }
                }
            }
            if last_end {
                bytes.extend_from_slice(end.as_bytes());
            }
            File { bytes, rows }
        },
    )
}

/// The same by knowing how the file was made.
fn model(file: &File) -> Outcome {
    let mut outcome = Outcome::default();
    let mut first: BTreeMap<&str, (u64, &Vec<Option<usize>>)> = BTreeMap::new();
    for (row, number) in file.rows.iter().zip(1..) {
        let text = |at: usize| row[at].map_or("", |field| FIELDS[field].0);
        let bytes: usize = row.iter().map(|field| field.map_or(2, |field| FIELDS[field].0.len())).sum();
        let (id, n, b) = (text(0), row.get(1).copied().flatten(), row.get(2).copied().flatten());
        let as_number = n.and_then(|field| FIELDS[field].1);
        let as_boolean = b.and_then(|field| FIELDS[field].2);
        let why = if row.len() != 4 {
            let fields = if row.len() == 1 { "field" } else { "fields" };
            Some(format!("it has {} {fields}, and the header has 4", row.len()))
        } else if bytes + 5 > 60 {
            Some("it is larger than 60 bytes".to_owned())
        } else if row.contains(&None) {
            Some("it is not UTF-8".to_owned())
        } else if id.is_empty() {
            Some("id is empty, and it is the key".to_owned())
        } else if id.len() > 20 {
            Some(format!("id has {} bytes, and a key has at most 20", id.len()))
        } else if as_number.is_none() {
            Some("n is not a number".to_owned())
        } else if as_boolean.is_none() {
            Some("b is neither true, false, 1 nor 0".to_owned())
        } else {
            match first.get(id) {
                Some((_, content)) if *content == row => {
                    outcome.repeated += 1;
                    continue;
                }
                Some((of, _)) => Some(format!("id is the key of row {of} already, which has other content")),
                None => None,
            }
        };
        if let Some(why) = why {
            outcome.rejected.insert(number, why);
            continue;
        }
        first.insert(id, (number, row));
        let values = [("id", id), ("n", as_number.unwrap()), ("b", as_boolean.unwrap()), ("s", text(3))];
        let there = values.into_iter().filter(|(_, value)| !value.is_empty());
        outcome.stored.insert(number, there.map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
    }
    outcome
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_file_comes_to_what_the_model_says(file in file(), piece in 1..200usize, from in 2..40u64) {
        prop_assert_eq!(load(&file.bytes, piece, &rules(), from), Ok(model(&file)));
    }

    #[test]
    fn any_bytes_are_cut_as_by_another_reader(bytes in "[ab,\"\r\n;\u{e4}]{0,80}", piece in 1..20usize) {
        let file = format!("id,s\n{bytes}");
        let mut found = Vec::new();
        let outcome = each(file.as_bytes(), piece, &rules(), |judged, _| {
            let fields = judged.fields.unwrap();
            found.push(fields.iter().map(<[u8]>::to_vec).collect::<Vec<_>>());
            Ok(())
        });
        if outcome.is_err() {
            // That is the one thing that it does otherwise: a quote that is never closed hides rows, and is refused.
            prop_assert!(bytes.contains('"'));
            return Ok(());
        }
        let mut other = ::csv::ReaderBuilder::new().flexible(true).from_reader(file.as_bytes());
        let records = other.byte_records().map(|record| record.unwrap().iter().map(<[u8]>::to_vec).collect::<Vec<_>>());
        prop_assert_eq!(found, records.collect::<Vec<_>>());
    }
}

fn refusal(file: &[u8]) -> String {
    load(file, 7, &rules(), 0).unwrap_err().to_string()
}

#[test]
fn a_file_that_is_no_table_is_refused_by_name() {
    assert_eq!(refusal(b""), "the file is empty: it has no header");
    assert_eq!(refusal(b"\xEF\xBB\xBF\n\n"), "the file is empty: it has no header");
    assert_eq!(refusal(b"\x89PNG\r\n\x1A\n\0"), "the file is a PNG image, not CSV");
    assert_eq!(refusal(b"id,\xFF\n"), "the header is not UTF-8");
    assert_eq!(refusal(b"id,,n\n"), "column 2 has no name in the header");
    assert_eq!(refusal(b"id,n, n\n"), "the header has the column \"n\" twice");
    assert!(refusal(b"id,row\n").contains("the column \"row\", an attribute that the table has for itself"));
    let other = refusal(b"id;name\n1;x\n");
    assert_eq!(
        other,
        "the header has no column \"id\", the table's key: it has \"id;name\" alone; is another delimiter meant?"
    );
    assert!(refusal(b"a,b,c,d,e,f,g\n").ends_with("\"e\" and 2 more"));
    assert_eq!(refusal(b"id,s\n1,a\n2,\"b\n3,c\n"), "a quote that is opened in the record of line 3 is never closed");
    let wide = format!("id{}\n", ",a".repeat(1_000_000));
    assert!(
        refusal(wide.as_bytes()).starts_with("the header is longer than")
            || refusal(wide.as_bytes()).contains("columns")
    );
}

#[test]
fn a_header_alone_is_a_file_without_rows() {
    for file in ["id,n", "id,n\n", "\u{feff}id,n\r\n\r\n"] {
        assert_eq!(load(file.as_bytes(), 3, &rules(), 0), Ok(Outcome::default()), "{file:?}");
    }
}

#[test]
fn of_the_rows_so_many_may_be_left_out_and_no_more() {
    let tally = Tally { rows: 100, rejected: 10, ..Tally::default() };
    assert_eq!(tally.check_share(MaxRejected::default()), Ok(()));
    let first_rejected = Some((7, Reason::NotUtf8));
    let refused = Tally { rejected: 11, first_rejected, ..tally }.check_share(MaxRejected::default()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "11 of 100 rows cannot be stored, and at most 10 % may be left out; the first one is in line 7: it is not UTF-8"
    );
}

#[test]
fn the_filter_suspects_few_of_many_keys_and_misses_none() {
    let file: String =
        std::iter::once("id,s\n".to_owned()).chain((0..200_000).map(|n| format!("key-{n},text\n"))).collect();
    let mut survey = Survey::new(file.len() as u64);
    each(file.as_bytes(), 64 << 10, &rules(), |judged, _| survey.add(judged)).unwrap();
    let Surveyed::Clean(tally) = survey.end() else {
        // A key in 2,000 may be suspected; the second look finds that none repeats.
        let outcome = load(file.as_bytes(), 64 << 10, &rules(), 0).unwrap();
        assert_eq!((outcome.stored.len(), outcome.repeated), (200_000, 0));
        return;
    };
    assert_eq!(tally.rows, 200_000);
}

#[test]
fn rejects_are_csv_with_line_row_reason_and_the_row_itself() {
    let mut rejects = Rejects::new(b';');
    let rules = Rules { delimiter: b';', ..rules() };
    each(b"id;n\n1;a,b\n\"x;\n\"\"\";\"7\"\n2;y", 3, &rules, |judged, _| {
        rejects.add(judged, judged.row.as_ref().err().unwrap_or(&Reason::NotUtf8));
        Ok(())
    })
    .unwrap();
    let text = rejects.take();
    let mut reader = ::csv::Reader::from_reader(&text[..]);
    let rows: Vec<_> = reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<_>>()).collect();
    assert_eq!(rows[0], ["2", "1", "n is not a number", "1;a,b"]);
    assert_eq!(rows[1], ["3", "2", "it is not UTF-8", "\"x;\n\"\"\";7"]);
    assert_eq!(rows[2][..2], ["5", "3"]);
}
