//! Several stacks, drift, and a protected environment.

use serde_json::json;

use crate::run::Running;
use crate::server::Server;
use crate::site::{STATE, Site};
use crate::world::wait_for;

#[test]
fn what_was_changed_behind_terraforms_back_is_found_and_put_back() {
    let server = Server::up();
    let site = Site::new(&server);
    site.deploy("one", "").exits(0);
    site.run("drift claim-check --env dev").exits(0).says("claim-check in dev: as Terraform left it");
    site.root.cloud.change("aws_sqs_queue", "claims.json", "visibility_timeout_seconds", 1);
    let drift = site.run("drift claim-check --env dev").exits(8).says("visibility_timeout_seconds");
    drift.says("claim-check in dev: 1 resource not as Terraform left it");
    let json = site.run("drift claim-check --env dev -o json").exits(8).json();
    let attribute = &json["stacks"][0]["changes"][0]["attributes"][0];
    assert_eq!((&attribute["old"], &attribute["new"]), (&json!(180), &json!(1)));
    site.deploy("one", "").exits(0);
    site.run("drift claim-check --env dev").exits(0);
}

#[test]
fn a_look_says_what_it_looked_at_and_what_is_deployed() {
    let server = Server::up();
    let site = Site::new(&server);
    let output = |value: &str| {
        site.with_small("small");
        let output = format!("output \"value\" {{\n  value = \"{value}\"\n}}\n");
        site.project.write("terraform/stacks/small/outputs.tf", &output);
    };
    output("one");
    let drift = |more: &str| site.run(&format!("drift small --env dev {more}"));
    // A plan makes an empty state, and destroying leaves one.
    site.run("plan small --env dev").exits(0);
    assert!(site.state_of("small").is_some());
    drift("").exits(0).says("small in dev: not deployed");
    site.run("deploy small --env dev --yes").exits(0);
    drift("").exits(0).says("small in dev: as Terraform left it\n");

    site.root.cloud.change("aws_sqs_queue", "small.dead.json", "visibility_timeout_seconds", 1);
    let part = drift("--target aws_dynamodb_table.claims").exits(0);
    part.says("as Terraform left it, as far as it was looked at (--target aws_dynamodb_table.claims)");
    let json = drift("--target aws_dynamodb_table.claims -o json").exits(0).json();
    assert_eq!(json["stacks"][0]["only"], json!(["--target aws_dynamodb_table.claims"]));
    drift("").exits(8).says("small in dev: 1 resource not as Terraform left it\n");
    site.run("deploy small --env dev --yes").exits(0);
    output("two");
    drift("").exits(8).says("small in dev: its outputs are not what the state says: value");

    // On a machine that never saw the state, what is left behind still tells.
    let surface = site.s3().put_object().bucket(STATE).key("surface/dev/small.json").body(b"{}".to_vec().into());
    wait_for(surface.send()).unwrap();
    let state = site.s3().delete_object().bucket(STATE).key("claim-check/dev/small.tfstate");
    wait_for(state.send()).unwrap();
    let mut elsewhere = site.claimctl("drift small --env dev");
    let gone = elsewhere.env("XDG_STATE_HOME", site.project.path().join("another-machine")).run();
    gone.fails_with(4, "the state of small in dev is gone").says("surface/dev/small.json is there");
    wait_for(site.s3().delete_object().bucket(STATE).key("surface/dev/small.json").send()).unwrap();
    let run = elsewhere.env("XDG_STATE_HOME", site.project.path().join("another-machine")).run();
    run.exits(0).says("small in dev: not deployed");
}

/// Two small stacks in the place of the repository's own.
pub fn with_two(site: &Site<'_>) {
    site.without_stacks();
    for name in ["first", "second"] {
        let root = format!(
            "terraform {{\n  backend \"s3\" {{}}\n  required_providers {{\n    aws = {{ source = \"hashicorp/aws\" }}\n  \
             }}\n}}\nprovider \"aws\" {{\n  region = \"us-west-1\"\n}}\nresource \"aws_sqs_queue\" \"q\" {{\n  name = \
             \"{name}-queue\"\n}}\n"
        );
        site.project.write(&format!("terraform/stacks/{name}/main.tf"), &root);
    }
}

#[test]
fn all_stacks_go_in_their_order_and_what_fails_stops_what_needs_it() {
    let server = Server::up();
    let site = Site::with(&server, "[stacks.first]\ndepends_on = [\"second\"]\n");
    with_two(&site);
    let names = |run: &serde_json::Value| {
        let stacks = run["stacks"].as_array().unwrap().iter();
        stacks
            .map(|run| format!("{} {}", run["stack"].as_str().unwrap(), run["standing"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    let fault = json!([{"type": "aws_sqs_queue", "name": "second", "on": "create", "error": "Throttling: later"}]);
    site.root.cloud.plant(&fault);
    let failed = site.run("deploy --all --env dev --yes -o json");
    assert_eq!(names(&failed.json()), ["second failed", "first not-begun"]);
    assert_eq!(failed.json()["next"], "claimctl deploy --all --env dev --yes -o json");
    failed.exits(7).says("Throttling: later");
    site.root.cloud.plant(&json!([]));
    let deployed = site.run("deploy --all --env dev --yes -o json").exits(0);
    assert_eq!(names(&deployed.json()), ["second done", "first done"]);
    deployed.says("note: second is deployed and has no surface");
    site.run("drift --all --env dev").exits(0);
    for verb in ["deploy", "destroy"] {
        let several = site.run(&format!("{verb} --all --env dev --yes --allow-destroy aws_sqs_queue.q"));
        several.fails_with(2, "--allow-destroy is for one stack").says("name one stack at a time");
    }
    assert_eq!(site.root.cloud.all("aws_sqs_queue").len(), 2);
    let destroyed = site.run("destroy --all --env dev --yes -o json").exits(0).json();
    assert_eq!(names(&destroyed), ["first done", "second done"]);
    assert!(site.root.cloud.is_empty());
}

#[test]
fn of_all_stacks_what_cannot_be_planned_is_told_beside_the_others() {
    let server = Server::up();
    let site = Site::new(&server);
    with_two(&site);
    site.project.write("terraform/stacks/first/broken.tf", "resource {");
    let plan = site.run("plan --all --env dev -o json --markdown plan.md").exits(3).json();
    assert_eq!((&plan["stacks"][0]["stack"], &plan["stacks"][0]["counts"]["create"]), (&json!("second"), &json!(1)));
    assert_eq!((plan["failed"].as_array().unwrap().len(), &plan["failed"][0]["stack"]), (1, &json!("first")));
    let told = site.project.read("plan.md");
    assert!(told.contains("`second`: 1 to create") && told.contains("`first`: could not be planned"), "{told}");
    site.run("plan --all --env dev").exits(3).says("first: could not be planned").says("second: 1 to create");
    site.run("plan first --env dev").fails_with(2, "broken.tf is not valid HCL");
}

#[test]
fn a_protected_environment_wants_its_name_and_keeps_what_is_not_named() {
    let server = Server::up();
    let site = Site::with(
        &server,
        "[environments.safe]\nregion = \"us-west-1\"\naccount = \"111111111111\"\nprotected = true\n",
    );
    with_two(&site);
    let backend = site.project.read("terraform/backends/dev.s3.tfbackend");
    site.project.write("terraform/backends/safe.s3.tfbackend", &backend);
    site.run("deploy first --env safe --yes").fails_with(4, "No terminal to ask on").says("--confirm safe");
    site.run("deploy first --env safe --confirm dev").fails_with(4, "safe is meant");
    assert!(site.root.cloud.is_empty());
    site.run("deploy first --env safe --confirm safe").exits(0);
    let refused = site.run("destroy first --env safe --confirm safe").fails_with(4, "with data would be lost");
    site.follows(&refused, "name each: ").exits(0);
    // Of several stacks, the command is of the one that was refused.
    site.run("deploy --all --env safe --confirm safe").exits(0);
    for stack in ["second", "first"] {
        let refused = site.run("destroy --all --env safe --confirm safe").exits(4);
        site.follows(&refused, "name each: ").exits(0).says(&format!("{stack}: destroyed, 1 change"));
    }
    assert!(site.root.cloud.is_empty());
}

#[test]
fn two_environments_at_once_do_not_meet() {
    let server = Server::up();
    let site = Site::with(&server, "[environments.other]\nregion = \"us-west-1\"\naccount = \"222222222222\"\n");
    with_two(&site);
    site.claimctl_as("222222222222", "bootstrap --env other --yes").run().exits(0);
    let dev = site.claimctl("deploy second --env dev --yes").start();
    let other = site.claimctl_as("222222222222", "deploy second --env other --yes").start();
    for run in [dev, other] {
        crate::run::finish(run, "deploy".to_owned()).exits(0);
    }
    assert_eq!(site.root.cloud.all("aws_sqs_queue").len(), 2);
}
