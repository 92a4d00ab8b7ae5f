//! The CSV table in the sandbox: files come into the table, row by row, or it is told why they do not.

mod killed;

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use serde_json::{Value, json};

use crate::run::{Running, eventually};
use crate::world::{World, wait_for};

pub const COLUMNS: &str = r#"columns={"price":"N","active":"BOOL"}"#;

/// An item, by the names of its attributes.
pub type Item = BTreeMap<String, Value>;

impl World {
    pub fn csv_table(more: &[&str]) -> World {
        World::of("csv-table", "csv-loader", &[&["--var", COLUMNS], more].concat())
    }

    pub fn put_csv(&self, key: &str, content: impl Into<Vec<u8>>) {
        let put = self.s3().put_object().bucket(self.bucket()).key(key).body(content.into().into());
        wait_for(put.send()).unwrap();
    }

    pub fn csv_items(&self, table: &str) -> Vec<Item> {
        let name = self.surface["tables"][table]["name"].as_str().unwrap();
        let scan = self.dynamodb().scan().table_name(name).consistent_read(true).into_paginator().items().send();
        let items: Result<Vec<_>, _> = wait_for(scan.collect());
        items.unwrap().into_iter().map(|item| item.into_iter().map(plain).collect()).collect()
    }

    pub fn csv_record(&self, key: &str) -> Option<Item> {
        self.csv_items("loads").into_iter().find(|record| record["object_key"] == key)
    }

    /// The record of a file once nothing more becomes of it.
    pub fn csv_loaded(&self, key: &str, load: u64) -> Item {
        eventually("the end of the load", || {
            let record = self.csv_record(key).filter(|record| record["load"] == load)?;
            (record["status"] == "processed" || record.contains_key("step_error")).then_some(record)
        })
    }

    /// The rows of a file: key → the rest of it.
    pub fn csv_rows(&self, key: &str) -> BTreeMap<String, Item> {
        let of = format!("{}/{key}", self.bucket());
        let rows = self.csv_items("rows").into_iter().filter(|row| row["claim_id"] == of.as_str());
        rows.map(|mut row| (row.remove("id").unwrap().as_str().unwrap().to_owned(), row)).collect()
    }

    /// The event of a file once more, as its record has it.
    pub fn csv_again(&self, record: &Item) {
        let object = json!({"key": record["object_key"], "size": record["size"], "eTag": record["etag"],
            "versionId": record["version_id"], "sequencer": record["sequencer"]});
        self.csv_invoke(&told(self.bucket(), &object), Some("live"));
    }

    pub fn csv_invoke(&self, event: &Value, qualifier: Option<&str>) {
        let name = self.surface["functions"]["csv-loader"]["name"].as_str().unwrap();
        let invoke = self.lambda().invoke().function_name(name).set_qualifier(qualifier.map(str::to_owned));
        let invoke = invoke.invocation_type(InvocationType::Event).payload(Blob::new(event.to_string()));
        wait_for(invoke.send()).unwrap();
    }
}

/// A notification of S3; without a sequencer it is a repair's.
pub fn told(bucket: &str, object: &Value) -> Value {
    json!({"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
        "eventTime": "2026-01-01T00:00:00.000Z", "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": bucket, "arn": format!("arn:aws:s3:::{bucket}")}, "object": object}}]})
}

fn plain((name, value): (String, AttributeValue)) -> (String, Value) {
    let value = match value {
        AttributeValue::S(text) => text.into(),
        AttributeValue::N(digits) => serde_json::from_str(&digits).unwrap(),
        AttributeValue::Bool(value) => value.into(),
        other => panic!("{name}: {other:?}"),
    };
    (name, value)
}

#[test]
fn rows_are_stored_by_their_types_and_the_record_counts_them() {
    let world = World::csv_table(&[]);
    let file = "\u{feff}id,name,price,active\r\n1,\"Chair, \"\"oak\"\"\",12.50,true\r\n2,Ü,,0\r\n3,x,12,5,true\r\n\
                4,\"two\r\nlines\",1e2,\r\n1,\"Chair, \"\"oak\"\"\",12.50,true\r\n";
    world.put_csv("raw-data/a.csv", file);
    let record = world.csv_loaded("raw-data/a.csv", 1);
    let refused = "1 of 5 rows cannot be stored, and at most 10 % may be left out; the first one is in line 4: it has 5 \
                   fields, and the header has 4";
    assert_eq!(record["step_error"], refused);
    assert_eq!((&record["rows"], &record["status"]), (&json!(0), &json!("recorded")));
    assert!(world.csv_items("rows").is_empty());

    let world = World::csv_table(&["--var", "max_rejected=20"]);
    world.put_csv("raw-data/a.csv", file);
    let record = world.csv_loaded("raw-data/a.csv", 1);
    let counts = ["rows", "rejected", "repeated", "rows_of"].map(|name| record[name].as_u64().unwrap());
    assert_eq!((counts, &record["status"]), ([3, 1, 1, 1], &json!("processed")));
    let rows = world.csv_rows("raw-data/a.csv");
    let claim_id = format!("{}/raw-data/a.csv", world.bucket());
    let of = |number: u64, more: Value| {
        let mut row = json!({"claim_id": claim_id, "row": number, "load": 1});
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        row
    };
    let stored = |id: &str| serde_json::to_value(&rows[id]).unwrap();
    assert_eq!(stored("1"), of(1, json!({"name": "Chair, \"oak\"", "price": 12.5, "active": true})));
    assert_eq!(stored("2"), of(2, json!({"name": "Ü", "active": false})));
    assert_eq!(stored("4").get("price").and_then(Value::as_f64), Some(100.0));
    assert_eq!(stored("4")["name"], "two\r\nlines");
    let rejected = record["rejected_key"].as_str().unwrap();
    assert_eq!(rejected, "rejected/raw-data/a.1.csv");
    let get = wait_for(world.s3().get_object().bucket(world.bucket()).key(rejected).send()).unwrap();
    let text = String::from_utf8(wait_for(get.body.collect()).unwrap().to_vec()).unwrap();
    assert_eq!(text.lines().nth(1).unwrap(), "4,3,\"it has 5 fields, and the header has 4\",\"3,x,12,5,true\"");
}

#[test]
fn what_is_no_csv_is_refused_by_name_and_nothing_dies_of_it() {
    let world = World::csv_table(&[]);
    let wide = format!("id{}\n", ",a".repeat(1_000_000));
    let long = format!(
        "id,name\n{}2,x\n3,{}\n",
        (10..40).map(|n| format!("{n},y\n")).collect::<String>(),
        "x".repeat(10 << 20)
    );
    let files: [(&str, Vec<u8>, Option<&str>); 11] = [
        ("picture", b"\x89PNG\r\n\x1A\n\0".to_vec(), Some("a PNG image")),
        ("gzip", b"\x1F\x8B\x08\0\0".to_vec(), Some("compressed with gzip")),
        ("utf-16", b"\xFF\xFEi\0d\0\n\0".to_vec(), Some("in UTF-16")),
        ("empty", vec![], Some("is empty")),
        ("other-key", b"sku,name\n1,x\n".to_vec(), Some("no column \"id\"")),
        ("ours", b"id,claim_id\n1,x\n".to_vec(), Some("\"claim_id\"")),
        ("ttl", b"id,expires_at\n1,1\n".to_vec(), Some("\"expires_at\"")),
        ("open-quote", b"id,name\n1,\"x\n2,y\n".to_vec(), Some("never closed")),
        ("a-million-columns", wide.into_bytes(), Some("the header")),
        ("header-only", b"id,name\n".to_vec(), None),
        ("ten-megabytes-in-a-field", long.into_bytes(), None),
    ];
    for (name, content, _) in &files {
        world.put_csv(&format!("raw-data/{name}.csv"), content.clone());
    }
    for (name, _, why) in files {
        let record = world.csv_loaded(&format!("raw-data/{name}.csv"), 1);
        match why {
            Some(why) => assert!(record["step_error"].as_str().unwrap().contains(why), "{name}: {record:?}"),
            None => assert_eq!(record["status"], "processed", "{name}: {record:?}"),
        }
    }
    assert_eq!(world.csv_record("raw-data/ten-megabytes-in-a-field.csv").unwrap()["rejected"], 1);
    let dead = world.claimctl(["dlq", "ls", "-o", "json"]).run().exits(0).json();
    assert_eq!(dead["queues"][0]["visible"], 0, "{dead}");
}

#[test]
fn a_newer_content_of_a_file_takes_the_place_of_the_older_one_whole() {
    let world = World::csv_table(&[]);
    let key = "raw-data/a.csv";
    world.put_csv(key, "id,name\n1,a\n2,b\n3,c\n");
    let first = world.csv_loaded(key, 1);
    world.put_csv("raw-data/other.csv", "id,name\n9,z\n");
    world.put_csv(key, "id,name\n2,B\n3,c\n4,d\n");
    let second = world.csv_loaded(key, 2);
    let names = || -> Vec<(String, Value)> {
        world.csv_rows(key).into_iter().map(|(id, row)| (id, row["name"].clone())).collect()
    };
    let wanted = [("2", "B"), ("3", "c"), ("4", "d")].map(|(id, name)| (id.to_owned(), json!(name)));
    assert_eq!(names(), wanted);
    assert_eq!((&second["rows"], &second["rows_of"]), (&json!(3), &json!(2)));
    assert_eq!(world.csv_rows("raw-data/other.csv").len(), 1);

    // The older one's event comes again, and the newer one's twice: nothing changes.
    [&first, &second, &second].into_iter().for_each(|record| world.csv_again(record));
    // What is refused leaves the table as it is, and says what is there.
    world.put_csv(key, "no table at all");
    let third = world.csv_loaded(key, 3);
    assert!(third["step_error"].as_str().unwrap().contains("no column \"id\""), "{third:?}");
    assert_eq!((&third["rows"], &third["rows_of"]), (&json!(3), &json!(2)));
    assert_eq!(names(), wanted);
}

#[test]
fn a_file_that_is_replaced_in_the_middle_of_its_load_leaves_the_newer_rows_alone() {
    let world = World::csv_table(&[]);
    let key = "raw-data/a.csv";
    let file = |name: &str, rows: std::ops::Range<u32>| {
        rows.fold("id,name\n".to_owned(), |file, row| format!("{file}{row},{name}\n"))
    };
    world.put_csv(key, file("older", 0..6_000));
    eventually("rows of the older content", || world.csv_record(key)?.contains_key("progress").then_some(()));
    assert_eq!(world.csv_record(key).unwrap()["status"], "recorded", "it is loaded already");
    world.put_csv(key, file("newer", 5_000..5_100));
    let record = world.csv_loaded(key, 2);
    assert_eq!((&record["status"], &record["rows"], &record["rows_of"]), (&json!("processed"), &json!(100), &json!(2)));
    let rows = world.csv_rows(key);
    assert_eq!(rows.len(), 100);
    assert!(rows.values().all(|row| row["name"] == "newer"), "{rows:?}");
    world.claimctl(["verify", "--rows"]).run().exits(0);
}

#[test]
fn a_table_with_another_key_takes_no_row_and_the_dead_letter_says_why() {
    use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
    let world = World::csv_table(&[]);
    let name = world.surface["tables"]["rows"]["name"].as_str().unwrap();
    for (file, keys) in [("other", &["sku"][..]), ("sort", &["id", "sold_at"])] {
        wait_for(world.dynamodb().delete_table().table_name(name).send()).unwrap();
        let mut create = world.dynamodb().create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
        for (key, kind) in keys.iter().zip([KeyType::Hash, KeyType::Range]) {
            let of = AttributeDefinition::builder().attribute_name(*key).attribute_type(ScalarAttributeType::S).build();
            let key = KeySchemaElement::builder().attribute_name(*key).key_type(kind).build();
            create = create.attribute_definitions(of.unwrap()).key_schema(key.unwrap());
        }
        wait_for(create.send()).unwrap();
        world.put_csv(&format!("raw-data/{file}.csv"), "id,name\n1,a\n");
        let message = eventually("its dead letter", || {
            let inspected = world.claimctl(["dlq", "inspect", "csv-dlq", "-o", "json"]).run().json();
            let of_file = |message: &&Value| message.to_string().contains(&format!("raw-data/{file}.csv"));
            inspected["messages"].as_array()?.iter().find(of_file).cloned()
        });
        let error = message["error"].as_str().unwrap();
        assert!(error.contains(name) && error.contains("ValidationException"), "{error}");
        assert!(world.csv_items("rows").is_empty());
        world.claimctl(["verify"]).run().exits(8);
    }
}

#[test]
fn a_file_that_takes_longer_than_an_invocation_goes_on_in_further_ones() {
    let world = World::csv_table(&["--var", "timeout=5s"]);
    let rows = 20_000;
    let file: String = (0..rows).map(|n| format!("{n},{},{}\n", "name ".repeat(20), n % 100)).collect();
    // A key that is there twice makes it look at the file again each time.
    world.put_csv("raw-data/long.csv", format!("id,name,price\n{file}0,other,1\n"));
    let record = world.csv_loaded("raw-data/long.csv", 1);
    assert_eq!((&record["rows"], &record["rejected"]), (&json!(rows), &json!(1)), "{record:?}");
    let stored = world.csv_rows("raw-data/long.csv");
    assert_eq!(stored.len(), rows);
    assert!(stored.iter().all(|(id, row)| row["row"] == id.parse::<u64>().unwrap() + 1));
    let log = world.claimctl(["local", "logs"]).run().exits(0);
    assert!(log.stdout.contains(r#""outcome":"continued""#), "it was done in one");
}

#[test]
fn an_event_that_fails_is_a_dead_letter_that_says_why_and_is_invoked_again_by_replay() {
    let world = World::csv_table(&[]);
    // The file of a repair that is not there yet; once by the alias, once by the function's name alone.
    for qualifier in [Some("live"), None] {
        world.csv_invoke(&told(world.bucket(), &json!({"key": "raw-data/late.csv"})), qualifier);
    }
    let inspected = eventually("both dead letters", || {
        let inspected = world.claimctl(["dlq", "inspect", "csv-dlq", "-o", "json"]).run().json();
        (inspected["messages"].as_array()?.len() == 2).then_some(inspected)
    });
    for message in inspected["messages"].as_array().unwrap() {
        assert_eq!(message["verdict"], "payload_gone", "{message}");
        assert!(message["function"].as_str().unwrap().contains("csv-loader"), "{message}");
        let error =
            format!("MissingObject: {}/raw-data/late.csv is not there, and there is no record of it", world.bucket());
        assert_eq!(message["error"], error.as_str());
    }
    let shown = world.claimctl(["dlq", "inspect", "csv-dlq"]).run().exits(0);
    shown.says("failed: MissingObject");

    // Put without an event of its own, so that replay has something to do.
    let rules = aws_sdk_s3::types::NotificationConfiguration::builder().build();
    let none = world.s3().put_bucket_notification_configuration().bucket(world.bucket());
    wait_for(none.notification_configuration(rules).send()).unwrap();
    world.put_csv("raw-data/late.csv", "id\n1\n");
    world.claimctl(["dlq", "replay", "csv-dlq", "--yes"]).run().exits(0);
    assert_eq!(world.csv_loaded("raw-data/late.csv", 1)["rows"], 1);
    assert_eq!(world.csv_rows("raw-data/late.csv").len(), 1);
}

#[test]
fn verify_counts_the_rows_of_each_file_and_holds_them_against_its_record() {
    let world = World::csv_table(&[]);
    world.put_csv("raw-data/one.csv", "id,name\n1,a\n2,b\n3,c\n");
    world.csv_loaded("raw-data/one.csv", 1);
    world.put_csv("raw-data/two.csv", "id,name\n4,d\n");
    world.csv_loaded("raw-data/two.csv", 1);
    let verify = |more: &[&str]| world.claimctl(["verify", "--rows", "-o", "json"]).args(more).run();
    let rows = |report: &Value| {
        let rows = &report["rows"];
        ["rows", "files", "agree", "fewer", "more"].map(|name| rows[name].as_u64().unwrap())
    };
    let report = verify(&[]).exits(0).json();
    assert_eq!((rows(&report), &report["counts"]["recorded"]), ([4, 2, 2, 0, 0], &json!(2)));
    assert_eq!(rows(&verify(&["--prefix", "raw-data/two"]).exits(0).json()), [1, 1, 1, 0, 0]);

    // A row that is the other file's by now: nothing is lost, and nothing proves it.
    world.put_csv("raw-data/two.csv", "id,name\n3,other\n4,d\n");
    world.csv_loaded("raw-data/two.csv", 2);
    let report = verify(&[]).exits(3).json();
    assert_eq!(rows(&report), [4, 2, 1, 1, 0]);
    let finding = &report["rows"]["findings"][0];
    assert_eq!(finding, &json!({"key": "raw-data/one.csv", "recorded": 3, "counted": 2}));
    world.claimctl(["verify", "--rows"]).run().exits(3).says("another file may have replaced the others");

    // A row that no file has.
    let table = world.surface["tables"]["rows"]["name"].as_str().unwrap();
    let stray = format!("{}/raw-data/none.csv", world.bucket());
    let put = world.dynamodb().put_item().table_name(table).item("id", AttributeValue::S("x".into()));
    wait_for(put.item("claim_id", AttributeValue::S(stray)).send()).unwrap();
    let report = verify(&[]).exits(8).json();
    assert_eq!(rows(&report), [5, 3, 1, 1, 1]);
}
