//! An upload goes on after any end, and what nobody goes on with can be found and removed.

use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use super::{noise, of};
use crate::run::{Running, finish, signal};
use crate::seeded::{Seeded, each_seed, killed_after, seeds};
use crate::world::{World, wait_for};

/// In parts of 5 MiB; as a long payload with `--long`.
fn long_parts() -> u64 {
    if seeds() > 20 { 60 } else { 8 }
}

#[test]
fn killed_at_any_moment_an_object_is_whole_or_absent_and_the_next_run_goes_on() {
    let world = World::up();
    let content = noise((long_parts() * (5 << 20) - 7) as usize);
    let small = if seeds() > 20 { 2_000 } else { 200 };
    for number in 0..small {
        world.file(&format!("in/small/{number}"), format!("small {number}"));
    }
    world.file("in/long", &content);
    let usual = AtomicU64::new(0);
    let (killed, kept) = (AtomicU64::new(0), AtomicU64::new(0));
    let run = |prefix: &str| {
        let mut upload = world.claimctl(["upload", "in", "--part-size", "5MiB", "-o", "json", "--if-changed"]);
        upload.args(["--prefix", prefix]);
        upload
    };
    let began = Instant::now();
    run("unharmed/").run().exits(0);
    usual.store(began.elapsed().as_millis() as u64, Ordering::Relaxed);
    each_seed(seeds(), |seed| {
        let prefix = format!("killed-{seed}/");
        let mut random = Seeded::of(seed);
        for _ in 0..=seed % 2 {
            let moment = Duration::from_millis(random.below(usual.load(Ordering::Relaxed)));
            killed.fetch_add(u64::from(killed_after(&mut run(&prefix), moment)), Ordering::Relaxed);
            let long = wait_for(world.s3().head_object().bucket(world.bucket()).key(format!("{prefix}long")).send());
            if let Ok(long) = long {
                assert_eq!(long.content_length(), Some(content.len() as i64), "torn");
            }
        }
        let report = run(&prefix).run().exits(0).json();
        let (uploaded, unchanged) = (report["uploaded"].as_u64().unwrap(), report["unchanged"].as_u64().unwrap());
        assert_eq!(uploaded + unchanged, small + 1, "{report:#}");
        let parts = report["kept_parts"].as_u64().unwrap();
        kept.fetch_add(unchanged + parts, Ordering::Relaxed);
        assert!(world.content(&format!("{prefix}long")) == content, "another content");
        for number in [0, small / 2, small - 1] {
            let key = format!("{prefix}small/{number}");
            assert_eq!(world.content(&key), format!("small {number}").as_bytes());
        }
    });
    assert!(killed.into_inner() >= seeds() / 2, "hardly any was killed at work");
    assert!(kept.into_inner() > 0, "nothing was ever kept");
}

#[test]
fn a_source_that_changed_since_begins_again_and_says_so() {
    let world = World::up();
    let file = world.home().join("changed");
    let child = world.in_the_middle(&file, 12);
    signal(&child, Signal::KILL);
    finish(child, "killed upload".to_owned());
    assert!(world.unfinished()[0] > 0);
    let content = noise(12 * (5 << 20));
    std::fs::write(&file, &content).unwrap();
    let run = world.upload(&["changed", "--part-size", "5MiB"]).exits(0).says("is not what the upload was begun with");
    assert_eq!(run.json()["kept_parts"], 0);
    assert!(world.content("changed") == content);
    assert!(world.unfinished().is_empty());
}

#[test]
fn two_runs_of_the_same_file_both_end_with_it_whole() {
    let world = World::up();
    let file = world.home().join("twice");
    let first = world.in_the_middle(&file, 10);
    let second = world.upload(&["twice", "--part-size", "5MiB"]).exits(0).json();
    assert!(second["kept_parts"].as_u64().unwrap() > 0);
    finish(first, "the first of two uploads".to_owned()).exits(0);
    assert_eq!(world.content("twice").len(), 10 * (5 << 20));
    assert!(world.unfinished().is_empty());
}

#[test]
fn a_part_that_the_store_lost_is_sent_again() {
    let world = World::up();
    let file = world.home().join("lost");
    let child = world.in_the_middle(&file, 12);
    // Behind the run's back: the part is another now, of another length.
    let uploads = wait_for(world.s3().list_multipart_uploads().bucket(world.bucket()).send()).unwrap();
    let id = uploads.uploads()[0].upload_id().unwrap();
    let other = world.s3().upload_part().bucket(world.bucket()).key("lost").upload_id(id).part_number(1);
    wait_for(other.body(aws_sdk_s3::primitives::ByteStream::from_static(b"another")).send()).unwrap();
    finish(child, "upload of which a part was lost".to_owned()).exits(0);
    assert_eq!(world.content("lost").len(), 12 * (5 << 20));
    assert!(world.content("lost").iter().all(|byte| *byte == 0));
    assert!(world.unfinished().is_empty());
}

#[test]
fn what_another_program_began_with_other_headers_is_told() {
    let world = World::up();
    File::create(world.home().join("theirs")).unwrap().set_len(6 << 20).unwrap();
    let begin = world.s3().create_multipart_upload().bucket(world.bucket()).key("theirs").content_type("text/html");
    let crc32 = aws_sdk_s3::types::ChecksumAlgorithm::Crc32;
    let begun = wait_for(begin.checksum_algorithm(crc32.clone()).send()).unwrap();
    let part = world.s3().upload_part().bucket(world.bucket()).key("theirs").part_number(1).checksum_algorithm(crc32);
    let part = part.upload_id(begun.upload_id().unwrap());
    wait_for(part.body(vec![0; 5 << 20].into()).send()).unwrap();

    let report = world.upload(&["theirs", "--part-size", "5MiB"]).exits(3).json();
    let why = of(&report, "theirs")["error"].as_str().unwrap();
    assert!(why.contains("its content type is \"text/html\""), "{why}");
    world.upload(&["theirs", "--part-size", "5MiB"]).exits(0);
    let head = wait_for(world.s3().head_object().bucket(world.bucket()).key("theirs").send()).unwrap();
    assert_eq!(head.content_type(), Some("application/octet-stream"));
}

#[test]
fn incomplete_uploads_are_listed_and_aborted() {
    let world = World::up();
    for name in ["a", "ab"] {
        let child = world.in_the_middle(&world.home().join(name), 60);
        signal(&child, Signal::KILL);
        finish(child, "killed upload".to_owned());
    }
    let ls = |more: &[&str]| world.claimctl(["uploads", "ls", "-o", "json"]).args(more).run().exits(0).json();
    let listed = ls(&[]);
    let uploads = listed["uploads"].as_array().unwrap();
    assert_eq!((uploads.len(), &uploads[0]["key"], &uploads[1]["key"]), (2, &json!("a"), &json!("ab")));
    assert!(uploads[0]["size"].as_u64().unwrap() >= 5 << 20 && uploads[0]["parts"].as_u64().unwrap() > 0);
    assert_eq!(ls(&["--older-than", "1h"])["uploads"], json!([]));
    world.claimctl(["uploads", "ls", "nowhere"]).run().exits(5);

    let abort = |more: &[&str]| world.claimctl(["uploads", "abort", "-o", "json"]).args(more).run();
    abort(&[]).fails_with(4, "No terminal to ask on");
    assert_eq!(abort(&["--dry-run"]).exits(0).json()["uploads"].as_array().unwrap().len(), 2);
    let of_a = format!("s3://{}/a", world.bucket());
    let one = abort(&[&of_a, "--yes"]).exits(0).json();
    assert_eq!((&one["aborted"], &one["uploads"][0]["key"]), (&json!(1), &json!("a")));
    assert_eq!(abort(&["--yes"]).exits(0).json()["aborted"], 1);
    assert_eq!(abort(&["--yes"]).exits(0).json()["aborted"], 0);
    assert!(world.unfinished().is_empty());
}
