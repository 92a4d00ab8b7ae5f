//! Manual pages: one for each verb, the same bytes every time.

use std::collections::BTreeMap;
use std::path::Path;

use crate::run::{Running, claimctl};

fn pages(folder: &Path) -> BTreeMap<String, String> {
    let files = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    files.map(|file| (file.file_name().into_string().unwrap(), std::fs::read_to_string(file.path()).unwrap())).collect()
}

#[test]
fn every_verb_has_a_page_that_does_not_change_from_run_to_run() {
    let home = tempfile::tempdir().unwrap();
    let run = claimctl(home.path()).args(["man", "--dir", "one/man1", "-o", "json"]).run().exits(0).json();
    claimctl(home.path()).args(["man", "--dir", "two"]).run().exits(0).says("pages in two");
    let (one, two) = (pages(&home.path().join("one/man1")), pages(&home.path().join("two")));
    assert_eq!(one, two);
    assert_eq!(run["pages"].as_array().unwrap().len(), one.len());
    for verb in ["claimctl.1", "claimctl-queue-peek.1", "claimctl-verify.1", "claimctl-man.1"] {
        let page = &one[verb];
        assert!(page.contains(".SH SYNOPSIS") && page.contains(env!("CARGO_PKG_VERSION")), "{verb}: {page}");
    }
    assert!(one["claimctl-man.1"].contains("\\-\\-dir"));
    let (_, examples) = one["claimctl-queue-peek.1"].split_once(".SH EXAMPLES\n").unwrap();
    assert!(examples.contains("\n.EX\nclaimctl queue peek claims\n.EE\n"), "{examples}");
    assert!(one.values().all(|page| page.matches(".SH EXAMPLES\n").count() == 1 && !page.contains("SH EXTRA")));
    assert!(!one.keys().any(|name| name.contains("help")), "help is no verb");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("file"), "").unwrap();
    claimctl(home.path()).args(["man", "--dir", "file/man1"]).run().exits(2).says("cannot create file/man1");
}
