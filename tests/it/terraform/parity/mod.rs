//! The sandbox follows Terraform: what a stack is when Terraform applies it is what its CloudFormation template says,
//! property by property, references resolved.

mod apis;
mod template;
mod twins;

use std::collections::BTreeMap;

use claimctl_claim::surface::{Surface, together};
use serde_json::{Value, json};

use self::template::Template;
use self::twins::Applied;
use super::stacks::{PAYMENTS, terraform, variables, variables_of};
use crate::support::terraform::root::Root;

/// What Terraform has and the sandbox does not need.
const ONLY_IN_TERRAFORM: [(&str, &str); 15] = [
    ("aws_api_gateway_method_settings", "the sandbox does not throttle"),
    ("aws_cloudwatch_metric_alarm", "there are no metrics of queues in the sandbox"),
    ("aws_db_subnet_group", "the sandbox's database is on this machine"),
    ("aws_kms_alias", "of the key of topics"),
    ("aws_kms_key", "of topics"),
    ("aws_rds_cluster_instance", "the sandbox's database is on this machine"),
    ("aws_rds_cluster_parameter_group", "the sandbox's database is on this machine"),
    ("aws_s3_bucket_lifecycle_configuration", "a sandbox does not live until something expires"),
    ("aws_s3_object", "the surface of the sandbox is read from its stack"),
    ("aws_security_group", "there is no network in the sandbox"),
    ("aws_sns_topic", "of the alarms"),
    ("aws_sns_topic_policy", "of the alarms"),
    ("aws_vpc_security_group_egress_rule", "there is no network in the sandbox"),
    ("aws_vpc_security_group_ingress_rule", "there is no network in the sandbox"),
    ("terraform_data", "the beginning of a cluster's life"),
];
/// What begins so is not in the sandbox at all: neither the network, nor the instance, nor what RDS
/// and API Gateway write.
const NOT_IN_THE_SANDBOX: [&str; 4] = [
    "module.network.",
    "module.application[0].",
    "module.customers.aws_cloudwatch_log_group.",
    "module.api.aws_cloudwatch_log_group.",
];
/// Compared as properties of what they belong to.
const PARTS: [&str; 10] = [
    "aws_api_gateway_integration",
    "aws_cloudwatch_event_target",
    "aws_iam_role_policy",
    "aws_s3_bucket_notification",
    "aws_s3_bucket_ownership_controls",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_server_side_encryption_configuration",
    "aws_s3_bucket_versioning",
    "aws_sqs_queue_redrive_allow_policy",
    "aws_sqs_queue_redrive_policy",
];
/// What differs on purpose, and why: type, property.
const ON_PURPOSE: [(&str, &str, &str); 8] = [
    ("AWS::ApiGateway::Stage", "AccessLogSetting", "the sandbox keeps no access logs"),
    ("AWS::Lambda::Alias", "FunctionVersion", "nothing is published in the sandbox: a new artifact works at once"),
    ("AWS::Lambda::Function", "Code", "the artifact lies in the sandbox's own bucket"),
    ("AWS::Lambda::Function", "VpcConfig", "there is no network in the sandbox"),
    ("AWS::SNS::Topic", "KmsMasterKeyId", "a topic of the sandbox has no key"),
    ("AWS::SecretsManager::Secret", "Description", "RDS describes its secrets by itself"),
    ("AWS::SecretsManager::Secret", "SecretString", "the sandbox's database has a password of its own"),
    ("AWS::StepFunctions::StateMachine", "DefinitionS3Location", "the definition lies beside the artifacts"),
];

/// What the template says otherwise than Terraform: `ClaimsQueue.VisibilityTimeout: …`.
fn differences(template: &Template<'_>, applied: &Applied) -> Vec<String> {
    let mut found = Vec::new();
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for (id, resource) in template.resources() {
        let kind = resource["Type"].as_str().unwrap();
        *counts.entry(twins::twin_of(kind)).or_default() += 1;
        let mut said = template.properties(id);
        for (name, ours, default) in twins::properties(applied, kind, template.twin(id)) {
            let theirs = said.remove(name).unwrap_or(default);
            if ON_PURPOSE.iter().any(|(on, property, _)| (*on, *property) == (kind, name)) {
                continue;
            }
            // A policy that is written as text.
            let theirs = theirs.as_str().filter(|_| ours.is_object()).map_or(theirs.clone(), parsed);
            let (ours, theirs) = (plain(&ours), plain(&theirs));
            if ours != theirs {
                found.push(format!("{id}.{name}: the template has {theirs}, Terraform {ours}"));
            }
        }
        said.retain(|name, _| !ON_PURPOSE.iter().any(|(on, property, _)| (*on, *property) == (kind, name.as_str())));
        found.extend(said.keys().map(|name| format!("{id}.{name}: not compared")));
    }
    let is_elsewhere = |resource: &&Value| {
        let address = resource["address"].as_str().unwrap();
        NOT_IN_THE_SANDBOX.iter().any(|begin| address.starts_with(begin))
    };
    for resource in applied.managed().filter(|resource| !is_elsewhere(resource)) {
        *counts.entry(resource["type"].as_str().unwrap()).or_default() -= 1;
    }
    let left_out = |kind: &str| PARTS.contains(&kind) || ONLY_IN_TERRAFORM.iter().any(|(only, _)| *only == kind);
    counts.retain(|kind, count| *count != 0 && !left_out(kind));
    found.extend(counts.iter().map(|(kind, count)| format!("{kind}: {count:+} in the template")));
    found
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Comparable: lists that are sets without an order, and one of a thing the same as a list of one.
fn plain(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(plain).collect();
            items.sort_by_key(Value::to_string);
            items.dedup();
            items.into()
        }
        Value::Object(object) => {
            let statement = object.contains_key("Effect");
            let plain = |(name, value): (&String, &Value)| {
                let many = statement && ["Action", "Resource"].contains(&name.as_str()) && value.is_string();
                (name.clone(), plain(&if many { json!([value]) } else { value.clone() }))
            };
            object.iter().map(plain).collect()
        }
        other => other.clone(),
    }
}

/// The stack as Terraform makes it for the sandbox's environment.
fn applied(stack: &str, args: &str) -> Applied {
    let root = Root::named(&format!("stacks/{stack}")).account("000000000000");
    root.init().run("workspace new local").exits(0);
    root.apply(&format!("{} {args}", variables("local")));
    let state = root.show();
    match root.cloud.all("aws_rds_cluster").first() {
        // The sandbox's database is on this machine.
        Some(cluster) => {
            let host = cluster["endpoint"].as_str().unwrap();
            Applied::new(&serde_json::from_str(&state.to_string().replace(host, "127.0.0.1")).unwrap())
        }
        None => Applied::new(&state),
    }
}

fn parameters(more: &[(&'static str, &str)]) -> BTreeMap<&'static str, String> {
    let given = [
        ("Project", "claim-check"),
        ("Architecture", "x86_64"),
        ("ArtifactBucket", "of-the-sandbox"),
        ("ArtifactKey", "of-the-sandbox"),
        ("ArtifactDigest", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ];
    given.iter().chain(more).map(|(name, value)| (*name, (*value).to_owned())).collect()
}

fn same(stack: &str, args: &str, more: &[(&'static str, &str)]) {
    let applied = applied(stack, args);
    let template = Template::new(template::read(stack), parameters(more), &applied);
    assert_eq!(differences(&template, &applied), [""; 0]);
    let surface: Value = serde_json::from_str(template.output("claimctl").as_str().unwrap()).unwrap();
    assert_eq!(surface, applied.outputs["claimctl"]["value"]);
}

#[test]
fn the_claim_check_of_the_sandbox_is_what_terraform_makes() {
    same("claim-check", "", &[]);
}

#[test]
fn the_claim_check_on_a_schedule_is_what_terraform_makes() {
    let more = [("Trigger", "schedule"), ("AfterProcessing", "tag")];
    same("claim-check", "-var trigger=schedule -var after_processing=tag", &more);
}

#[test]
fn the_claim_check_that_deletes_is_what_terraform_makes() {
    let more = [("AfterProcessing", "delete"), ("VisibilityTimeout", "240")];
    same("claim-check", "-var after_processing=delete -var visibility_timeout=240", &more);
}

#[test]
fn the_fan_out_of_the_sandbox_is_what_terraform_makes() {
    same("fan-out", "", &[]);
}

#[test]
fn the_fan_out_with_every_variable_set_is_what_terraform_makes() {
    let args = "-var copied_delay=2 -var copied_retention=120 -var copied_wait_time=1 -var batch_size=10 -var \
                visibility_timeout=181";
    let more = [
        ("CopiedDelay", "2"),
        ("CopiedRetention", "120"),
        ("CopiedWaitTime", "1"),
        ("BatchSize", "10"),
        ("VisibilityTimeout", "181"),
    ];
    same("fan-out", args, &more);
}

#[test]
fn the_csv_table_of_the_sandbox_is_what_terraform_makes() {
    same("csv-table", "", &[]);
}

#[test]
fn the_csv_table_with_every_variable_set_is_what_terraform_makes() {
    let args =
        r#"-var partition_key=sku -var columns={"price":"N"} -var delimiter=; -var max_rejected=1 -var timeout=60"#;
    let more = [
        ("PartitionKey", "sku"),
        ("Columns", r#"{"price":"N"}"#),
        ("Delimiter", ";"),
        ("MaxRejected", "1"),
        ("Timeout", "60"),
    ];
    same("csv-table", args, &more);
}

/// All parts of payments as Terraform makes them for the sandbox's environment, and their surfaces.
fn payments(settings: [&str; 4]) -> (Applied, Vec<Surface>) {
    let mut root = Root::named(PAYMENTS[0]).account("000000000000");
    let (mut parts, mut surfaces) = (Vec::new(), Vec::new());
    for (part, settings) in PAYMENTS.iter().zip(settings) {
        root = root.at(part);
        root.init().run("workspace new local").exits(0);
        root.apply(&format!("{} {settings}", variables_of(part, "local")));
        let state = root.show();
        parts.push(state["values"]["root_module"].clone());
        surfaces.push(Surface::of(state["values"]["outputs"]["claimctl"]["value"].clone()).unwrap());
    }
    (Applied::new(&json!({"values": {"root_module": {"child_modules": parts}}})), surfaces)
}

/// The four parts are one stack of the sandbox.
fn same_payments(settings: [&str; 4], more: &[(&'static str, &str)]) {
    let (applied, surfaces) = payments(settings);
    let handlers = ["Quotes", "PaymentsApi", "PaymentStream", "PaymentEvents", "Settlement"];
    let mut parameters = parameters(more);
    for handler in handlers {
        for kind in ["Key", "Digest"] {
            let name: &'static str = format!("{handler}{kind}").leak();
            parameters.insert(name, parameters[format!("Artifact{kind}").as_str()].clone());
        }
    }
    for (name, file) in [("QuoteSchema", "quote/schemas/quote"), ("PaymentSchema", "payment/schemas/payment")] {
        let file = terraform().join(format!("stacks/payments/{file}.json"));
        parameters.insert(name, std::fs::read_to_string(file).unwrap());
    }
    parameters.insert("SettlementDefinition", "beside-the-artifacts".to_owned());
    let template = Template::new(template::read("payments"), parameters, &applied);
    assert_eq!(differences(&template, &applied), [""; 0]);

    let (mut together, errors) = together(surfaces);
    assert!(errors.is_empty() && together.len() == 1, "{errors:?}");
    // The sandbox serves its APIs itself, where its queues are.
    for api in together[0].apis.values_mut() {
        let id = api.url.strip_prefix("https://").unwrap().split('.').next().unwrap();
        api.url = format!("http://sqs.us-east-1.amazonaws.com/restapis/{id}/local/_user_request_");
    }
    let surface = Surface::parse(template.output("claimctl").as_str().unwrap()).unwrap();
    assert_eq!(surface, together[0]);
}

#[test]
fn the_payments_of_the_sandbox_are_what_terraform_makes_in_four_parts() {
    same_payments([""; 4], &[]);
}

#[test]
fn the_payments_with_every_variable_set_are_what_terraform_makes() {
    let settings = [
        r#"-var rates={"EUR/CHF":"0.95"} -var quote_validity=60"#,
        "",
        "-var visibility_timeout=181",
        r#"-var limits={"EUR":"1.50"}"#,
    ];
    let more = [
        ("Rates", r#"{"EUR/CHF":"0.95"}"#),
        ("QuoteValidity", "60"),
        ("VisibilityTimeout", "181"),
        ("Limits", r#"{"EUR":"1.50"}"#),
    ];
    same_payments(settings, &more);
}

/// What claimctl gives to the template, of its own database.
const DATABASE: [(&str, &str); 2] = [("DatabasePort", "3306"), ("DatabaseSecret", "{}")];

#[test]
fn the_csv_aurora_of_the_sandbox_is_what_terraform_makes() {
    same("csv-aurora", "", &DATABASE);
}

#[test]
fn the_csv_aurora_with_every_variable_set_is_what_terraform_makes() {
    let more = [("Table", "people"), ("Delimiter", "|"), ("MaxRejected", "1"), ("Timeout", "60")];
    let more: Vec<_> = more.into_iter().chain(DATABASE).collect();
    same("csv-aurora", "-var table=people -var delimiter=| -var max_rejected=1 -var timeout=60", &more);
}

#[test]
fn a_planted_difference_is_found_and_named() {
    let applied = applied("claim-check", "");
    let template = template::read("claim-check");
    let found = |plant: &dyn Fn(&mut Value)| {
        let mut planted = template.clone();
        plant(&mut planted["Resources"]);
        differences(&Template::new(planted, parameters(&[]), &applied), &applied)
    };
    let only = |plant: &dyn Fn(&mut Value), told: &str| {
        let found = found(plant);
        assert!(found.len() == 1 && found[0].starts_with(told), "{told}: {found:?}");
    };
    let set = |path: &str, value: Value| {
        let path = path.to_owned();
        move |resources: &mut Value| *resources.pointer_mut(&path).unwrap() = value.clone()
    };
    only(&set("/ClaimsQueue/Properties/VisibilityTimeout", json!(179)), "ClaimsQueue.VisibilityTimeout: the template");
    only(&set("/ClaimsQueue/Properties/RedrivePolicy/maxReceiveCount", json!(4)), "ClaimsQueue.RedrivePolicy");
    only(&set("/DeadLetterQueue/Properties/MessageRetentionPeriod", json!(345_600)), "DeadLetterQueue.MessageRet");
    only(&set("/ClaimsMapping/Properties/BatchSize", json!(1)), "ClaimsMapping.BatchSize");
    only(&set("/ClaimsTable/Properties/TimeToLiveSpecification/Enabled", json!(false)), "ClaimsTable.TimeToLive");
    only(&set("/RecorderLogs/Properties/RetentionInDays", json!(7)), "RecorderLogs.RetentionInDays");
    let event = "/PayloadBucket/Properties/NotificationConfiguration/QueueConfigurations/0/Event";
    only(&set(event, json!("s3:ObjectCreated:Put")), "PayloadBucket.NotificationConfiguration");
    let statements = "/RecorderRole/Properties/Policies/0/PolicyDocument/Statement";
    only(&set(&format!("{statements}/0/Action"), json!("sqs:*")), "RecorderRole.Policies");
    let reference = "/ClaimsMapping/Properties/EventSourceArn";
    let wrong = std::panic::catch_unwind(|| found(&set(reference, json!({"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}))));
    assert!(wrong.is_err(), "a mapping on another queue has no twin");
    let long = |resources: &mut Value| {
        resources["DeadLetterQueue"]["Properties"]["DelaySeconds"] = json!(9);
        resources["ClaimsTable"]["Properties"].as_object_mut().unwrap().remove("PointInTimeRecoverySpecification");
    };
    assert_eq!(found(&long).len(), 2, "{:?}", found(&long));
    let more = |resources: &mut Value| {
        resources["Other"] = resources["ClaimsQueue"].clone();
        resources["ClaimsQueue"]["Properties"]["Tags"] = json!([]);
    };
    assert_eq!(found(&more), ["ClaimsQueue.Tags: not compared", "aws_sqs_queue: +1 in the template"]);
}
