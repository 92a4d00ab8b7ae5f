//! cleanup takes what its record says is done with, and nothing else, wherever it ends.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::foreign::{BUCKET, Foreign, TABLE};
use crate::run::{Run, Running, eventually, finish, signal};
use crate::seeded::{Seeded, each_seed, killed_after, seeds};
use crate::server::{Project, Server};
use crate::world::{odd_names, wait_for};

const ACCOUNT: &str = "111111111111";
const TOML: &str = r#"
    [environments.dev]
    region = "us-east-1"
    account = "111111111111"
    [environments.prod]
    region = "us-east-1"
    account = "111111111111"
    protected = true
"#;
const LONG_AGO: &str = "2026-01-01T00:00:00.000Z";

/// A bucket and a table of the same name, which nothing has deployed.
struct Place<'a> {
    server: &'a Server,
    project: Project<'a>,
    name: String,
}

impl<'a> Place<'a> {
    fn new(server: &'a Server, name: &str) -> Place<'a> {
        let place = Place { server, project: server.project(TOML), name: format!("payloads-{name}") };
        wait_for(place.s3().create_bucket().bucket(&place.name).send()).unwrap();
        let definition =
            AttributeDefinition::builder().attribute_name("claim_id").attribute_type(ScalarAttributeType::S);
        let key = KeySchemaElement::builder().attribute_name("claim_id").key_type(KeyType::Hash);
        let create = server.dynamodb(ACCOUNT, "us-east-1").create_table().table_name(&place.name);
        let create = create.billing_mode(BillingMode::PayPerRequest).attribute_definitions(definition.build().unwrap());
        wait_for(create.key_schema(key.build().unwrap()).send()).unwrap();
        place
    }

    fn s3(&self) -> aws_sdk_s3::Client {
        self.server.s3(ACCOUNT, "us-east-1")
    }

    fn put(&self, key: &str, body: &str) -> String {
        let put = self.s3().put_object().bucket(&self.name).key(key).body(body.as_bytes().to_vec().into());
        wait_for(put.send()).unwrap().e_tag.unwrap().trim_matches('"').to_owned()
    }

    fn record(&self, key: &str, etag: &str, status: &str, recorded_at: &str) {
        let id = format!("{}/{key}", self.name);
        let mut put = self.server.dynamodb(ACCOUNT, "us-east-1").put_item().table_name(&self.name);
        for (name, value) in [("claim_id", &*id), ("etag", etag), ("status", status), ("recorded_at", recorded_at)] {
            put = put.item(name, AttributeValue::S(value.to_owned()));
        }
        wait_for(put.send()).unwrap();
    }

    /// An object that is done with.
    fn processed(&self, key: &str) {
        let etag = self.put(key, key);
        self.record(key, &etag, "processed", LONG_AGO);
    }

    fn keys(&self) -> BTreeSet<String> {
        let s3 = self.s3();
        let mut pages = s3.list_objects_v2().bucket(&self.name).into_paginator().send();
        let mut keys = BTreeSet::new();
        while let Some(page) = wait_for(pages.next()) {
            keys.extend(page.unwrap().contents().iter().map(|object| object.key().unwrap().to_owned()));
        }
        keys
    }

    fn status(&self, key: &str) -> Option<String> {
        let id = AttributeValue::S(format!("{}/{key}", self.name));
        let get = self.server.dynamodb(ACCOUNT, "us-east-1").get_item().table_name(&self.name).key("claim_id", id);
        let item = wait_for(get.consistent_read(true).send()).unwrap().item?;
        item.get("status")?.as_s().ok().cloned()
    }

    fn command(&self, verb: &str, more: &str) -> Command {
        let name = &self.name;
        self.project.claimctl(ACCOUNT, &format!("{verb} --bucket {name} --table {name} --env dev {more}"))
    }

    fn cleanup(&self, more: &str) -> Run {
        self.command("cleanup --yes --older-than 0s -o json", more).run()
    }

    /// The keys that were written down, in this order.
    fn logged(&self) -> Vec<String> {
        let lines = self.project.read("log.jsonl");
        let key = |line: &str| serde_json::from_str::<Value>(line).unwrap()["key"].as_str().unwrap().to_owned();
        lines.lines().map(key).collect()
    }
}

const DELETE: &str = "--delete --log log.jsonl";

/// How many objects of the plan, by reason.
fn planned(report: &Value) -> Value {
    let judged = report["plan"].as_array().unwrap().iter().filter(|judged| judged["objects"] != json!(0));
    judged.map(|judged| (judged["reason"].as_str().unwrap().to_owned(), judged["objects"].clone())).collect()
}

#[test]
fn only_what_its_record_says_is_done_with_is_deleted_and_all_else_stays() {
    let server = Server::up();
    let place = Place::new(&server, "reasons");
    let odd: Vec<String> =
        odd_names().into_iter().chain(["dir/ ".to_owned()]).map(|key| format!("done/{key}")).collect();
    odd.iter().for_each(|key| place.processed(key));
    place.put("unrecorded", "x");
    place.put("differs", "new");
    place.record("differs", "0cc175b9c0f1b6a831c399e269772661", "processed", LONG_AGO);
    let etag = place.put("recorded", "recorded");
    place.record("recorded", &etag, "recorded", LONG_AGO);
    let etag = place.put("young", "young");
    place.record("young", &etag, "processed", "2999-01-01T00:00:00.000Z");
    let etag = place.put("undated", "undated");
    place.record("undated", &etag, "processed", "yesterday");
    let left = json!({"due": odd.len(), "unrecorded": 1, "differs": 1, "only_recorded": 1, "young": 1,
        "undetermined": 1});
    let before = place.keys();

    let dry = place.cleanup("--delete --dry-run").exits(0).json();
    assert_eq!((planned(&dry), &dry["ended"], place.keys()), (left.clone(), &json!("dry_run"), before));
    let report = place.cleanup(DELETE).exits(0).json();
    assert_eq!((planned(&report), &report["done"], &report["marked"]), (left, &json!(odd.len()), &json!(odd.len())));
    let stay = ["differs", "recorded", "undated", "unrecorded", "young"].map(str::to_owned);
    assert_eq!(place.keys(), BTreeSet::from(stay));
    assert_eq!(place.logged().into_iter().collect::<BTreeSet<_>>(), odd.iter().cloned().collect());
    for key in &odd {
        assert_eq!(place.status(key).as_deref(), Some("removed"), "{key:?}");
    }
    let again = place.cleanup(DELETE).exits(0).json();
    assert_eq!((&again["done"], &again["marked"], &again["next"]), (&json!(0), &json!(0), &Value::Null));
}

#[test]
fn verify_is_balanced_and_finds_nothing_after_it() {
    let server = Server::up();
    let place = Place::new(&server, "verified");
    for number in 0..20 {
        let etag = place.put(&number.to_string(), "x");
        place.record(&number.to_string(), &etag, ["recorded", "processed"][number % 2], LONG_AGO);
    }
    let first = place.cleanup(&format!("{DELETE} --recorded --prefix 1")).exits(0).json();
    assert_eq!(first["done"], json!(11));
    let verified = place.command("verify --settle 0s -o json", "").run().exits(0).json();
    assert_eq!(verified["balanced"], json!(true));
    assert_eq!((&verified["counts"]["retired"], &verified["counts"]["recorded"]), (&json!(11), &json!(9)));
}

#[test]
fn a_tag_is_added_to_those_that_are_there_and_nothing_is_deleted() {
    let server = Server::up();
    let place = Place::new(&server, "tagged");
    place.processed("done");
    place.put("unrecorded", "x");
    let tags = |key: &str| {
        let tags = wait_for(place.s3().get_object_tagging().bucket(&place.name).key(key).send()).unwrap().tag_set;
        tags.into_iter().map(|tag| (tag.key, tag.value)).collect::<BTreeSet<_>>()
    };
    let pair = |key: &str, value: &str| aws_sdk_s3::types::Tag::builder().key(key).value(value).build().unwrap();
    let own = aws_sdk_s3::types::Tagging::builder().tag_set(pair("owner", "me")).build().unwrap();
    wait_for(place.s3().put_object_tagging().bucket(&place.name).key("done").tagging(own).send()).unwrap();

    let report = place.cleanup("--tag cleanup=yes").exits(0).json();
    assert_eq!((&report["done"], &report["tag"]), (&json!(1), &json!({"key": "cleanup", "value": "yes"})));
    let text = |text: &str| text.to_owned();
    let both = BTreeSet::from([(text("cleanup"), text("yes")), (text("owner"), text("me"))]);
    assert_eq!((tags("done"), tags("unrecorded")), (both, BTreeSet::new()));
    assert_eq!((place.keys().len(), place.status("done").as_deref()), (2, Some("processed")));
    let again = place.cleanup("--tag cleanup=yes").exits(0).json();
    assert_eq!((&again["done"], &again["already"]), (&json!(0), &json!(1)));
}

#[test]
fn nothing_is_deleted_that_is_not_asked_for_agreed_to_and_written_down() {
    let server = Server::up();
    let place = Place::new(&server, "refused");
    place.processed("done");
    let run = |line: &str| place.command(line, "").run();
    run("cleanup --older-than 0s").exits(2).says("--delete");
    run("cleanup --delete --log l --yes").exits(2).says("--older-than");
    run("cleanup --delete --older-than 0s --yes").fails_with(2, "written down first").says("--log removed.jsonl");
    run("cleanup --delete --older-than 0s --log l").exits(4);
    place.project.write("notes", "of somebody's own\n");
    run("cleanup --delete --older-than 0s --log notes --yes").fails_with(2, "not the log of a cleanup");
    assert_eq!(place.project.read("notes"), "of somebody's own\n");
    let name = &place.name;
    let prod = format!("cleanup --bucket {name} --table {name} --env prod --delete --older-than 0s --log l");
    place.project.run(ACCOUNT, &format!("{prod} --yes")).exits(4).says("--confirm prod");
    assert_eq!(place.keys().len(), 1);
    place.project.run(ACCOUNT, &format!("{prod} --confirm prod")).exits(0).says("deleted: 1 object");
    assert!(place.keys().is_empty());
    place.project.run(ACCOUNT, "log").exits(0).says("delete 1 object");
}

#[test]
fn in_a_versioned_bucket_the_content_stays_as_a_version_and_that_is_said() {
    let server = Server::up();
    let place = Place::new(&server, "versioned");
    let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    wait_for(place.s3().put_bucket_versioning().bucket(&place.name).versioning_configuration(on).send()).unwrap();
    place.processed("done");
    place.processed("new\nline");
    let report = place.cleanup(DELETE).exits(0).json();
    assert_eq!((&report["done"], &report["delete_markers"]), (&json!(2), &json!(2)));
    let versions = wait_for(place.s3().list_object_versions().bucket(&place.name).send()).unwrap();
    assert_eq!((versions.versions().len(), versions.delete_markers().len()), (2, 2));
}

#[test]
fn what_changes_while_it_runs_is_left_and_an_interrupt_is_gone_on_from() {
    let server = Server::up();
    let place = Place::new(&server, "slow");
    let keys: Vec<String> = (100..140).map(|number| number.to_string()).collect();
    keys.iter().for_each(|key| place.processed(key));
    let mut command = place.command("cleanup --yes --older-than 0s -o json", &format!("{DELETE} --max-rate 4/s"));
    let child = command.start();
    eventually("the first deletion", || (place.keys().len() < keys.len()).then_some(()));
    place.put("139", "other content");
    let etag = place.put("138", "138");
    place.record("138", &etag, "recorded", LONG_AGO);
    signal(&child, Signal::INT);
    let report = finish(child, "the interrupted cleanup".to_owned()).exits(130).json();
    assert_eq!((&report["ended"], report["left"].as_u64() > Some(0)), (&json!("interrupted"), true), "{report:#}");
    assert_eq!(place.keys().len() as u64 + report["done"].as_u64().unwrap(), 40);
    assert!(report["next"].as_str().unwrap().contains("cleanup"), "{report:#}");

    let rest = place.cleanup(DELETE).exits(0).json();
    assert_eq!(planned(&rest), json!({"due": report["left"].as_u64().unwrap() - 2, "only_recorded": 1, "differs": 1}));
    assert_eq!(place.keys(), BTreeSet::from(["138".to_owned(), "139".to_owned()]));
}

#[test]
fn killed_at_any_moment_and_run_again_nothing_unrecorded_is_gone_and_nothing_is_left_over() {
    const OBJECTS: usize = 60;
    let server = Server::up();
    let (killed, usual) = (AtomicU64::new(0), AtomicU64::new(0));
    let fill = |name: &str| {
        let place = Place::new(&server, name);
        for number in 0..OBJECTS {
            let key = format!("k{number}");
            let etag = place.put(&key, &key);
            match number % 3 {
                0 => place.record(&key, &etag, "recorded", LONG_AGO),
                1 => place.record(&key, &etag, "processed", LONG_AGO),
                _ => {}
            }
        }
        place
    };
    let check = |place: &Place<'_>| {
        let unrecorded = (2..OBJECTS).step_by(3).map(|number| format!("k{number}")).collect::<BTreeSet<_>>();
        assert_eq!(place.keys(), unrecorded);
        assert_eq!(place.logged().into_iter().collect::<BTreeSet<_>>().len(), OBJECTS - unrecorded.len());
        for number in (0..OBJECTS).filter(|number| number % 3 < 2) {
            assert_eq!(place.status(&format!("k{number}")).as_deref(), Some("removed"), "k{number}");
        }
    };
    let more = format!("{DELETE} --recorded --max-rate 30");
    let place = fill("unharmed");
    let began = Instant::now();
    place.cleanup(&more).exits(0);
    usual.store(began.elapsed().as_millis() as u64, Ordering::Relaxed);
    check(&place);
    each_seed(seeds(), |seed| {
        let place = fill(&format!("seed-{seed}"));
        let moment = Duration::from_millis(Seeded::of(seed).below(usual.load(Ordering::Relaxed)));
        let mut command = place.command("cleanup --yes --older-than 0s", &more);
        killed.fetch_add(u64::from(killed_after(&mut command, moment)), Ordering::Relaxed);
        let there = place.keys();
        assert!(
            (2..OBJECTS).step_by(3).all(|number| there.contains(&format!("k{number}"))),
            "an unrecorded one is gone"
        );
        let rest = place.cleanup(&more).exits(0).json();
        assert_eq!(rest["next"], Value::Null, "{rest:#}");
        check(&place);
    });
    assert!(killed.into_inner() >= seeds() / 2, "hardly any was killed at work");
}

#[test]
fn objects_of_a_table_that_claimctl_did_not_make_are_refused() {
    let server = Server::up();
    let flow = Foreign::of(&server, "key_attribute = \"claim_id\"\n", &[("claim_id", "S")]);
    let key = format!("{BUCKET}/k");
    let etag = flow.put(&key);
    // By itself it could be taken for a record of object k.
    flow.put_items([json!({"claim_id": key, "etag": etag.trim_matches('"'), "status": "processed"})]);
    let line = format!("{DELETE} --older-than 0s --recorded --yes");
    flow.run(&format!("cleanup orders {line}")).fails_with(2, "is read by a mapping");
    flow.run(&format!("cleanup {line}")).fails_with(2, "is read by a mapping");
    let by_flags = format!("cleanup --bucket {BUCKET} --table {TABLE} {line}");
    flow.run(&by_flags).fails_with(4, "flow orders takes objects");
    flow.run(&format!("{by_flags} --prefix a/")).fails_with(4, "flow orders takes objects");
    assert_eq!(flow.verify("").exits(0).json()["counts"]["recorded"], json!(1));
}
