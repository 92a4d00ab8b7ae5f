use std::sync::{Arc, Mutex};

use super::*;
use crate::fake;

fn database(answer: impl Fn(&Value) -> (u16, Value) + Send + Sync + 'static) -> RecordDatabase {
    let client = Client::new(&fake::answers(move |operation, asked| {
        assert_eq!(operation, "invocations");
        answer(asked)
    }));
    let sink = DatabaseSink { name: "d".into(), function: "f".into(), alias: Some("live".into()) };
    RecordDatabase { client, sink, bucket: "b".into() }
}

fn failure(class: &str) -> Error {
    let sink = DatabaseSink { name: "d".into(), function: "f".into(), alias: None };
    failed(
        &sink,
        "read the records of database d",
        &FunctionFailure { error_type: class.to_owned(), error_message: "why".to_owned() },
    )
}

#[test]
fn what_the_function_fails_of_has_its_exit_code_and_its_remedy() {
    for (class, kind, advice) in [
        ("SchemaMissing", Kind::NotFound, "db migrate"),
        ("SchemaDiffers", Kind::Unexpected, "db status"),
        ("DatabaseUnreachable", Kind::Unreachable, "security groups"),
        ("DatabaseReadOnly", Kind::Unreachable, "again"),
        ("LoginRefused", Kind::Denied, "secret"),
        ("SecretUnusable", Kind::Denied, "secret"),
        ("DatabaseUntrusted", Kind::Refused, "certificates"),
        ("CertificatesUnusable", Kind::Unexpected, "certificates"),
        ("MigrationLocked", Kind::Refused, "again"),
        ("MigrationUnknown", Kind::Refused, "db status"),
        ("Anything", Kind::Unexpected, "function logs f"),
    ] {
        let error = failure(class);
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, "cannot read the records of database d: why"));
        assert!(error.advice().contains(advice), "{class}: {}", error.advice());
    }
}

#[tokio::test]
async fn records_come_page_by_page_and_only_those_of_the_prefix_are_asked_for() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let database = database(move |question| {
        seen.lock().unwrap().push(question.clone());
        let record = |key: &str| json!({"claim_id": format!("b/{key}"), "etag": "e", "size": 3, "rows": 2});
        (
            200,
            match question["after"].as_str() {
                None => json!({"records": [record("in/1"), {"claim_id": "no object"}], "next": "b/in/1"}),
                Some(_) => json!({"records": [record("in/2")], "next": null}),
            },
        )
    });
    let mut records = Vec::new();
    let scanned = database.scan("in/", |record| {
        records.push((record.key, record.size, record.rows));
        Ok(())
    });
    scanned.await.unwrap();
    assert_eq!(records, [("in/1".to_owned(), Some(3), Some(2)), ("in/2".to_owned(), Some(3), Some(2))]);
    let question = |after: Value| json!({"claimctl": "records", "prefix": "b/in/", "after": after});
    assert_eq!(*asked.lock().unwrap(), [question(Value::Null), question(json!("b/in/1"))]);
}

#[tokio::test]
async fn a_function_that_gives_the_same_page_again_is_not_asked_for_ever() {
    let database = database(|_| (200, json!({"records": [], "next": "b/k"})));
    let error = database.scan("", |_| Ok(())).await.unwrap_err();
    assert!(error.to_string().contains("same page again"), "{error}");
}

#[tokio::test]
async fn rows_are_those_of_the_files_of_the_bucket_below_the_prefix() {
    let database = database(|_| {
        let rows = |file: &str, load: u64| json!({"import_file": file, "load": load, "rows": 4});
        let files = [rows("a/in/1", 1), rows("b/in/1", 1), rows("b/in/1", 2), rows("b/out/1", 1)];
        (200, json!({"files": files, "next": null}))
    });
    let mut files = Vec::new();
    let read = database.rows_of_files("in/", |key, rows| {
        files.push((key.to_owned(), rows));
        Ok(())
    });
    read.await.unwrap();
    assert_eq!(files, [("in/1".to_owned(), 4), ("in/1".to_owned(), 4)]);
}

#[tokio::test]
async fn many_keys_are_several_questions() {
    let database = database(|question| {
        let keys = question["keys"].as_array().unwrap();
        assert!(keys.len() <= KEYS);
        let records: Vec<_> = keys.iter().map(|key| json!({"claim_id": key})).collect();
        (200, json!({"records": records, "next": null}))
    });
    let keys: Vec<String> = (0..KEYS + 1).map(|number| number.to_string()).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    assert_eq!(database.get(&keys).await.unwrap().len(), KEYS + 1);
}

#[tokio::test]
async fn another_answer_than_was_asked_for_is_no_record() {
    let error = database(|_| (200, json!({"outcome": "ignored"}))).get_whole("k").await.unwrap_err();
    assert!(error.to_string().contains("another answer"), "{error}");
}
