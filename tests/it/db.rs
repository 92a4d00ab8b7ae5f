//! `db migrate` and `db status`: the tables of a stack's database, by way of its function.

use serde_json::{Value, json};

use crate::run::Running;
use crate::world::World;

fn states(schema: &Value) -> Vec<&str> {
    schema["migrations"].as_array().unwrap().iter().map(|migration| migration["state"].as_str().unwrap()).collect()
}

#[test]
fn a_stack_in_the_sandbox_has_its_tables_and_nothing_is_applied_twice() {
    let world = World::csv_aurora(&[]);
    let status = world.claimctl(["db", "status", "-o", "json"]).run().exits(0).json();
    assert_eq!(
        (&status["current"], &status["stack"], &status["name"]),
        (&json!(true), &json!("csv-aurora"), &json!("customers"))
    );
    assert!(states(&status).len() > 1 && states(&status).iter().all(|state| *state == "applied"), "{status}");
    for migration in status["migrations"].as_array().unwrap() {
        assert_eq!(migration["checksum"].as_str().unwrap().len(), 64);
        assert!(migration["applied_at"].is_string() && migration["sql"].is_string(), "{migration}");
    }
    let again = world.claimctl(["db", "migrate", "-o", "json"]).run().exits(0).json();
    assert_eq!((&again["applied"], states(&again)), (&json!([]), states(&status)));
    world.claimctl(["db", "migrate"]).run().exits(0).says("every migration is applied already");
}

#[test]
fn without_a_database_there_is_nothing_to_migrate() {
    let world = World::up();
    world.claimctl(["db", "status"]).run().fails_with(5, "no stack with a database is deployed in environment local");
    world.claimctl(["db", "migrate", "orders"]).run().fails_with(5, "there is no database \"orders\"");
}

#[test]
fn whoever_may_invoke_the_alias_may_ask_and_migrate_and_needs_nothing_else() {
    let world = World::csv_aurora(&[]);
    let alias = "arn:aws:lambda:us-east-1:000000000000:function:claim-check-local-csv-importer:live";
    for line in [["db", "status"], ["db", "migrate"], ["records", "ls"]] {
        let policy = world.claimctl(line).args(["--print-policy", "-o", "json"]).run().exits(0).json();
        let [statement] = policy["Statement"].as_array().unwrap().as_slice() else { panic!("{policy}") };
        assert_eq!(
            (&statement["Action"], &statement["Resource"]),
            (&json!(["lambda:InvokeFunction"]), &json!([alias]))
        );
    }
    let policy = world.claimctl(["verify", "--rows", "--print-policy", "-o", "json"]).run().exits(0).json();
    let sids: Vec<_> = policy["Statement"].as_array().unwrap().iter().map(|one| one["Sid"].clone()).collect();
    assert!(sids.contains(&json!("ReadRecords")) && sids.contains(&json!("CountRows")), "{sids:?}");
}

#[test]
fn what_is_pending_is_found_shown_and_applied_once() {
    let world = World::csv_aurora(&[]);
    let database = world.database_login();
    database.change("DROP VIEW current_customer");
    database.change("DELETE FROM claimctl_migrations WHERE name = 'current_customer'");
    let status = world.claimctl(["db", "status"]).run().exits(8);
    status.says("1 migration not applied").says("next: claimctl db migrate csv-aurora/customers");

    let rehearsed = world.claimctl(["db", "migrate", "--dry-run"]).run().exits(0);
    rehearsed.says("VIEW `current_customer`").says("1 migration would be applied; nothing was changed");
    let status = world.claimctl(["db", "status", "csv-aurora", "-o", "json"]).run().exits(8).json();
    assert_eq!((states(&status).last(), &status["current"]), (Some(&"pending"), &json!(false)));

    let migrated = world.claimctl(["db", "migrate", "-o", "json"]).run().exits(0).json();
    let version = &migrated["migrations"].as_array().unwrap().last().unwrap()["version"];
    assert_eq!(migrated["applied"], json!([version]));
    assert_eq!(database.number("SELECT COUNT(*) FROM current_customer"), 0);
    world.claimctl(["db", "status"]).run().exits(0).says("every migration is applied");
    world.claimctl(["log"]).run().exits(0).says("current_customer) to database customers of stack csv-aurora");
}

#[test]
fn a_schema_that_is_not_the_functions_is_refused() {
    let world = World::csv_aurora(&[]);
    let database = world.database_login();
    database.change("UPDATE claimctl_migrations SET checksum = REPEAT('0', 64) WHERE version = 1");
    let status = world.claimctl(["db", "status", "-o", "json"]).run().exits(8).json();
    assert_eq!(states(&status)[0], "changed");
    world.claimctl(["db", "migrate"]).run().fails_with(4, "migration 1 (customer) was applied to database customers");

    let world = World::csv_aurora(&[]);
    let later = "INSERT INTO claimctl_migrations VALUES (99, 'later', REPEAT('0', 64), '2026-01-01T00:00:00Z')";
    world.database_login().change(later);
    let status = world.claimctl(["db", "status", "-o", "json"]).run().exits(8).json();
    assert_eq!(states(&status).last(), Some(&"unknown"));
    world.claimctl(["db", "migrate"]).run().fails_with(4, "has migration 99 (later), which its function does not know");
}

#[test]
fn without_its_tables_every_reader_names_the_verb_that_makes_them() {
    let world = World::csv_aurora(&[]);
    world.database_login().change("DROP TABLE claims");
    for line in [vec!["verify"], vec!["records", "ls"]] {
        world.claimctl(line).run().fails_with(5, "cannot read the records").says("claimctl db migrate");
    }
}
