//! Buckets that a plan takes away: emptied where they are named, and told of whatever comes after.

use aws_sdk_s3::types::CreateBucketConfiguration;
use rustix::process::Signal;
use serde_json::json;

use crate::proxy::{Fault, Proxy, Rule};
use crate::run::{Running, eventually, finish, signal};
use crate::server::Server;
use crate::site::{DEV, REGION, STATE, Site};
use crate::world::wait_for;

const PAYLOAD: &str = "claim-check-dev-111111111111-us-west-1-payload";

/// The payload bucket, which the test provider keeps in its own cloud, as it is in S3.
fn fill(server: &Server, objects: usize) {
    let s3 = server.s3(DEV, REGION);
    let place = CreateBucketConfiguration::builder().location_constraint(REGION.into()).build();
    wait_for(s3.create_bucket().bucket(PAYLOAD).create_bucket_configuration(place).send()).unwrap();
    for key in 0..objects {
        wait_for(s3.put_object().bucket(PAYLOAD).key(key.to_string()).body(vec![0; 1024].into()).send()).unwrap();
    }
}

fn left(server: &Server) -> i32 {
    let list = server.s3(DEV, REGION).list_objects_v2().bucket(PAYLOAD).send();
    wait_for(list).unwrap().key_count.unwrap()
}

#[test]
fn a_full_bucket_is_emptied_only_where_it_is_named() {
    let server = Server::up();
    let site = Site::new(&server);
    site.deploy("one", "").exits(0);
    fill(&server, 2);
    let destroy = |more: &str| site.run(&format!("destroy claim-check --env dev --yes {more}"));
    let refused = destroy("").fails_with(4, "with data would be lost, so nothing was done").says("2 versions, 2.0 KiB");
    destroy("--allow-destroy module.nothing").fails_with(4, "with data would be lost").says("module.nothing");
    assert_eq!((site.root.cloud.all("aws_s3_bucket").len(), left(&server)), (1, 2));
    // Without the endpoint that a flag has named, what is typed would go to another account.
    let flag = format!("--endpoint-url {}", server.endpoint);
    let by_flag = |line: &str| site.claimctl(&format!("{line} {flag}")).env_remove("AWS_ENDPOINT_URL").run();
    let told = by_flag("destroy claim-check --env dev --yes").fails_with(4, "would be lost").after("name each: ");
    assert!(told.starts_with("claimctl destroy claim-check --yes --allow-destroy "), "{told}");
    assert!(told.ends_with(&format!(" --env dev {flag}")), "{told}");
    let told = by_flag("state unlock claim-check --env dev -o json").exits(0).json();
    assert_eq!(told["next"], format!("claimctl plan claim-check --env dev {flag}"));
    assert!(!refused.after("name each: ").contains("--endpoint-url"), "the variable names it");
    let destroyed = site.follows(&refused, "name each: ").exits(0).says("emptied: 2 versions, 2.0 KiB");
    destroyed.says("claim-check: destroyed, 31 changes, 1 bucket emptied");
    assert_eq!(left(&server), 0);
    assert!(site.root.cloud.all("aws_s3_bucket").is_empty());
    // The same command again, as after a run that was stopped.
    site.follows(&refused, "name each: ").exits(0).says("nothing to do");
}

#[test]
fn what_holds_data_is_named_wherever_it_is_and_a_bucket_that_was_not_counted_is_kept() {
    let server = Server::up();
    let site = Site::new(&server);
    site.with_small("small");
    let more = r#"
resource "aws_secretsmanager_secret" "s" { name = "s" }
resource "aws_sqs_queue" "far" {
  name   = "far"
  region = "eu-west-1"
}
resource "aws_s3_bucket" "b" { bucket = "bucket-of-another" }
"#;
    site.project.write("terraform/stacks/small/more.tf", more);
    site.run("deploy small --env dev --yes").exits(0);
    // Another account has the name, so that it cannot be counted.
    let place = CreateBucketConfiguration::builder().location_constraint(REGION.into()).build();
    let theirs = server.s3("222222222222", REGION);
    wait_for(theirs.create_bucket().bucket("bucket-of-another").create_bucket_configuration(place).send()).unwrap();
    let logs = aws_sdk_cloudwatchlogs::Client::new(&server.sdk(DEV, REGION));
    wait_for(logs.create_log_group().log_group_name("small").send()).unwrap();
    wait_for(logs.create_log_stream().log_group_name("small").log_stream_name("one").send()).unwrap();

    let refused = site.run("destroy small --env dev --yes").fails_with(4, "4 resources with data would be lost");
    let told = |text: &str| assert!(refused.stderr.contains(text), "{text} is not in {}", refused.stderr);
    told("aws_secretsmanager_secret.s (s) holds data, as far as its type tells");
    told("aws_sqs_queue.far (far) holds unknown: it is in eu-west-1, and this environment in us-west-1");
    told("aws_cloudwatch_log_group.claims (small) holds logs");
    told("aws_s3_bucket.b (bucket-of-another) holds unknown: ");
    let kept = site.follows(&refused, "name each: ").fails_with(4, "what is in bucket bucket-of-another is not known");
    kept.says("allow s3:ListBucketVersions on it");
    assert_eq!(site.of_small("small"), 5);
    wait_for(theirs.delete_bucket().bucket("bucket-of-another").send()).unwrap();
    site.follows(&refused, "name each: ").exits(0);
    assert!(site.root.cloud.is_empty());
}

#[test]
fn what_was_emptied_is_told_although_nothing_could_be_destroyed_then() {
    let server = Server::up();
    let site = Site::new(&server);
    site.deploy("one", "").exits(0);
    fill(&server, 3);
    let refused = site.run("destroy claim-check --env dev --yes -o json").exits(4);
    let fault = |action: &str| json!([{"type": "aws_s3_object", "on": action, "error": "AccessDenied: not today"}]);
    site.root.cloud.plant(&fault("delete"));
    let run = site.follows(&refused, "name each: ").exits(3);
    run.says("emptied: 3 versions, 3.0 KiB").says("AccessDenied: not today").says("1 bucket emptied");
    assert_eq!(left(&server), 0);
}

#[test]
fn an_interrupt_while_a_bucket_is_emptied_tells_how_far_it_has_come() {
    let server = Server::up();
    let site = Site::new(&server);
    site.deploy("one", "").exits(0);
    fill(&server, 1);
    let refused = site.run("destroy claim-check --env dev --yes").exits(4);
    let named = refused.after("name each: ").replace('\'', "");
    let destroy = named.strip_prefix("claimctl ").unwrap();
    // Deleting is the only POST that S3 gets: from then on the run is about to look for more, and is stopped.
    let slow = Rule { fault: Fault::Slow(std::time::Duration::from_secs(2)), share: 1.0, actions: &["POST"] };
    let proxy = Proxy::before(&server.endpoint, 1, &[slow]);
    let mut command = site.claimctl(&format!("{destroy} -o json"));
    let child = command.env("AWS_ENDPOINT_URL", &proxy.endpoint).start();
    eventually("the deletion", || (left(&server) == 0).then_some(()));
    signal(&child, Signal::INT);
    let run = finish(child, "destroy".to_owned()).exits(130);
    let stack = &run.json()["stacks"][0];
    assert_eq!(stack["done"][0]["versions"], 1, "{stack}");
    assert_eq!((&stack["standing"], &stack["done"][0]["bytes"]), (&json!("failed"), &json!(1024)));
    // Nothing more is begun: Terraform is not even started.
    assert_eq!(stack["failed"]["error"][0], "stopped before claim-check in dev was changed by Terraform");
    assert!(!site.root.cloud.all("aws_s3_bucket").is_empty());
}

#[test]
fn a_stale_plan_empties_nothing() {
    let server = Server::up();
    let site = Site::new(&server);
    site.deploy("one", "").exits(0);
    fill(&server, 2);
    let artifact = format!("--artifact {}", site.zip("one").display());
    // Another name: the bucket is replaced.
    let stack = site.project.read("terraform/stacks/claim-check/main.tf");
    site.project.write("terraform/stacks/claim-check/main.tf", &stack.replace("-payload\"", "-other\""));
    site.plan(&format!("--plan-file kept --var timeout=60 {artifact}"));
    let key = "claim-check/dev/claim-check.tfstate";
    let mut state = site.state();
    state["serial"] = json!(state["serial"].as_u64().unwrap() + 1);
    wait_for(site.s3().put_object().bucket(STATE).key(key).body(state.to_string().into_bytes().into()).send()).unwrap();
    let deploy = format!("deploy claim-check --env dev --yes --plan-file kept {artifact}");
    let refused = site.run(&deploy).fails_with(4, "with data would be lost");
    let stale = site.follows(&refused, "name each: ").fails_with(4, "the plan of claim-check in dev is stale");
    assert_eq!(left(&server), 2);
    site.follows(&stale, "make a new one: ").exits(0);
    let refused = site.run(&deploy).fails_with(4, "with data would be lost");
    site.follows(&refused, "name each: ").exits(0).says("emptied: 2 versions");
    assert_eq!(left(&server), 0);
}
