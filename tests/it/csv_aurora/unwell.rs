//! A database that is not as it should be: each time the error says what it is, and once that is over the load goes on.

use std::time::Duration;

use serde_json::json;

use super::runtime::Failed;
use super::trial::{Trial, customers, said};

impl Trial {
    #[track_caller]
    fn fails_with(&self, key: &str, error_type: &str, message: &str) {
        let event = self.put(key, customers(0..5), 1);
        let Err(Failed { error_type: told, message: why }) = self.function.ask(&event) else { panic!("{error_type}") };
        assert_eq!(told, error_type, "{why}");
        assert!(why.contains(message), "{why}");
    }
}

#[test]
fn a_database_that_is_unwell_is_told_apart() {
    let mut trial = Trial::without_tables();
    trial.function.timeout = Duration::from_secs(8);
    trial.fails_with("a.csv", "SchemaMissing", "the migrations have not been applied");
    let records = trial.ask(json!({"claimctl": "records"})).unwrap_err();
    assert_eq!(records.error_type, "SchemaMissing");
    trial.ask(json!({"claimctl": "migrate"})).unwrap();
    trial.sql("CREATE TABLE other (id INT)");
    trial.function.with(&[("TABLE", "other")]);
    trial.fails_with("a.csv", "SchemaDiffers", "other has no column import_file, load, row");
    trial.function.with(&[("TABLE", "none")]);
    trial.fails_with("a.csv", "SchemaMissing", "there is no table none");
    trial.function.with(&[("TABLE", "customer"), ("DATABASE_NAME", "elsewhere")]);
    trial.fails_with("a.csv", "SchemaMissing", "Unknown database 'elsewhere'");
    trial.function.with(&[("DATABASE_NAME", "claims")]);

    // Only who may do everything writes then.
    trial.sql("CREATE USER app@'%' IDENTIFIED BY 'one'");
    trial.sql("GRANT ALL ON claims.* TO app@'%'");
    trial.set_secret(r#"{"username":"app","password":"one"}"#);
    trial.function.with(&[]);
    trial.sql("SET GLOBAL read_only = 1");
    trial.fails_with("a.csv", "DatabaseReadOnly", "error 1290");
    trial.sql("SET GLOBAL read_only = 0");

    // Somebody holds the table: a batch is not waited for beyond its time.
    let mut open = trial.connect();
    said(&mut open, "LOCK TABLES claims WRITE");
    let event = trial.put("a.csv", customers(0..5), 1);
    assert!(
        ["TooSlow", "DatabaseUnreachable", "DatabaseBusy"]
            .contains(&trial.function.ask(&event).unwrap_err().error_type.as_str())
    );
    said(&mut open, "UNLOCK TABLES");

    said(&mut open, "SET SESSION max_heap_table_size = 16384");
    said(
        &mut open,
        "CREATE TABLE small (import_file VARBINARY(1088), `load` BIGINT UNSIGNED, `row` BIGINT UNSIGNED, id VARCHAR(20), \
         name VARCHAR(900), email VARCHAR(40), country CHAR(2), orders INT, credit_limit DOUBLE, note VARCHAR(900), \
         since DATE) ENGINE = MEMORY",
    );
    trial.function.with(&[("TABLE", "small")]);
    let event = trial.put("full.csv", customers(0..1000), 1);
    let full = trial.function.ask(&event).unwrap_err();
    assert_eq!((full.error_type.as_str(), full.message.contains("error 1114")), ("DatabaseFull", true), "{full:?}");
    trial.function.with(&[("TABLE", "customer")]);

    trial.database.kill();
    trial.fails_with("a.csv", "DatabaseUnreachable", "Connection refused");
    trial.database.start_again();
    assert_eq!(trial.load("a.csv", customers(0..5), 1)["outcome"], "loaded");
}

#[test]
fn statements_are_never_larger_than_the_server_takes() {
    let mut trial = Trial::up();
    trial.sql("SET GLOBAL max_allowed_packet = 1048576");
    trial.function.with(&[]);
    let row = |id: &str, bytes: usize| format!("{id},,,,,,{},\n", "x".repeat(bytes));
    let many: String = (0..3000).map(|n| row(&n.to_string(), 2000)).collect();
    let file = format!("{}{many}{}{}", super::trial::HEADER, row("fits", 950_000), row("does not", 1_000_000));
    let loaded = trial.load("large.csv", file, 1);
    assert_eq!((&loaded["rows"], &loaded["rejected"]), (&json!(3001), &json!(1)), "{loaded}");
    let left_out = trial.object(loaded["rejected_key"].as_str().unwrap());
    assert!(left_out.contains("\"it is larger than 983040 bytes\",\"does not,"), "{}", &left_out[..200]);
    assert_eq!(trial.sql("SELECT COUNT(*), MAX(LENGTH(note)) FROM current_customer"), [["3001", "950000"]]);
}

#[test]
fn a_secret_is_read_again_when_the_login_is_refused_and_told_when_it_is_none() {
    let mut trial = Trial::up();
    trial.function.timeout = Duration::from_secs(20);
    trial.sql("CREATE USER app@'%' IDENTIFIED BY 'one'");
    trial.sql("GRANT ALL ON claims.* TO app@'%'");
    trial.set_secret(r#"{"username":"app","password":"one"}"#);
    trial.function.with(&[]);
    // Rotated while a load is under way: its connection ends, and the next login is by the new password.
    let event = trial.put("a.csv", customers(0..60_000), 1);
    trial.function.send(&event);
    crate::run::eventually("the first rows", || {
        (trial.sql("SELECT COUNT(*) FROM customer")[0][0] != "0").then_some(())
    });
    trial.sql("ALTER USER app@'%' IDENTIFIED BY 'two'");
    trial.set_secret(r#"{"username":"app","password":"two"}"#);
    trial.cut_connections();
    assert!(trial.function.answered().is_none(), "the load was over before");
    assert_eq!(trial.function.answer().unwrap()["files"][0]["rows"], 60_000);
    assert_eq!(trial.sql("SELECT COUNT(DISTINCT `row`) FROM customer"), [["60000"]]);

    trial.sql("ALTER USER app@'%' IDENTIFIED BY 'three'");
    trial.cut_connections();
    trial.fails_with("b.csv", "LoginRefused", "error 1045");
    for (secret, why) in [
        ("hunter2", "it is not JSON"),
        (r#"{"username":"app"}"#, "it has no password"),
        (r#"{"password":"hunter2"}"#, "it has no username"),
    ] {
        trial.set_secret(secret);
        trial.function.with(&[]);
        trial.fails_with("b.csv", "SecretUnusable", why);
    }
    trial.function.with(&[("DATABASE_SECRET_ARN", "none")]);
    trial.fails_with("b.csv", "SecretUnusable", "ResourceNotFoundException");
    trial.function.with(&[("DATABASE_SECRET_ARN", "login")]);
    trial.set_secret(r#"{"username":"app","password":"three"}"#);
    assert_eq!(trial.load("b.csv", customers(0..5), 1)["outcome"], "loaded");
}
