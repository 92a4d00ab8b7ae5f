//! What of a file's values is stored, and what is left out, with why: the database is the judge.

use serde_json::{Value, json};

use super::trial::{HEADER, Trial, customers};

/// Texts that mean something in SQL, at the shells around it, or to a database that is asked in bytes.
const INJECTIONS: [&str; 8] = [
    "'); DROP TABLE customer; --",
    "\\'); DELETE FROM claims; #",
    "` , `load`) VALUES (1); --",
    "' OR 1=1 --",
    "%s ? :1 ${x} $(id)",
    "\u{bf}\u{27} OR 1=1",
    "\\",
    "/*! DROP TABLE customer */",
];

/// The lines of a file of rejected rows without their header: line, row, reason, content.
fn rejected(trial: &Trial, file: &Value) -> Vec<Vec<String>> {
    let text = trial.object(file["rejected_key"].as_str().unwrap());
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[test]
fn values_are_stored_as_the_file_has_them_or_the_row_is_left_out_with_the_reason() {
    let trial = Trial::up();
    trial.function.ask(&json!({"claimctl": "migrations"})).unwrap();
    let large = "z".repeat(300_000);
    let cases = [
        ("ok-emoji,😀 𝔘𝔫𝔦,,IE,1,1.5,\"a, b\nc\",2024-02-29,", None),
        (&*format!("ok-large,,,,1,1,{large},,"), None),
        ("ok-spaces,,,, 7 , 1.50 ,,,", None),
        ("ok-zone,,,,,,,,2026-03-01T00:30:00+02:00", None),
        ("ok-utc,,,,,,,,2026-03-01T00:30:00Z", None),
        ("ok-local,,,,,,,,2026-03-01 00:30:00", None),
        ("ok-none,,,,,,,,", None),
        ("range,,,,9223372036854775808,,,,", Some("orders is out of the range of its type (error 1264)")),
        ("range,,,,,123456789012345678901.5,,,", Some("credit_limit is out of the range of its type (error 1264)")),
        ("word,,,,many,,,,", Some("orders is no value of its type (error 1366)")),
        ("half,,,,12abc,,,,", Some("orders does not fit its type as it is (error 1265)")),
        ("rounded,,,,1.5,,,,", Some("a number is not whole, and its column takes whole ones only")),
        ("cut,,,,,0.12345678901,,,", Some("credit_limit does not fit its type as it is (error 1265)")),
        (&*format!("long,,,{},,,,,", "é".repeat(101)), Some("country is too long (error 1406)")),
        ("zero,,,,,,,0000-00-00,", Some("since is no value of its type (error 1292)")),
        ("no-month,,,,,,,2024-00-10,", Some("since is no value of its type (error 1292)")),
        ("no-day,,,,,,,2024-02-30,", Some("since is no value of its type (error 1292)")),
        ("time-cut,,,,,,,2024-02-28 10:00:00,", Some("since does not fit its type as it is (error 1265)")),
        (",no id,,,,,,,", Some("id has no value, and has to have one (error 1048)")),
        ("no-utf8,\u{1}BYTES,,,,,,,", Some("it is not UTF-8")),
        ("ragged,,", Some("it has 3 fields, and the header has 9")),
    ];
    let many: String = (0..1000).map(|n| format!("row-{n},,,,{n},,,,\n")).collect();
    let text = cases.iter().map(|(row, _)| format!("{row}\n")).collect::<String>();
    let mut file = format!("{},created_at\n{many}{text}{many}", HEADER.trim_end()).into_bytes();
    let bad = file.windows(6).position(|bytes| bytes == b"\x01BYTES").unwrap();
    file[bad] = 0xFF;
    let loaded = trial.load("values.csv", file, 1);
    let wrong: Vec<_> = cases.iter().filter_map(|(row, why)| Some((row.split(',').next().unwrap(), (*why)?))).collect();
    assert_eq!((&loaded["outcome"], &loaded["rejected"]), (&json!("loaded"), &json!(wrong.len())), "{loaded}");
    let left_out = rejected(&trial, &loaded);
    let told: Vec<_> = left_out.iter().map(|row| (row[3].split(',').next().unwrap(), row[2].as_str())).collect();
    assert_eq!(told, wrong);
    // One of the rows has two lines, and the header is one.
    let places: Vec<_> =
        left_out.iter().map(|row| row[0].parse::<u64>().unwrap() - row[1].parse::<u64>().unwrap()).collect();
    assert_eq!(places, vec![2; wrong.len()]);

    let stored = trial.sql(
        "SELECT id, name, note = REPEAT('z', 300000), orders, credit_limit, created_at FROM current_customer \
         WHERE id LIKE 'ok-%' ORDER BY `row`",
    );
    let ten = "1.5000000000";
    for (at, wanted) in [
        (0, ["ok-emoji", "😀 𝔘𝔫𝔦", "0", "1", ten, "NULL"]),
        (1, ["ok-large", "NULL", "1", "1", "1.0000000000", "NULL"]),
        (2, ["ok-spaces", "NULL", "NULL", "7", ten, "NULL"]),
        (3, ["ok-zone", "NULL", "NULL", "NULL", "NULL", "2026-02-28 22:30:00.000000"]),
        (4, ["ok-utc", "NULL", "NULL", "NULL", "NULL", "2026-03-01 00:30:00.000000"]),
        (5, ["ok-local", "NULL", "NULL", "NULL", "NULL", "2026-03-01 00:30:00.000000"]),
        (6, ["ok-none", "NULL", "NULL", "NULL", "NULL", "NULL"]),
    ] {
        assert_eq!(stored[at], wanted);
    }
    assert_eq!(trial.sql("SELECT COUNT(*) FROM current_customer"), [["2007"]]);
    assert_eq!(trial.sql("SELECT COUNT(*) FROM rejected"), [["0"]], "they are in their file");
}

#[test]
fn what_stands_in_a_field_or_in_a_header_is_never_sql() {
    let trial = Trial::up();
    trial.load("good.csv", customers(0..3), 1);
    let columns: Vec<&str> = HEADER.trim_end().split(',').collect();
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    // As a value of each column.
    let mut file = HEADER.to_owned();
    let mut wanted = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        for (number, text) in INJECTIONS.iter().enumerate() {
            let mut row = vec![String::new(); columns.len()];
            row[0] = format!("{column}-{number}");
            row[at] = quoted(text);
            file.push_str(&(row.join(",") + "\n"));
            if ["id", "name", "email", "country", "note"].contains(column) {
                wanted.push((*text).to_owned());
            }
        }
    }
    let padding: String = (0..1000).map(|n| format!("p{n},,,,,,,\n")).collect();
    let loaded = trial.load("values.csv", file + &padding, 1);
    assert_eq!((&loaded["outcome"], &loaded["rejected"]), (&json!("loaded"), &json!(3 * INJECTIONS.len())), "{loaded}");
    let value = "COALESCE(name, email, country, note, id)";
    let stored = trial.sql(&format!(
        "SELECT {value} FROM current_customer WHERE import_file = 'imports/values.csv' AND id NOT LIKE 'p%' ORDER BY `row`"
    ));
    assert_eq!(stored.concat(), wanted);
    // As a name of a column, alone and beside those that the table has; and as the name of a file.
    for (number, text) in INJECTIONS.iter().enumerate() {
        for (other, header) in [quoted(text), format!("id,{}", quoted(text))].iter().enumerate() {
            let sequencer = 10 + 2 * number + other;
            let refused = trial.load("header.csv", format!("{header}\n1,2\n"), sequencer as u64);
            assert_eq!(refused["outcome"], "refused", "{header}: {refused}");
        }
        let key = format!("{text}.csv");
        let event = trial.put("plain", "id\n1\n", 1);
        let mut event = event.to_string();
        trial.put(&key, "id\n1\n", 1);
        event = event.replace("\"plain\"", &json!(form_encoded(&key)).to_string());
        let event: Value = serde_json::from_str(&event).unwrap();
        assert_eq!(trial.function.ask(&event).unwrap()["files"][0]["outcome"], "loaded", "{key}");
    }
    assert_eq!(trial.sql("SELECT COUNT(*) FROM current_customer WHERE import_file = 'imports/good.csv'"), [["3"]]);
    let rows = trial.ask(json!({"claimctl": "rows"})).unwrap();
    assert_eq!(rows["files"].as_array().unwrap().len(), 2 + INJECTIONS.len(), "{rows}");
    let asked = trial.ask(json!({"claimctl": "records", "prefix": "' OR 1=1 --", "after": "') --"})).unwrap();
    assert_eq!(asked["records"], json!([]));
}

/// As S3 writes a key into a notification.
fn form_encoded(key: &str) -> String {
    percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[test]
fn a_header_that_is_not_the_tables_is_refused_by_its_names() {
    let trial = Trial::up();
    let mut sequencer = 0;
    let mut why = |file: &str| {
        sequencer += 1;
        let refused = trial.load("header.csv", file, sequencer);
        assert_eq!((&refused["outcome"], &refused["rows"]), (&json!("refused"), &json!(0)), "{refused}");
        refused["why"].as_str().unwrap().to_owned()
    };
    let table = "the header is not that of the table customer: ";
    assert_eq!(why("id,nam\n1,x\n"), format!("{table}the table has no column \"nam\""));
    assert_eq!(why("name\nx\n"), format!("{table}the header has no column \"id\""));
    let both = format!("{table}the table has no column \"sku\", \"price\", and the header has no column \"id\"");
    assert_eq!(why("sku,price\n1,2\n"), both);
    assert!(why("id;name\n1;x\n").ends_with("is another delimiter meant?"));
    assert!(why("id,load\n1,2\n").contains("\"load\""));
    assert_eq!(why("id,ID\n1,2\n"), "the header has the column \"id\" twice");
    trial.sql("ALTER TABLE customer ADD COLUMN nam VARCHAR(10) NULL");
    assert_eq!(trial.load("new-column.csv", "id,nam\n1,x\n", 1)["outcome"], "loaded");
    trial.sql("DELETE FROM customer");
    // Names of columns have no case in a database, and a file need not have those that may be empty.
    assert_eq!(trial.load("header.csv", "NAME,Id\nx,1\n", 100)["outcome"], "loaded");
    assert_eq!(trial.sql("SELECT id, name FROM current_customer"), [["1", "x"]]);
}

#[test]
fn a_newer_content_takes_the_place_of_the_older_one_at_once_and_whole() {
    let trial = Trial::up();
    trial.load("a.csv", customers(0..5000), 5);
    let rows = |sql: &str| trial.sql(sql)[0][0].clone();
    let ids = "SELECT CONCAT(MIN(id), ' ', MAX(id), ' ', COUNT(*)) FROM current_customer WHERE id < 'C2'";
    assert_eq!(rows("SELECT COUNT(*) FROM current_customer"), "5000");
    // Readers see the older rows for as long as the newer ones are not all there, as they are when it is killed.
    let mut open = trial.connect();
    super::trial::said(&mut open, "LOCK TABLES rejected WRITE");
    let event = trial.put("a.csv", customers(5000..12_000) + ",no id,,,,,,\n", 6);
    trial.function.send(&event);
    crate::run::eventually("the first rows of the newer content", || {
        let (all, counted) = (rows("SELECT COUNT(*) FROM customer"), rows("SELECT COUNT(*) FROM current_customer"));
        assert_eq!(counted, "5000");
        (all.parse::<u64>().unwrap() > 5000).then_some(())
    });
    super::trial::said(&mut open, "UNLOCK TABLES");
    assert_eq!(trial.function.answer().unwrap()["files"][0]["rows"], 7000);
    assert_eq!(rows("SELECT COUNT(*) FROM customer"), "7000");
    assert_eq!(rows(ids), "C10000 C11999 2000");
    // The older one comes again, and what is refused changes nothing.
    let late = trial.put("a.csv", customers(0..5), 5);
    assert_eq!(trial.function.ask(&late).unwrap()["files"][0]["outcome"], "superseded");
    let refused = trial.load("a.csv", format!("{HEADER}1,,,,x,,,\n2,,,,y,,,\n"), 7);
    assert_eq!(
        (&refused["outcome"], &refused["rows"], &refused["rejected"]),
        (&json!("refused"), &json!(7000), &json!(2))
    );
    assert!(refused["why"].as_str().unwrap().starts_with("2 of 2 rows cannot be stored"), "{refused}");
    assert_eq!(
        (rows("SELECT COUNT(*) FROM customer"), rows("SELECT COUNT(*) FROM rejected")),
        ("7000".into(), "0".into())
    );
    let counted = trial.ask(json!({"claimctl": "rows"})).unwrap();
    assert_eq!(counted, json!({"files": [{"import_file": "imports/a.csv", "load": 2, "rows": 7000}], "next": null}));
}

#[test]
fn a_file_that_takes_longer_than_an_invocation_goes_on_in_further_ones() {
    let mut trial = Trial::up();
    trial.function.timeout = std::time::Duration::from_secs(3);
    let event = trial.put("long.csv", customers(0..120_000), 1);
    let (mut handed_over, mut tries) = (0, 0);
    loop {
        match trial.function.ask(&event) {
            Ok(answer) => {
                assert_eq!(answer["files"][0]["outcome"], "loaded");
                break;
            }
            // The invocation that it asks for would be of a function that is not there: it is sent by hand.
            Err(failed) if failed.message.contains("invoke the function to go on") => handed_over += 1,
            // The machine is busy: Lambda would try it again too.
            Err(failed) => assert_eq!(failed.error_type, "TooSlow", "{failed:?}"),
        }
        tries += 1;
        assert!(tries < 50, "it does not come further");
    }
    assert!(handed_over > 0, "it was done in one");
    let counted = trial.sql("SELECT COUNT(*), COUNT(DISTINCT id), COUNT(DISTINCT `row`) FROM current_customer");
    assert_eq!(counted, [["120000", "120000", "120000"]]);
}

#[test]
fn a_load_that_is_superseded_holds_no_lock_on_the_record() {
    let trial = Trial::up();
    let event = trial.put("a.csv", customers(0..60_000), 1);
    trial.function.send(&event);
    let mut other = trial.connect();
    // While it is under way, another content's load begins.
    crate::run::eventually("the record of the load", || {
        super::trial::said(&mut other, "BEGIN");
        let found = super::trial::said(&mut other, "SELECT progress FROM claims FOR UPDATE");
        let under_way = found.first().is_some_and(|record| record[0] != "NULL");
        if under_way {
            super::trial::said(&mut other, "UPDATE claims SET `load` = `load` + 1, progress = NULL");
        }
        super::trial::said(&mut other, "COMMIT");
        under_way.then_some(())
    });
    assert_eq!(trial.function.answer().unwrap()["files"][0]["outcome"], "superseded");
    // The function is kept, and its connection with it.
    super::trial::said(&mut other, "SELECT `load` FROM claims FOR UPDATE NOWAIT");
}

#[test]
fn a_file_of_rows_at_fault_is_refused_soon_and_says_that_there_may_be_more() {
    let trial = Trial::up();
    trial.load("good.csv", customers(0..5), 1);
    let refused = trial.load("bad.csv", HEADER.to_owned() + &"x,,,,many,,,\n".repeat(4000), 2);
    let why = refused["why"].as_str().unwrap();
    assert!(why.starts_with("at least 401 of 4000 rows cannot be stored"), "{why}");
    assert!(why.contains("line 2: orders is no value of its type"), "{why}");
    assert_eq!(trial.sql("SELECT COUNT(*) FROM customer")[0][0], "5");
    // One that is no table at all may have a long line where the header is.
    let refused = trial.load("long.csv", "x".repeat(200_000) + ",y\n1,2\n", 3);
    assert_eq!(refused["outcome"], "refused", "{refused}");
    assert!(refused["why"].as_str().unwrap().len() < 500, "{refused}");
}
