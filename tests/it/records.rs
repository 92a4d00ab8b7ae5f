//! records shows what the sinks hold: as a list, whole, and for other programs.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use crate::run::{Run, Running};
use crate::world::{World, wait_for};

impl World {
    fn records_with(&self, args: &[&str]) -> Run {
        self.claimctl(["records"]).args(args).run()
    }
}

fn keys(run: &Run) -> Vec<String> {
    let report = run.json();
    let records = report["records"].as_array().unwrap().iter();
    records.map(|record| record["object_key"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_records_of_a_table_are_listed_by_prefix_status_and_time() {
    let world = World::up();
    for name in ["a,1", "b \"2\"", "c"] {
        world.file(&format!("in/{name}"), name);
    }
    world.claimctl(["upload", "in", "--prefix", "in/"]).run().exits(0);
    world.file("out", "o");
    world.claimctl(["upload", "out"]).run().exits(0);
    world.claimctl(["verify", "--wait", "60s"]).run().exits(0);
    let id = AttributeValue::S(format!("{}/in/c", world.bucket()));
    let update = world.dynamodb().update_item().table_name(world.table()).key("claim_id", id);
    let update = update.update_expression("SET #s = :s, recorded_at = :t, note = :n");
    let update = update.expression_attribute_names("#s", "status");
    let update = update.expression_attribute_values(":s", AttributeValue::S("processed".into()));
    let update = update.expression_attribute_values(":n", AttributeValue::N("1".into()));
    let update = update.expression_attribute_values(":t", AttributeValue::S("2020-01-01T00:00:00.000Z".into()));
    wait_for(update.send()).unwrap();

    let all = world.records_with(&["ls", "-o", "json"]).exits(0);
    assert_eq!(keys(&all), ["in/a,1", "in/b \"2\"", "in/c", "out"]);
    assert_eq!(all.json()["sinks"], json!([{"kind": "table", "name": world.table()}]));
    for (filter, expected) in [
        (&["--prefix", "in/"][..], &["in/a,1", "in/b \"2\"", "in/c"][..]),
        (&["--status", "processed"], &["in/c"]),
        (&["--status", "removed"], &[]),
        (&["--since", "1h"], &["in/a,1", "in/b \"2\"", "out"]),
        (&["--since", "1h", "--status", "recorded", "--prefix", "o"], &["out"]),
    ] {
        let listed = world.claimctl(["records", "ls", "-o", "json"]).args(filter).run().exits(0);
        assert_eq!(keys(&listed), expected, "{filter:?}");
    }
    // What was left out is said.
    let two = world.records_with(&["ls", "--limit", "2", "-o", "json"]).exits(0);
    assert_eq!((keys(&two).len(), &two.json()["matching"]), (2, &json!(4)));
    world.records_with(&["ls", "--limit", "2"]).exits(0).says("4 records, 2 of them not shown");
    assert_eq!(world.records_with(&["ls", "-o", "jsonl"]).exits(0).json_lines().len(), 4);

    // The same by another reader of CSV: a quote, a comma, and an attribute of somebody else's.
    let csv = world.records_with(&["ls", "--csv", "--prefix", "in/"]).exits(0).stdout;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let columns = reader.headers().unwrap().clone();
    let column = |name: &str| columns.iter().position(|column| column == name).unwrap();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.iter().map(|row| &row[column("object_key")]).collect::<Vec<_>>(), ["in/a,1", "in/b \"2\"", "in/c"]);
    assert_eq!(rows.iter().map(|row| &row[column("note")]).collect::<Vec<_>>(), ["", "", "1"]);
    assert_eq!(&rows[0][column("size")], "3");

    let one = world.records_with(&["get", "in/c", "-o", "json"]).exits(0).json();
    assert_eq!((&one["records"][0]["note"], &one["records"][0]["status"]), (&json!(1), &json!("processed")));
    world.records_with(&["get", &format!("s3://{}/out", world.bucket())]).exits(0).says("recorded_at");
    world.records_with(&["get", "in/none"]).fails_with(5, "nothing is recorded").says("verify --prefix in/none");
    world.records_with(&["ls", "--status", "done"]).exits(2).says("recorded, processed or removed");
    world.records_with(&["ls", "nosuch"]).fails_with(5, "nosuch");
}

#[test]
fn of_the_lines_of_a_log_the_newest_is_listed_and_each_is_shown() {
    let world = World::of("fan-out", "event-logger", &["--var", "copied_delay=1s"]);
    world.file("one", "1");
    world.claimctl(["upload", "one", "--key", "k"]).run().exits(0);
    world.claimctl(["verify", "--wait", "60s"]).run().exits(0);
    world.file("one", "22");
    world.claimctl(["upload", "one", "--key", "k"]).run().exits(0);
    world.claimctl(["verify", "--wait", "60s"]).run().exits(0);
    let listed = world.records_with(&["ls", "fan-out", "-o", "json"]).exits(0).json();
    assert_eq!((&listed["matching"], &listed["records"][0]["size"]), (&json!(1), &json!(2)));
    let shown = world.records_with(&["get", "k", "-o", "json"]).exits(0).json();
    let sizes: Vec<_> = shown["records"].as_array().unwrap().iter().map(|record| &record["size"]).collect();
    assert_eq!(sizes, [&json!(1), &json!(2)]);
    assert_eq!(shown["records"][0].get("kind"), None::<&Value>);
    world.records_with(&["get", "k"]).exits(0).says("record 2 of 2");
}
