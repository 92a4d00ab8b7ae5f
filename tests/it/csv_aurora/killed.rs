//! A load of a hundred thousand rows, whose function, connection and database die again and again: each row is there once.

use std::time::Duration;

use serde_json::json;

use super::cutter::Cutter;
use super::trial::{Trial, customers};
use crate::seeded::{Seeded, seeds};

const ROWS: u64 = 100_000;
/// Within so many milliseconds after the last one the next thing dies: it takes some ten times as long to load the file.
const DIES_WITHIN: u64 = 400;

#[test]
fn rows_are_there_exactly_once_whatever_dies_while_they_are_loaded() {
    let mut trial = Trial::up();
    let cutter = Cutter::before(trial.database.login.port);
    trial.function.with(&[("DATABASE_PORT", &cutter.port.to_string())]);
    let (mut content, mut deaths) = (1, [0; 3]);
    let mut event = trial.put("customers.csv", customers(0..ROWS), content);
    trial.function.send(&event);
    for seed in 0..seeds() {
        let mut random = Seeded::of(seed);
        std::thread::park_timeout(Duration::from_millis(random.below(DIES_WITHIN)));
        if let Some(answer) = trial.function.answered() {
            // It was faster: the next content of the file goes the same way.
            if answer.is_ok() {
                content += 1;
                event = trial.put("customers.csv", customers(content..ROWS + content), content);
            }
            trial.function.send(&event);
        }
        match random.below(5) {
            0 => {
                trial.database.kill();
                trial.database.start_again();
                deaths[0] += 1;
            }
            1 | 2 => {
                cutter.cut();
                deaths[1] += 1;
            }
            _ => {
                trial.function.kill();
                trial.function.start();
                trial.function.send(&event);
                deaths[2] += 1;
            }
        }
    }
    // Whatever is still under way ends. Lambda sends an event twice more after an error, and what was cut last may be told
    // to the first that asks.
    let last = trial.function.answer();
    let again = trial.function.ask(&event).or_else(|_| trial.function.ask(&event));
    again.unwrap_or_else(|error| panic!("{error:?} after {last:?}"));

    let counted = trial.sql(
        "SELECT COUNT(*), COUNT(DISTINCT id), MIN(`row`), MAX(`row`), COUNT(DISTINCT `load`), \
         CAST(SUM(id = CONCAT('C', `row` + `load` - IF(`load` = 1, 2, 1))) AS CHAR) FROM customer",
    );
    let rows = ROWS.to_string();
    assert_eq!(counted[0], [&rows, &rows, "1", &rows, "1", &rows], "seed by seed: {deaths:?}");
    let record = trial.ask(json!({"claimctl": "records"})).unwrap()["records"][0].clone();
    assert_eq!(
        (&record["rows"], &record["load"], &record["rows_of"]),
        (&json!(ROWS), &json!(content), &json!(content))
    );
    assert_eq!((&record["status"], &record["progress"]), (&json!("processed"), &json!(null)), "{record}");
    assert_eq!(trial.sql("SELECT COUNT(*) FROM current_customer")[0], [rows]);
}
