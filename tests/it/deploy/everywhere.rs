//! `claimctl drift --all`: every stack in every environment, and what could not be looked at.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::many::with_two;
use crate::run::{Running, eventually, finish, signal};
use crate::server::Server;
use crate::site::Site;
use crate::world::wait_for;

const OTHER: &str = "[environments.other]\nregion = \"us-west-1\"\naccount = \"222222222222\"\nprofile = \"other\"\n";
const CREDENTIALS: &str = "[other]\naws_access_key_id = 222222222222\naws_secret_access_key = local\n";

/// `second` is deployed to dev and `first` to other, an account of its own; prod was never bootstrapped.
fn two_environments(server: &Server) -> Site<'_> {
    let site = Site::with(server, OTHER);
    with_two(&site);
    site.project.write(".aws/credentials", CREDENTIALS);
    site.run("bootstrap --env other --yes").exits(0);
    for (environment, stack) in [("dev", "second"), ("other", "first")] {
        site.run(&format!("deploy {stack} --env {environment} --yes")).exits(0);
    }
    site
}

fn without_prod(site: &Site<'_>) {
    let toml = site.project.read("claimctl.toml");
    let (before, after) = toml.split_once("[environments.prod]").unwrap();
    let (_, after) = after.split_once("[environments.other]").unwrap();
    site.project.write("claimctl.toml", &format!("{before}[environments.other]{after}"));
}

fn looked(drift: &Value) -> Vec<String> {
    let text = |looked: &Value, key: &str| looked[key].as_str().unwrap_or("-").to_owned();
    let one = |looked: &Value| {
        let changes = looked["changes"].as_array().unwrap().len();
        let parts = ["environment", "account", "region", "stack"].map(|key| text(looked, key));
        format!("{} {} {changes}", parts.join(" "), looked["deployed"])
    };
    drift["stacks"].as_array().unwrap().iter().map(one).collect()
}

#[test]
fn every_environment_is_looked_at_with_its_own_credentials_and_one_that_cannot_be_is_told() {
    let server = Server::up();
    let site = two_environments(&server);
    let drift = site.run("drift --all -o json").exits(3).json();
    let expected = [
        "dev 111111111111 us-west-1 first false 0",
        "dev 111111111111 us-west-1 second true 0",
        "other 222222222222 us-west-1 first true 0",
        "other 222222222222 us-west-1 second false 0",
    ];
    assert_eq!(looked(&drift), expected);
    let failed = &drift["failed"][0];
    assert_eq!((&failed["environment"], &failed["stack"]), (&json!("prod"), &Value::Null), "{failed}");
    assert!(failed["error"].to_string().contains("nothing says where environment prod keeps its state"), "{failed}");
    assert!(site.object(crate::site::STATE, "claim-check/dev/first.tfstate").is_none(), "a look makes no state");

    without_prod(&site);
    site.run("drift --all").exits(0).says("first in dev: not deployed").says("first in other: as Terraform left it");
    site.root.cloud.change("aws_sqs_queue", "first-queue", "visibility_timeout_seconds", 7);
    let found = site.run("drift --all").exits(8).says("first in other: 1 resource not as Terraform left it");
    found.says("visibility_timeout_seconds").says("second in dev: as Terraform left it");
    site.run("drift --all --env dev").exits(0);
    // Somebody else's credentials.
    site.project.write(".aws/credentials", &CREDENTIALS.replace("222222222222", "444444444444"));
    site.run("drift --all").exits(3).says("every stack in other: could not be looked at").says("444444444444");
}

#[test]
fn an_interrupt_leaves_what_was_looked_at_in_the_report() {
    let server = Server::up();
    let site = two_environments(&server);
    without_prod(&site);
    site.root.cloud.change("aws_sqs_queue", "second-queue", "visibility_timeout_seconds", 7);
    // Somebody holds the state of the one that the look is to hang at.
    let lock = json!({"ID": "1", "Operation": "apply", "Who": "somebody", "Created": "2026-01-01T00:00:00Z"});
    let put = server.s3("222222222222", "us-west-1").put_object().bucket("claim-check-tfstate-222222222222-us-west-1");
    let put = put.key("claim-check/other/first.tfstate.tflock").body(lock.to_string().into_bytes().into());
    wait_for(put.send()).unwrap();
    let before = site.root.cloud.calls().len();
    let child = site.claimctl("drift --all -o json -- -lock-timeout=10m").start();
    let data = site.project.path().join("state/claimctl/claim-check/terraform");
    let is_planning = |stack: &str| {
        let entries = std::fs::read_dir(data.join(stack)).unwrap().flatten();
        entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("plan-"))
    };
    eventually("the look at the other one", || {
        // The one resource that is deployed in dev.
        let is_of_dev = |call: &Value| call["type"] == "aws_sqs_queue" && call["account"] == "111111111111";
        let was_read = site.root.cloud.calls().iter().skip(before).any(is_of_dev);
        (was_read && !is_planning("dev/second") && is_planning("other/first")).then_some(())
    });
    signal(&child, Signal::INT);
    let drift = finish(child, "drift".to_owned()).exits(130).json();
    assert!(looked(&drift).contains(&"dev 111111111111 us-west-1 second true 1".to_owned()), "{drift}");
    let failed = drift["failed"].as_array().unwrap();
    assert_eq!((failed.len(), &failed[0]["stack"]), (1, &json!("first")), "{drift}");
    assert!(failed[0]["error"][0].as_str().unwrap().contains("was interrupted"), "{drift}");
}
