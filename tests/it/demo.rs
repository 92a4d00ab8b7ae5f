//! The demo tells its story to the end, and leaves nothing behind however it ends.

use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::run::{Running, eventually, finish, signal};

/// The demo with its temporary folder where the test can look into it.
fn demo(home: &TempDir, format: &str) -> Command {
    demo_of("claim-check", home, format)
}

fn demo_of(stack: &str, home: &TempDir, format: &str) -> Command {
    let mut command = crate::world::in_the_repository(home.path());
    command.env("TMPDIR", home.path().join("tmp")).args(["demo", stack, "--output", format]);
    std::fs::create_dir_all(home.path().join("tmp")).unwrap();
    command
}

fn steps(told: &Value) -> Vec<&str> {
    told["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect()
}

/// What a step of the story came to.
fn result<'a>(told: &'a Value, name: &str) -> &'a str {
    let step = told["steps"].as_array().unwrap().iter().find(|step| step["step"] == name).unwrap();
    step["result"].as_str().unwrap()
}

fn nothing_is_left(home: &TempDir) {
    let left: Vec<_> = std::fs::read_dir(home.path().join("tmp")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(running(home, "launcher.py").is_none(), "a server still runs");
    assert!(running(home, "mariadbd").is_none(), "a database still runs");
}

/// The command line of a server whose state is below this home.
fn server_of(home: &TempDir) -> Option<String> {
    running(home, "launcher.py")
}

fn running(home: &TempDir, program: &str) -> Option<String> {
    let ours = home.path().display().to_string();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .find(|line| line.contains(program) && line.contains(&ours))
}

#[test]
fn the_story_ends_well_and_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let told = demo(&home, "json").run().exits(0).json();
    assert_eq!(steps(&told), ["package", "up", "generate", "upload", "peek", "connect", "verify", "poison"]);
    let result = |name: &str| result(&told, name);
    assert!(result("upload").starts_with("200 payloads"), "{}", result("upload"));
    assert!(result("upload").ends_with("1 in parts"), "{}", result("upload"));
    assert!(result("peek").starts_with("10 messages of about 20"), "{}", result("peek"));
    assert!(result("verify").contains("200 recorded, 0 missing"), "{}", result("verify"));
    assert!(result("poison").contains("not JSON"), "{}", result("poison"));
    nothing_is_left(&home);
}

#[test]
fn the_story_of_the_fan_out_ends_well_and_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let told = demo_of("fan-out", &home, "json").run().exits(0).json();
    assert_eq!(steps(&told), ["package", "up", "generate", "upload", "copy", "verify", "branches", "poison"]);
    for (step, said) in [
        ("upload", "1 in parts"),
        ("copy", "10 payloads"),
        ("verify", "50 objects, 50 recorded, 0 missing"),
        ("branches", "40 records in the log of created, 10 in that of copied"),
        ("poison", "not JSON"),
    ] {
        assert!(result(&told, step).contains(said), "{step}: {}", result(&told, step));
    }
    nothing_is_left(&home);
}

#[test]
fn the_story_of_the_csv_table_ends_well_and_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let told = demo_of("csv-table", &home, "json").run().exits(0).json();
    assert_eq!(steps(&told), ["package", "up", "generate", "upload", "load", "rejected", "refused", "poison"]);
    for (step, said) in [
        ("generate", "5 files with 400 rows each"),
        ("load", "1960 rows of 5 files"),
        ("rejected", "40 rows; the first one of rejected/raw-data/products-"),
        ("refused", "picture.csv: the file is a PNG image, not CSV"),
        ("poison", "tried three times"),
    ] {
        assert!(result(&told, step).contains(said), "{step}: {}", result(&told, step));
    }
    nothing_is_left(&home);
}

#[test]
fn the_story_of_csv_aurora_ends_well_and_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let told = demo_of("csv-aurora", &home, "json").run().exits(0).json();
    assert_eq!(steps(&told), ["package", "up", "generate", "upload", "load", "rejected", "refused", "poison"]);
    for (step, said) in [
        ("up", "a MariaDB with its tables"),
        ("generate", "3 files with 3000 rows each"),
        ("load", "rows of 3 files in database demo-local-customers, as many as their records say"),
        ("rejected", "the first one of rejected/raw-data/customers-"),
        ("refused", "picture.csv: the file is a PNG image, not CSV"),
        ("poison", "tried three times"),
    ] {
        assert!(result(&told, step).contains(said), "{step}: {}", result(&told, step));
    }
    let number = |step: &str| result(&told, step).split(' ').next().unwrap().parse::<u64>().unwrap();
    assert_eq!(number("load") + number("rejected"), 9_000);
    nothing_is_left(&home);
}

#[test]
fn the_story_of_the_payments_ends_well_and_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let told = demo_of("payments", &home, "json").run().exits(0).json();
    let expected = ["package", "up", "quote", "pay", "poison", "settle", "sums", "trace", "verify"];
    assert_eq!(steps(&told), expected);
    for (step, said) in [
        ("package", "payment-events, "),
        ("up", "2 APIs, 6 functions and a state machine"),
        ("quote", "EUR are "),
        ("pay", "100 payments of 5 customers; the last one, sent twice, is one"),
        ("poison", "1 record that is no payment"),
        ("settle", "90 settled, 10 failed: "),
        ("sums", "together what was asked for"),
        ("trace", "PaymentCreated and PaymentSettled on the bus; its execution SUCCEEDED"),
        ("verify", "90 settled, 10 failed, 1 dead, 0 missing; the counts add up"),
    ] {
        assert!(result(&told, step).contains(said), "{step}: {}", result(&told, step));
    }
    nothing_is_left(&home);
}

#[test]
fn the_stacks_that_have_a_story_are_listed() {
    let home = tempfile::tempdir().unwrap();
    let listed = crate::run::claimctl(home.path()).args(["demo", "--list", "-o", "jsonl"]).run().exits(0).json_lines();
    let names: Vec<_> = listed.iter().map(|listed| listed["stack"].as_str().unwrap()).collect();
    assert_eq!(names, ["claim-check", "fan-out", "csv-table", "csv-aurora", "payments"]);
    crate::run::claimctl(home.path()).args(["demo", "claim"]).run().exits(2).says("possible values: claim-check");
}

#[test]
fn every_step_is_shown_once_where_all_goes_to_one_place() {
    let home = tempfile::tempdir().unwrap();
    let run = demo(&home, "table").run().exits(0);
    let both = format!("{}{}", run.stdout, run.stderr);
    assert_eq!(both.matches("200 recorded, 0 missing").count(), 1, "{both}");
    assert!(both.matches("building claim-recorder").count() <= 1, "{both}");
    let quiet = demo(&home, "table").arg("--quiet").run().exits(0);
    assert_eq!(quiet.stdout.matches("200 recorded, 0 missing").count(), 1, "{}", quiet.stdout);
    assert_eq!(quiet.stderr, "");
}

#[test]
fn an_interrupt_in_the_middle_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let child = demo(&home, "json").start();
    eventually("the server of the story", || server_of(&home));
    signal(&child, Signal::INT);
    finish(child, "claimctl demo".to_owned()).exits(130);
    nothing_is_left(&home);
}

#[test]
fn what_is_kept_can_be_used_and_put_away() {
    let home = tempfile::tempdir().unwrap();
    let told = demo(&home, "json").arg("--keep").run().exits(0).json();
    let kept = told["home"].as_str().unwrap();
    let go_on = |verb: &[&str]| {
        let mut command = crate::run::claimctl(home.path());
        command.env("CLAIMCTL_HOME", kept).args(verb).run()
    };
    go_on(&["verify"]).exits(0).says("all accounted for");
    go_on(&["local", "down"]).exits(0);
    std::fs::remove_dir_all(Path::new(kept)).unwrap();
    nothing_is_left(&home);
}
