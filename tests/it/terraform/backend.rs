//! The state in the sandbox's S3, with the backend file that `claimctl bootstrap` writes, under each kind of lock.

use std::process::Child;

use serde_json::{Value, json};

use super::stacks::variables;
use crate::run::{Running, eventually, finish};
use crate::server::{Project, Server};
use crate::support::terraform::root::Root;
use crate::world::wait_for;

const ACCOUNT: &str = "111111111111";
const REGION: &str = "us-west-1";
const BUCKET: &str = "claim-check-tfstate-111111111111-us-west-1";
const KEY: &str = "claim-check/dev/claim-check.tfstate";
const TABLE: &str = "claim-check-tflock";

/// An environment `dev` as terraform/environments/dev.tfvars has it, bootstrapped.
fn bootstrapped<'a>(server: &'a Server, locking: &str) -> Project<'a> {
    let environment = format!("[environments.dev]\nregion = \"{REGION}\"\naccount = \"{ACCOUNT}\"\n");
    let toml = format!("[project]\nname = \"claim-check\"\n{environment}[terraform]\nlocking = \"{locking}\"\n");
    let project = server.project(&toml);
    project.run(ACCOUNT, "bootstrap --env dev --yes").exits(0);
    project
}

/// The stack claim-check in the workspace dev, initialised by the recorded backend file.
fn initialised(server: &Server, project: &Project<'_>) -> Root {
    let root = Root::named("stacks/claim-check").with_its_backend();
    root.write("recorded.s3.tfbackend", &project.read("terraform/backends/dev.s3.tfbackend"));
    // What is to be said besides, because it is not AWS that is asked.
    let endpoints = format!("s3 = {0:?}, dynamodb = {0:?}, sts = {0:?}, iam = {0:?}", server.endpoint);
    root.write("sandbox.s3.tfbackend", &format!("endpoints = {{ {endpoints} }}\nuse_path_style = true\n"));
    let files = "-backend-config=recorded.s3.tfbackend -backend-config=sandbox.s3.tfbackend";
    root.run(&format!("init -no-color -input=false -backend-config=key=claim-check.tfstate {files}")).exits(0);
    root.run("workspace new -no-color dev").exits(0);
    root
}

fn state(server: &Server) -> Value {
    let get = server.s3(ACCOUNT, REGION).get_object().bucket(BUCKET).key(KEY);
    let body = wait_for(async { get.send().await.unwrap().body.collect().await.unwrap() });
    serde_json::from_slice(&body.into_bytes()).unwrap()
}

/// Who holds the lock file and the item of the lock table.
fn locks(server: &Server) -> (bool, bool) {
    let head = server.s3(ACCOUNT, REGION).head_object().bucket(BUCKET).key(format!("{KEY}.tflock"));
    let scan = server.dynamodb(ACCOUNT, REGION).scan().table_name(TABLE);
    let items = wait_for(scan.send()).map(|found| found.items.unwrap_or_default()).unwrap_or_default();
    // The table holds the state's digest too, for as long as there is a state.
    let held = items.iter().any(|item| item.contains_key("Info"));
    (wait_for(head.send()).is_ok(), held)
}

/// An apply that the provider holds in its middle.
fn held(root: &Root, line: &str) -> Child {
    let wait = json!([{"type": "aws_sqs_queue", "name": "claims-dlq", "on": "create", "milliseconds": 600_000}]);
    root.cloud.plant(&wait);
    let mut child = root.terraform(line.split(' ')).start();
    let asked = eventually("the dead-letter queue", || {
        let asked = root.cloud.was_asked("create", "aws_sqs_queue");
        (asked || child.try_wait().unwrap().is_some()).then_some(asked)
    });
    if !asked {
        panic!("{line} ended early: {}", finish(child, line.to_owned()).stderr);
    }
    child
}

fn a_stack_lives_there(locking: &str, by_file: bool, by_table: bool) {
    let server = Server::up();
    let project = bootstrapped(&server, locking);
    let root = initialised(&server, &project);
    let variables = variables("dev");
    let apply = format!("apply -no-color -input=false -auto-approve {variables}");
    let child = held(&root, &apply);
    assert_eq!(locks(&server), (by_file, by_table), "{locking}");
    let refused = root.run(&format!("plan -no-color -input=false -lock-timeout=0s {variables}"));
    refused.exits(1).says("Error acquiring the state lock").says("Operation: OperationTypeApply");
    root.cloud.plant(&json!([]));
    finish(child, apply).exits(0);
    assert_eq!(locks(&server), (false, false), "{locking}");

    root.run(&format!("plan -no-color -input=false -detailed-exitcode {variables}")).exits(0);
    let applied = state(&server);
    assert!(applied["resources"].as_array().unwrap().len() > 20);
    root.run(&format!("destroy -no-color -input=false -auto-approve {variables}")).exits(0);
    let emptied = state(&server);
    assert_eq!((&emptied["resources"], &emptied["lineage"]), (&json!([]), &applied["lineage"]));
    assert!(emptied["serial"].as_u64() > applied["serial"].as_u64());
}

#[test]
fn a_stack_lives_there_locked_by_a_file() {
    a_stack_lives_there("lockfile", true, false);
}

#[test]
fn a_stack_lives_there_locked_by_a_table() {
    a_stack_lives_there("table", false, true);
}

#[test]
fn a_stack_lives_there_locked_by_both() {
    a_stack_lives_there("both", true, true);
}

#[test]
fn credentials_of_another_account_do_not_reach_the_state() {
    let server = Server::up();
    let project = bootstrapped(&server, "lockfile");
    let root = initialised(&server, &project).account("222222222222");
    root.run("workspace list -no-color").exits(1).says("222222222222");
}
