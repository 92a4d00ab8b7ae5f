//! Migrations against a real database: once, by one at a time, and never backwards.

use serde_json::{Value, json};

use super::trial::{Trial, customers, said};

fn states(report: &Value) -> Vec<&str> {
    report["migrations"].as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect()
}

#[test]
fn migrations_are_applied_once_whoever_asks_and_one_that_was_killed_is_run_again() {
    let trial = Trial::without_tables();
    let pending = trial.ask(json!({"claimctl": "migrate", "dry_run": true})).unwrap();
    assert_eq!((states(&pending), &pending["applied"]), (vec!["pending"; 4], &json!([])));
    assert!(pending["migrations"][0]["sql"].as_str().unwrap().contains("CREATE TABLE"), "{pending}");
    assert!(trial.sql("SHOW TABLES").is_empty(), "a dry run changes nothing");

    // Somebody else is at it.
    let mut other = trial.connect();
    let holder = "SELECT GET_LOCK(CONCAT('claimctl ', LEFT(SHA2('claims', 256), 32)), 0)";
    assert_eq!(said(&mut other, holder), [["1"]]);
    let locked = trial.ask(json!({"claimctl": "migrate"})).unwrap_err();
    assert_eq!(locked.error_type, "MigrationLocked");
    drop(other);
    let applied =
        crate::run::eventually("the end of the other one's lock", || trial.ask(json!({"claimctl": "migrate"})).ok());
    assert_eq!((states(&applied), &applied["applied"]), (vec!["applied"; 4], &json!([1, 2, 3, 4])));
    assert_eq!(trial.ask(json!({"claimctl": "migrate"})).unwrap()["applied"], json!([]));
    assert_eq!(trial.load("a.csv", customers(0..5), 1)["rows"], 5);

    // Killed between its work and its entry.
    trial.sql("DELETE FROM claimctl_migrations WHERE version IN (2, 4)");
    let again = trial.ask(json!({"claimctl": "migrate"})).unwrap();
    assert_eq!((states(&again), &again["applied"]), (vec!["applied"; 4], &json!([2, 4])));
    assert_eq!(trial.sql("SELECT COUNT(*) FROM current_customer"), [["5"]]);
}

#[test]
fn an_older_function_leaves_a_newer_ones_database_alone_and_still_loads() {
    let trial = Trial::up();
    let later = "INSERT INTO claimctl_migrations VALUES (5, 'loyalty', REPEAT('0', 64), '2030-01-01T00:00:00Z')";
    trial.sql(later);
    trial.sql("ALTER TABLE customer ADD COLUMN loyalty INT NULL");
    let refused = trial.ask(json!({"claimctl": "migrate"})).unwrap_err();
    assert_eq!(refused.error_type, "MigrationUnknown");
    assert!(refused.message.contains("migration 5 loyalty"), "{refused:?}");
    let status = trial.ask(json!({"claimctl": "migrations"})).unwrap();
    assert_eq!(states(&status), ["applied", "applied", "applied", "applied", "unknown"]);
    assert_eq!(trial.load("a.csv", customers(0..5), 1)["rows"], 5);

    trial.sql("DELETE FROM claimctl_migrations WHERE version = 5");
    trial.sql("UPDATE claimctl_migrations SET checksum = REPEAT('0', 64) WHERE version = 3");
    let refused = trial.ask(json!({"claimctl": "migrate"})).unwrap_err();
    assert_eq!(refused.error_type, "MigrationChanged");
    assert!(refused.message.contains("migration 3 rejected"), "{refused:?}");
}
