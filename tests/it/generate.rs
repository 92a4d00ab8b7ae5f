//! generate writes sample files: the same for the same seed, whole or not at all, and over nothing unasked.

use std::path::Path;

use rustix::process::Signal;
use serde_json::json;

use crate::run::{Running, claimctl, eventually, finish, signal};

fn generate(home: &Path, line: &str) -> std::process::Command {
    let mut command = claimctl(home);
    command.arg("generate").args(line.split(' '));
    command
}

/// Names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_and_stdout_get_the_same_rows_and_the_report_counts_them() {
    let home = tempfile::tempdir().unwrap();
    let line = "--rows 2000 --bad 2.5% --seed 7";
    let report = generate(home.path(), &format!("csv a.csv {line} -o json")).run().exits(0).json();
    let bad = report["bad"].as_object().unwrap();
    assert_eq!(bad.keys().collect::<Vec<_>>(), ["duplicate_key", "no_key", "no_number", "ragged", "too_long"]);
    assert_eq!(bad.values().map(|rows| rows.as_u64().unwrap()).sum::<u64>(), 50);
    assert_eq!((&report["rows"], &report["good"]), (&json!(2000), &json!(1950)));
    let written = std::fs::read_to_string(home.path().join("a.csv")).unwrap();
    assert_eq!(report["bytes"], json!(written.len()));
    let onto_stdout = generate(home.path(), &format!("csv - {line}")).run().exits(0);
    assert!(onto_stdout.stdout == written, "stdout has other rows");
    assert!(onto_stdout.stderr.contains("1950 of them good"), "{}", onto_stdout.stderr);
    let another = generate(home.path(), "csv - --rows 2000 --bad 2.5% --seed 8").run().exits(0);
    assert!(another.stdout != written, "another seed has the same rows");
}

#[test]
fn what_is_there_is_replaced_only_where_that_was_said() {
    let home = tempfile::tempdir().unwrap();
    let (file, folder) = (home.path().join("a.csv"), home.path().join("payloads"));
    std::fs::write(&file, "mine").unwrap();
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("payload-1.json"), "mine").unwrap();
    generate(home.path(), "csv a.csv").run().fails_with(4, "a.csv is there already").says("csv a.csv --force");
    generate(home.path(), "payloads payloads").run().fails_with(4, "not empty").says("payloads payloads --force");
    assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    assert_eq!(std::fs::read(folder.join("payload-1.json")).unwrap(), b"mine");
    generate(home.path(), "csv a.csv --force").run().exits(0).says("next: claimctl upload a.csv");
    generate(home.path(), "payloads payloads --count 3 --force").run().exits(0).says("3 payloads");
    assert!(std::fs::read(&file).unwrap().starts_with(b"id,"));
    assert_eq!(names(&folder), ["payload-1.json", "payload-2.json", "payload-3.json"]);
}

#[test]
fn an_interrupt_leaves_nothing_and_a_reader_that_goes_away_is_no_failure() {
    for (line, made) in [("csv out --rows 100000000", "out"), ("payloads out --count 9000000", "payloads")] {
        let home = tempfile::tempdir().unwrap();
        let begun = names(home.path());
        let child = generate(home.path(), line).start();
        eventually(&format!("{made} is under way"), || (names(home.path()) != begun).then_some(()));
        signal(&child, Signal::INT);
        finish(child, line.to_owned()).exits(130).says("interrupted after");
        assert!(!names(home.path()).iter().any(|name| name == "out" || name.starts_with(".claimctl")), "{line}");
    }
    let home = tempfile::tempdir().unwrap();
    let mut child = generate(home.path(), "csv - --rows 100000000").start();
    drop(child.stdout.take());
    let run = finish(child, "generate csv - | true".to_owned()).exits(0);
    assert!(!run.stderr.contains("error"), "{}", run.stderr);
}

#[test]
fn what_cannot_be_is_refused_with_what_can() {
    let home = tempfile::tempdir().unwrap();
    for (line, said) in [
        ("csv a --bad 5", "five percent are 5% or 0.05"),
        ("csv a --bad x", "a percentage like 5%"),
        ("csv a --schema orders", "products, customers"),
        ("csv a --rows=-1", "not a whole number"),
        ("payloads a --size 1..2KiB", "from 128"),
        ("payloads a --size 4KiB..2KiB", "begins with the larger one"),
        ("payloads a --size 1KiB..2KB", "is not a size"),
    ] {
        generate(home.path(), line).run().exits(2).says(said);
    }
    generate(home.path(), "csv nowhere/a.csv").run().exits(5).says("nowhere");
    assert_eq!(names(home.path()), [""; 0]);
}
