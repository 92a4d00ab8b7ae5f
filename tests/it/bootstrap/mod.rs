//! Bootstrap makes what it says, adopts without loosening, goes on after a crash, and refuses what it cannot do well.

mod refusals;

use aws_sdk_dynamodb::types as dynamodb;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::*;
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
