use std::collections::{BTreeMap, HashMap};

use claimctl_core::cancel::Cancel;
use claimctl_core::error::Kind;
use claimctl_core::exit::Exit;
use claimctl_core::progress::Silent;
use proptest::prelude::*;

use super::csv::{CsvOptions, CsvSample};
use super::payloads::{Distribution, LEAST_SIZE, PayloadOptions, Sizes, to_folder};
use super::random::Random;
use super::*;

fn made(schema: Schema, rows: u64, bad: Share, seed: u64) -> (CsvSample, Vec<u8>) {
    let mut bytes = Vec::new();
    let options = CsvOptions { schema, rows, bad, seed };
    let sample = csv::pour(&options, &Cancel::default(), &Silent, |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    });
    (sample.unwrap(), bytes)
}

/// The rows of a file, as RFC 4180 reads them.
fn read(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => field.extend(characters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            c => field.push(c),
        }
    }
    assert!(!quoted && row.is_empty() && field.is_empty(), "the file ends within a row");
    rows
}

/// What a loader finds wrong with a file, judged without a look at how it was made.
fn judge(schema: Schema, text: &str) -> (u64, BTreeMap<Defect, u64>) {
    let mut rows = read(text).into_iter();
    let header = rows.next().unwrap();
    assert_eq!(header, schema.columns());
    let (mut good, mut bad) = (0, BTreeMap::new());
    let mut seen: HashMap<String, Vec<String>> = HashMap::new();
    for row in rows {
        let is_no_number = |column: &usize| row.get(*column).is_some_and(|field| field.parse::<f64>().is_err());
        let defect = if row.len() != header.len() {
            Some(Defect::Ragged)
        } else if schema.numbers().iter().any(is_no_number) {
            Some(Defect::NoNumber)
        } else if row[0].is_empty() {
            Some(Defect::NoKey)
        } else if row.iter().map(String::len).sum::<usize>() > 400 << 10 {
            Some(Defect::TooLong)
        } else {
            seen.get(&row[0]).map(|before| {
                assert_ne!(*before, row, "the same row twice is no defect");
                Defect::DuplicateKey
            })
        };
        match defect {
            Some(defect) => *bad.entry(defect).or_default() += 1,
            None => {
                good += 1;
                seen.insert(row[0].clone(), row);
            }
        }
    }
    (good, bad)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_bad_rows_are_as_many_as_were_asked_for_and_are_what_they_are_called(
        rows in 0_u64..600, percent in 0_u64..=100, seed: u64, products: bool,
    ) {
        let schema = if products { Schema::Products } else { Schema::Customers };
        let share = Share::parse(&format!("{percent}%")).unwrap();
        let (sample, bytes) = made(schema, rows, share, seed);
        prop_assert_eq!(sample.bytes, bytes.len() as u64);
        let (good, bad) = judge(schema, std::str::from_utf8(&bytes).unwrap());
        prop_assert_eq!((good, &bad), (sample.good, &sample.bad));
        prop_assert_eq!((good + bad.values().sum::<u64>(), bad.values().sum()), (rows, share.of(rows)));
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_one_others(seed: u64, other: u64) {
        prop_assume!(seed != other);
        let share = Share::parse("3%").unwrap();
        let of = |seed| made(Schema::Products, 200, share, seed).1;
        prop_assert!(of(seed) == of(seed));
        prop_assert!(of(seed) != of(other));
        let payload = |seed| payload_of(seed, 200, 100_000).1;
        prop_assert!(payload(seed) == payload(seed));
        prop_assert!(payload(seed) != payload(other));
    }

    #[test]
    fn a_payload_is_a_document_of_a_size_between_the_two(seed: u64, least in LEAST_SIZE..5_000, more in 0_u64..200_000) {
        let (size, bytes) = payload_of(seed, least, least + more);
        prop_assert_eq!(size, bytes.len() as u64);
        prop_assert!((least..=least + more).contains(&size));
        let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        prop_assert_eq!(&document["order"], 8);
    }
}

fn payload_of(seed: u64, least: u64, most: u64) -> (u64, Vec<u8>) {
    let sizes = Sizes { least, most, distribution: Distribution::Skewed };
    let options = PayloadOptions { count: 9, sizes, seed };
    let mut bytes = Vec::new();
    let size = payloads::payload(&options, 7, |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    });
    (size.unwrap(), bytes)
}

/// Made on one machine and compared on every other: what is random must not depend on the platform. The numbers are
/// those that the definition of SplitMix64 gives for the seed 0.
#[test]
fn the_numbers_are_those_of_every_platform() {
    let mut random = Random::of_state(0);
    assert_eq!(
        [random.next(), random.next(), random.next()],
        [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]
    );
}

#[test]
fn a_share_is_read_exactly_or_refused() {
    for (text, of_a_million) in [
        ("0", 0),
        ("5%", 50_000),
        ("0.05", 50_000),
        ("12.5 %", 125_000),
        (".000001", 1),
        ("100%", 1_000_000),
        ("1", 1_000_000),
    ] {
        assert_eq!(Share::parse(text).unwrap().of(1_000_000), of_a_million, "{text}");
    }
    for text in ["", "%", "5", "101%", "-1%", "1e-3", "0.0000001", "five", "1.2.3"] {
        assert!(Share::parse(text).is_err(), "{text:?}");
    }
    assert_eq!(Share::parse("50%").unwrap().of(3), 2, "rounded");
}

#[test]
fn sizes_that_are_skewed_have_as_many_in_each_doubling() {
    let sizes = |distribution| Sizes { least: 1 << 10, most: (1 << 20) - 1, distribution };
    let small = |distribution| {
        let mut random = Random::of(1, 1);
        (0..2_000).filter(|_| sizes(distribution).choose(&mut random) < 32 << 10).count()
    };
    // Five doublings of ten; and 31 KiB of a MiB.
    assert!((900..1_100).contains(&small(Distribution::Skewed)), "{}", small(Distribution::Skewed));
    assert!((30..95).contains(&small(Distribution::Uniform)), "{}", small(Distribution::Uniform));
}

#[test]
fn a_folder_is_filled_whole_or_not_at_all() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("above/payloads");
    let sizes = Sizes { least: 128, most: 2_000, distribution: Distribution::Uniform };
    let options = PayloadOptions { count: 12, sizes, seed: 1 };
    let go_on = Cancel::default();
    let names = |folder: &std::path::Path| {
        let mut names: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let stopped = Cancel::default();
    stopped.request(Exit::Interrupted);
    let interrupted = to_folder(&options, &folder, false, &stopped, &Silent).unwrap_err();
    assert_eq!((interrupted.kind(), names(&home.path().join("above")).len()), (Kind::Interrupted, 0));

    let sample = to_folder(&options, &folder, false, &go_on, &Silent).unwrap();
    assert_eq!((sample.files, names(&folder).len(), names(&folder)[0].as_str()), (12, 12, "payload-01.json"));
    let size = |name: &String| std::fs::metadata(folder.join(name)).unwrap().len();
    assert_eq!(names(&folder).iter().map(size).sum::<u64>(), sample.bytes);
    assert_eq!(names(&folder).iter().map(size).max(), sample.largest);

    std::fs::write(folder.join("payload-01.json"), "mine").unwrap();
    std::fs::write(folder.join("other"), "mine").unwrap();
    assert_eq!(to_folder(&options, &folder, false, &go_on, &Silent).unwrap_err().kind(), Kind::Refused);
    assert_eq!(std::fs::read(folder.join("payload-01.json")).unwrap(), b"mine");
    to_folder(&options, &folder, true, &go_on, &Silent).unwrap();
    assert_eq!((names(&folder).len(), size(&"payload-01.json".to_owned()) >= 128), (13, true));
    assert_eq!(names(&home.path().join("above")), ["payloads"]);
    // Where something else is, nothing is made.
    let file = folder.join("other");
    assert_eq!(to_folder(&options, &file, true, &go_on, &Silent).unwrap_err().kind(), Kind::Usage);
}
