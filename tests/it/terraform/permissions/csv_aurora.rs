//! The role that Terraform renders for csv-importer is enough, and each of its actions is needed; a real database stands
//! in the place of the cluster.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use claimctl::sandbox::cloudformation;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{ACCOUNT, REGION, unpacked, with_lists};
use crate::csv_table::told;
use crate::database::TestDatabase;
use crate::roles::{assume_in, each_without};
use crate::run::eventually;
use crate::server::Server;
use crate::support::terraform::root::Root;
use crate::support::terraform::runtime::{Invoked, invoke};
use crate::terraform::stacks::variables;
use crate::world::{artifact_of, wait_for};

/// What no call of the function needs in the sandbox, and who makes it at AWS.
const UNCHECKED: [(&str, &str); 8] = [
    ("kms:Decrypt", "S3 and Secrets Manager, in the function's name"),
    ("kms:GenerateDataKey", "S3, in the function's name"),
    ("lambda:InvokeFunction", "the function itself, where a file takes longer than an invocation"),
    ("logs:CreateLogStream", "Lambda itself, which acts under the role"),
    ("logs:PutLogEvents", "Lambda itself, which acts under the role"),
    ("s3:AbortMultipartUpload", "the function itself, for a refused file with more than 8 MiB of rejected rows"),
    (
        "s3:ListBucket",
        "nobody: without it S3 says \"forbidden\" of an object that is not there, the sandbox \"not found\"",
    ),
    ("sqs:SendMessage", "Lambda itself, for an event that failed three times"),
];

/// What lets Lambda put the function into a network, which the sandbox does not have.
const OF_A_NETWORK: [&str; 3] = ["MakeInterfaces", "FindInterfaces", "OnlyLambdaMakesThem"];

const HEADER: &str = "id,name,email,country,orders,credit_limit,note,since\n";

/// The stack in the sandbox, with the names that Terraform gives.
struct Stack {
    server: Server,
    database: TestDatabase,
    /// The handler, unpacked.
    program: TempDir,
    environment: BTreeMap<String, String>,
    policy: Value,
    bucket: String,
}

impl Stack {
    fn new() -> Stack {
        let root = Root::named("stacks/csv-aurora").account(ACCOUNT);
        root.init().run("workspace new local").exits(0);
        root.apply(&format!("{} -var max_rejected=50", variables("local")));
        let (server, database) = (Server::enforcing(), TestDatabase::up());
        // The secret has another name there than RDS gives.
        let cluster = root.cloud.one("aws_rds_cluster", "customers");
        let secret = secret(&server, &database);
        let here = |text: &str| text.replace(cluster["master_user_secret"][0]["secret_arn"].as_str().unwrap(), &secret);

        let policy = root.cloud.one("aws_iam_role_policy", "csv-importer");
        let mut policy = with_lists(&serde_json::from_str(&here(policy["policy"].as_str().unwrap())).unwrap());
        let statements = policy["Statement"].as_array_mut().unwrap();
        statements.retain(|statement| !OF_A_NETWORK.contains(&statement["Sid"].as_str().unwrap()));
        let function = root.cloud.one("aws_lambda_function", "csv-importer");
        let variables = function["environment"][0]["variables"].as_object().unwrap().iter();
        let variables = variables.map(|(name, value)| (name.clone(), here(value.as_str().unwrap())));
        let mut environment: BTreeMap<String, String> = variables.collect();
        environment.insert("DATABASE_HOST".to_owned(), database.login.host.to_owned());
        environment.insert("DATABASE_PORT".to_owned(), database.login.port.to_string());

        let bucket = root.cloud.one("aws_s3_bucket", "imports")["bucket"].as_str().unwrap().to_owned();
        let program = unpacked(&artifact_of("csv-importer"));
        let stack = Stack { server, database, program, environment, policy, bucket };
        wait_for(stack.s3().create_bucket().bucket(&stack.bucket).send()).unwrap();
        stack
    }

    fn s3(&self) -> aws_sdk_s3::Client {
        self.server.s3(ACCOUNT, REGION)
    }

    fn keep_versions(&self) {
        let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let put = self.s3().put_bucket_versioning().bucket(&self.bucket).versioning_configuration(on);
        wait_for(put.send()).unwrap();
    }

    /// A file with a row that is rejected.
    fn work(&self, name: &str, policy: &Value) -> Invoked {
        let key = format!("raw-data/{name}.csv");
        let content = format!("{HEADER}C1,Zoë,z@example.com,DE,1,1.50,note,2024-02-28\nC2,short\n");
        let put = self.s3().put_object().bucket(&self.bucket).key(&key).body(content.clone().into_bytes().into());
        let put = wait_for(put.send()).unwrap();
        let etag = put.e_tag.unwrap().replace('"', "");
        let object = json!({"key": key, "size": content.len(), "eTag": etag, "versionId": put.version_id,
            "sequencer": "0A"});
        self.invoke(name, policy, &[told(&self.bucket, &object)])
    }

    /// The function under a role with this policy and nothing else.
    fn invoke(&self, name: &str, policy: &Value, events: &[Value]) -> Invoked {
        let (key, secret, token) = assume_in(&self.server, ACCOUNT, name, policy);
        let of_lambda = [
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ENDPOINT_URL", self.server.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", key),
            ("AWS_SECRET_ACCESS_KEY", secret),
            ("AWS_SESSION_TOKEN", token),
        ];
        let of_terraform = self.environment.iter().map(|(name, value)| (name.as_str(), value.clone()));
        let variables: Vec<(&str, String)> = of_lambda.into_iter().chain(of_terraform).collect();
        invoke(&self.program.path().join("bootstrap"), &variables, events)
    }
}

/// The database's login, as a secret of the sandbox: its ARN.
fn secret(server: &Server, database: &TestDatabase) -> String {
    let login = json!({"username": database.login.user, "password": database.login.password});
    let template = json!({"Resources": {"Secret": {"Type": "AWS::SecretsManager::Secret",
        "Properties": {"Name": "customers", "SecretString": login.to_string()}}},
        "Outputs": {"arn": {"Value": {"Fn::GetAtt": ["Secret", "Id"]}}}});
    let cloudformation = wait_for(cloudformation::Client::of(&server.sdk(ACCOUNT, REGION))).unwrap().unwrap();
    wait_for(cloudformation.create("secret", &template.to_string(), &BTreeMap::new())).unwrap();
    eventually("the secret", || wait_for(cloudformation.stack("secret")).unwrap()?.outputs.remove("arn"))
}

/// What came of it: without denials, the file is loaded.
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
fn the_importer_needs_each_action_of_its_role() {
    let stack = Stack::new();
    let enough = stack.policy.clone();
    let migrated = stack.invoke("migrate", &enough, &[json!({"claimctl": "migrate", "dry_run": false})]);
    assert!(migrated.answers[0].is_ok(), "{:?}\n{}", migrated.answers, migrated.log);
    let policies = each_without(&enough);
    let mut denied = vec![false; policies.len()];
    for round in ["plain", "versions"] {
        let invoked = stack.work(&format!("{round}-enough"), &enough);
        assert!(!is_denied(&invoked), "{:?}\n{}", invoked.answers, invoked.log);
        for (number, (_, _, less)) in policies.iter().enumerate() {
            denied[number] |= is_denied(&stack.work(&format!("{round}-{number}"), less));
        }
        stack.keep_versions();
    }
    assert!(stack.database.login.number("SELECT COUNT(*) FROM customer") >= 2);
    let needless = policies.iter().zip(denied).filter(|(_, denied)| !denied);
    let mut needless: Vec<&str> = needless.map(|((_, action, _), _)| action.as_str()).collect();
    needless.sort_unstable();
    assert_eq!(needless, UNCHECKED.map(|(action, _)| action), "nobody asked for these");
}
