//! Bootstrap makes what it says, adopts without loosening, goes on after a crash, and refuses what it cannot do well.

use aws_sdk_dynamodb::types as dynamodb;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::*;
use expectrl::Expect;
use serde_json::{Value, json};

use crate::run::{Running, eventually, finish};
use crate::server::{Project, Server};
use crate::world::wait_for;

const DEV: &str = "111111111111";
const OTHER: &str = "222222222222";
const REGION: &str = "eu-west-1";
const STATE: &str = "claim-check-tfstate-111111111111-eu-west-1";
const ARTIFACTS: &str = "claim-check-artifacts-111111111111-eu-west-1";
const TABLE: &str = "claim-check-tflock";
const FILE: &str = "terraform/backends/dev.s3.tfbackend";
const TOML: &str = r#"
    [environments.dev]
    region = "eu-west-1"
    account = "111111111111"
    [environments.test]
    region = "eu-west-1"
    account = "111111111111"
    [environments.prod]
    region = "us-east-1"
    account = "333333333333"
    protected = true
    [terraform]
    locking = "both"
"#;

const OURS: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

fn key(id: &str) -> String {
    format!("arn:aws:kms:eu-west-1:111111111111:key/{id}")
}

fn settings_of(s3: &Client, bucket: &str) -> Value {
    let get = |what: &str| -> Value {
        match what {
            "versioning" => {
                let answer = wait_for(s3.get_bucket_versioning().bucket(bucket).send()).unwrap();
                json!(answer.status.map(|status| status.to_string()))
            }
            "encryption" => {
                let answer = wait_for(s3.get_bucket_encryption().bucket(bucket).send()).unwrap();
                let rules = answer.server_side_encryption_configuration.unwrap().rules;
                let default = rules[0].apply_server_side_encryption_by_default.clone().unwrap();
                json!([default.sse_algorithm.to_string(), default.kms_master_key_id])
            }
            "ownership" => {
                let answer = wait_for(s3.get_bucket_ownership_controls().bucket(bucket).send()).unwrap();
                json!(answer.ownership_controls.unwrap().rules[0].object_ownership.to_string())
            }
            "public access" => {
                let answer = wait_for(s3.get_public_access_block().bucket(bucket).send()).unwrap();
                let block = answer.public_access_block_configuration.unwrap();
                let all = [
                    block.block_public_acls,
                    block.ignore_public_acls,
                    block.block_public_policy,
                    block.restrict_public_buckets,
                ];
                json!(all.iter().all(|on| *on == Some(true)))
            }
            _ => unreachable!(),
        }
    };
    let names = ["versioning", "encryption", "ownership", "public access"];
    names.iter().map(|name| ((*name).to_owned(), get(name))).collect()
}

fn tags_of(s3: &Client, bucket: &str) -> Vec<(String, String)> {
    let tags = wait_for(s3.get_bucket_tagging().bucket(bucket).send()).unwrap().tag_set;
    let mut tags: Vec<_> = tags.into_iter().map(|tag| (tag.key, tag.value)).collect();
    tags.sort();
    tags
}

fn policy_of(s3: &Client, bucket: &str) -> Value {
    let policy = wait_for(s3.get_bucket_policy().bucket(bucket).send()).unwrap().policy.unwrap();
    serde_json::from_str(&policy).unwrap()
}

fn rules_of(s3: &Client, bucket: &str) -> Vec<LifecycleRule> {
    wait_for(s3.get_bucket_lifecycle_configuration().bucket(bucket).send()).unwrap().rules.unwrap()
}

fn make_bucket(s3: &Client, name: &str, region: &str) {
    let place = CreateBucketConfiguration::builder().location_constraint(region.into()).build();
    wait_for(s3.create_bucket().bucket(name).create_bucket_configuration(place).send()).unwrap();
}

fn put(s3: &Client, bucket: &str, key: &str, body: &str) {
    let body = ByteStream::from(body.as_bytes().to_vec());
    wait_for(s3.put_object().bucket(bucket).key(key).body(body).send()).unwrap();
}

#[test]
fn the_first_run_makes_everything_and_the_second_has_nothing_to_do() {
    let server = Server::up();
    let project = server.project(TOML);
    let check = project.run(DEV, "bootstrap --env dev --check -o json").exits(8).json();
    assert_eq!(check["converged"], false);
    let planned = check["steps"].as_array().unwrap().len();
    project.run(DEV, "bootstrap --env dev --dry-run").exits(0).says("changes to make");
    assert!(!project.path().join(FILE).exists(), "a look wrote something");

    let made = project.run(DEV, "bootstrap --env dev --yes -o json").exits(0).json();
    assert_eq!(made["converged"], true);
    assert_eq!(made["steps"].as_array().unwrap().len(), planned);
    assert!(made["steps"].as_array().unwrap().iter().all(|step| step["state"] == "done"));

    let s3 = server.s3(DEV, REGION);
    for (bucket, purpose) in [(STATE, "terraform-state"), (ARTIFACTS, "artifacts")] {
        assert_eq!(
            settings_of(&s3, bucket),
            json!({"versioning": "Enabled", "encryption": ["AES256", null], "ownership": "BucketOwnerEnforced",
                "public access": true})
        );
        let tag = |key: &str, value: &str| (format!("claimctl:{key}"), value.to_owned());
        assert_eq!(tags_of(&s3, bucket), [tag("project", "claim-check"), tag("purpose", purpose)]);
        let statement = &policy_of(&s3, bucket)["Statement"][0];
        assert_eq!((&statement["Effect"], &statement["Principal"]), (&json!("Deny"), &json!("*")));
        assert_eq!(statement["Condition"], json!({"Bool": {"aws:SecureTransport": "false"}}));
        let rules = rules_of(&s3, bucket);
        let expires = rules.iter().find_map(|rule| rule.noncurrent_version_expiration.clone()).unwrap();
        assert_eq!((expires.noncurrent_days, expires.newer_noncurrent_versions), (Some(90), Some(20)));
        let abort = rules.iter().find_map(|rule| rule.abort_incomplete_multipart_upload.clone()).unwrap();
        assert_eq!(abort.days_after_initiation, Some(7));
        let place = wait_for(s3.get_bucket_location().bucket(bucket).send()).unwrap();
        assert_eq!(place.location_constraint, Some(BucketLocationConstraint::EuWest1));
    }
    let table = server.dynamodb(DEV, REGION);
    let described = wait_for(table.describe_table().table_name(TABLE).send()).unwrap().table.unwrap();
    assert_eq!(described.key_schema()[0].attribute_name(), "LockID");
    assert_eq!(described.billing_mode_summary().unwrap().billing_mode(), Some(&dynamodb::BillingMode::PayPerRequest));
    assert_eq!(described.deletion_protection_enabled(), Some(true));
    assert_eq!(described.sse_description().unwrap().sse_type(), Some(&dynamodb::SseType::Kms));
    let backups = wait_for(table.describe_continuous_backups().table_name(TABLE).send()).unwrap();
    let recovery = backups.continuous_backups_description.unwrap().point_in_time_recovery_description.unwrap();
    assert_eq!(recovery.point_in_time_recovery_status, Some(dynamodb::PointInTimeRecoveryStatus::Enabled));
    let file = project.read(FILE);
    for line in [
        "bucket               = \"claim-check-tfstate-111111111111-eu-west-1\"",
        "region               = \"eu-west-1\"",
        "encrypt              = true",
        "use_lockfile         = true",
        "dynamodb_table       = \"claim-check-tflock\"",
        "allowed_account_ids  = [\"111111111111\"]",
    ] {
        assert!(file.lines().any(|text| text == line), "{line}\n{file}");
    }

    let again = project.run(DEV, "bootstrap --env dev -o json").exits(0).json();
    assert_eq!((&again["steps"], &again["converged"]), (&json!([]), &json!(true)));
    project.run(DEV, "bootstrap --env dev").exits(0).says("nothing to do");
    project.run(DEV, "bootstrap --env dev --check").exits(0);
    assert_eq!(project.read(FILE), file);
}

#[test]
fn adopting_adds_what_is_missing_and_keeps_what_others_put_there() {
    let server = Server::up();
    let project = server.project(TOML);
    let (s3, name) = (server.s3(DEV, REGION), "old-state");
    make_bucket(&s3, name, REGION);
    let theirs = key("1234abcd-12ab-34cd-56ef-000000000000");
    let default = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::AwsKms);
    let default = default.kms_master_key_id(&theirs).build().unwrap();
    let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(default).build();
    let encryption = ServerSideEncryptionConfiguration::builder().rules(rule).build().unwrap();
    wait_for(s3.put_bucket_encryption().bucket(name).server_side_encryption_configuration(encryption).send()).unwrap();
    let foreign = json!({"Sid": "Audit", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::222222222222:root"},
        "Action": "s3:GetObject", "Resource": "arn:aws:s3:::old-state/*"});
    let policy = json!({"Version": "2012-10-17", "Statement": [foreign]}).to_string();
    wait_for(s3.put_bucket_policy().bucket(name).policy(policy).send()).unwrap();
    let tags = [("team", "platform"), ("claimctl:purpose", "theirs")];
    let tags = tags.map(|(key, value)| Tag::builder().key(key).value(value).build().unwrap());
    let tagging = Tagging::builder().set_tag_set(Some(tags.to_vec())).build().unwrap();
    wait_for(s3.put_bucket_tagging().bucket(name).tagging(tagging).send()).unwrap();
    let keep = LifecycleRule::builder()
        .id("keep-ten-years")
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("").build())
        .noncurrent_version_expiration(NoncurrentVersionExpiration::builder().noncurrent_days(3650).build())
        .build()
        .unwrap();
    let rules = BucketLifecycleConfiguration::builder().rules(keep.clone()).build().unwrap();
    wait_for(s3.put_bucket_lifecycle_configuration().bucket(name).lifecycle_configuration(rules).send()).unwrap();

    project.run(DEV, "bootstrap --env dev --state-bucket old-state --yes").exits(0);
    let statements = policy_of(&s3, name)["Statement"].clone();
    assert_eq!(statements[0], foreign);
    assert_eq!(statements[1]["Effect"], "Deny");
    assert_eq!(
        tags_of(&s3, name),
        [("claimctl:project", "claim-check"), ("claimctl:purpose", "theirs"), ("team", "platform")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
    );
    let rules = rules_of(&s3, name);
    assert_eq!(rules[0], keep);
    assert!(rules[1].noncurrent_version_expiration.is_none() && rules[1].abort_incomplete_multipart_upload.is_some());
    assert_eq!(
        settings_of(&s3, name),
        json!({"versioning": "Enabled", "encryption": ["aws:kms", theirs], "ownership": "BucketOwnerEnforced",
            "public access": true})
    );
    // Terraform's own wish for encryption would override the key of the bucket.
    assert!(!project.read(FILE).contains("encrypt"), "{}", project.read(FILE));
    // The name is remembered.
    project.run(DEV, "bootstrap --env dev --check").exits(0);

    let ours = key(OURS);
    project.run(DEV, &format!("bootstrap --env dev --kms-key {ours} --yes")).exits(0);
    assert_eq!(settings_of(&s3, name)["encryption"], json!(["aws:kms", ours]));
    assert!(project.read(FILE).contains(&format!("kms_key_id           = \"{ours}\"")));
    project.run(DEV, "bootstrap --env dev --check").exits(0);

    // The same key by another name is the same key.
    project.run(DEV, &format!("bootstrap --env dev --kms-key {OURS} --check -o json")).exits(8).says("kms_key_id");

    // What somebody loosens is found and put right.
    wait_for(s3.delete_public_access_block().bucket(name).send()).unwrap();
    project.write(FILE, &project.read(FILE).replace("use_lockfile         = true", "profile = \"mine\""));
    let check = project.run(DEV, "bootstrap --env dev --check -o json").exits(8).json();
    let found: Vec<_> = check["steps"].as_array().unwrap().iter().map(|step| &step["setting"]).collect();
    assert_eq!(found, ["block public access", "use_lockfile"]);
    project.run(DEV, "bootstrap --env dev --yes").exits(0);
    assert!(project.read(FILE).contains("profile = \"mine\""));
    project.run(DEV, "bootstrap --env dev --check").exits(0);
}

/// Whether a run has come this far.
fn reached(server: &Server, project: &Project<'_>, account: &str, point: usize) -> bool {
    let s3 = server.s3(account, REGION);
    let state = format!("claim-check-tfstate-{account}-{REGION}");
    let artifacts = format!("claim-check-artifacts-{account}-{REGION}");
    match point {
        0 => true,
        1 => wait_for(s3.head_bucket().bucket(state).send()).is_ok(),
        2 => wait_for(s3.get_bucket_versioning().bucket(state).send()).is_ok_and(|answer| answer.status.is_some()),
        3 => wait_for(s3.get_bucket_policy().bucket(state).send()).is_ok(),
        4 => wait_for(s3.get_bucket_lifecycle_configuration().bucket(state).send()).is_ok(),
        5 => wait_for(s3.head_bucket().bucket(artifacts).send()).is_ok(),
        6 => wait_for(s3.get_bucket_policy().bucket(artifacts).send()).is_ok(),
        7 => wait_for(s3.get_public_access_block().bucket(artifacts).send()).is_ok(),
        8 => {
            let table = server.dynamodb(account, REGION);
            wait_for(table.describe_table().table_name(TABLE).send()).is_ok()
        }
        _ => project.path().join(FILE).exists(),
    }
}

#[test]
fn a_run_that_is_killed_anywhere_is_continued_by_the_next() {
    let server = Server::up();
    let mut interrupted = 0;
    for point in 0..10 {
        let account = format!("{}", 500_000_000_000_u64 + point as u64);
        let project = server.project(&TOML.replace(DEV, &account));
        let mut child = project.claimctl(&account, "bootstrap --env dev --yes").start();
        eventually("the point to kill at", || {
            let ended = child.try_wait().unwrap().is_some();
            (ended || reached(&server, &project, &account, point)).then_some(())
        });
        child.kill().unwrap();
        child.wait().unwrap();
        let left = project.run(&account, "bootstrap --env dev --check -o json");
        interrupted += i32::from(left.code == 8);
        project.run(&account, "bootstrap --env dev --yes").exits(0);
        project.run(&account, "bootstrap --env dev --check").exits(0);
    }
    assert!(interrupted >= 5, "only {interrupted} of ten runs were killed in the middle");
}

#[test]
fn two_runs_at_once_make_one_bootstrap() {
    let server = Server::up();
    let project = server.project(TOML);
    let runs: Vec<_> = (0..2).map(|_| project.claimctl(DEV, "bootstrap --env dev --yes").start()).collect();
    for run in runs {
        finish(run, "bootstrap".to_owned()).exits(0);
    }
    project.run(DEV, "bootstrap --env dev --check").exits(0);
    assert_eq!(policy_of(&server.s3(DEV, REGION), STATE)["Statement"].as_array().unwrap().len(), 1);
}

#[test]
fn us_east_1_is_made_without_a_place_and_made_twice_without_harm() {
    let server = Server::up();
    let project = server.project(&TOML.replace(REGION, "us-east-1"));
    project.run(DEV, "bootstrap --env dev --yes").exits(0);
    let (s3, name) = (server.s3(DEV, "us-east-1"), "claim-check-tfstate-111111111111-us-east-1");
    let place = wait_for(s3.get_bucket_location().bucket(name).send()).unwrap();
    assert!(place.location_constraint.is_none_or(|place| place.as_str().is_empty()));
    project.run(DEV, "bootstrap --env dev --yes").exits(0).says("nothing to do");
    project.run(DEV, "bootstrap --env test --yes").exits(0).says("holds the state of dev too");
}

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
        ("--state-bucket a.b.c", 2, "cannot be the name of a bucket"),
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
