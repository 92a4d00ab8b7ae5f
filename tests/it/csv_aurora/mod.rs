//! CSV into Aurora, in the sandbox with a real MariaDB: every verb works on it as on the other stacks.

mod cutter;
mod killed;
mod migrations;
mod model;
mod runtime;
mod tls;
mod trial;
mod unwell;
mod values;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::run::{Running, eventually};
use crate::world::{World, artifact_of};

impl World {
    pub fn csv_aurora(more: &[&str]) -> World {
        World::of("csv-aurora", "csv-importer", more)
    }

    /// What `records get` says of a file once it is loaded or refused.
    pub fn imported(&self, key: &str) -> Value {
        eventually("the end of the load", || {
            let got = self.claimctl(["records", "get", key, "-o", "json"]).run();
            let record = got.code.eq(&0).then(|| got.json()["records"][0].clone())?;
            (record["status"] == "processed" || !record["step_error"].is_null()).then_some(record)
        })
    }

    /// `local up` once more.
    fn up_again(&self, more: &[&str]) {
        let mut up = self.claimctl(["local", "up", "csv-aurora", "--artifact"]);
        up.arg(artifact_of("csv-importer")).args(more).run().exits(0);
    }
}

/// Names of the files of a sandbox that hold a text: its logs among them.
fn files_that_tell(world: &World, text: &str) -> Vec<String> {
    let all = walkdir::WalkDir::new(world.home().join("state")).into_iter().flatten();
    let files = all.filter(|entry| entry.file_type().is_file());
    let told = |entry: &walkdir::DirEntry| {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        bytes.windows(text.len()).any(|part| part == text.as_bytes())
    };
    files.filter(told).map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn customers(numbers: std::ops::Range<u64>) -> String {
    let row =
        |number| format!("C{number},Zoë {number},c{number}@example.com,DE,{number},1.50,\"a\nnote 🙂\",2024-02-28\n");
    "id,name,email,country,orders,credit_limit,note,since\n".to_owned() + &numbers.map(row).collect::<String>()
}

#[test]
fn files_are_uploaded_verified_listed_and_gone_with_the_stack() {
    let world = World::csv_aurora(&[]);
    world.put_csv("raw-data/one.csv", customers(0..300));
    world.put_csv("raw-data/two.csv", customers(0..20));
    world.put_csv("raw-data/picture.csv", b"\x89PNG\r\n\x1A\n\0".to_vec());
    assert_eq!(world.imported("raw-data/one.csv")["rows"], json!(300));
    assert_eq!(world.imported("raw-data/two.csv")["rows"], json!(20));
    let refused = world.imported("raw-data/picture.csv");
    assert!(refused["step_error"].as_str().unwrap().contains("a PNG image"), "{refused}");

    let verified = world.claimctl(["verify", "--rows", "-o", "json"]).run().exits(8).json();
    let counts = &verified["counts"];
    assert_eq!((&counts["recorded"], &counts["unfinished"]), (&json!(2), &json!(1)), "{counts}");
    assert_eq!(verified["scope"]["sinks"], json!([{"kind": "database", "name": "claim-check-local-customers"}]));
    let rows = ["rows", "files", "agree", "fewer", "more"].map(|name| verified["rows"][name].as_u64().unwrap());
    // The picture has no rows, and its record says so.
    assert_eq!(rows, [320, 3, 3, 0, 0]);
    let text = world.claimctl(["verify", "--rows", "--prefix", "raw-data/one"]).run().exits(0);
    text.says("database claim-check-local-customers: 300 rows of 1 file; 1 as their records say");

    let listed = world.claimctl(["records", "ls", "--prefix", "raw-data/t", "-o", "json"]).run().exits(0).json();
    assert_eq!((listed["matching"].as_u64(), &listed["records"][0]["rows"]), (Some(1), &json!(20)));
    let missing = world.claimctl(["records", "get", "raw-data/none.csv"]).run();
    missing.fails_with(5, "nothing is recorded of");
    world.claimctl(["dlq", "ls"]).run().exits(0).says("import-dlq");

    let login = world.database_login();
    assert_eq!(files_that_tell(&world, &login.password), ["secret.json"]);
    let port = login.port;
    world.claimctl(["local", "down", "csv-aurora"]).run().exits(0).says("3 objects");
    assert_eq!(world.database(), Value::Null);
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "the database is still there");
}

#[test]
fn a_killed_database_is_told_of_and_comes_back_with_its_rows() {
    // It waits for the database as long as its time allows, and a minute at most: here, for some seconds.
    let soon = ["--var", "timeout=8s"];
    let world = World::csv_aurora(&soon);
    world.put_csv("raw-data/one.csv", customers(0..50));
    world.imported("raw-data/one.csv");
    world.kill_database();
    world.claimctl(["local", "status"]).run().exits(0).says("its database has died, and its data are kept");
    // What comes meanwhile fails three times, and is a dead letter.
    world.put_csv("raw-data/two.csv", customers(50..60));
    let dead = || world.claimctl(["dlq", "ls", "-o", "json"]).run().json()["queues"][0]["visible"].clone();
    eventually("the dead letter", || (dead() == json!(1)).then_some(()));
    world.claimctl(["verify"]).run().fails_with(7, "cannot read the records of database claim-check-local-customers");

    world.up_again(&soon);
    assert_eq!(world.database()["running"], json!(true));
    let inspected = world.claimctl(["dlq", "inspect", "import-dlq", "-o", "json"]).run().exits(0).json();
    assert_eq!(inspected["messages"][0]["verdict"], "send", "{inspected}");
    world.claimctl(["dlq", "replay", "import-dlq", "--yes"]).run().exits(0);
    assert_eq!(world.imported("raw-data/two.csv")["rows"], json!(10));
    let verified = world.claimctl(["verify", "--rows", "-o", "json"]).run().exits(0).json();
    assert_eq!((&verified["rows"]["rows"], &verified["counts"]["recorded"]), (&json!(60), &json!(2)));
}

#[test]
fn a_reset_and_a_new_server_begin_with_an_empty_database() {
    let mut world = World::csv_aurora(&[]);
    world.put_csv("raw-data/one.csv", customers(0..5));
    world.imported("raw-data/one.csv");
    world.claimctl(["local", "reset", "--yes"]).run().exits(0);
    assert_eq!(world.database(), Value::Null);
    world.up_again(&[]);
    let listed = world.claimctl(["records", "ls", "-o", "json"]).run().exits(0).json();
    assert_eq!(listed["matching"], json!(0));

    // It outlives a server that is killed, and that is told.
    let server = Pid::from_raw(world.look()["pid"].as_i64().unwrap().try_into().unwrap()).unwrap();
    kill_process(server, Signal::KILL).unwrap();
    let is_down = || world.claimctl(["local", "status"]).run().stdout.contains("the sandbox is not running");
    eventually("the end of the server", || is_down().then_some(()));
    world
        .claimctl(["local", "status"])
        .run()
        .exits(0)
        .says("its database is running")
        .says("end it: claimctl local down");
    world.claimctl(["local", "down", "--yes"]).run().exits(0);
    assert_eq!(world.database(), Value::Null);
}

#[test]
fn a_database_whose_sandbox_is_gone_ends_with_it() {
    let world = World::csv_aurora(&[]);
    let port = world.database_login().port;
    std::fs::remove_dir_all(world.home().join("state")).unwrap();
    let is_gone = || std::net::TcpStream::connect(("127.0.0.1", port)).is_err();
    eventually("the end of the database", || is_gone().then_some(()));
}

#[test]
fn without_a_mariadb_it_is_said_what_to_install_and_nothing_is_deployed() {
    let mut world = World::down();
    let mut up = world.claimctl(["local", "up", "csv-aurora", "--artifact"]);
    let run = up.arg(artifact_of("csv-importer")).env("CLAIMCTL_MARIADBD", "/nowhere/mariadbd").run();
    run.fails_with(5, "/nowhere/mariadbd is not there").says("CLAIMCTL_MARIADBD names it");
    assert_eq!(world.look()["stacks"], json!({}));
}
