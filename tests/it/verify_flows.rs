//! verify of pipelines that claimctl did not deploy: what their tables hold is read as the configuration says, and what
//! cannot be read is told.

use serde_json::{Value, json};

use crate::foreign::{BUCKET, Foreign, TABLE, counts, keys_of};
use crate::server::Server;

#[track_caller]
fn counted(report: &Value, expected: Value) {
    assert_eq!(Value::Object(counts(report)), expected, "{report:#}");
}

#[track_caller]
fn has_note(report: &Value, part: &str) {
    let notes = report["notes"].as_array().unwrap();
    assert!(notes.iter().any(|note| note.as_str().unwrap().contains(part)), "{report:#}");
}

#[test]
fn a_table_of_keys_and_buckets_takes_two_lines_and_is_compared_by_presence() {
    let server = Server::up();
    let toml = "key_attribute = \"objectKey\"\nbucket_attribute = \"bucketName\"\n";
    let flow = Foreign::of(&server, toml, &[("objectKey", "S")]);
    ["a", "b+ c/é", "lost"].into_iter().for_each(|key| drop(flow.put(key)));
    let item = |key: &str, bucket: &str| json!({"objectKey": key, "bucketName": bucket});
    flow.put_items([item("a", BUCKET), item("b+ c/é", BUCKET), item("elsewhere", "another"), item("gone", BUCKET)]);
    let report = flow.verify("").exits(8).json();
    counted(&report, json!({"recorded": 2, "missing": 1, "orphan": 1}));
    assert_eq!((keys_of(&report, "missing"), keys_of(&report, "orphan")), (vec!["lost"], vec!["gone"]));
    assert_eq!(report["table_items"]["compared"], json!(["presence"]));
    let items = &report["table_items"];
    assert_eq!((&items["items"], &items["records"], &items["other_buckets"]), (&json!(4), &json!(3), &json!(1)));
    has_note(&report, "only the presence");
    flow.run("verify orders --settle 0s").exits(8).says("compared by presence").says("its content was not compared");

    // The same by flags, and it is the only flow that there is.
    let flags = format!("--bucket {BUCKET} --table {TABLE} --queue orders");
    let attributes = "--key-attribute objectKey --bucket-attribute bucketName --settle 0s -o json";
    let by_flags = flow.run(&format!("verify {flags} {attributes}")).exits(8).json();
    assert_eq!(by_flags["counts"], report["counts"]);
    assert_eq!(flow.run("verify --settle 0s -o json").exits(8).json()["flow"], "orders");
    flow.run("verify order").fails_with(5, "no flow \"order\"").says("orders");
}

#[test]
fn etag_size_and_status_are_held_against_the_object_where_they_are_named() {
    let server = Server::up();
    let toml = "key_attribute = \"key\"\netag_attribute = \"etag\"\nsize_attribute = \"bytes\"\n\
                status_attribute = \"state\"\ndone = [\"DONE\", \"ARCHIVED\"]\n";
    let flow = Foreign::of(&server, toml, &[("key", "S")]);
    let etag = |key: &str| flow.put(key);
    let item = |key: &str, etag: &str, bytes: u64, state: &str| json!({"key": key, "etag": etag, "bytes": bytes, "state": state});
    flow.put_items([
        item("fine", &etag("fine"), 4, "DONE"),
        item("unquoted", etag("unquoted").trim_matches('"'), 8, "ARCHIVED"),
        item("rewritten", "0123456789abcdef0123456789abcdef", 9, "DONE"),
        item("longer", &etag("longer"), 7, "DONE"),
        item("stuck", &etag("stuck"), 5, "FAILED"),
        item("history", "0123456789abcdef0123456789abcdef", 1, "DONE"),
        item("unexplained", "0123456789abcdef0123456789abcdef", 1, "FAILED"),
        json!({"key": "bare", "state": "DONE"}),
    ]);
    ["rewritten", "bare"].into_iter().for_each(|key| drop(etag(key)));
    let report = flow.verify("").exits(8).json();
    counted(&report, json!({"recorded": 3, "stale": 2, "unfinished": 1, "retired": 1, "orphan": 1}));
    assert_eq!(keys_of(&report, "stale"), ["longer", "rewritten"]);
    assert_eq!(keys_of(&report, "orphan"), ["unexplained"]);
    let stuck = report["findings"].as_array().unwrap().iter().find(|it| it["key"] == "stuck").unwrap();
    assert_eq!(stuck["why"], "its item says \"FAILED\", which is not among what is done");
    assert_eq!(report["table_items"]["compared"], json!(["etag", "size"]));
    has_note(&report, "1 item without etag or size");
}

#[test]
fn of_several_items_the_latest_counts_and_without_a_time_none_is_guessed() {
    let server = Server::up();
    let toml = "key_attribute = \"file\"\nbucket_attribute = \"bucket\"\netag_attribute = \"etag\"\n";
    let flow = Foreign::of(&server, toml, &[("id", "N"), ("at", "S")]);
    let mut id = 0;
    let mut item = |file: &str, etag: &str, at: &str| {
        id += 1;
        json!({"id": id, "at": at, "file": file, "bucket": BUCKET, "etag": etag})
    };
    let old = "0123456789abcdef0123456789abcdef";
    let etags = ["twice", "later", "earlier"].map(|key| flow.put(key));
    flow.put_items([
        item("twice", &etags[0], "2026-01-01T00:00:00Z"),
        item("twice", &etags[0], "2026-01-02T00:00:00Z"),
        item("later", old, "2026-01-01T00:00:00Z"),
        item("later", &etags[1], "2026-01-01T00:00:00.5Z"),
        item("earlier", &etags[2], "2026-01-01T09:00:00+02:00"),
        item("earlier", old, "2026-01-01T08:00:00Z"),
    ]);
    let report = flow.verify("").exits(3).json();
    counted(&report, json!({"recorded": 1, "undetermined": 2}));
    assert_eq!(report["records"], 3);
    assert_eq!((&report["table_items"]["several"], &report["table_items"]["again"]), (&json!(3), &json!("by_scan")));
    let why = report["findings"][0]["why"].as_str().unwrap();
    assert_eq!(why, "2 items tell of it and differ, and none says which is the latest");

    flow.project.write("claimctl.toml", &format!("{}time_attribute = \"at\"\n", flow.project.read("claimctl.toml")));
    let report = flow.verify("").exits(8).json();
    counted(&report, json!({"recorded": 2, "stale": 1}));
    assert_eq!(keys_of(&report, "stale"), ["earlier"]);
}

#[test]
fn items_of_two_shapes_are_counted_and_an_expression_reads_both() {
    let server = Server::up();
    let flow = Foreign::of(&server, "key_attribute = \"objectKey\"\n", &[("pk", "S"), ("sk", "N")]);
    ["one", "other"].into_iter().for_each(|key| drop(flow.put(key)));
    flow.put_items([
        json!({"pk": "file", "sk": 1, "objectKey": "one"}),
        json!({"pk": "file", "sk": 2, "location": {"bucket": BUCKET, "path": "other"}}),
        json!({"pk": "customer", "sk": 7, "name": "somebody"}),
    ]);
    let report = flow.verify("").exits(3).json();
    counted(&report, json!({"recorded": 1, "undetermined": 1}));
    assert_eq!(report["table_items"]["unreadable"], 2);
    let example = report["table_items"]["example"].as_str().unwrap();
    assert!(example.starts_with("pk \"") && example.ends_with("it has no attribute objectKey"), "{example}");
    assert!(report["findings"][0]["why"].as_str().unwrap().contains("2 items of the table could not be read"));
    flow.run("verify orders --settle 0s").exits(3).says("2 that could not be read").says("note: 2 items of the table");

    let expression =
        r#"if .name then null elif .location then {bucket: .location.bucket, key: .location.path} else .objectKey end"#;
    let place = format!("bucket = \"{BUCKET}\"\ntable = \"{TABLE}\"\nqueue = \"orders\"\n");
    flow.project.write("claimctl.toml", &format!("[flows.orders]\n{place}key_expression = '{expression}'\n"));
    let report = flow.verify("").exits(0).json();
    counted(&report, json!({"recorded": 2}));
    let items = &report["table_items"];
    assert_eq!((&items["records"], &items["left_out"], &items["unreadable"]), (&json!(2), &json!(1), &json!(0)));
}

#[test]
fn an_expression_that_fails_on_one_item_of_a_thousand_names_it() {
    let server = Server::up();
    let toml =
        "key_expression = '.ref | ltrimstr(\"s3://orders/\") | if . == \"\" then error(\"no file\") else . end'\n";
    let flow = Foreign::of(&server, toml, &[("n", "N")]);
    ["f/3", "f/500"].into_iter().for_each(|key| drop(flow.put(key)));
    flow.put_items((0..1000).map(|n| match n {
        500 => json!({"n": n, "ref": "s3://orders/"}),
        n => json!({"n": n, "ref": format!("s3://orders/f/{n}")}),
    }));
    let report = flow.verify("--prefix f/3").exits(8).json();
    assert_eq!((&report["counts"]["recorded"], &report["counts"]["missing"]), (&json!(1), &json!(0)), "{report:#}");
    let report = flow.verify("--prefix f/500").exits(3).json();
    counted(&report, json!({"undetermined": 1}));
    assert_eq!((&report["table_items"]["items"], &report["table_items"]["unreadable"]), (&json!(1000), &json!(1)));
    assert_eq!(report["table_items"]["example"], "n 500: the expression fails: \"no file\"");
}

#[test]
fn an_expression_without_end_or_with_a_mistake_is_no_loss() {
    let server = Server::up();
    let flow = Foreign::of(&server, "key_expression = 'last(repeat(1))'\n", &[("n", "N")]);
    flow.put_items([json!({"n": 1})]);
    flow.verify("").fails_with(2, "took longer than 1 s on an item of the table").says("limit(N; …)");
    flow.run(&format!("verify --bucket {BUCKET} --table {TABLE} --key-expression .a|"))
        .fails_with(2, "does not parse")
        .says(".objectKey");
}

#[test]
fn keys_that_look_alike_are_not_taken_for_each_other() {
    let server = Server::up();
    let flow = Foreign::of(&server, "key_attribute = \"key\"\n", &[("id", "N")]);
    let alike = [("Case", "case"), ("caf\u{e9}", "cafe\u{301}"), ("folder/", "folder"), ("a//b", "a/b")];
    alike.iter().for_each(|(object, _)| drop(flow.put(object)));
    flow.put_items(alike.iter().enumerate().map(|(id, (_, item))| json!({"id": id, "key": item})));
    let report = flow.verify("").exits(8).json();
    counted(&report, json!({"missing": 4, "orphan": 4}));
    flow.put_items(alike.iter().enumerate().map(|(id, (object, _))| json!({"id": id + 100, "key": object})));
    counted(&flow.verify("").exits(8).json(), json!({"recorded": 4, "orphan": 4}));
}

#[test]
fn an_item_as_large_as_one_can_be_and_keys_of_other_types_are_read_or_told() {
    let server = Server::up();
    let flow = Foreign::of(&server, "key_expression = '.key'\n", &[("id", "N")]);
    ["large", "7"].into_iter().for_each(|key| drop(flow.put(key)));
    flow.put_items([json!({"id": 1, "key": "large", "text": "é".repeat(204_700)})]);
    flow.put_items([json!({"id": 2, "key": 7}), json!({"id": 3, "key": ""}), json!({"id": 4, "key": ["7"]})]);
    let report = flow.verify("").exits(3).json();
    counted(&report, json!({"recorded": 1, "undetermined": 1}));
    assert_eq!(report["table_items"]["unreadable"], 3);
    // An attribute may be a number, whose digits are the key.
    flow.project.write(
        "claimctl.toml",
        &format!(
            "[flows.orders]\nbucket = \"{BUCKET}\"\ntable = \"{TABLE}\"\nqueue = \"orders\"\nkey_attribute = \"key\"\n"
        ),
    );
    let report = flow.verify("").exits(3).json();
    counted(&report, json!({"recorded": 2}));
    assert_eq!(report["table_items"]["unreadable"], 2);
}

#[test]
fn what_comes_while_verify_waits_is_found_by_key_and_by_another_scan() {
    for (schema, again) in [(("key", "S"), "by_key"), (("id", "N"), "by_scan")] {
        let server = Server::up();
        let flow = Foreign::of(&server, "key_attribute = \"key\"\n", &[schema]);
        flow.put("late");
        std::thread::scope(|scope| {
            let run = scope.spawn(|| flow.verify("--wait 60s").exits(0).json());
            flow.put_items([json!({"id": 1, "key": "late"})]);
            let report = run.join().unwrap();
            counted(&report, json!({"recorded": 1}));
            assert_eq!(report["table_items"]["again"], again);
        });
        let since = flow.verify("--since 1h").exits(0).json();
        counted(&since, json!({"recorded": 1}));
    }
}

#[test]
fn a_mistake_in_the_configuration_is_told_at_its_place() {
    let server = Server::up();
    let flow = Foreign::of(&server, "key_atribute = \"key\"\n", &[("key", "S")]);
    flow.verify("")
        .fails_with(2, "claimctl.toml:5:1: unknown field `key_atribute`")
        .says("did you mean key_attribute?");
    let place = format!("[flows.orders]\nbucket = \"{BUCKET}\"\ntable = \"{TABLE}\"\n");
    for (toml, said) in [
        (
            "key_attribute = \"k\"\nkey_expression = \".k\"\n",
            "claimctl.toml:5:1: flows.orders.key_expression stands beside",
        ),
        ("key_attribute = \"k\"\nstatus_attribute = \"s\"\n", "flows.orders.done and status_attribute go together"),
        ("etag_attribute = \"e\"\n", "claimctl.toml:3:1: flows.orders.table has attributes named"),
    ] {
        flow.project.write("claimctl.toml", &format!("{place}{toml}"));
        flow.verify("").fails_with(2, said);
    }
    // Without attributes the table has to hold claimctl's own records.
    flow.project.write("claimctl.toml", &place);
    flow.verify("").fails_with(2, "does not hold claim records");
}

#[test]
fn an_estimate_is_made_of_what_the_table_says_and_looks_at_nothing_else() {
    let server = Server::up();
    let flow = Foreign::of(&server, "key_attribute = \"key\"\n", &[("id", "N")]);
    flow.put("a");
    flow.put_items((0..30).map(|id| json!({"id": id, "key": "k", "text": "x".repeat(10_000)})));
    let estimate = flow.verify("--estimate").exits(0).json();
    assert_eq!(estimate["tables"][0]["items"], 30);
    let (bytes, units) = (estimate["tables"][0]["bytes"].as_u64().unwrap(), &estimate["read_units"]);
    assert!(bytes > 4096, "{estimate:#}");
    assert_eq!(*units, json!({"least": bytes.div_ceil(4096), "most": 3 * bytes.div_ceil(4096)}));
    assert_eq!((&estimate["list_calls"], &estimate["seconds"]), (&json!(1), &Value::Null));
    let page = flow.run("verify orders --estimate").exits(0).stdout;
    for part in ["nothing was verified", "every six hours", "known only by listing", "up to two more scans"] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[test]
fn a_table_is_read_no_faster_than_was_asked_for() {
    let server = Server::up();
    let flow = Foreign::of(&server, "key_attribute = \"key\"\n", &[("id", "N")]);
    flow.put("a");
    flow.put_items((0..40).map(|id| json!({"id": id, "key": "a", "text": "x".repeat(10_000)})));
    let fast = flow.verify("").exits(0).json();
    let slow = flow.verify("--max-rate 1").exits(0).json();
    counted(&slow, json!({"recorded": 1}));
    assert_eq!(slow["table_items"], fast["table_items"], "nothing is left out for it");
    // A call takes half a unit at least, there is one for each segment, and nobody waits for the last one's.
    assert!(slow["elapsed_ms"].as_u64().unwrap() >= 1_000, "{slow:#}");
    flow.run("verify orders --max-rate 0").exits(2);
    flow.run("verify orders --max-rate 5 --rows").exits(2).says("cannot be used with");
}
