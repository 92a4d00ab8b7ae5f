use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use claimctl_core::error::{Kind, Result};
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";

fn message(number: usize) -> Drained {
    Drained {
        queue_arn: QUEUE.to_owned(),
        message_id: format!("m{number}"),
        body: format!("body \"{number}\"\n{}", "x".repeat(number % 40)),
        md5: "0af".to_owned(),
        attributes: BTreeMap::new(),
        system: BTreeMap::new(),
        drained_at: Timestamp::from_second(1_700_000_000).unwrap(),
    }
}

fn lines(numbers: impl IntoIterator<Item = usize>) -> Vec<u8> {
    let mut lines = Vec::new();
    numbers.into_iter().for_each(|number| message(number).encode(&mut lines).unwrap());
    lines
}

/// Opens, and tells what was whole.
fn open(path: &Path) -> Result<(Appender, Vec<String>)> {
    let mut ids = Vec::new();
    let (appender, existing) = Appender::open(path, QUEUE, None, |id| {
        ids.push(id.to_owned());
        Ok(())
    })?;
    assert_eq!(existing.messages as usize, ids.len());
    Ok((appender, ids))
}

fn ids(path: &Path) -> Vec<String> {
    Lines::open(path).unwrap().map(|line| line.unwrap().message_id).collect()
}

/// A file of seven messages in four commits.
fn sample(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    let (mut appender, _) = open(&path).unwrap();
    for commit in [vec![0], vec![1, 2, 3], vec![4], vec![5, 6]] {
        appender.append(&lines(commit)).unwrap();
    }
    path
}

fn refused(path: &Path, kind: Kind, says: &str) {
    let before = std::fs::read(path).unwrap();
    let error = open(path).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(says), "{error}");
    assert!(!error.hints().is_empty(), "{error}");
    assert_eq!(std::fs::read(path).unwrap(), before, "a refused file was touched");
}

#[test]
fn every_commit_is_read_again_and_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["o.jsonl", "o.jsonl.zst", "o.jsonl.gz"] {
        let path = sample(folder.path(), name);
        let (mut appender, before) = open(&path).unwrap();
        assert_eq!(before, ["m0", "m1", "m2", "m3", "m4", "m5", "m6"]);
        appender.append(&lines([7])).unwrap();
        assert_eq!(ids(&path).last().unwrap(), "m7");
        let whole: Vec<_> = Lines::open(&path).unwrap().map(Result::unwrap).collect();
        assert_eq!(whole[3], message(3));
    }
}

#[test]
fn a_file_is_private_and_has_one_writer() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("o.jsonl");
    let (first, _) = open(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    refused(&path, Kind::Refused, "being written by another drain");
    drop(first);
    open(&path).unwrap();
}

#[test]
fn what_is_not_a_drained_file_is_refused_and_never_cut() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let good = lines(0..3);
    let text = String::from_utf8(good.clone()).unwrap();
    let zstd = |bytes: &[u8]| packing::Packing::Zstd.pack(bytes).unwrap();
    let frame = zstd(&good);
    let mut flipped = frame.clone();
    flipped[frame.len() / 2] ^= 1;

    refused(&file("notes", b"my notes"), Kind::Usage, "notes, line 1: this is not a drained message");
    refused(&file("more", &[&good, &b"my notes"[..]].concat()), Kind::Usage, "more, line 4: this is not");
    refused(&file("peeked", b"{\"message_id\":\"m\"}\n"), Kind::Usage, "peeked, line 1: this is not");
    refused(
        &file("edited", text.replacen("body \\\"1", "body \\\"9", 1).as_bytes()),
        Kind::Usage,
        "edited, line 2: the",
    );
    let edited_last = text.replacen("body \\\"2", "body \\\"9", 1);
    refused(&file("last", edited_last.trim_end().as_bytes()), Kind::Usage, "last, line 3: the checksum is wrong");
    refused(&file("other", text.replace(":q\"", ":p\"").as_bytes()), Kind::Usage, "other, line 1: the checksum");
    refused(&file("a.zst", b"my notes"), Kind::Usage, "a.zst, line 1: the file is damaged here");
    refused(&file("b.zst", &[frame.clone(), flipped, frame.clone()].concat()), Kind::Usage, "b.zst, line 4: the file");
    refused(&file("c.zst", &frame[..frame.len() - 1]), Kind::Usage, "c.zst, line 1: this is not");
    refused(&file("d.zst", &zstd(&good[..good.len() - 9])), Kind::Usage, "d.zst, line 3: this is not");
    let mut elsewhere = Vec::new();
    Drained { queue_arn: "arn:aws:sqs:us-east-1:000000000000:p".to_owned(), ..message(1) }
        .encode(&mut elsewhere)
        .unwrap();
    refused(&file("elsewhere", &elsewhere), Kind::Usage, "holds messages of arn:aws:sqs:us-east-1:000000000000:p");
    let missing = open(&folder.path().join("no/o.jsonl")).unwrap_err();
    assert_eq!(missing.kind(), Kind::NotFound);
    assert_eq!(open(folder.path()).unwrap_err().kind(), Kind::Usage);
    assert_eq!(open(Path::new("/dev/null")).unwrap_err().kind(), Kind::Usage);
}

#[test]
fn a_last_line_without_its_newline_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["o.jsonl", "o.zst"] {
        let path = folder.path().join(name);
        let whole = lines(0..2);
        let cut = &whole[..whole.len() - 1];
        std::fs::write(&path, if name == "o.zst" { packing::Packing::Zstd.pack(cut).unwrap() } else { cut.to_vec() })
            .unwrap();
        let (mut appender, before) = open(&path).unwrap();
        assert_eq!(before, ["m0", "m1"]);
        appender.append(&lines([2])).unwrap();
        assert_eq!(ids(&path), ["m0", "m1", "m2"]);
    }
}

#[test]
fn a_full_file_is_followed_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["o.jsonl", "o.jsonl.gz"] {
        let first = folder.path().join(name);
        let size = lines([0]).len() as u64 + 100;
        for number in 0..4 {
            // A drain that goes on writes to the newest file.
            let mut seen = 0;
            let (mut appender, _) = Appender::open(&first, QUEUE, Some(size), |_| {
                seen += 1;
                Ok(())
            })
            .unwrap();
            assert_eq!(seen, number);
            appender.append(&lines([number])).unwrap();
        }
        let series = series::Series::of(&first).unwrap();
        let numbers = series.existing().unwrap();
        assert!(numbers.len() > 1, "{numbers:?}");
        let all: Vec<_> = numbers.iter().flat_map(|number| ids(&series.nth(*number))).collect();
        assert_eq!(all, ["m0", "m1", "m2", "m3"]);
        let torn = std::fs::read(&first).unwrap();
        std::fs::write(&first, &torn[..torn.len() - 3]).unwrap();
        refused(&first, Kind::Usage, "line 1: this is not a drained message");
    }
}

#[test]
fn a_file_that_is_taken_away_is_noticed_before_anything_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let path = sample(folder.path(), "o.jsonl");
    let (mut appender, _) = open(&path).unwrap();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(3).unwrap();
    assert!(appender.append(&lines([7])).unwrap_err().to_string().contains("changed by another program"));
    std::fs::remove_file(&path).unwrap();
    assert!(appender.append(&lines([8])).unwrap_err().to_string().contains("was deleted"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn a_file_cut_at_any_byte_resumes_right(at: prop::sample::Index, name in "o\\.(jsonl|zst|gz)") {
        let folder = tempfile::tempdir().unwrap();
        let path = sample(folder.path(), &name);
        let length = std::fs::metadata(&path).unwrap().len();
        let cut = at.index(length as usize + 1) as u64;
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(cut).unwrap();
        let readable = ids(&path);
        let (mut appender, before) = open(&path).unwrap();
        // What a reader gives and what a drain takes as written is the same.
        prop_assert_eq!(&readable, &before);
        appender.append(&lines(before.len()..8)).unwrap();
        drop(appender);
        let all: Vec<_> = (0..8).map(|number| format!("m{number}")).collect();
        prop_assert_eq!(ids(&path), all);
    }
}
