//! claim get leads from a message to its payload, and never to another object's bytes.

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName as Name};
use serde_json::{Value, json};

use crate::run::{Run, Running};
use crate::world::{World, odd_names, wait_for};

const BUCKET: &str = "payloads-to-get";
const NOBODY: &str = "00000000-aaaa-bbbb-cccc-000000000000";

/// What S3 answered when an object was written.
struct Put {
    etag: String,
    version: Option<String>,
}

impl World {
    fn with_bucket(versioned: bool) -> World {
        let world = World::up();
        wait_for(world.s3().create_bucket().bucket(BUCKET).send()).unwrap();
        if versioned {
            let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
            wait_for(world.s3().put_bucket_versioning().bucket(BUCKET).versioning_configuration(enabled).send())
                .unwrap();
        }
        world
    }

    fn put_payload(&self, key: &str, payload: &[u8]) -> Put {
        let put = self.s3().put_object().bucket(BUCKET).key(key).body(payload.to_vec().into());
        let put = wait_for(put.send()).unwrap();
        Put { etag: put.e_tag.unwrap().trim_matches('"').to_owned(), version: put.version_id }
    }

    fn send_body(&self, url: &str, body: &str) -> String {
        wait_for(self.sqs().send_message().queue_url(url).message_body(body).send()).unwrap().message_id.unwrap()
    }

    /// claimctl claim get, in a folder of the test.
    fn claim_get<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Run {
        self.claimctl(["claim", "get"]).args(args).run()
    }

    fn read_file(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.home().join(path)).unwrap()
    }

    fn has_file(&self, path: &str) -> bool {
        self.home().join(path).exists()
    }
}

fn record(key: &str, put: &Put, size: usize) -> Value {
    let mut object = json!({"key": key, "size": size, "eTag": put.etag, "sequencer": "0a"});
    if let Some(version) = &put.version {
        object["versionId"] = json!(version);
    }
    json!({"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
        "eventTime": "2026-01-01T00:00:00Z", "s3": {"bucket": {"name": BUCKET}, "object": object}})
}

fn event(records: &[Value]) -> String {
    json!({ "Records": records }).to_string()
}

#[test]
fn a_message_leads_to_its_payload() {
    let world = World::with_bucket(false);
    let url = world.queue_with_dead_letters("waiting", 5);
    let payload: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let put = world.put_payload("in/a b+c.bin", &payload);
    let id = world.send_body(&url, &event(&[record("in/a+b%2Bc.bin", &put, payload.len())]));

    let run = world.claim_get([id.as_str(), "--queue", "waiting"]).exits(0);
    run.says("etag and size are those of the claim").says("given back: 1 message");
    assert!(world.read_file("a b+c.bin") == payload);
    assert_eq!(world.depth(&url), (1, 0));
    let leftover = std::fs::read_dir(world.home()).unwrap().flatten();
    assert!(leftover.map(|entry| entry.file_name()).all(|name| !name.to_string_lossy().starts_with(".claimctl-")));

    // The same again would touch a file that is there; the message is not even looked for.
    let again = world.claim_get([id.as_str(), "--queue", "waiting", "--to", "a b+c.bin"]);
    again.fails_with(4, "is there already").says("--force");
    std::fs::write(world.home().join("a b+c.bin"), "mine").unwrap();
    world.claim_get([id.as_str(), "--queue", "waiting"]).exits(4).says("is there already");
    assert_eq!(world.read_file("a b+c.bin"), b"mine");
    world.claim_get([id.as_str(), "--queue", "waiting", "--force"]).exits(0);
    assert!(world.read_file("a b+c.bin") == payload);

    let shown = world.claim_get([id.as_str(), "--queue", "waiting", "--show", "-o", "json"]).exits(0).json();
    let payload = &shown["payloads"][0];
    assert_eq!((&shown["queue"], &shown["message_id"]), (&json!("waiting"), &json!(id)));
    assert_eq!((&payload["claim"]["etag"], &payload["object"]["etag"]), (&json!(put.etag), &json!(put.etag)));
    assert_eq!((&payload["object"]["size"], &payload["file"]), (&json!(12_000_000), &Value::Null));
}

#[test]
fn a_payload_goes_to_stdout_as_it_is() {
    let world = World::with_bucket(false);
    let payload: Vec<u8> = (0..=255).collect();
    world.put_payload("odd", &payload);
    let at = format!("s3://{BUCKET}/odd");
    let mut command = world.claimctl(["claim", "get", &at, "--to", "-", "-o", "json"]);
    let output = command.output().unwrap();
    assert!(output.status.success() && output.stdout == payload);
    assert!(String::from_utf8_lossy(&output.stderr).contains("256 B on stdout"));
    world.claim_get(["odd", "--bucket", BUCKET, "--to", "sub/"]).exits(0).says("sub/odd");
    assert_eq!(world.read_file("sub/odd"), payload);
    world.claim_get(["odd", "--bucket", BUCKET, "--to", "nowhere/odd"]).exits(5).says("nowhere");

    world.put_payload("big", &vec![b'x'; 20_000_000]);
    let mut child = world.claimctl(["claim", "get", "big", "--bucket", BUCKET, "--to", "-"]).start();
    drop(child.stdout.take());
    crate::run::finish(child, "a reader that goes away".to_owned()).exits(0);
}

#[test]
fn a_message_is_found_among_the_dead_letters() {
    let world = World::with_bucket(false);
    let url = world.queue_with_dead_letters("source", 5);
    let dead = url.replace("/source", "/source-dlq");
    world.send_claims(&url, 30);
    let put = world.put_payload("dead.txt", b"dead");
    let id = world.send_body(&dead, &event(&[record("dead.txt", &put, 4)]));
    let got = world.claim_get([id.as_str(), "--queue", "source", "-o", "json"]).exits(0);
    assert_eq!(got.json()["queue"], json!("source-dlq"));
    assert!(!got.stderr.contains("in source\n"), "the consumer's queue was looked into: {}", got.stderr);
    assert_eq!(world.read_file("dead.txt"), b"dead");

    let nowhere = world.claim_get([NOBODY, "--queue", "source"]);
    nowhere.fails_with(3, "not seen among 1 of about 1 in source-dlq, nor among 30 of about 30 in source");
    assert_eq!((world.depth(&url), world.depth(&dead)), ((30, 0), (1, 0)));
}

#[test]
fn an_object_that_changed_is_refused() {
    let world = World::with_bucket(false);
    let url = world.queue("changed", &[]);
    let put = world.put_payload("k.txt", b"first");
    let id = world.send_body(&url, &event(&[record("k.txt", &put, 5)]));
    let now = world.put_payload("k.txt", b"the second");
    let refused = world.claim_get([id.as_str(), "--queue", "changed"]);
    refused.fails_with(4, "has changed since the claim was made").says(&put.etag).says(&now.etag).says("--any-version");
    assert!(!world.has_file("k.txt"));
    let taken = world.claim_get([id.as_str(), "--queue", "changed", "--any-version"]).exits(0);
    taken.says(&format!("etag {}, and {} in the claim", now.etag, put.etag)).says("size 10 bytes, and 5 bytes");
    assert_eq!(world.read_file("k.txt"), b"the second");
}

#[test]
fn the_version_of_the_claim_is_got() {
    let world = World::with_bucket(true);
    let url = world.queue("versions", &[]);
    let first = world.put_payload("k.txt", b"first");
    let id = world.send_body(&url, &event(&[record("k.txt", &first, 5)]));
    world.put_payload("k.txt", b"the second");
    world.claim_get([id.as_str(), "--queue", "versions"]).exits(0);
    assert_eq!(world.read_file("k.txt"), b"first");

    wait_for(world.s3().delete_object().bucket(BUCKET).key("k.txt").send()).unwrap();
    world.claim_get([id.as_str(), "--queue", "versions", "--force"]).exits(0);
    let marked = world.claim_get(["k.txt", "--bucket", BUCKET, "--force"]).exits(5);
    marked.says("s3://payloads-to-get/k.txt");
    let version = first.version.unwrap();
    wait_for(world.s3().delete_object().bucket(BUCKET).key("k.txt").version_id(&version).send()).unwrap();
    world.claim_get([id.as_str(), "--queue", "versions", "--force"]).exits(5).says("error: ");
    assert_eq!(world.read_file("k.txt"), b"first", "a file that is there stays whole");
}

#[test]
fn one_of_several_claims_is_chosen_or_all_go_into_a_folder() {
    let world = World::with_bucket(false);
    let url = world.queue("several", &[]);
    let (a, b) = (world.put_payload("x/a.txt", b"a"), world.put_payload("y/b.txt", b"bb"));
    let gone = Put { etag: "e".to_owned(), version: None };
    let records = [record("x/a.txt", &a, 1), record("y/b.txt", &b, 2), record("y/gone.txt", &gone, 2)];
    let id = world.send_body(&url, &event(&records));
    let which = world.claim_get([id.as_str(), "--queue", "several"]);
    which.fails_with(2, "has 3 claims").says("2 payloads-to-get/y/b.txt").says("--index");
    world.claim_get([id.as_str(), "--queue", "several", "--index", "4"]).exits(2).says("no claim 4");
    world.claim_get([id.as_str(), "--queue", "several", "--index", "2", "--to", "second"]).exits(0);
    assert_eq!(world.read_file("second"), b"bb");
    let all = world.claim_get([id.as_str(), "--queue", "several", "--to", "all/", "-o", "json"]).exits(3).json();
    assert_eq!((world.read_file("all/a.txt"), world.read_file("all/b.txt")), (b"a".to_vec(), b"bb".to_vec()));
    assert!(all["payloads"][2]["why"].as_str().unwrap().contains("the payload is gone"), "{all:#}");
    assert!(!world.has_file("all/gone.txt"));

    let same = world.send_body(&url, &event(&[record("x/a.txt", &a, 1), record("z/a.txt", &a, 1)]));
    world.claim_get([same.as_str(), "--queue", "several", "--to", "same/"]).exits(2).says("two claims");
}

#[test]
fn what_has_no_payload_says_why() {
    let world = World::with_bucket(false);
    let url = world.queue("without", &[]);
    let gone = Put { etag: "e".to_owned(), version: None };
    let mut removed = record("k", &gone, 1);
    removed["eventName"] = json!("ObjectRemoved:Delete");
    for (body, code, why) in [
        ("not json", 5, "holds no claim"),
        (r#"{"Event":"s3:TestEvent"}"#, 5, "test event"),
        (&event(&[record("gone.txt", &gone, 1)]), 5, "does not exist: the payload is gone"),
        (&event(&[removed]), 5, "ObjectRemoved:Delete says that the object went away"),
        (&event(&[record("folder/", &world.put_payload("folder/", b""), 0)]), 2, "ends in no name for a file"),
    ] {
        let id = world.send_body(&url, body);
        world.claim_get([id.as_str(), "--queue", "without"]).fails_with(code, why);
    }
    assert_eq!(world.depth(&url), (5, 0));
    for (what, code, why) in [
        ("s3://", 2, "names no object"),
        ("s3://b", 2, "names no object"),
        ("", 2, "neither a message id nor a key"),
        ("s3://no-such-bucket-anywhere/k", 5, "no-such-bucket-anywhere"),
    ] {
        world.claim_get([what]).fails_with(code, why);
    }
    world.claim_get([NOBODY, "--queue", "no-such-queue"]).exits(5).says("no queue");
}

#[test]
fn an_extended_client_pointer_is_followed() {
    let world = World::with_bucket(false);
    let url = world.queue("pointers", &[(Name::VisibilityTimeout, "60".to_owned())]);
    world.put_payload("big/body", b"a big body");
    let pointer = json!(["software.amazon.payloadoffloading.PayloadS3Pointer",
        {"s3BucketName": BUCKET, "s3Key": "big/body"}]);
    let size = MessageAttributeValue::builder().data_type("Number").string_value("10").build().unwrap();
    let send = world.sqs().send_message().queue_url(&url).message_body(pointer.to_string());
    let sent = wait_for(send.message_attributes("ExtendedPayloadSize", size).send()).unwrap();
    let id = sent.message_id.unwrap();
    world.claim_get([id.as_str(), "--queue", "pointers"]).exits(0).says("no etag to compare with");
    assert_eq!(world.read_file("body"), b"a big body");
    world.put_payload("big/body", b"another length");
    world.claim_get([id.as_str(), "--queue", "pointers", "--to", "other"]).exits(4).says("size 14 bytes, and 10 bytes");
}

#[test]
fn a_key_of_any_shape_is_got() {
    let world = World::with_bucket(false);
    for (number, name) in odd_names().into_iter().enumerate() {
        world.put_payload(&name, name.as_bytes());
        let at = format!("s3://{BUCKET}/{name}");
        let file = format!("file-{number}");
        world.claim_get([at.as_str(), "--to", &file]).exits(0);
        assert_eq!(world.read_file(&file), name.as_bytes(), "{name:?}");
    }
}

#[test]
fn a_queue_that_allows_two_receives_is_not_searched() {
    let world = World::with_bucket(false);
    let url = world.queue_with_dead_letters("strict", 2);
    let id = world.send_body(&url, "{}");
    let refused = world.claim_get([id.as_str(), "--queue", "strict"]).exits(4);
    refused.says(&format!("claimctl queue peek strict --id {id} --force --full"));
    let peek = world.claimctl(["queue", "peek", "strict", "--id", &id, "--force", "-o", "json"]).run().exits(0).json();
    assert_eq!(peek["messages"][0]["receive_count"], json!(1), "the refusal was a receive");
}
