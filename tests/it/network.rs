//! What the shell says of proxies and authorities holds for every call that leaves this machine, and for none that does
//! not. What is called how is tried in `crates/aws`.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use crate::run::{Running, claimctl};
use crate::world::World;

/// A proxy that wants another password than it is given, and what it was asked for.
fn proxy() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut lines = BufReader::new(client.try_clone().unwrap()).lines().map_while(Result::ok);
            seen.lock().unwrap().extend(lines.next());
            lines.find(String::is_empty);
            let refusal =
                "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            client.write_all(refusal.as_bytes()).ok();
        }
    });
    (address, asked)
}

#[test]
fn verbs_call_aws_through_the_proxy_and_never_tell_its_password() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("claimctl.toml"), "[environments.dev]\nregion = \"us-east-1\"\n").unwrap();
    let (address, asked) = proxy();
    for (line, code, host) in [
        ("env show dev", 6, "sts.us-east-1"),
        ("env show dev -vv", 6, "sts.us-east-1"),
        ("queue ls --region us-east-1", 6, "sqs.us-east-1"),
        ("upload claimctl.toml --bucket of-a-test --region us-east-1 --yes", 6, "of-a-test.s3.us-east-1"),
        ("doctor --env dev", 8, "sts.us-east-1"),
    ] {
        asked.lock().unwrap().clear();
        let mut command = claimctl(home.path());
        command.args(line.split_whitespace()).env("HTTPS_PROXY", format!("http://user:s3cret@{address}"));
        let run = command.env("AWS_ACCESS_KEY_ID", "a").env("AWS_SECRET_ACCESS_KEY", "s").run().exits(code);
        let run = run.says("the proxy lets nobody through without a password");
        assert!(!run.stdout.contains("s3cret") && !run.stderr.contains("s3cret"), "{}{}", run.stdout, run.stderr);
        let wanted = format!("CONNECT {host}.amazonaws.com:443 HTTP/1.1");
        assert!(asked.lock().unwrap().contains(&wanted), "{line}: {:?}", asked.lock().unwrap());
    }
}

#[test]
fn a_bundle_that_cannot_be_read_is_named() {
    let home = tempfile::tempdir().unwrap();
    let mut command = claimctl(home.path());
    command.args(["queue", "ls", "--region", "us-east-1"]).env("AWS_CA_BUNDLE", "/nowhere/bundle.pem");
    command.run().fails_with(2, "/nowhere/bundle.pem").says("AWS_CA_BUNDLE names a file of certificates");
}

#[test]
fn the_sandbox_is_called_without_a_proxy() {
    let world = World::up();
    let nobody = "http://127.0.0.1:1";
    let mut command = world.claimctl(["queue", "ls"]);
    command.envs(["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].map(|name| (name, nobody)));
    command.run().exits(0).says("claims");
    let mut command = world.claimctl(["queue", "ls", "--region", "us-east-1", "--endpoint-url", &world.endpoint]);
    command.envs(["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].map(|name| (name, nobody)));
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test").run().exits(0).says("claims");
}
