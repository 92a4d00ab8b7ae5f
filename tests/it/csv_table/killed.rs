//! csv-loader, killed in the middle of a load: sent again, it leaves both tables as one clean load does.

use std::time::Duration;

use serde_json::{Value, json};

use super::Item;
use crate::run::eventually;
use crate::seeded::{Seeded, seeds};
use crate::world::{World, wait_for};

const ROWS: u64 = 1500;
/// Within so many milliseconds after its upload the load is killed; it takes about as long.
const DIES_WITHIN: u64 = 900;

/// Of these rows one has no price that could be stored, and one repeats the row before it.
const BAD_EVERY: u64 = 100;

fn file(seed: u64) -> String {
    let mut text = "id,name,price\n".to_owned();
    for row in 1..=ROWS {
        let (id, price) = match row % BAD_EVERY {
            0 => (row, "free".to_owned()),
            50 => (row - 1, (row - 1).to_string()),
            _ => (row, row.to_string()),
        };
        text.push_str(&format!("{seed}-{id},\"row\n{id}\",{price}\n"));
    }
    text
}

/// What the record says but for times, and for what is another one for each file.
fn comparable(mut record: Item) -> Item {
    let other = ["claim_id", "bucket", "object_key", "etag", "version_id", "sequencer", "size", "event_time"];
    let times = ["recorded_at", "loaded_at", "request_id", "writing_until", "shared", "rejected_key"];
    other.iter().chain(&times).for_each(|name| drop(record.remove(*name)));
    record
}

fn rejected(world: &World, record: &Item) -> String {
    let get = world.s3().get_object().bucket(world.bucket()).key(record["rejected_key"].as_str().unwrap()).send();
    let body = wait_for(wait_for(get).unwrap().body.collect()).unwrap().to_vec();
    String::from_utf8(body).unwrap()
}

#[test]
fn a_load_that_is_killed_and_sent_again_ends_as_one_clean_load() {
    let world = World::csv_table(&[]);
    let load = |seed: u64| {
        let key = format!("raw-data/{seed}.csv");
        world.put_csv(&key, file(seed));
        key
    };
    let clean_key = load(1_000_000);
    let clean = world.csv_loaded(&clean_key, 1);
    let clean_rows: Vec<(String, Value)> = rows_of(&world, &clean_key, 1_000_000);
    assert_eq!(clean["rows"], json!(ROWS - 2 * ROWS / BAD_EVERY));
    assert_eq!((&clean["rejected"], &clean["repeated"]), (&json!(ROWS / BAD_EVERY), &json!(ROWS / BAD_EVERY)));

    let mut killed_in_the_middle = 0;
    for seed in 0..seeds() {
        let mut random = Seeded::of(seed);
        let key = load(seed);
        std::thread::park_timeout(Duration::from_millis(random.below(DIES_WITHIN)));
        let was_at_work = world.csv_record(&key).is_some_and(|record| record["status"] != "processed");
        let killed = world.kill_functions(None);
        killed_in_the_middle += u64::from(killed && was_at_work);
        // Lambda tries it again by itself; the event comes once more all the same.
        if let Some(record) = world.csv_record(&key) {
            world.csv_again(&record);
        }
        let record = world.csv_loaded(&key, 1);
        assert_eq!(rejected(&world, &record).replace(&format!("{seed}-"), "1000000-"), rejected(&world, &clean));
        assert_eq!(comparable(record), comparable(clean.clone()), "seed {seed}");
        assert_eq!(rows_of(&world, &key, seed), clean_rows, "seed {seed}");
        // Two invocations may have been at work; the rows stay what they are when the other one ends.
        eventually("the end of all invocations", || {
            (comparable(world.csv_record(&key)?) == comparable(clean.clone())).then_some(())
        });
    }
    assert!(killed_in_the_middle > 0, "it was never killed at work");
}

/// The rows by their keys without the seed, each without what names the file.
fn rows_of(world: &World, key: &str, seed: u64) -> Vec<(String, Value)> {
    let plain = |(id, mut row): (String, Item)| {
        row.remove("claim_id");
        (id.replacen(&format!("{seed}-"), "", 1), serde_json::to_value(row).unwrap())
    };
    let mut rows: Vec<_> = world.csv_rows(key).into_iter().map(plain).collect();
    rows.sort_by(|(one, _), (other, _)| one.cmp(other));
    rows
}
