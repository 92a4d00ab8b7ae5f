//! The help of every verb is a golden file. After a change that was meant: `UPDATE_GOLDEN=1 cargo test --test it help`.

use std::path::{Path, PathBuf};

use claimctl::cli::Cli;
use clap::{Command, CommandFactory};

use crate::run::{Running, claimctl};

fn golden(verb: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/help").join(format!("{}.txt", verb.replace(' ', "-")))
}

fn verbs(command: &Command, path: &str, found: &mut Vec<String>) {
    found.push(path.to_owned());
    for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
        verbs(verb, format!("{path} {}", verb.get_name()).trim(), found);
    }
}

#[test]
fn the_help_of_every_verb_is_what_the_golden_files_say() {
    let home = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    verbs(&Cli::command(), "", &mut all);
    for verb in &all {
        let help = claimctl(home.path()).args(verb.split_whitespace()).arg("--help").run().exits(0).stdout;
        let path = golden(if verb.is_empty() { "claimctl" } else { verb });
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, help).unwrap();
        } else {
            let expected = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(help, expected, "claimctl {verb} --help; see {}", path.display());
        }
    }
    let files = std::fs::read_dir(golden("x").parent().unwrap()).unwrap().count();
    assert_eq!(files, all.len(), "a golden file without a verb");
}
