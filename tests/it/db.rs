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
