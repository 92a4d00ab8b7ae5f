//! Bad input ends with the right exit code, one clear error, and a hint.

use tempfile::TempDir;

use crate::run::{Run, Running, claimctl};

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
