//! What cannot be used or must not go is refused, and left as it is.

use aws_sdk_dynamodb::types as dynamodb;
use aws_sdk_s3::types::*;
use expectrl::Expect;
use serde_json::{Value, json};

use super::{ARTIFACTS, DEV, FILE, OTHER, OURS, REGION, STATE, TABLE, TOML, key, make_bucket, put};
use crate::server::Server;
use crate::world::wait_for;

#[test]
fn what_cannot_be_used_is_refused_and_left_as_it_is() {
    let server = Server::up();
    let project = server.project(TOML);
    let mine = server.s3(DEV, REGION);
    make_bucket(&server.s3(OTHER, REGION), "somebodys", REGION);
    make_bucket(&server.s3(DEV, "us-west-2"), "far-away", "us-west-2");
    make_bucket(&mine, "not-json", REGION);
    wait_for(mine.put_bucket_policy().bucket("not-json").policy("deny everything").send()).unwrap();
    let table = server.dynamodb(DEV, REGION);
    wait_for(
        table
            .create_table()
            .table_name("other-key")
            .key_schema(
                dynamodb::KeySchemaElement::builder()
                    .attribute_name("id")
                    .key_type(dynamodb::KeyType::Hash)
                    .build()
                    .unwrap(),
            )
            .attribute_definitions(
                dynamodb::AttributeDefinition::builder()
                    .attribute_name("id")
                    .attribute_type(dynamodb::ScalarAttributeType::S)
                    .build()
                    .unwrap(),
            )
            .billing_mode(dynamodb::BillingMode::PayPerRequest)
            .send(),
    )
    .unwrap();
    for (flags, code, said) in [
        ("--state-bucket somebodys", 4, "belongs to another account"),
        ("--state-bucket far-away", 4, "is in us-west-2, and this is eu-west-1"),
        ("--state-bucket not-json", 4, "the policy of bucket not-json is not JSON"),
        ("--state-bucket Upper", 2, "cannot be the name of a bucket"),
        ("--state-bucket a.b.c", 2, "none with dots in its name is made"),
        ("--state-bucket a..c", 2, "cannot be the name of a bucket"),
        (&format!("--state-bucket {}", "x".repeat(64)), 2, "cannot be the name of a bucket"),
        (&format!("--state-bucket {ARTIFACTS}"), 2, "is the artifact bucket"),
        ("--lock-table other-key", 4, "has the key id, and Terraform locks by the key LockID"),
        ("--kms-key mine", 2, "is not a KMS key in eu-west-1"),
        (&format!("--kms-key {}", key(OURS).replace(REGION, "us-east-1")), 2, "is not a KMS key in eu-west-1"),
    ] {
        for how in ["--yes", "--check"] {
            project.run(DEV, &format!("bootstrap --env dev {how} {flags}")).fails_with(code, said);
        }
    }
    assert!(!project.path().join("terraform").exists());
    assert_eq!(wait_for(mine.list_buckets().send()).unwrap().buckets().len(), 2, "a bucket was made");
    let policy = wait_for(mine.get_bucket_policy().bucket("not-json").send()).unwrap().policy;
    assert_eq!(policy.as_deref(), Some("deny everything"));
    let other = wait_for(table.describe_table().table_name("other-key").send()).unwrap().table.unwrap();
    assert_ne!(other.deletion_protection_enabled, Some(true));

    project.run(OTHER, "bootstrap --env dev --yes").fails_with(4, "these credentials are of account 222222222222");
    project.run(DEV, "bootstrap --env dev").fails_with(4, "No terminal to ask on").says("--yes");
    project.run("333333333333", "bootstrap --env prod --yes").fails_with(4, "No terminal to ask on").says("protected");
    let nowhere = server.project(TOML);
    std::fs::remove_file(nowhere.path().join("claimctl.toml")).unwrap();
    nowhere.run(DEV, "bootstrap --yes").fails_with(2, "there is no claimctl.toml").says("claimctl init");
    nowhere.run(DEV, "bootstrap --yes --region eu-west-1").fails_with(2, "for an environment");
    let lockfile = server.project(&TOML.replace("\"both\"", "\"lockfile\""));
    lockfile.run(DEV, "bootstrap --env dev --yes --lock-table t").fails_with(2, "locks by a file");
}

#[test]
fn a_state_bucket_with_an_object_lock_is_adopted_and_the_consequence_told() {
    let server = Server::up();
    let project = server.project(TOML);
    let s3 = server.s3(DEV, REGION);
    let place = CreateBucketConfiguration::builder().location_constraint(REGION.into()).build();
    let create = s3.create_bucket().bucket("locked").create_bucket_configuration(place);
    wait_for(create.object_lock_enabled_for_bucket(true).send()).unwrap();
    project.run(DEV, "bootstrap --env dev --state-bucket locked --yes").exits(0).says("locked has an object lock");
    project.run(DEV, "bootstrap --env dev --check").exits(0);
}

#[test]
fn a_state_bucket_with_dots_in_its_name_is_adopted() {
    let server = Server::up();
    let project = server.project(TOML);
    let place = CreateBucketConfiguration::builder().location_constraint(REGION.into()).build();
    let create = server.s3(DEV, REGION).create_bucket().bucket("tfstate.example.com");
    wait_for(create.create_bucket_configuration(place).send()).unwrap();
    project.run(DEV, "bootstrap --env dev --state-bucket tfstate.example.com --yes").exits(0);
    project.run(DEV, "bootstrap --env dev --check").exits(0);
}

#[test]
fn a_bucket_that_is_deleted_between_plan_and_answer_is_told_and_made_by_the_next_run() {
    let server = Server::up();
    let project = server.project(TOML);
    project.run(DEV, "bootstrap --env dev --yes").exits(0);
    let s3 = server.s3(DEV, REGION);
    wait_for(s3.delete_public_access_block().bucket(STATE).send()).unwrap();
    let mut bootstrap = project.claimctl(DEV, "bootstrap --env dev");
    bootstrap.stdin(std::process::Stdio::inherit());
    let mut session = expectrl::Session::spawn(bootstrap).unwrap();
    session.set_expect_timeout(Some(std::time::Duration::from_secs(60)));
    session.expect("make 1 change in account 111111111111 in environment dev? [y/N]").unwrap();
    wait_for(s3.delete_bucket().bucket(STATE).send()).unwrap();
    session.send_line("y").unwrap();
    session.expect("was deleted meanwhile").unwrap();
    session.expect(expectrl::Eof).unwrap();
    project.run(DEV, "bootstrap --env dev --yes").exits(0);
    project.run(DEV, "bootstrap --env dev --check").exits(0);
}

#[test]
fn destroying_is_refused_while_anything_is_in_use_and_leaves_nothing_after() {
    let server = Server::up();
    let project = server.project(TOML);
    project.run(DEV, "bootstrap --env dev --yes").exits(0);
    let s3 = server.s3(DEV, REGION);
    let state = |resources: Value| json!({"version": 4, "lineage": "l", "resources": resources}).to_string();
    let queue = json!([{"mode": "managed", "type": "aws_sqs_queue", "name": "claims"}]);
    let destroy = format!("bootstrap --env dev --destroy --confirm {STATE}");
    let refused = || project.run(DEV, &destroy).fails_with(4, "still in use");

    put(&s3, STATE, "claim-check/dev/claim-check.tfstate", &state(queue));
    refused().says("claim-check/dev/claim-check.tfstate: 1 resource (aws_sqs_queue.claims)");
    put(&s3, STATE, "claim-check/dev/claim-check.tfstate", &state(json!([])));
    put(&s3, STATE, "claim-check/dev/claim-check.tfstate.tflock", "{}");
    refused().says("Terraform is at work");
    wait_for(s3.delete_object().bucket(STATE).key("claim-check/dev/claim-check.tfstate.tflock").send()).unwrap();
    put(&s3, STATE, "holiday.jpg", "not ours");
    refused().says("holiday.jpg: not a Terraform state");
    wait_for(s3.delete_object().bucket(STATE).key("holiday.jpg").send()).unwrap();
    let table = server.dynamodb(DEV, REGION);
    let text = |value: &str| dynamodb::AttributeValue::S(value.to_owned());
    let lock = table.put_item().table_name(TABLE).item("LockID", text("a")).item("Info", text("{}"));
    wait_for(lock.send()).unwrap();
    refused().says("a: locked");
    wait_for(table.delete_item().table_name(TABLE).key("LockID", text("a")).send()).unwrap();

    project.run(DEV, "bootstrap --env dev --destroy --yes").fails_with(4, "No terminal").says("--confirm");
    project.run(DEV, "bootstrap --env dev --destroy --confirm other").fails_with(4, "nothing was done");
    project.run("333333333333", "bootstrap --env prod --destroy --confirm x").fails_with(4, "is protected");
    project.run(DEV, "bootstrap --env dev --check").exits(0);

    put(&s3, ARTIFACTS, "claim-recorder.zip", "zip");
    project.run(DEV, &destroy).exits(0);
    assert_eq!(wait_for(s3.list_buckets().send()).unwrap().buckets().len(), 0);
    assert!(wait_for(table.describe_table().table_name(TABLE).send()).is_err());
    assert!(!project.path().join(FILE).exists());
    project.run(DEV, &destroy).exits(0).says("nothing of bootstrap is left");
}
