//! The role that Terraform renders for csv-loader is enough, and each of its actions is needed.

use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{ACCOUNT, REGION, unpacked, with_lists};
use crate::csv_table::told;
use crate::roles::{Credentials, assume_in, each_without};
use crate::server::Server;
use crate::support::terraform::root::Root;
use crate::support::terraform::runtime::{Invoked, invoke};
use crate::terraform::stacks::variables;
use crate::world::{artifact_of, wait_for};

/// What no call of the function needs in the sandbox, and who makes it at AWS.
const UNCHECKED: [(&str, &str); 8] = [
    ("kms:Decrypt", "S3 and DynamoDB, in the function's name"),
    ("kms:GenerateDataKey", "S3 and DynamoDB, in the function's name"),
    (
        "lambda:InvokeFunction",
        "the function itself, where a file takes longer: tried in tests/it/csv_table without IAM",
    ),
    ("logs:CreateLogStream", "Lambda itself, which acts under the role"),
    ("logs:PutLogEvents", "Lambda itself, which acts under the role"),
    ("s3:AbortMultipartUpload", "the function itself, for a refused file with more than 8 MiB of rejected rows"),
    (
        "s3:ListBucket",
        "nobody: without it S3 says \"forbidden\" of an object that is not there, the sandbox \"not found\"",
    ),
    ("sqs:SendMessage", "Lambda itself, for an event that failed three times"),
];

/// The stack in the sandbox, with the names that Terraform gives.
struct Stack {
    server: Server,
    /// The handler, unpacked.
    program: TempDir,
    environment: Value,
    policy: Value,
    bucket: String,
}

impl Stack {
    fn new() -> Stack {
        let root = Root::named("stacks/csv-table").account(ACCOUNT);
        root.init().run("workspace new local").exits(0);
        root.apply(&format!("{} -var max_rejected=50", variables("local")));
        let policy = root.cloud.one("aws_iam_role_policy", "csv-loader");
        let function = root.cloud.one("aws_lambda_function", "csv-loader");
        let stack = Stack {
            server: Server::enforcing(),
            program: unpacked(&artifact_of("csv-loader")),
            environment: function["environment"][0]["variables"].clone(),
            policy: with_lists(&serde_json::from_str(policy["policy"].as_str().unwrap()).unwrap()),
            bucket: root.cloud.one("aws_s3_bucket", "csv")["bucket"].as_str().unwrap().to_owned(),
        };
        wait_for(stack.s3().create_bucket().bucket(&stack.bucket).send()).unwrap();
        stack.table("ROWS_TABLE", "id");
        stack.table("LOADS_TABLE", "claim_id");
        stack
    }

    fn table(&self, variable: &str, key: &str) {
        let attribute = AttributeDefinition::builder().attribute_name(key).attribute_type(ScalarAttributeType::S);
        let hash = KeySchemaElement::builder().attribute_name(key).key_type(KeyType::Hash);
        let table = self.server.dynamodb(ACCOUNT, REGION).create_table();
        let table = table.table_name(self.environment[variable].as_str().unwrap());
        let table = table.attribute_definitions(attribute.build().unwrap()).key_schema(hash.build().unwrap());
        wait_for(table.billing_mode(BillingMode::PayPerRequest).send()).unwrap();
    }

    fn s3(&self) -> aws_sdk_s3::Client {
        self.server.s3(ACCOUNT, REGION)
    }

    fn keep_versions(&self) {
        let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let put = self.s3().put_bucket_versioning().bucket(&self.bucket).versioning_configuration(on);
        wait_for(put.send()).unwrap();
    }

    /// The event of a file that has just been written.
    fn event(&self, key: &str, sequencer: Option<&str>, content: &str) -> Value {
        let put = self.s3().put_object().bucket(&self.bucket).key(key).body(content.as_bytes().to_vec().into());
        let put = wait_for(put.send()).unwrap();
        let etag = put.e_tag.unwrap().replace('"', "");
        let mut object = json!({"key": key, "size": content.len(), "eTag": etag, "versionId": put.version_id});
        if let Some(sequencer) = sequencer {
            object["sequencer"] = sequencer.into();
        }
        told(&self.bucket, &object)
    }

    /// All that the function does, under a role with this policy and nothing else: it loads a file with a row that it
    /// rejects, and one that a repair names.
    fn work(&self, name: &str, policy: &Value) -> Invoked {
        let key = format!("raw-data/{name}.csv");
        let events = [
            self.event(&key, Some("0A"), &format!("id,n\n{name}-1,1\n{name}-2,2\n{name}-3\n")),
            self.event(&format!("raw-data/{name}-repaired.csv"), None, &format!("id\n{name}-4\n")),
        ];
        self.invoke(name, policy, &events)
    }

    /// Newer content takes the place of older, a row of which is removed.
    fn replace(&self, name: &str, enough: &Value, policy: &Value) -> Invoked {
        let key = format!("raw-data/{name}.csv");
        let first = self.event(&key, Some("0A"), &format!("id\n{name}-1\n{name}-2\n"));
        let loaded = self.invoke(&format!("{name}-before"), enough, &[first]);
        assert!(loaded.answers[0].is_ok(), "{}", loaded.log);
        let second = self.event(&key, Some("0B"), &format!("id\n{name}-1\n"));
        self.invoke(name, policy, &[second])
    }

    fn invoke(&self, name: &str, policy: &Value, events: &[Value]) -> Invoked {
        let role = assume_in(&self.server, ACCOUNT, name, policy);
        invoke(&self.program.path().join("bootstrap"), &self.variables(role), events)
    }

    fn variables(&self, (key, secret, token): Credentials) -> Vec<(&str, String)> {
        let of_terraform = self.environment.as_object().unwrap().iter();
        let of_terraform = of_terraform.map(|(name, value)| (name.as_str(), value.as_str().unwrap().to_owned()));
        let of_lambda = [
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ENDPOINT_URL", self.server.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", key),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_SESSION_TOKEN", token),
        ];
        of_lambda.into_iter().chain(of_terraform).collect()
    }
}

/// What came of it: without denials, every file is loaded.
fn is_denied(invoked: &Invoked) -> bool {
    let said = format!("{:?}{}", invoked.answers, invoked.log);
    // An answer to HEAD has no body that could say more.
    let denied = said.contains("AccessDenied") || said.contains("HTTP 403");
    let loaded =
        |answer: &Result<Value, Value>| answer.as_ref().is_ok_and(|answer| answer["files"][0]["outcome"] == "loaded");
    assert_eq!(denied, !invoked.answers.iter().all(loaded), "{said}");
    denied
}

#[test]
fn the_loader_needs_each_action_of_its_role() {
    let stack = Stack::new();
    let enough = stack.policy.clone();
    let policies = each_without(&enough);
    let mut denied = vec![false; policies.len()];
    for round in ["plain", "versions"] {
        for invoked in [
            stack.work(&format!("{round}-enough"), &enough),
            stack.replace(&format!("{round}-enough-again"), &enough, &enough),
        ] {
            assert!(!is_denied(&invoked), "{:?}\n{}", invoked.answers, invoked.log);
        }
        for (number, (sid, _, less)) in policies.iter().enumerate() {
            denied[number] |= is_denied(&stack.work(&format!("{round}-{number}"), less));
            if sid == "WriteRows" {
                denied[number] |= is_denied(&stack.replace(&format!("{round}-{number}-again"), &enough, less));
            }
        }
        stack.keep_versions();
    }
    let needless = policies.iter().zip(denied).filter(|(_, denied)| !denied);
    let mut needless: Vec<&str> = needless.map(|((_, action, _), _)| action.as_str()).collect();
    needless.sort_unstable();
    assert_eq!(needless, UNCHECKED.map(|(action, _)| action), "nobody asked for these");
}
