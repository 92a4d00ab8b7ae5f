//! Looking at Terraform's states.

use serde_json::json;

use super::{ACCOUNT, TOML, assume, each_is_needed, run_as};
use crate::server::{Project, Server};
use crate::world::wait_for;

const BUCKET: &str = "claim-check-tfstate-111111111111-us-east-1";

/// Bootstrapped, with two versions of a state; locks are in both places.
fn with_a_state(server: &Server) -> Project<'_> {
    let project = server.project(TOML);
    project.run(ACCOUNT, "bootstrap --env dev --yes").exits(0);
    for serial in [1, 2] {
        let state = json!({"version": 4, "terraform_version": "1.11.4", "serial": serial, "lineage": "l", "outputs": {},
            "resources": []});
        let put = server.s3(ACCOUNT, "us-east-1").put_object().bucket(BUCKET).key("claim-check/dev/a.tfstate");
        wait_for(put.body(state.to_string().into_bytes().into()).send()).unwrap();
    }
    project
}

#[test]
fn the_printed_policy_is_enough_to_list_states() {
    let server = Server::enforcing();
    let project = with_a_state(&server);
    let line = "state ls --env dev";
    // Who needs it cannot sign in yet.
    let policy = project.run("", &format!("{line} --print-policy -o json")).exits(0).json();
    run_as(&assume(&server, "enough", &policy), &project, line).exits(0).says("1.11.4");
    each_is_needed(&server, &project, &policy, line, &[]);
}

#[test]
fn the_printed_policy_is_enough_to_see_versions() {
    let server = Server::enforcing();
    let project = with_a_state(&server);
    for line in ["state versions a --env dev", "state pull a --version-id serial:1 --env dev"] {
        let policy = project.run("", &format!("{line} --print-policy -o json")).exits(0).json();
        let name = if line.contains("pull") { "pull" } else { "versions" };
        run_as(&assume(&server, name, &policy), &project, line).exits(0);
    }
    let line = "state versions a --env dev";
    let policy = project.run("", &format!("{line} --print-policy -o json")).exits(0).json();
    each_is_needed(&server, &project, &policy, line, &[]);
}

#[test]
fn the_printed_policy_is_enough_to_pull_a_state() {
    let server = Server::enforcing();
    let project = with_a_state(&server);
    let line = "state pull a --env dev";
    let policy = project.run("", &format!("{line} --print-policy -o json")).exits(0).json();
    run_as(&assume(&server, "enough", &policy), &project, line).exits(0).says("\"serial\":2");
    // Of a state that is there, nothing has to be told.
    each_is_needed(&server, &project, &policy, line, &[("TellMissingFromDenied", "s3:ListBucket", 0)]);
}

#[test]
fn a_state_that_is_not_there_and_one_of_somebody_else_are_told_with_what_the_policy_grants() {
    let server = Server::enforcing();
    let project = with_a_state(&server);
    let s3 = server.s3(ACCOUNT, "us-east-1");
    let theirs = "claim-check/prod/b.tfstate";
    wait_for(s3.put_object().bucket(BUCKET).key(theirs).body(b"{}".to_vec().into()).send()).unwrap();
    let line = "state ls --env dev";
    let policy = project.run("", &format!("{line} --print-policy -o json")).exits(0).json();
    let policy = policy.to_string().replace("/claim-check/*", "/claim-check/dev/*");
    let policy = serde_json::from_str(&policy).unwrap();
    run_as(&assume(&server, "one", &policy), &project, line).exits(0).says("1.11.4").says("may not be read");

    wait_for(s3.delete_object().bucket(BUCKET).key("claim-check/dev/a.tfstate").send()).unwrap();
    let line = "state pull a --env dev";
    let policy = project.run("", &format!("{line} --print-policy -o json")).exits(0).json();
    run_as(&assume(&server, "gone", &policy), &project, line).fails_with(5, "a has no state in dev");
}
