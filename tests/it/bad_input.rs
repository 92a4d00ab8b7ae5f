//! Bad input ends with the right exit code, one clear error, and a hint.

use std::io::{BufRead, BufReader, Write};

use tempfile::TempDir;

use crate::run::{Run, Running, claimctl};
use crate::world::World;

fn home() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn run(home: &TempDir, line: &str) -> Run {
    claimctl(home.path()).args(line.split_whitespace()).run()
}

#[test]
fn without_a_sandbox_every_verb_says_how_to_start_one() {
    let home = home();
    std::fs::write(home.path().join("payload"), "x").unwrap();
    for verb in ["queue ls", "queue peek", "verify", "upload payload"] {
        run(&home, verb).fails_with(5, "the sandbox is not running").says("claimctl local up");
    }
}

#[test]
fn an_unknown_environment_is_named_with_the_nearest_known_one() {
    let home = home();
    std::fs::write(home.path().join("claimctl.toml"), "[environments.staging]\nregion = \"us-east-1\"\n").unwrap();
    run(&home, "queue ls --env stagin").fails_with(5, "no environment \"stagin\"").says("did you mean staging?");
}

#[test]
fn an_unknown_flag_or_verb_is_usage() {
    let home = home();
    for line in ["queue ls --nonsense", "qeue ls", "verify --wait soon"] {
        let run = run(&home, line).exits(2);
        assert!(run.stderr.starts_with("error: "), "{}", run.stderr);
    }
}

#[test]
fn a_value_out_of_its_range_is_told_the_range() {
    let home = home();
    for (line, said) in [
        ("queue drain q --to f --visibility-timeout 13h", "it must be from 1s to 12h"),
        ("dlq replay q --visibility-timeout 0", "it must be from 1s to 12h"),
        ("queue drain q --to f --rotate-size 1KiB", "it must be at least 64KiB"),
        ("queue send q f --delay 16m", "it must be at most 15m"),
        ("queue send q f --delay 1.5s", "a number of whole seconds"),
        ("queue stats --interval 100ms", "it must be at least 1s"),
        ("upload f --part-size 1MiB", "it must be from 5MiB to 5GiB"),
        ("upload f --concurrency 0", "it must be from 1 to 256"),
        ("queue peek q --limit 0", "it must be at least 1"),
        ("log --limit 0", "it must be at least 1"),
        ("dlq replay q --canary 101", "it must be at most 100"),
        ("verify --wait soon", "a duration looks like 30s, 5m, 2h or 7d"),
        ("log --since soon", "an age like 2h or 7d"),
    ] {
        run(&home, line).exits(2).says(said);
    }
}

#[test]
fn a_malformed_configuration_is_located() {
    let home = home();
    let file = home.path().join("claimctl.toml");
    for (text, said) in [
        ("[project\n", "claimctl.toml:1:9"),
        ("[project]\nnane = \"x\"\n", "claimctl.toml:2:1: unknown field `nane`"),
        ("[terraform]\nlocking = \"sometimes\"\n", "claimctl.toml:2:11"),
    ] {
        std::fs::write(&file, text).unwrap();
        let run = run(&home, "queue ls").exits(2);
        assert!(run.stderr.contains(said), "{}", run.stderr);
    }
    std::fs::write(&file, b"[project]\nname = \"\xff\"\n").unwrap();
    run(&home, "queue ls").fails_with(2, "claimctl.toml:2: not UTF-8");
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    run(&home, "queue ls").exits(2);
}

#[test]
fn a_refused_connection_is_told_at_once() {
    let home = home();
    let started = std::time::Instant::now();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    run(&home, &format!("queue ls --endpoint-url http://127.0.0.1:{port}")).fails_with(7, "the connection was refused");
    assert!(started.elapsed() < std::time::Duration::from_secs(2), "{:?}", started.elapsed());
}

#[test]
fn local_never_leaves_this_machine() {
    let home = home();
    run(&home, "queue ls --endpoint-url https://sqs.us-east-1.amazonaws.com").fails_with(4, "not on this machine");
    run(&home, "queue ls --endpoint-url nonsense").fails_with(2, "not an endpoint URL");
}

#[test]
fn without_credentials_aws_is_not_asked() {
    let home = home();
    run(&home, "queue ls --region us-east-1").fails_with(6, "no usable AWS credentials");
    run(&home, "queue ls --profile nobody --region us-east-1").fails_with(6, "nobody");
}

#[test]
fn what_destroys_is_not_done_without_a_terminal_or_a_yes() {
    let world = World::up();
    world.claimctl(["local", "reset"]).run().fails_with(4, "No terminal to ask on").says("--yes");
    world.claimctl(["local", "reset", "--yes"]).run().exits(0);
}

#[test]
fn a_closed_or_full_stdout_is_told_apart() {
    let home = home();
    let shell = |redirect: &str| {
        let mut command = std::process::Command::new("bash");
        let line = format!("set -o pipefail; '{}' --help {redirect}", env!("CARGO_BIN_EXE_claimctl"));
        command.current_dir(home.path()).args(["-c", &line]).stdin(std::process::Stdio::null()).run()
    };
    shell("| head -1").exits(0);
    shell(">&-").exits(0);
    let world = World::up();
    let mut full = world.claimctl(["local", "status"]);
    full.stdout(std::fs::File::options().write(true).open("/dev/full").unwrap());
    let ended = full.stderr(std::process::Stdio::piped()).output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("cannot write to stdout"));
}

#[test]
fn a_server_without_stacks_is_one_where_none_are_known() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    // Ends with the test, whose last connection is never answered.
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let mut reader = BufReader::new(connection);
            let mut header = String::new();
            while reader.read_line(&mut header).is_ok_and(|read| read > 2) {
                header.clear();
            }
            let answer = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            reader.get_mut().write_all(answer).ok();
        }
    });
    // The stacks are looked for first; what fails is the call behind it.
    run(&home(), &format!("queue ls --endpoint-url {endpoint}")).fails_with(5, "cannot list queues");
}
