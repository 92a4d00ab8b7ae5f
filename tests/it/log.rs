//! The change log: every change is there, with how it ended, and one that was killed is seen to have no end.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::run::{Running, claimctl, eventually, signal};
use crate::world::World;

fn changes(home: &Path, more: &[&str]) -> Vec<Value> {
    let log = claimctl(home).args(["log", "-o", "json"]).args(more).run().exits(0).json();
    log["changes"].as_array().unwrap().clone()
}

/// A service where STS says who is calling and every bucket exists. Objects are refused, or, where it is `stuck`, left
/// without an answer. Its address.
fn service(stuck: bool) -> String {
    const WHO: &str = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
        <GetCallerIdentityResult><Arn>arn:aws:iam::111111111111:user/ops</Arn><UserId>U</UserId>\
        <Account>111111111111</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let (mut request, mut bytes) = (String::new(), [0; 4096]);
                while let Ok(length @ 1..) = stream.read(&mut bytes) {
                    request.push_str(&String::from_utf8_lossy(&bytes[..length]));
                    let (status, body) = match &request {
                        request if request.contains("Action=GetCallerIdentity") => ("200 OK", WHO),
                        request if request.starts_with("HEAD") => ("200 OK", ""),
                        request if request.starts_with("PUT") && !stuck => ("403 Forbidden", ""),
                        _ => continue,
                    };
                    let length = body.len();
                    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
                    return stream.write_all((head + body).as_bytes()).unwrap();
                }
            });
        }
    });
    endpoint
}

/// An upload without an environment to an address.
fn upload(home: &Path, endpoint: &str, more: &[&str]) -> Command {
    std::fs::write(home.join("payload"), "x").unwrap();
    let mut upload = claimctl(home);
    upload
        .args(["upload", "payload", "--bucket", "b", "--region", "us-east-1", "--yes", "--endpoint-url", endpoint])
        .args(more)
        .env("AWS_ACCESS_KEY_ID", "111111111111")
        .env("AWS_SECRET_ACCESS_KEY", "x");
    upload
}

#[test]
fn a_change_is_logged_with_its_result() {
    let world = World::up();
    world.file("payload.txt", "a payload");
    world.claimctl(["upload", "payload.txt", "--metadata", "owner=ops"]).env("USER", "operator").run().exits(0);
    let logged = changes(world.home(), &[]);
    let [change] = &logged[..] else { panic!("{logged:?}") };
    assert_eq!(change["environment"], "local");
    assert_eq!(change["user"], "operator");
    assert_eq!(change["arguments"], serde_json::json!(["upload", "payload.txt", "--metadata", "owner=ops"]));
    assert_eq!((&change["ended"]["exit"], &change["ended"]["result"]), (&0.into(), &"done".into()));
    assert!(change["ended"]["summary"].as_str().unwrap().contains('1'), "{change}");
    assert!(change["ended_at"].as_str().unwrap() >= change["began_at"].as_str().unwrap());
    world.claimctl(["log"]).run().exits(0).says("upload").says("done");
}

#[test]
fn what_empties_or_stops_the_sandbox_is_logged() {
    let world = World::up();
    world.claimctl(["local", "reset", "--yes"]).run().exits(0);
    world.claimctl(["local", "down"]).run().exits(0);
    world.claimctl(["local", "down"]).run().exits(0).says("was not running");
    let logged = changes(world.home(), &["--env", "local"]);
    let what: Vec<_> = logged.iter().map(|change| (&change["what"], &change["ended"]["exit"])).collect();
    let stop = "stop the sandbox, with all that is in it";
    assert_eq!(serde_json::json!(what), serde_json::json!([["empty the sandbox", 0], [stop, 0]]));
}

#[test]
fn looking_leaves_no_line_and_failing_does() {
    let home = tempfile::tempdir().unwrap();
    let endpoint = service(false);
    claimctl(home.path()).args(["queue", "ls", "--endpoint-url", "http://127.0.0.1:1"]).run().exits(7);
    assert_eq!(changes(home.path(), &[]), Vec::<Value>::new());
    let failed = upload(home.path(), &endpoint, &[]).run();
    let logged = changes(home.path(), &[]);
    assert_eq!(logged.len(), 1, "{}", failed.stderr);
    assert_eq!(logged[0]["ended"]["exit"], failed.code);
    assert_eq!(logged[0]["account"], "111111111111");
    assert_ne!(failed.code, 0);
}

#[test]
fn a_change_that_was_killed_is_seen_to_have_no_end() {
    let home = tempfile::tempdir().unwrap();
    let mut upload = upload(home.path(), &service(true), &[]).start();
    let begun = eventually("the change begins", || changes(home.path(), &[]).pop());
    signal(&upload, Signal::KILL);
    upload.wait().unwrap();
    let logged = changes(home.path(), &[]);
    assert_eq!(logged, [begun]);
    assert_eq!(logged[0]["caller"], "arn:aws:iam::111111111111:user/ops");
    assert_eq!((&logged[0]["ended_at"], &logged[0]["ended"]), (&Value::Null, &Value::Null));
    claimctl(home.path()).arg("log").run().exits(0).says("no end: still at work, or killed");
}

#[test]
fn credentials_on_the_command_line_are_not_written_down() {
    let home = tempfile::tempdir().unwrap();
    upload(home.path(), &service(false), &["--metadata", "token=verysecret"]).run();
    let text = std::fs::read_to_string(home.path().join("state/claimctl/changes.jsonl")).unwrap();
    assert!(text.contains("token=[hidden]") && !text.contains("verysecret"), "{text}");
}

#[test]
fn the_newest_come_last_and_can_be_chosen() {
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state/claimctl");
    std::fs::create_dir_all(&state).unwrap();
    let line = |id: &str, day: u8, env: &str| {
        format!(
            "{{\"v\":1,\"id\":\"{id}\",\"at\":\"2026-01-{day:02}T00:00:00Z\",\"event\":\"begun\",\"environment\":\"{env}\",\
             \"region\":\"r\",\"account\":null,\"caller\":null,\"user\":null,\"what\":\"w\",\"arguments\":[]}}\n"
        )
    };
    let whole = [line("a", 1, "dev"), line("b", 2, "prod"), line("c", 3, "dev")].concat();
    std::fs::write(state.join("changes.jsonl"), whole + "{\"v\":1,\"id\":\"to").unwrap();
    let ids = |more: &[&str]| -> Vec<String> {
        changes(home.path(), more).iter().map(|change| change["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&[]), ["a", "b", "c"]);
    assert_eq!(ids(&["--env", "dev"]), ["a", "c"]);
    assert_eq!(ids(&["--since", "2026-01-02"]), ["b", "c"]);
    assert_eq!(ids(&["--limit", "1"]), ["c"]);
    assert_eq!(ids(&["--since", "1s"]), Vec::<String>::new());
    let run = claimctl(home.path()).args(["log", "--limit", "1"]).run().exits(0);
    run.says("2 changes older").says("1 line of the log cannot be read");
    claimctl(home.path()).args(["log", "--since", "yesterday"]).run().exits(2).says("an age like 2h");
}
