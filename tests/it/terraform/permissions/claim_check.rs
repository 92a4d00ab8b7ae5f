//! The role that Terraform renders for claim-recorder is enough, and each of its actions is needed: IAM is enforced.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{ACCOUNT, REGION, unpacked, with_lists};
use crate::roles::{Credentials, assume_in, each_without};
use crate::server::Server;
use crate::support::terraform::root::Root;
use crate::support::terraform::runtime::{Invoked, invoke};
use crate::terraform::stacks::variables;
use crate::world::{artifact, wait_for};

/// What no call of the function needs in the sandbox, and who makes it at AWS.
const UNCHECKED: [(&str, &str); 5] = [
    (
        "s3:ListBucket",
        "nobody: without it S3 says \"forbidden\" of an object that is not there, the sandbox \"not found\"",
    ),
    ("sqs:ChangeMessageVisibility", "the poller of the event source mapping, when the function is throttled"),
    ("sqs:GetQueueAttributes", "the event source mapping, when it is made"),
    ("logs:CreateLogStream", "Lambda itself, which acts under the role"),
    ("logs:PutLogEvents", "Lambda itself, which acts under the role"),
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
    fn new(after_processing: &str) -> Stack {
        let root = Root::named("stacks/claim-check").account(ACCOUNT);
        root.init().run("workspace new local").exits(0);
        let variables = variables("local");
        root.apply(&format!("{variables} -var trigger=schedule -var after_processing={after_processing}"));
        let policy = root.cloud.one("aws_iam_role_policy", "recorder");
        let function = root.cloud.one("aws_lambda_function", "recorder");
        let bucket = root.cloud.one("aws_s3_bucket", "payload")["bucket"].as_str().unwrap().to_owned();
        let stack = Stack {
            server: Server::enforcing(),
            program: unpacked(&artifact()),
            environment: function["environment"][0]["variables"].clone(),
            policy: serde_json::from_str(policy["policy"].as_str().unwrap()).unwrap(),
            bucket,
        };
        stack.deploy(&root);
        stack
    }

    /// Bucket, queue and table as the owner of the account makes them.
    fn deploy(&self, root: &Root) {
        use aws_sdk_dynamodb::types::{
            AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
        };
        wait_for(self.s3().create_bucket().bucket(&self.bucket).send()).unwrap();
        let queue = root.cloud.one("aws_sqs_queue", "claims.json");
        wait_for(self.sqs().create_queue().queue_name(queue["name"].as_str().unwrap()).send()).unwrap();
        let table = self.server.dynamodb(ACCOUNT, REGION).create_table();
        let key = AttributeDefinition::builder().attribute_name("claim_id").attribute_type(ScalarAttributeType::S);
        let hash = KeySchemaElement::builder().attribute_name("claim_id").key_type(KeyType::Hash);
        let table = table.table_name(self.environment["TABLE_NAME"].as_str().unwrap());
        let table = table.attribute_definitions(key.build().unwrap()).key_schema(hash.build().unwrap());
        wait_for(table.billing_mode(BillingMode::PayPerRequest).send()).unwrap();
    }

    fn s3(&self) -> aws_sdk_s3::Client {
        self.server.s3(ACCOUNT, REGION)
    }

    fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.server.sdk(ACCOUNT, REGION))
    }

    fn queue_url(&self) -> String {
        let name = self.environment["QUEUE_URL"].as_str().unwrap().rsplit('/').next().unwrap();
        wait_for(self.sqs().get_queue_url().queue_name(name).send()).unwrap().queue_url.unwrap()
    }

    fn keep_versions(&self) {
        use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
        let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let put = self.s3().put_bucket_versioning().bucket(&self.bucket).versioning_configuration(on);
        wait_for(put.send()).unwrap();
    }

    /// All that the function does, under a role with this policy and nothing else: it takes a claim from the queue and
    /// records it; looks at an object that a repair names; and at one that is not there.
    fn work(&self, name: &str, policy: &Value) -> Invoked {
        wait_for(self.sqs().purge_queue().queue_url(self.queue_url()).send()).unwrap();
        let [waiting, repaired] = ["waiting", "repaired"].map(|kind| {
            let key = format!("{name}/{kind}");
            let put = self.s3().put_object().bucket(&self.bucket).key(&key).body(b"payload".to_vec().into());
            let put = wait_for(put.send()).unwrap();
            json!({"key": key, "size": 7, "eTag": put.e_tag.unwrap().replace('"', ""), "versionId": put.version_id})
        });
        let mut told = notification(&self.bucket, &waiting);
        told["Records"][0]["s3"]["object"]["sequencer"] = json!("0055AED6DCD90281E5");
        let send = self.sqs().send_message().queue_url(self.queue_url()).message_body(told.to_string());
        wait_for(send.send()).unwrap();
        let missing = json!({"key": format!("{name}/missing"), "size": 7, "eTag": "0"});
        let events = [
            json!({"source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": "{}"}),
            notification(&self.bucket, &repaired),
            notification(&self.bucket, &missing),
        ];
        invoke(
            &self.program.path().join("bootstrap"),
            &self.variables(assume_in(&self.server, ACCOUNT, name, policy)),
            &events,
        )
    }

    fn variables(&self, (key, secret, token): Credentials) -> Vec<(&'static str, String)> {
        let of = |name: &str| self.environment[name].as_str().unwrap_or_default().to_owned();
        vec![
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ENDPOINT_URL", self.server.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", key),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_SESSION_TOKEN", token),
            ("TABLE_NAME", of("TABLE_NAME")),
            ("AFTER_PROCESSING", of("AFTER_PROCESSING")),
            ("QUEUE_URL", self.queue_url()),
        ]
    }
}

/// A notification of S3 without a sequencer is a repair's.
fn notification(bucket: &str, object: &Value) -> Value {
    json!({"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": REGION,
        "eventTime": "2026-01-01T00:00:00.000Z", "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": bucket, "arn": format!("arn:aws:s3:::{bucket}")}, "object": object}}]})
}

/// What came of it: without denials, each event its answer.
fn is_denied(invoked: &Invoked) -> bool {
    let said = format!("{:?}{}", invoked.answers, invoked.log);
    // An answer to HEAD has no body that could say more.
    let denied = said.contains("AccessDenied") || said.contains("HTTP 403");
    let [polled, repaired, missing] = invoked.answers.as_slice() else { panic!("{}", invoked.log) };
    let done = polled.as_ref().is_ok_and(|polled| polled["handled"] == 1 && polled["undeleted"] == 0);
    let told = missing.as_ref().is_err_and(|error| error.to_string().contains("missing"));
    assert_eq!(denied, !(done && repaired.is_ok() && told), "{said}");
    denied
}

/// Under the whole policy it works; without any one action it does not.
fn each_action_is_needed(after_processing: &str) {
    let stack = Stack::new(after_processing);
    let policies = each_without(&with_lists(&stack.policy));
    let mut denied = vec![false; policies.len()];
    for round in ["plain", "versions"] {
        let enough = stack.work(&format!("{round}-enough"), &with_batches(&stack.policy));
        assert!(!is_denied(&enough), "{:?}\n{}", enough.answers, enough.log);
        for (number, (.., less)) in policies.iter().enumerate() {
            denied[number] |= is_denied(&stack.work(&format!("{round}-{number}"), &with_batches(less)));
        }
        stack.keep_versions();
    }
    let needless = policies.iter().zip(denied).filter(|(_, denied)| !denied);
    let mut needless: Vec<&str> = needless.map(|((_, action, _), _)| action.as_str()).collect();
    let mut unchecked = UNCHECKED.map(|(action, _)| action);
    needless.sort_unstable();
    unchecked.sort_unstable();
    assert_eq!(needless, unchecked, "nobody asked for these");
}

/// MiniStack asks for an action of a batch's own name, which AWS does not have.
fn with_batches(policy: &Value) -> Value {
    let mut policy = with_lists(policy);
    for statement in policy["Statement"].as_array_mut().unwrap() {
        let actions = statement["Action"].as_array_mut().unwrap();
        if actions.contains(&json!("sqs:DeleteMessage")) {
            actions.push(json!("sqs:DeleteMessageBatch"));
        }
    }
    policy
}

#[test]
fn the_recorder_that_tags_needs_each_action_of_its_role() {
    each_action_is_needed("tag");
}

#[test]
fn the_recorder_that_deletes_needs_each_action_of_its_role() {
    each_action_is_needed("delete");
}
