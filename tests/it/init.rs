//! The first claimctl.toml: by flags, by questions, and never over one that is there.

use std::path::Path;

use serde_json::{Value, json};

use crate::foreign::{BUCKET, Foreign, counts};
use crate::run::{Run, Running, claimctl};
use crate::server::Server;
use crate::terminal::Terminal;

fn run(home: &Path, line: &str) -> Run {
    claimctl(home).args(line.split_whitespace()).run()
}

const BACKEND: &str = "terraform {\n  backend \"s3\" {\n    bucket         = \"old-state\"\n    key            = \"k\"\n    \
                       region         = \"eu-west-1\"\n    dynamodb_table = \"old-locks\"\n  }\n}\n";

#[test]
fn from_a_table_a_flow_is_proposed_that_verifies_and_nothing_is_written() {
    let server = Server::up();
    let flow = Foreign::of(&server, "key_attribute = \"wrong\"\n", &[("id", "N")]);
    let etags = ["a", "b"].map(|key| flow.put(key));
    flow.put_items(etags.iter().zip(["a", "b"]).enumerate().map(|(id, (etag, key))| {
        json!({"id": id, "Object-Key": key, "bucket_name": BUCKET, "eTag": etag, "state": "DONE",
            "written": "2026-01-01T00:00:00Z"})
    }));
    let before = flow.project.read("claimctl.toml");
    let said = flow.run("init --from-table order-files").exits(0);
    assert_eq!(flow.project.read("claimctl.toml"), before);
    let toml = said.stdout.replace("[flows.NAME]", "[flows.orders]");
    assert!(toml.contains("key_attribute = \"Object-Key\"   # in all 2, like \""), "{toml}");
    assert!(toml.contains("# status_attribute =   # \"state\" says \"DONE\""), "{toml}");
    flow.project.write("claimctl.toml", &toml);
    let report = flow.verify("").exits(0).json();
    assert_eq!(Value::Object(counts(&report)), json!({"recorded": 2}));
    assert_eq!(report["table_items"]["compared"], json!(["etag"]));

    flow.run("init --from-table nothing").exits(5).says("nothing");
    flow.run("init --from-table order-files --project p").exits(2).says("cannot be used with");
}

#[test]
fn flags_say_it_all_and_the_result_is_without_problems() {
    let home = tempfile::tempdir().unwrap();
    let line = "init --project shop --environment dev=us-west-1:111111111111 --environment prod=us-east-1:333333333333 \
                --profile dev=claim-dev --protected prod --locking both -o json";
    let written = run(home.path(), line).exits(0).json();
    assert_eq!(written["environments"], serde_json::json!(["dev", "prod"]));
    run(home.path(), "config check").exits(0).says("no problems");
    let listed = run(home.path(), "env ls -o json").exits(0).json();
    assert_eq!(listed["environments"][1]["profile"], "claim-dev");
    assert_eq!(listed["environments"][1]["account"]["expected"], "111111111111");
    assert_eq!(listed["environments"][2]["protected"], true);
    let left: Vec<_> = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["claimctl.toml"], "something is left beside it");
}

#[test]
fn a_file_that_is_there_stays_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("claimctl.toml");
    std::fs::write(&file, "# mine\n").unwrap();
    run(home.path(), "init --project other").fails_with(4, "is there already, and stays as it is");
    run(home.path(), "init --yes").fails_with(4, "is there already");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "# mine\n");
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("nowhere", &file).unwrap();
    run(home.path(), "init --yes").fails_with(4, "is there already");
}

#[test]
fn what_cannot_be_right_is_not_written() {
    let home = tempfile::tempdir().unwrap();
    for (line, said) in [
        ("init", "there is no terminal to ask on"),
        ("init --project Shop!", "cannot start resource names"),
        ("init --environment dev=frankfurt", "is not a region"),
        ("init --environment dev=us-east-1:12", "is not an AWS account id"),
        ("init --environment dev", "it reads NAME=VALUE"),
        ("init --environment local=us-east-1", "is built in"),
        ("init --environment dev=us-east-1 --environment dev=us-west-1", "duplicate key"),
        ("init --environment dev=us-east-1 --protected prod", "which is not one of the new ones"),
    ] {
        let run = run(home.path(), line).exits(2);
        assert!(run.stderr.contains(said), "{line}: {}", run.stderr);
    }
    run(home.path(), "init --environment dev=us-east-1 --adopt dev").fails_with(5, "no Terraform backend");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn a_backend_that_is_found_is_adopted_or_told() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("main.tf"), BACKEND).unwrap();
    let file = home.path().join("claimctl.toml");
    run(home.path(), "init --environment dev=eu-west-1").exits(0).says("found and not adopted: bucket old-state");
    std::fs::remove_file(&file).unwrap();
    run(home.path(), "init --environment dev=eu-west-1 --adopt dev").exits(0).says("adopted state bucket old-state");
    let text = std::fs::read_to_string(&file).unwrap();
    for line in ["state_bucket = \"old-state\"", "lock_table = \"old-locks\"", "locking = \"table\""] {
        assert!(text.contains(line), "{text}");
    }
    run(home.path(), "config check").exits(0);
}

#[test]
fn questions_are_asked_on_a_terminal() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("main.tf"), BACKEND).unwrap();
    let mut init = claimctl(home.path());
    init.arg("init");
    Terminal::run(&init)
        .sees("Project")
        .enters("shop")
        .sees("only local")
        .enters("dev")
        .sees("eu-west-1")
        .enters("")
        .sees("Account")
        .enters("111111111111")
        .sees("profile")
        .enters("claim-dev")
        .sees("Protected")
        .types("n")
        .sees("Adopt Terraform's state bucket old-state")
        .types("y")
        .sees("Environment (empty: done)")
        .enters("")
        .sees("locked")
        .enters("")
        .exits(0);
    let shown = run(home.path(), "config show -o json").exits(0).json();
    let values = shown["values"].as_array().unwrap();
    let value = |key: &str| values.iter().find(|setting| setting["key"] == key).map(|setting| setting["value"].clone());
    assert_eq!(value("project.name"), Some("shop".into()));
    assert_eq!(value("environments.dev.region"), Some("eu-west-1".into()));
    assert_eq!(value("environments.dev.account"), Some("111111111111".into()));
    assert_eq!(value("environments.dev.state_bucket"), Some("old-state".into()));
    assert_eq!(value("terraform.locking"), Some("table".into()));
}

#[test]
fn leaving_the_questions_writes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mut init = claimctl(home.path());
    init.arg("init");
    Terminal::run(&init).sees("Project").enters("shop").sees("only local").types("d\u{3}").exits(130);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}
