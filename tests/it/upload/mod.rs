//! What is uploaded arrives byte for byte under its key; what is not, is told, and leaves nothing behind.

mod going_on;
mod safe;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Child;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::run::{Run, Running, eventually, finish, signal};
use crate::world::{World, odd_names, wait_for};

impl World {
    fn upload(&self, args: &[&str]) -> Run {
        self.claimctl(["upload", "-o", "json"]).args(args).run()
    }

    /// Every object of the bucket, with its content.
    fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let list = wait_for(self.s3().list_objects_v2().bucket(self.bucket()).send()).unwrap();
        let keys = list.contents().iter().map(|object| object.key().unwrap().to_owned());
        keys.map(|key| (key.clone(), self.content(&key))).collect()
    }

    fn content(&self, key: &str) -> Vec<u8> {
        let get = self.s3().get_object().bucket(self.bucket()).key(key);
        wait_for(async { get.send().await.unwrap().body.collect().await.unwrap().to_vec() })
    }

    /// Multipart uploads begun and neither completed nor aborted, with the parts that have arrived.
    fn unfinished(&self) -> Vec<usize> {
        let uploads = wait_for(self.s3().list_multipart_uploads().bucket(self.bucket()).send()).unwrap();
        let parts = |upload: &aws_sdk_s3::types::MultipartUpload| {
            let list = self.s3().list_parts().bucket(self.bucket());
            let list = list.key(upload.key().unwrap()).upload_id(upload.upload_id().unwrap());
            wait_for(list.send()).map_or(0, |list| list.parts().len())
        };
        uploads.uploads().iter().map(parts).collect()
    }

    /// Starts to upload a file of so many parts, one after the other, and comes back in the middle of it.
    fn in_the_middle(&self, file: &Path, parts: u64) -> Child {
        File::create(file).unwrap().set_len(parts * (5 << 20)).unwrap();
        let before = self.unfinished().len();
        let more = ["--part-size", "5MiB", "--concurrency", "1", "-o", "json"];
        let child = self.claimctl(["upload"]).arg(file).args(more).start();
        eventually("a first part", || {
            (self.unfinished().iter().filter(|parts| **parts > 0).count() > before).then_some(())
        });
        child
    }
}

/// The report's line for a path.
#[track_caller]
fn of<'a>(report: &'a Value, path: &str) -> &'a Value {
    let files = report["files"].as_array().unwrap();
    files.iter().find(|file| file["path"].as_str().unwrap().ends_with(path)).unwrap_or_else(|| panic!("{report:#}"))
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn keys_and_contents_arrive_exactly() {
    let world = World::up();
    let names = odd_names();
    for name in &names {
        world.file(&format!("in/{name}"), name);
    }
    world.file("in/empty", "");
    let report = world.upload(&["in"]).exits(0).json();
    assert_eq!((&report["uploaded"], &report["failed"]), (&json!(names.len() + 1), &json!(0)));
    let mut expected: BTreeMap<_, _> = names.iter().map(|name| (name.clone(), name.as_bytes().to_vec())).collect();
    expected.insert("empty".to_owned(), Vec::new());
    assert_eq!(world.objects(), expected);
    let plain = of(&report, "in/plain");
    assert_eq!(plain["flows"], json!(["claims"]));
    assert_eq!((&plain["key"], &plain["size"], &plain["parts"]), (&json!("plain"), &json!(5), &json!(1)));
    assert!(plain["etag"].as_str().unwrap().len() >= 32, "{plain}");

    for key in ["../x//y/./z", "trailing/", "/leading"] {
        world.upload(&["in/plain", "--key", key]).exits(0);
        assert_eq!(world.content(key), b"plain");
    }
    world.upload(&["in", "--prefix", "p/", "--include", "*.d*", "--include", "pl*", "--exclude", "plus*"]).exits(0);
    assert_eq!(world.content("p/plain"), b"plain");
}

#[test]
fn long_payloads_go_in_parts_and_stdin_too() {
    let world = World::up();
    let content = noise((11 << 20) + 1);
    let file = world.file("long.csv", &content);
    let more = ["--part-size", "5MiB", "--metadata", "owner=me", "--prefix", "in/"];
    let report = world.claimctl(["upload", "-o", "json"]).arg(file).args(more).run().exits(0).json();
    let long = of(&report, "long.csv");
    assert_eq!((&long["parts"], &long["size"]), (&json!(3), &json!(content.len())));
    assert!(world.content("in/long.csv") == content);
    let head = wait_for(world.s3().head_object().bucket(world.bucket()).key("in/long.csv").send()).unwrap();
    assert_eq!(head.content_type(), Some("text/csv"));
    assert_eq!(head.metadata().unwrap()["owner"], "me");
    assert_eq!(head.e_tag(), long["etag"].as_str());

    for (key, content) in [("long", content.as_slice()), ("short", b"short"), ("none", b"")] {
        let mut upload = world.claimctl(["upload", "-", "--part-size", "5MiB", "--key", key, "-o", "json"]);
        let report = upload.run_with(content).exits(0).json();
        assert_eq!(of(&report, "-")["checksum"].as_str().unwrap().len(), 8);
        assert!(world.content(key) == content, "{key}");
    }
    assert!(world.unfinished().is_empty());
}

#[test]
fn one_that_fails_does_not_stop_the_others() {
    let world = World::up();
    world.file("in/fine", "fine");
    symlink(".", world.home().join("in/loop")).unwrap();
    // A file that opens and cannot be read, for every user.
    symlink("/proc/self/mem", world.home().join("in/unreadable")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, world.home().join("in/pipe"), rustix::fs::Mode::RWXU).unwrap();
    let report = world.upload(&["in", "missing"]).exits(3).json();
    for (path, status) in
        [("in/fine", "uploaded"), ("in/unreadable", "failed"), ("missing", "failed"), ("in/pipe", "skipped")]
    {
        assert_eq!(of(&report, path)["status"], status, "{report:#}");
    }
    let looped = report["files"]
        .as_array()
        .unwrap()
        .iter()
        .any(|file| file["error"].as_str().is_some_and(|why| why.contains("which holds it")));
    assert!(looped, "{report:#}");
    assert_eq!(world.objects().into_keys().collect::<Vec<_>>(), ["fine"]);
}

#[test]
fn what_cannot_go_well_is_refused_before_anything_is_sent() {
    let world = World::up();
    world.file("one/same", "1");
    world.file("two/same", "2");
    world.file("long", "x");
    let too_long = "k".repeat(1025);
    let cases: [(&[&str], i32, &str); 9] = [
        (&["missing"], 5, "cannot read missing"),
        (&["long", "--bucket", "nowhere"], 5, "there is no bucket \"nowhere\""),
        (&["long", "--bucket", "payloda"], 5, "there is no bucket \"payloda\""),
        (&["one", "two"], 2, "one/same and two/same would both become \"same\""),
        (&["-"], 2, "needs a key of its own"),
        (&["one", "--key", "k"], 2, "goes with one file"),
        (&["long", "--key", &too_long], 2, "1025 bytes"),
        (&["/dev/null"], 2, "neither a file nor a directory"),
        (&["one", "--include", "["], 2, "a glob cannot be read"),
    ];
    for (args, code, said) in cases {
        world.upload(args).fails_with(code, said);
    }
    world.upload(&["long", "--bucket", "payloda"]).says("did you mean payload?");
    world.upload(&["long", "--part-size", "1MiB"]).exits(2);
    world.upload(&["long", "--metadata", "né=x"]).exits(2);

    let planned = world.upload(&["one", "long", "--dry-run"]).exits(0).json();
    assert_eq!(of(&planned, "one/same")["status"], "planned");
    assert_eq!((&planned["uploaded"], &planned["dry_run"]), (&json!(0), &json!(true)));
    std::fs::create_dir(world.home().join("empty")).unwrap();
    world.claimctl(["upload", "empty"]).run().exits(0).says("there was nothing to upload");
    assert!(world.objects().is_empty());
    assert!(world.unfinished().is_empty());
}

#[test]
fn a_last_argument_s3_says_where_to_as_with_aws_s3_cp() {
    let world = World::up();
    let s3 = world.s3();
    // No stack knows of it, and its name is not that of any.
    wait_for(s3.create_bucket().bucket("archive").send()).unwrap();
    world.file("one", "1");
    world.file("two", "2");
    world.file("in/three", "3");
    let payload = format!("s3://{}", world.bucket());
    for (sources, to, keys) in [
        (vec!["one"], format!("{payload}/a/b"), vec!["a/b"]),
        (vec!["one"], format!("{payload}/a b+/"), vec!["a b+/one"]),
        (vec!["one"], payload.clone(), vec!["one"]),
        (vec!["one", "two"], format!("{payload}/c"), vec!["c/one", "c/two"]),
        (vec!["in"], format!("{payload}/d"), vec!["d/three"]),
        (vec!["one"], "s3://archive/e".to_owned(), vec!["e"]),
    ] {
        let mut args = sources.clone();
        args.push(&to);
        let report = world.upload(&args).exits(0).json();
        let files = report["files"].as_array().unwrap();
        let uploaded: Vec<_> = files.iter().map(|file| file["key"].as_str().unwrap()).collect();
        assert_eq!(uploaded, keys, "{sources:?} to {to}");
    }
    let mut upload = world.claimctl(["upload", "-", &format!("{payload}/of/stdin"), "-o", "json"]);
    upload.run_with(b"piped").exits(0);
    assert_eq!(world.content("of/stdin"), b"piped");
    assert_eq!(world.content("a/b"), b"1");
}

#[test]
fn an_s3_destination_that_is_not_clear_is_usage() {
    let world = World::up();
    world.file("one", "1");
    let cases: [(&[&str], &str, &str); 14] = [
        (&["s3://archive/a"], "nothing to upload", "claimctl upload FILE s3://archive/a"),
        (&["s3://archive/a", "one"], "there are files beside it", "claimctl claim get s3://archive/a"),
        (&["one", "s3://archive/a", "s3://archive/b"], "there are files beside it", "claimctl claim get"),
        (&["s3://archive/a", "s3://archive/b", "--metadata", "a=b"], "keeps its metadata", "leave out --metadata"),
        (&["s3:///a", "--prefix", "p/"], "names no bucket", "s3://BUCKET/PREFIX/"),
        (&["s3://archive/a", "s3://archive/b", "--key", "k"], "goes with one file", "--prefix PREFIX"),
        (&["s3://archive/p/", "--key", "k"], "goes with one file", "--prefix PREFIX"),
        (&["one", "s3://"], "names no bucket", "s3://BUCKET/KEY for one file"),
        (&["one", "s3:///a"], "names no bucket", "s3://BUCKET/PREFIX/"),
        (
            &["one", "s3://archive/a", "--bucket", "payload"],
            "so does --bucket",
            "leave out --bucket, or s3://archive/a",
        ),
        (&["one", "s3://archive/a", "--prefix", "p/"], "so does --prefix", "leave out --prefix, or s3://archive/a"),
        (&["one", "s3://archive/a", "--key", "k"], "so does --key", "leave out --key, or s3://archive/a"),
        (
            &["one", "s3://archive/a", "-b", "payload", "--prefix", "p/"],
            "so does --bucket and --prefix",
            "leave out --bucket and --prefix, or s3://archive/a",
        ),
        (&["-", "s3://archive/a/"], "needs a key of its own", "s3://BUCKET/KEY"),
    ];
    for (args, said, hint) in cases {
        world.upload(args).fails_with(2, said).says(hint);
    }
    world.upload(&["one", "s3://nowhere/a"]).fails_with(5, "there is no bucket \"nowhere\"");
    world.upload(&["one", "s3://payload/a"]).fails_with(5, "no bucket \"payload\"").says("--bucket payload");
    assert!(world.objects().is_empty());
}

#[test]
fn objects_are_copied_inside_s3_with_all_that_they_have() {
    let world = World::up();
    let s3 = world.s3();
    wait_for(s3.create_bucket().bucket("archive").send()).unwrap();
    let odd = "in/a b+%é&.csv";
    let large = "x".repeat(12 << 20);
    for (key, body) in [(odd, "small"), ("in/large.csv", &large), ("other", "other")] {
        let put = s3.put_object().bucket("archive").key(key).body(body.as_bytes().to_vec().into());
        let put = put.content_type("text/csv").metadata("owner", "ops").tagging("team=a%20b&x=1");
        wait_for(put.checksum_algorithm(aws_sdk_s3::types::ChecksumAlgorithm::Crc32).send()).unwrap();
    }
    // All below a prefix, the larger one in parts.
    let report = world.upload(&["s3://archive/in/", "--prefix", "copied/", "--part-size", "5MiB"]).exits(0).json();
    let files = report["files"].as_array().unwrap();
    let said: Vec<_> = files.iter().map(|file| (file["key"].as_str().unwrap(), file["parts"].as_u64())).collect();
    assert_eq!(said, [("copied/a b+%é&.csv", Some(1)), ("copied/large.csv", Some(3))]);
    assert_eq!(report["bytes"], json!(large.len() + 5));
    for (key, content) in [("copied/a b+%é&.csv", "small"), ("copied/large.csv", &large)] {
        assert!(world.content(key) == content.as_bytes(), "{key}");
        let head = wait_for(s3.head_object().bucket(world.bucket()).key(key).send()).unwrap();
        assert_eq!(head.content_type(), Some("text/csv"), "{key}");
        assert_eq!(head.metadata().unwrap()["owner"], "ops", "{key}");
    }
    // The sandbox forgets the tags that a multipart upload begins with: what is sent is tried where it is made.
    let tags = wait_for(s3.get_object_tagging().bucket(world.bucket()).key("copied/a b+%é&.csv").send()).unwrap();
    let mut tags: Vec<_> = tags.tag_set().iter().map(|tag| (tag.key(), tag.value())).collect();
    tags.sort_unstable();
    assert_eq!(tags, [("team", "a b"), ("x", "1")]);
    // One, by its whole key; to a place that is named by its URL; and where it is already.
    let one = world.upload(&["s3://archive/other", "--key", "one"]).exits(0);
    assert_eq!(one.json()["files"][0]["path"], "s3://archive/other");
    world.upload(&["s3://archive/other", &format!("s3://{}/two/", world.bucket())]).exits(0);
    assert_eq!(world.content("two/other"), b"other");
    world.upload(&["s3://archive/other", "s3://archive/"]).exits(2).says("it is there already");
    // Each copy is an event of its own, and leaves its record.
    world.claimctl(["verify", "--wait", "60s"]).run().exits(0).says("4 objects, 4 records");

    world.upload(&["s3://archive/nothing", "--prefix", "p/"]).fails_with(5, "there is no object s3://archive/nothing");
    let partly = world.upload(&["s3://archive/nothing", "s3://archive/other", "--prefix", "p/"]).exits(3).json();
    assert_eq!((&partly["uploaded"], &partly["failed"]), (&json!(1), &json!(1)));
    world.upload(&["s3://nowhere/", "--prefix", "p/"]).fails_with(5, "bucket nowhere");
    let planned = world.upload(&["s3://archive/", "--prefix", "q/", "--exclude", "*.csv", "--dry-run"]).exits(0).json();
    assert_eq!((&planned["files"].as_array().unwrap().len(), &planned["excluded"]), (&1, &json!(2)));
    assert!(world.unfinished().is_empty());
}

#[test]
fn a_copy_overwrites_nothing_that_is_copied_too() {
    let world = World::up();
    world.file("in/x", "outer");
    world.file("in/a/x", "inner");
    world.upload(&["in"]).exits(0);
    let from = format!("s3://{}/", world.bucket());
    world.upload(&[&from, "--prefix", "a/"]).fails_with(2, "would overwrite \"a/x\", which is copied too");
    assert_eq!(world.content("a/x"), b"inner");
    world.upload(&[&from, "--prefix", "a/", "--exclude", "a/*"]).exits(0);
    assert_eq!(world.content("a/x"), b"outer");
}

#[test]
fn a_file_that_shrinks_leaves_no_object_and_no_parts() {
    let world = World::up();
    let file = world.home().join("shrinks");
    let child = world.in_the_middle(&file, 60);
    File::options().write(true).open(&file).unwrap().set_len(1).unwrap();
    let report = finish(child, "upload of a file that shrinks".to_owned()).exits(3).json();
    assert!(of(&report, "shrinks")["error"].as_str().unwrap().contains("shrank from"), "{report:#}");
    assert!(world.unfinished().is_empty());
    assert!(world.objects().is_empty());
}

#[test]
fn an_interrupt_keeps_the_parts_that_arrived_and_the_same_command_goes_on() {
    let world = World::up();
    let file = world.home().join("long");
    let child = world.in_the_middle(&file, 16);
    signal(&child, Signal::INT);
    let run =
        finish(child, "interrupted upload".to_owned()).exits(130).says("the same command again goes on with them");
    assert_eq!(of(&run.json(), "long")["status"], "interrupted");
    assert!(world.objects().is_empty());
    let kept = world.unfinished()[0] as u64;

    // Without being told the size of parts that the first run was told.
    let again = world.upload(&["long", "--part-size", "5MiB"]).exits(0).json();
    assert_eq!((&again["uploaded"], &again["kept_parts"]), (&json!(1), &json!(kept)), "{again:#}");
    assert_eq!(world.content("long").len() as u64, 16 * (5 << 20));
    assert!(world.unfinished().is_empty());
}

#[test]
fn an_interrupt_of_a_silent_pipe_leaves_nothing() {
    let world = World::up();
    let mut waiting = world.claimctl(["upload", "-", "--key", "slow"]);
    waiting.stdin(std::process::Stdio::piped());
    let child = waiting.start();
    // It reads once it catches signals: the handler is there before anything else is done.
    eventually("stdin to be read", || caught(&child).then_some(()));
    signal(&child, Signal::TERM);
    finish(child, "upload of a silent pipe".to_owned()).exits(143).says("not uploaded because of the interrupt");
    assert!(world.objects().is_empty());
}

/// Whether the process handles SIGTERM by now (proc(5), SigCgt).
fn caught(child: &Child) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim();
    u64::from_str_radix(mask, 16).unwrap() & (1 << 14) != 0
}
