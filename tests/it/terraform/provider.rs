//! The test provider itself: what it promises to the tests that build upon it.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::run::{Running, eventually, finish, signal};
use crate::support::terraform::root::Root;

const QUEUES: &str = r#"
variable "delay" { default = 0 }
variable "name" { default = "claims" }
resource "aws_sqs_queue" "dead" { name = "${var.name}-dlq" }
resource "aws_sqs_queue" "claims" {
  name           = var.name
  delay_seconds  = var.delay
  redrive_policy = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dead.arn, maxReceiveCount = 5 })
}
output "url" { value = aws_sqs_queue.claims.url }
"#;

const CLAIMS: &str = "aws_sqs_queue.claims";
const QUEUE: &str = "aws_sqs_queue";

fn change(address: &str, actions: &[&str]) -> (String, Vec<String>) {
    (address.to_owned(), actions.iter().map(|&action| action.to_owned()).collect())
}

#[track_caller]
fn assert_has(object: &Value, expected: Value) {
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&object[name], value, "{name}");
    }
}

#[test]
fn a_stack_is_applied_settles_changes_in_place_and_goes() {
    let root = Root::of(QUEUES);
    root.init().run("validate").exits(0);
    root.apply("");
    assert_eq!(root.changes(""), []);
    let url = "https://sqs.us-east-1.amazonaws.com/111111111111/claims";
    assert_eq!(root.show()["values"]["outputs"]["url"]["value"], url);
    let queue = root.cloud.one(QUEUE, "claims.json");
    let arn = "arn:aws:sqs:us-east-1:111111111111:claims";
    assert_has(&queue, json!({"visibility_timeout_seconds": 30, "arn": arn, "id": url, "delay_seconds": 0}));

    assert_eq!(root.changes("-var delay=9"), [change(CLAIMS, &["update"])]);
    root.apply("-var delay=9");
    assert_has(&root.cloud.one(QUEUE, "claims.json"), json!({"delay_seconds": 9, "id": url}));
    assert_eq!(root.changes("-var delay=9"), []);

    root.destroy("");
    assert!(root.cloud.is_empty());
}

#[test]
fn a_name_that_changes_forces_a_new_resource() {
    let root = Root::of(QUEUES);
    root.init().apply("");
    let plan = root.plan("-var name=other");
    let queue = plan["resource_changes"].as_array().unwrap().iter().find(|change| change["address"] == CLAIMS).unwrap();
    assert_eq!(queue["change"]["actions"], json!(["delete", "create"]));
    assert_eq!(queue["change"]["replace_paths"], json!([["name"]]));
    root.apply("-var name=other");
    let names: Vec<Value> = root.cloud.all(QUEUE).iter().map(|queue| queue["name"].clone()).collect();
    assert_eq!(names, ["other-dlq", "other"]);
}

#[test]
fn what_is_made_up_stays_while_a_function_is_published_anew() {
    let root = Root::of(
        r#"
        variable "key" { default = "one.zip" }
        variable "memory" { default = 256 }
        resource "aws_kms_key" "one" {}
        resource "aws_kms_key" "other" {}
        resource "aws_lambda_function" "recorder" {
          function_name = "recorder"
          role          = "arn:aws:iam::111111111111:role/recorder"
          runtime       = "provided.al2023"
          handler       = "bootstrap"
          s3_bucket     = "artifacts"
          s3_key        = var.key
          memory_size   = var.memory
          publish       = true
        }
        resource "aws_lambda_alias" "live" {
          name             = "live"
          function_name    = aws_lambda_function.recorder.arn
          function_version = aws_lambda_function.recorder.version
        }"#,
    );
    root.init().apply("");
    let keys = root.cloud.all("aws_kms_key");
    assert_ne!(keys[0]["key_id"], keys[1]["key_id"]);
    let alias = "arn:aws:lambda:us-east-1:111111111111:function:recorder:live";
    assert_has(&root.cloud.one("aws_lambda_alias", "live"), json!({"function_version": "1", "arn": alias}));
    let update = |address: &str| change(address, &["update"]);
    let both = [update("aws_lambda_alias.live"), update("aws_lambda_function.recorder")];
    assert_eq!(root.changes("-var key=two.zip"), both);
    root.apply("-var key=two.zip");
    assert_has(&root.cloud.one("aws_lambda_alias", "live"), json!({"function_version": "2", "arn": alias}));
    assert_eq!(root.cloud.all("aws_kms_key"), keys);
    assert_eq!(root.changes("-var key=two.zip"), []);
}

#[test]
fn drift_that_is_planted_is_found() {
    let root = Root::of(QUEUES);
    root.init().apply("");
    root.cloud.change(QUEUE, "claims.json", "visibility_timeout_seconds", 1);
    assert_eq!(root.changes(""), [change(CLAIMS, &["update"])]);
    let drift = root.plan("-refresh-only")["resource_drift"].clone();
    let (changed, read_back): (Vec<&Value>, Vec<&Value>) =
        drift.as_array().unwrap().iter().partition(|found| found["address"] == CLAIMS);
    assert_has(&changed[0]["change"]["after"], json!({"visibility_timeout_seconds": 1}));
    // What was never set comes back empty, as from the real provider.
    assert!(!read_back.is_empty());
    for found in read_back {
        assert_eq!((&found["change"]["before"]["tags"], &found["change"]["after"]["tags"]), (&json!(null), &json!({})));
    }

    root.cloud.remove(QUEUE, "claims.json");
    assert_eq!(root.changes(""), [change(CLAIMS, &["create"])]);
    root.apply("");
    assert_eq!(root.changes(""), []);
}

#[test]
fn a_planted_failure_leaves_nothing_or_something_half_made() {
    let root = Root::of(QUEUES);
    root.init();
    let fault = |more: Value| {
        let mut fault = json!({"type": QUEUE, "name": "claims", "on": "create", "error": "AccessDenied: not today"});
        fault.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        root.cloud.plant(&json!([fault]));
    };
    fault(json!({}));
    root.run("apply -no-color -auto-approve").exits(1).says("Error: AccessDenied: not today");
    assert!(root.cloud.is_empty());

    // The change was made and the service did not become ready: Terraform keeps it and wants it replaced.
    fault(json!({"name": "claims-dlq", "partial": true}));
    root.run("apply -no-color -auto-approve").exits(1).says("not today").says("aws_sqs_queue.dead");
    root.cloud.plant(&json!([]));
    let dead = change("aws_sqs_queue.dead", &["delete", "create"]);
    assert_eq!(root.changes(""), [change(CLAIMS, &["create"]), dead]);
    root.apply("");

    fault(json!({"on": "update"}));
    root.run("apply -no-color -auto-approve -var delay=9").exits(1).says("not today");
    assert_has(&root.cloud.one(QUEUE, "claims.json"), json!({"delay_seconds": 0}));
    fault(json!({"on": "read", "error": "ThrottlingException"}));
    root.run("plan -no-color").exits(1).says("ThrottlingException");
    fault(json!({"on": "delete"}));
    root.run("destroy -no-color -auto-approve").exits(1).says("not today");
    assert_eq!(root.cloud.all(QUEUE).len(), 2);
    root.cloud.plant(&json!([]));
    root.destroy("");
}

/// Terraform, held by the provider in the middle of making the queue.
fn held(root: &Root) -> std::process::Child {
    root.cloud.plant(&json!([{"type": QUEUE, "name": "claims-dlq", "on": "create", "milliseconds": 600_000}]));
    let child = root.terraform(["apply", "-no-color", "-auto-approve"]).start();
    eventually("the queue", || (root.cloud.all(QUEUE).len() == 1).then_some(()));
    child
}

#[test]
fn an_interrupt_ends_a_call_that_takes_long_and_the_state_knows() {
    let root = Root::of(QUEUES);
    root.init();
    let child = held(&root);
    signal(&child, Signal::INT);
    finish(child, "apply".to_owned()).exits(1).says("context canceled");
    root.cloud.plant(&json!([]));
    assert!(root.changes("").contains(&change("aws_sqs_queue.dead", &["delete", "create"])));
    root.apply("");
    assert_eq!(root.changes(""), []);
}

#[test]
fn a_call_that_takes_long_goes_on_when_the_test_lets_it() {
    let root = Root::of(QUEUES);
    root.init();
    let child = held(&root);
    root.cloud.plant(&json!([]));
    finish(child, "apply".to_owned()).exits(0);
    assert_eq!(root.changes(""), []);
}

#[test]
fn what_a_killed_terraform_made_is_there_without_being_in_the_state_until_it_is_imported() {
    let root = Root::of(QUEUES);
    root.init();
    let child = held(&root);
    signal(&child, Signal::KILL);
    finish(child, "apply".to_owned());
    root.cloud.plant(&json!([]));
    // The lock of a state beside the root is the system's, so that it goes with the process.
    let queue = "https://sqs.us-east-1.amazonaws.com/111111111111/claims-dlq";
    root.run("apply -no-color -auto-approve").exits(1).says(&format!("creating aws_sqs_queue ({queue}): it already"));
    root.run("import -no-color aws_sqs_queue.dead https://nowhere").exits(1).says("Cannot import non-existent");
    root.run(&format!("import -no-color aws_sqs_queue.dead {queue}")).exits(0);
    root.apply("");
    assert_eq!(root.changes(""), []);
}

#[test]
fn terraform_test_passes_and_fails_as_its_files_say() {
    let root = Root::of(QUEUES);
    let assertion = |delay: u32| {
        format!(
            "run \"delay\" {{\n  variables {{\n    delay = 9\n  }}\n  assert {{\n    condition     = \
             aws_sqs_queue.claims.delay_seconds == {delay}\n    error_message = \"another delay\"\n  }}\n}}\n"
        )
    };
    root.write("queues.tftest.hcl", &assertion(9));
    root.init().run("test -no-color").exits(0).says("1 passed, 0 failed");
    root.write("queues.tftest.hcl", &assertion(8));
    root.run("test -no-color").exits(1).says("another delay");
    assert!(root.cloud.is_empty());
}

#[test]
fn secrets_are_masked_where_the_provider_masks_them() {
    let root = Root::of(
        r#"
        resource "aws_ssm_parameter" "password" {
          name  = "/claims/password"
          type  = "SecureString"
          value = "hunter2"
        }"#,
    );
    root.init();
    let said = root.run("apply -no-color -auto-approve").exits(0).says("(sensitive value)");
    assert!(!said.stdout.contains("hunter2"));
    let values = &root.show()["values"]["root_module"]["resources"][0];
    assert_has(&values["sensitive_values"], json!({"value": true}));
}

#[test]
fn accounts_and_regions_are_told_apart_and_the_wrong_one_is_refused() {
    let data = r#"
        data "aws_caller_identity" "who" {}
        data "aws_region" "where" {}
        output "here" { value = "${data.aws_caller_identity.who.account_id} ${data.aws_region.where.region}" }"#;
    let root = Root::of(data).account("222222222222");
    root.init().apply("");
    assert_eq!(root.show()["values"]["outputs"]["here"]["value"], "222222222222 us-east-1");

    let root = Root::of("").account("222222222222");
    root.write(
        "main.tf",
        "provider \"aws\" {\n  region = \"us-east-1\"\n  allowed_account_ids = [\"111111111111\"]\n}",
    );
    root.write("queue.tf", "resource \"aws_sqs_queue\" \"q\" { name = \"q\" }");
    root.init().run("plan -no-color").exits(1).says("AWS account ID not allowed: 222222222222");
}

#[test]
fn what_the_provider_refuses_is_refused_before_anything_is_done() {
    let refused = |content: &str, told: &str| {
        let root = Root::of(content);
        root.init().run("validate -no-color").exits(1).says(told);
    };
    let queue = |body: &str| format!("resource \"aws_sqs_queue\" \"q\" {{\n{body}\n}}\n");
    refused(&queue("visibility_timeout_seconds = 43201"), "in the range (0 - 43200), got 43201");
    refused(&queue("name = \"a\"\nname_prefix = \"b\""), "conflicts with name_prefix");
    refused(&queue("redrive_policy = \"{\""), "contains an invalid JSON");
    refused(&queue("arn = \"a\""), "decided by the provider alone");
    refused(&queue("visibility = 3"), "Unsupported argument");
    refused("resource \"aws_ecs_cluster\" \"c\" {}", "aws_ecs_cluster");
}

#[test]
fn what_is_put_in_its_place_silently_and_what_is_protected() {
    // Both write the one notification configuration that a bucket has: the service takes the last.
    let root = Root::of(
        r#"
        variable "protected" { default = true }
        resource "aws_s3_bucket_notification" "one" {
          bucket      = "payload"
          eventbridge = true
        }
        resource "aws_s3_bucket_notification" "other" {
          bucket     = "payload"
          depends_on = [aws_s3_bucket_notification.one]
        }
        resource "aws_dynamodb_table" "claims" {
          name                        = "claims"
          billing_mode                = "PAY_PER_REQUEST"
          hash_key                    = "claim_id"
          deletion_protection_enabled = var.protected
          attribute {
            name = "claim_id"
            type = "S"
          }
        }"#,
    );
    root.init().apply("");
    assert_has(&root.cloud.one("aws_s3_bucket_notification", "payload"), json!({"eventbridge": false}));
    assert_eq!(root.changes(""), [change("aws_s3_bucket_notification.one", &["update"])]);
    root.run("destroy -no-color -auto-approve").exits(1).says("deletion_protection_enabled is on");
    root.apply("-var protected=false");
    root.destroy("-var protected=false");
}

#[test]
fn a_cluster_leaves_its_final_snapshot_and_stays_where_that_cannot_be_made() {
    let root = Root::of(
        r#"
        variable "snapshot" { default = "last" }
        resource "aws_rds_cluster" "one" {
          cluster_identifier          = "one"
          engine                      = "aurora-mysql"
          master_username             = "importer"
          manage_master_user_password = true
          final_snapshot_identifier   = var.snapshot
        }
        output "secret" { value = one(aws_rds_cluster.one.master_user_secret[*].secret_arn) }"#,
    );
    root.init().apply("");
    let secret = root.show()["values"]["outputs"]["secret"]["value"].clone();
    let begin = "arn:aws:secretsmanager:us-east-1:111111111111:secret:rds!cluster-";
    assert!(secret.as_str().unwrap().starts_with(begin), "{secret}");
    root.destroy("");
    assert_has(&root.cloud.one("aws_db_cluster_snapshot", "last"), json!({"id": "last"}));

    root.apply("");
    root.run("destroy -no-color -auto-approve").exits(1).says("aws_db_cluster_snapshot last already exists");
    root.apply("-var snapshot=");
    let destroy = "destroy -no-color -auto-approve -var snapshot=";
    root.run(destroy).exits(1).says("final_snapshot_identifier has to be set");
    assert_eq!(root.cloud.all("aws_rds_cluster").len(), 1);
}
