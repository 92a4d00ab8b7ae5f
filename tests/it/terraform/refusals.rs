//! What cannot work is refused at plan, with a sentence that says what to do.

use serde_json::Value;

use super::stacks::{ENVIRONMENTS, PAYMENTS, builds_on, folders, ready, variables, variables_of};
use crate::run::{Run, Running};
use crate::support::terraform::root::Root;

const KEY_ELSEWHERE: &str = "arn:aws:kms:eu-west-1:111111111111:key/11111111-2222-3333-4444-555555555555";

/// What is wrong, by the arguments that say so, in the environment dev; what is said of it.
const BAD: [(&str, &str, &str); 69] = [
    ("claim-check", "region=mx-central-1", "choose another one, for example us-east-1"),
    ("claim-check", "account=1111", "write its twelve digits in quotes"),
    ("claim-check", "environment=test", "select the workspace (terraform workspace select -or-create test) or pass"),
    ("claim-check", "project=Claims", "use lower-case letters, digits and hyphens, at most 24 characters"),
    ("claim-check", "visibility_timeout=179", "raise it to 180 or more, or shorten the function's timeout"),
    ("claim-check", "timeout=901", "timeout has to be from 1 to 900"),
    ("claim-check", "after_processing=delete versioning=true", "set versioning = false, or after_processing = \"tag\""),
    ("claim-check", "after_processing=burn", "choose keep, tag or delete"),
    ("claim-check", "trigger=cron", "choose queue or schedule"),
    ("claim-check", "artifact=sha256:e3b0", "write sha256: and the 64 lower-case hex digits"),
    ("claim-check", "architecture=aarch64", "choose arm64 or x86_64"),
    ("claim-check", "reserved_concurrency=1", "raise it, leave it null, or set trigger = \"schedule\""),
    ("claim-check", "reserved_concurrency=-1 trigger=schedule", "has to be a whole number from 0"),
    ("claim-check", "state_bucket=", "state_bucket \"\" is not the name of a bucket: write its name only"),
    ("claim-check", "artifact_bucket=s3://zips", "write its name only, without s3://"),
    ("claim-check", "oldest_claim=30", "set it to 60 or more"),
    ("claim-check", "alarm_emails=[\"on-call\"]", "\"on-call\". Write each like on-call@example.com"),
    ("claim-check", "tags={\"claimctl:stack\"=\"x\"}", "those are AWS's and claimctl's"),
    ("fan-out", "tags={\"aws:team\"=\"x\"}", "those are AWS's and claimctl's"),
    ("fan-out", "oldest_message=90", "set it to 180 or more"),
    ("fan-out", "copied_delay=850", "copies wait for 850 s: set it to 940 or more"),
    ("fan-out", "copied_delay=901 oldest_message=1000", "delay_seconds has to be from 0 to 900"),
    ("fan-out", "batch_size=11", "batch_size has to be a whole number from 1 to 10"),
    ("fan-out", "visibility_timeout=60", "raise it to 180 or more, or shorten the function's timeout"),
    ("csv-table", "partition_key=expires_at", "name another attribute for one of them"),
    ("csv-table", "partition_key=row", "name another column as their key"),
    ("csv-table", "columns={\"price\":\"number\"}", "write S for a string, N for a number or BOOL"),
    ("csv-table", "columns={\"expires_at\":\"N\"}", "rows have that attribute for themselves"),
    ("csv-table", "columns={\"claim_id\":\"S\"}", "rows have that attribute for themselves"),
    ("csv-table", "columns={\"id\":\"N\"}", "leave its type out"),
    ("csv-table", "delimiter=;;", "delimiter has to be a comma"),
    ("csv-table", "max_rejected=101", "from 0 to 100"),
    ("csv-table", "reserved_concurrency=0.5", "leave it null to reserve nothing"),
    ("csv-aurora", "table=claims", "claims is the table of the records"),
    ("csv-aurora", "table=customer;drop", "cannot be the table of the rows"),
    ("csv-aurora", "delimiter=::", "delimiter has to be a comma"),
    ("csv-aurora", "max_rejected=-1", "from 0 to 100"),
    ("csv-aurora", "database=my-claims", "Aurora takes up to 64 letters and digits"),
    ("csv-aurora", "engine_version=8.0", "write it in full, such as 8.0.mysql_aurora."),
    ("csv-aurora", "engine_version=15.4", "is no version of Aurora MySQL 3"),
    ("csv-aurora", "instance_class=r7g.large", "write db.serverless, or one such as db.r7g.large"),
    ("csv-aurora", "capacity={minimum=4,maximum=2}", "its maximum 1 or more and not below its minimum"),
    ("csv-aurora", "capacity={minimum=0,maximum=300}", "capacity has to be from 0 to 256"),
    ("csv-aurora", "readers=16", "readers has to be a whole number from 0 to 15"),
    ("csv-aurora", "backup_retention_days=36", "backup_retention_days has to be a whole number from 1 to 35"),
    ("csv-aurora", "cidr=203.0.113.0/24", "write a private range"),
    ("csv-aurora", "cidr=10.0.0.0/8", "of 16 to 22 bits"),
    ("csv-aurora", "zones=1", "Aurora keeps its instances in two zones at least"),
    ("csv-aurora", "instance_type=t3.micro", "choose another type (t4g.micro for arm64, t3.micro for x86_64)"),
    ("csv-aurora", "http_cidrs=[\"everywhere\"]", "Write each like 203.0.113.0/24"),
    ("csv-aurora", "ssh_cidrs=[\"0.0.0.0/0\"] key_name=mine", "name the addresses from where you sign in"),
    ("csv-aurora", "ssh_cidrs=[\"203.0.113.7/32\"]", "name one as key_name, or leave ssh_cidrs empty"),
    ("csv-aurora", "ssh_cidrs=[\"203.0.113.7\"] key_name=mine", "Write each like 203.0.113.0/24"),
    ("csv-aurora", "timeout=0", "timeout has to be from 1 to 900"),
    ("csv-aurora", "memory_size=64", "memory_size has to be from 128 to 10240"),
    ("csv-aurora", "artifact=e3b0", "write sha256: and the 64 lower-case hex digits"),
    ("payments/quote", "rates={\"EURUSD\"=\"1.0842\"}", "write each like EUR/USD"),
    ("payments/quote", "rates={\"EUR/USD\"=\"1,0842\"}", "write each as a decimal number above zero"),
    ("payments/quote", "quote_validity=0", "a whole number of seconds from 1 to 86400"),
    ("payments/quote", "throttling={rate=0,burst=1}", "with less, the API would take nothing"),
    ("payments/payment", "throttling={rate=1,burst=0.5}", "throttling.burst a whole number from 1"),
    ("payments/platform", "notice_emails=[\"on-call\"]", "\"on-call\". Write each like on-call@example.com"),
    ("payments/platform", "notices={\"source\":\"payments\"}", "each field with a list of what it may be"),
    ("payments/platform", "log_retention_days=31", "has no retention of 31 days"),
    ("payments/platform", "visibility_timeout=60", "raise it to 180 or more, or shorten the function's timeout"),
    ("payments/platform", "payment_events_artifact=e3b0", "write sha256: and the 64 lower-case hex digits"),
    ("payments/settlement", "limits={\"Euro\"=\"1\"}", "write each as three letters of ISO 4217"),
    ("payments/settlement", "limits={\"EUR\"=\"1e3\"}", "write each as a decimal number, in quotes"),
    ("payments/settlement", "settlement_emails=[\"@\"]", "\"@\". Write each like on-call@example.com"),
];

/// What no variable of a stack reaches: the module says it.
const BAD_TO_MODULES: [(&str, &str, &str); 4] = [
    (
        "queue",
        "name=claims dead_letter_retention_seconds=345600",
        "raise dead_letter_retention_seconds, or lower message_retention_seconds",
    ),
    ("queue", "name=claims max_message_size=8191", "has to be from 8192, which the notification of an object with"),
    (
        "payload-bucket",
        "name=payload notifications={a={to=\"queue\",arn=\"a\",events=[\"s3:ObjectCreated:*\"],prefix=\"in/\"},\
         b={to=\"queue\",arn=\"b\",events=[\"s3:ObjectCreated:Put\"],prefix=\"in/csv/\"}}",
        "a and b. Give them prefixes or suffixes of which none begins (or ends) with the other",
    ),
    (
        "function",
        "name=f description=f artifact={bucket=\"b\",handler=\"h\",digest=\"e3b0\"}",
        "write sha256: and the 64",
    ),
];

/// A plan with these variables besides. The workspace need not be there yet.
fn plan(root: &Root, environment: &str, given: &str, bad: &str) -> Run {
    let mut args = vec!["plan", "-no-color", "-input=false", "-out=plan.bin"];
    args.extend(given.split_whitespace());
    args.extend(bad.split_whitespace().flat_map(|variable| ["-var", variable]));
    root.terraform(args).env("TF_WORKSPACE", environment).run()
}

/// Refused by a sentence, whose lines Terraform breaks anywhere.
#[track_caller]
fn refused(run: Run, told: &str) {
    let run = run.exits(1);
    let said = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(told), "{told:?} is not said:\n{}", run.stderr);
    // A value that Terraform itself refuses, such as one of another type, is no sentence of ours.
    let ours = said.contains("Invalid value for variable") || said.contains("Resource precondition failed");
    assert!(ours, "{}", run.stderr);
}

/// How many there are for the stack.
fn refuses_all_of_its_own(root: &Root, stack: &str) -> usize {
    let of_it: Vec<_> = BAD.iter().filter(|(of, ..)| stack.strip_prefix("stacks/") == Some(of)).collect();
    for (_, bad, told) in &of_it {
        refused(plan(root, "dev", &variables_of(stack, "dev"), bad), told);
    }
    of_it.len()
}

#[test]
fn each_bad_input_is_refused_with_what_to_do() {
    let mut tried = 0;
    for stack in folders("stacks").iter().filter(|stack| !PAYMENTS.contains(&stack.as_str())) {
        let root = Root::named(stack);
        root.init();
        tried += refuses_all_of_its_own(&root, stack);
        assert!(root.cloud.is_empty());
    }
    // A part is planned where those before it are there.
    let mut root = Root::named(PAYMENTS[0]);
    for part in PAYMENTS {
        root = root.at(part);
        root.init().run("workspace new dev").exits(0);
        tried += refuses_all_of_its_own(&root, part);
        root.apply(&variables_of(part, "dev"));
    }
    assert_eq!(tried, BAD.len());
}

#[test]
fn a_key_of_another_region_is_refused_by_all_that_it_would_encrypt() {
    let root = Root::named("stacks/claim-check");
    root.init();
    let run = plan(&root, "dev", &variables("dev"), &format!("kms_key_arn={KEY_ELSEWHERE}"));
    for what in ["bucket", "queue", "table", "topic"] {
        assert!(run.stderr.contains(&format!("The KMS key of {what} ")), "{what}: {}", run.stderr);
    }
    refused(run, "name a key in us-west-1");
}

#[test]
fn modules_refuse_what_no_stack_can_ask_for() {
    for (module, bad, told) in BAD_TO_MODULES {
        let root = Root::named(&format!("modules/{module}"));
        root.write("provider.tf", "provider \"aws\" {\n  region = \"us-west-1\"\n}\n");
        root.init();
        refused(plan(&root, "default", "", bad), told);
    }
}

/// The most characters that a service takes (its API reference, the operation that creates one).
const LONGEST: [(&str, &str, usize); 14] = [
    ("aws_cloudwatch_event_bus", "name", 256),
    ("aws_cloudwatch_event_rule", "name", 64),
    ("aws_db_subnet_group", "name", 255),
    ("aws_iam_role", "name", 64),
    ("aws_lambda_function", "function_name", 64),
    ("aws_rds_cluster", "cluster_identifier", 63),
    ("aws_rds_cluster_instance", "identifier", 63),
    ("aws_s3_bucket", "bucket", 63),
    ("aws_scheduler_schedule", "name", 64),
    ("aws_security_group", "name", 255),
    ("aws_sfn_state_machine", "name", 80),
    ("aws_sns_topic", "name", 256),
    ("aws_sqs_queue", "name", 80),
    ("aws_dynamodb_table", "name", 255),
];

/// How many names were looked at, and those that are longer than their service takes: `address.attribute = name`.
fn too_long(plan: &Value) -> (usize, Vec<String>) {
    let mut looked_at = 0;
    let mut found = Vec::new();
    for change in plan["resource_changes"].as_array().unwrap() {
        for (_, attribute, most) in LONGEST.iter().filter(|(kind, ..)| change["type"] == *kind) {
            let name = change["change"]["after"][attribute].as_str().unwrap();
            looked_at += 1;
            if name.len() > *most {
                found.push(format!("{}.{attribute} = {name}", change["address"]));
            }
        }
    }
    (looked_at, found)
}

#[test]
fn the_longest_project_fits_every_stack_in_every_environment_and_a_longer_one_is_refused() {
    for stack in folders("stacks") {
        // What a part builds on is there in one environment, that with the longest name.
        let is_first = builds_on(&stack).is_empty();
        let (environment, account) = ENVIRONMENTS[3];
        let mut root = ready(&stack, environment, account);
        let surfaces = root.cloud.all("aws_s3_object").first().map(|surface| surface["bucket"].clone());
        let surfaces = surfaces.map(|bucket| format!(" -var state_bucket={}", bucket.as_str().unwrap()));
        let environments = ENVIRONMENTS.iter().filter(|(name, _)| is_first || *name == environment);
        for (environment, account) in environments {
            root = root.account(account);
            let given = variables_of(&stack, environment) + surfaces.as_deref().unwrap_or_default();
            plan(&root, environment, &given, "project=a-project-of-24-letterss").exits(0);
            let (looked_at, found) = too_long(&root.run("show -json plan.bin").exits(0).json());
            assert_eq!(found, [""; 0], "{stack} in {environment}");
            assert!(looked_at >= 4, "{stack} in {environment}: {looked_at} names");
            let run = plan(&root, environment, &given, "project=a-project-of-25-letters-s");
            refused(run, "cannot start resource names: use lower-case letters, digits and hyphens, at most 24");
        }
        let given = variables_of(&stack, "prod");
        let run = plan(&root, "prod", &given, "project=a-project-of-24-letterss region=ap-southeast-1");
        refused(run, "would be longer than the 63 characters that S3 takes: shorten project or environment by 2");
    }
}
