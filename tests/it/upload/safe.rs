//! What is there is not lost, what changes is not torn, and what is sent carries what was asked for.

use std::fs::File;
use std::process::Command;

use aws_sdk_s3::types::{ChecksumMode, StorageClass};
use serde_json::json;

use super::{noise, of};
use crate::run::{Running, finish};
use crate::world::{World, wait_for};

#[test]
fn with_no_overwrite_what_is_there_stays() {
    let world = World::up();
    world.file("in/same", "same");
    world.file("in/other", "other");
    world.file("in/long", noise(6 << 20));
    world.upload(&["in"]).exits(0);
    world.file("in/other", "changed");
    world.file("in/new", "new");
    let report = world.upload(&["in", "--no-overwrite", "--part-size", "5MiB"]).exits(3).json();
    assert_eq!((&report["uploaded"], &report["unchanged"], &report["failed"]), (&json!(1), &json!(2), &json!(1)));
    let why = of(&report, "other")["error"].as_str().unwrap();
    assert!(why.contains("another object \"other\" is there, of 5 bytes"), "{why}");
    assert_eq!((world.content("other"), world.content("new")), (b"other".to_vec(), b"new".to_vec()));

    world.upload(&["in/other", "--no-overwrite"]).exits(4).says("leave out --no-overwrite to replace it");
    world.upload(&["in/other", "--no-overwrite", "--if-changed"]).exits(2);
    let piped = world.claimctl(["upload", "-", "--key", "same", "--no-overwrite", "-o", "json"]).run_with(b"same");
    assert_eq!(piped.exits(0).json()["unchanged"], 1);
}

#[test]
fn with_if_changed_only_what_differs_is_sent() {
    let world = World::up();
    world.file("in/same", "same");
    world.file("in/other", "other");
    world.file("in/long", noise(6 << 20));
    let run = |more: &[&str]| {
        let mut args = vec!["in", "--if-changed"];
        args.extend_from_slice(more);
        world.upload(&args).exits(0).json()
    };
    assert_eq!(run(&["--dry-run"])["planned"], 3);
    assert_eq!(run(&[])["uploaded"], 3);
    world.file("in/other", "OTHER");
    let planned = run(&["--dry-run"]);
    assert_eq!((&planned["planned"], &planned["unchanged"], &planned["uploaded"]), (&json!(1), &json!(2), &json!(0)));
    let report = run(&["--part-size", "5MiB"]);
    assert_eq!((&report["uploaded"], &report["unchanged"]), (&json!(1), &json!(2)));
    assert_eq!(world.content("other"), b"OTHER");
    // Its checksum is one of checksums now, which tells nothing of the whole: it is sent again.
    assert_eq!(world.upload(&["in/long", "--part-size", "5MiB"]).exits(0).json()["uploaded"], 1);
    assert_eq!(run(&[])["uploaded"], 1);
}

#[test]
fn objects_carry_what_was_asked_for() {
    let world = World::up();
    world.file("short", "short");
    world.file("long", noise((5 << 20) + 9));
    let more = ["--tag", "team=data & co", "--storage-class", "STANDARD_IA", "--sse-kms-key", "alias/payloads"];
    for algorithm in ["CRC64NVME", "CRC32", "CRC32C"] {
        let mut upload = world.claimctl(["upload", "short", "long", "--part-size", "5MiB", "-o", "json"]);
        let report = upload.args(more).args(["--checksum-algorithm", algorithm]).run().exits(0).json();
        for (key, size) in [("short", 5), ("long", (5 << 20) + 9)] {
            let file = of(&report, key);
            assert_eq!((&file["checksum_algorithm"], &file["size"]), (&json!(algorithm), &json!(size)));
            let head = world.s3().head_object().bucket(world.bucket()).key(key).checksum_mode(ChecksumMode::Enabled);
            let head = wait_for(head.send()).unwrap();
            let kept = match algorithm {
                "CRC32" => head.checksum_crc32(),
                "CRC32C" => head.checksum_crc32_c(),
                _ => head.checksum_crc64_nvme(),
            };
            if key == "short" {
                assert_eq!(kept, file["checksum"].as_str());
            }
            assert_eq!(head.storage_class(), Some(&StorageClass::StandardIa));
            assert_eq!(head.server_side_encryption().map(|kind| kind.as_str()), Some("aws:kms"));
            // The sandbox keeps no tags of a multipart upload.
            if key == "short" {
                let tags = wait_for(world.s3().get_object_tagging().bucket(world.bucket()).key(key).send()).unwrap();
                assert_eq!((tags.tag_set()[0].key(), tags.tag_set()[0].value()), ("team", "data & co"));
            }
        }
    }
    world.upload(&["short", "--storage-class", "COLD"]).exits(2);
    world.upload(&["short", "--expected-bucket-owner", "99"]).exits(2);
    world.upload(&["short", "--tag", "a=1", "--tag", "a=2"]).fails_with(2, "--tag a is given twice");
    let object = format!("s3://{}/short", world.bucket());
    world.upload(&[&object, "--prefix", "copy/", "--tag", "a=1"]).fails_with(2, "a copy keeps");
    world.upload(&[&object, "--prefix", "copy/", "--if-changed"]).fails_with(2, "--if-changed is for files");
    world.upload(&[&object, "--prefix", "copy/", "--storage-class", "GLACIER_IR"]).exits(0);
    let copy = wait_for(world.s3().head_object().bucket(world.bucket()).key("copy/short").send()).unwrap();
    assert_eq!(copy.storage_class(), Some(&StorageClass::GlacierIr));
}

#[test]
fn a_file_that_becomes_another_while_it_is_read_makes_no_object() {
    type Change = fn(&std::path::Path);
    let changes: [(Change, &str); 2] = [
        (
            |file| {
                let other = file.with_extension("new");
                File::create(&other).unwrap().set_len(60 * (5 << 20)).unwrap();
                std::fs::rename(other, file).unwrap();
            },
            "was replaced while it was read",
        ),
        (
            |file| {
                std::fs::remove_file(file).unwrap();
                assert!(Command::new("mkfifo").arg(file).status().unwrap().success());
            },
            "was replaced while it was read",
        ),
    ];
    let world = World::up();
    for (number, (change, said)) in changes.into_iter().enumerate() {
        let file = world.home().join(format!("changes-{number}"));
        let child = world.in_the_middle(&file, 60);
        change(&file);
        let report = finish(child, "upload of a file that is replaced".to_owned()).exits(3).json();
        let why = of(&report, &format!("changes-{number}"))["error"].as_str().unwrap().to_owned();
        assert!(why.contains(said), "{why}");
        assert!(world.unfinished().is_empty() && world.objects().is_empty());
    }
}

#[test]
fn a_manifest_says_what_was_sent_and_a_later_run_leaves_that_out() {
    let world = World::up();
    for name in ["a", "b", "c"] {
        world.file(&format!("in/{name}"), name);
    }
    let run = |more: &[&str]| {
        let mut args = vec!["in", "--manifest", "sent.jsonl"];
        args.extend_from_slice(more);
        world.upload(&args)
    };
    let first_b = world.home().join("in/b").metadata().unwrap().modified().unwrap();
    run(&["--dry-run"]).exits(0);
    assert!(!world.home().join("sent.jsonl").exists());
    assert_eq!(run(&["--exclude", "c"]).exits(0).json()["uploaded"], 2);
    let path = world.home().join("sent.jsonl");
    let lines = std::fs::read_to_string(&path).unwrap();
    let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((&first["size"], &first["checksum_algorithm"]), (&json!(1), &json!("CRC32")));
    // A run that was killed while it wrote a line.
    std::fs::write(&path, format!("{lines}{}", &lines[..20])).unwrap();
    world.file("in/b", "B is new");
    let report = run(&[]).exits(0).json();
    assert_eq!((&report["uploaded"], &report["unchanged"]), (&json!(2), &json!(1)), "{report:#}");
    assert_eq!(world.content("b"), b"B is new");
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 4);
    // As it was at first, to the nanosecond: what was sent last is another.
    let b = world.file("in/b", "b");
    File::options().write(true).open(b).unwrap().set_modified(first_b).unwrap();
    assert_eq!(run(&[]).exits(0).json()["uploaded"], 1);
    assert_eq!(world.content("b"), b"b");
    world.file("other.jsonl", "{\"v\": 1}\n");
    world.upload(&["in", "--manifest", "other.jsonl"]).fails_with(2, "line 1 of other.jsonl is none of a manifest");
}
