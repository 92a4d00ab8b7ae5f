//! The boundary that `terraform/global` makes lets every role of every stack do what its own policy says: what it leaves
//! out would be denied at AWS, and nowhere before.

use std::collections::BTreeMap;

use globset::Glob;
use serde_json::{Value, json};

use super::policies::texts;
use super::stacks::{PAYMENTS, folders, ready, variables_of};
use crate::support::terraform::root::Root;

const ACCOUNT: &str = "333333333333";
const BOUNDARY: &str = "arn:aws:iam::333333333333:policy/claim-check-prod-boundary";

/// What stacks do besides in some of their settings.
const SETTINGS: [(&str, &str); 3] = [
    ("stacks/claim-check", "-var trigger=schedule -var after_processing=tag"),
    ("stacks/claim-check", "-var after_processing=delete"),
    ("stacks/csv-aurora", "-var nat_gateway=true -var http_cidrs=[\"0.0.0.0/0\"]"),
];

/// The tags of each resource, by its ARN.
type Tags = BTreeMap<String, BTreeMap<String, String>>;

fn boundary() -> Value {
    let root = Root::named("global").account(ACCOUNT);
    root.init().run("workspace new prod").exits(0);
    root.apply("-var-file=../environments/prod.tfvars -var repository=example/claim-check");
    let policy = root.cloud.one("aws_iam_policy", "claim-check-prod-boundary");
    serde_json::from_str(policy["policy"].as_str().unwrap()).unwrap()
}

/// Those that the boundary asks for: of keys, and, as RDS sets it, of a cluster's secret.
fn tags(root: &Root) -> Tags {
    let mut tags = Tags::new();
    for key in root.cloud.all("aws_kms_key") {
        let of_it = key["tags_all"].as_object().unwrap().iter();
        let of_it = of_it.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
        tags.insert(key["arn"].as_str().unwrap().to_owned(), of_it.collect());
    }
    for cluster in root.cloud.all("aws_rds_cluster") {
        let secret = cluster["master_user_secret"][0]["secret_arn"].as_str().unwrap().to_owned();
        let arn = cluster["arn"].as_str().unwrap().to_owned();
        tags.insert(secret, [("aws:rds:primaryDBClusterArn".to_owned(), arn)].into());
    }
    tags
}

fn matches(pattern: &str, text: &str) -> bool {
    Glob::new(pattern).unwrap().compile_matcher().is_match(text)
}

/// Whether the resource has the tags that a statement asks for.
fn has_tags(statement: &Value, tags: Option<&BTreeMap<String, String>>) -> bool {
    let tests = statement["Condition"].as_object().into_iter().flatten();
    let mut asked = tests.flat_map(|(test, keys)| {
        assert!(["StringEquals", "StringLike"].contains(&test.as_str()), "what is {test}?");
        keys.as_object().unwrap().iter()
    });
    asked.all(|(key, values)| {
        let name = key.strip_prefix("aws:ResourceTag/").unwrap_or_else(|| panic!("what is {key}?"));
        let tag = tags.and_then(|tags| tags.get(name));
        tag.is_some_and(|tag| texts(values).iter().any(|value| matches(value, tag)))
    })
}

/// Each action on a resource that the policy allows and the boundary does not. A pattern of the policy is inside the
/// boundary where the boundary's pattern matches all of it, stars included.
fn uncovered(policy: &Value, boundary: &Value, tags: &Tags) -> Vec<String> {
    let allows = |statement: &&Value| statement["Effect"] == "Allow";
    let inside = |action: &str, resource: &str| {
        boundary["Statement"].as_array().unwrap().iter().filter(allows).any(|statement| {
            texts(&statement["Action"]).contains(&action)
                && texts(&statement["Resource"]).iter().any(|pattern| matches(pattern, resource))
                && has_tags(statement, tags.get(resource))
        })
    };
    let mut found = Vec::new();
    for statement in policy["Statement"].as_array().unwrap().iter().filter(allows) {
        for action in texts(&statement["Action"]) {
            for resource in texts(&statement["Resource"]).into_iter().filter(|resource| !inside(action, resource)) {
                found.push(format!("{}: {action} on {resource}", statement["Sid"].as_str().unwrap()));
            }
        }
    }
    found
}

#[test]
fn the_boundary_covers_all_that_the_role_of_each_stack_may_do() {
    let boundary = boundary();
    assert!(boundary["Statement"].as_array().unwrap().iter().all(|statement| statement["Effect"] == "Allow"));
    // With the last part of payments the others are there.
    let stacks: Vec<String> =
        folders("stacks").into_iter().filter(|stack| !PAYMENTS[..3].contains(&&**stack)).collect();
    let all = stacks.iter().map(|stack| (stack.as_str(), "")).chain(SETTINGS);
    for (stack, settings) in all {
        let root = ready(stack, "prod", ACCOUNT);
        root.apply(&format!("{} {settings}", variables_of(stack, "prod")));
        let tags = tags(&root);
        let policies = root.cloud.all("aws_iam_role_policy");
        let roles = root.cloud.all("aws_iam_role");
        assert_eq!((roles.len(), root.cloud.all("aws_iam_role_policy_attachment").len()), (policies.len(), 0));
        assert!(roles.iter().all(|role| role["permissions_boundary"] == BOUNDARY), "{stack} {settings}");
        for policy in policies {
            let document = serde_json::from_str(policy["policy"].as_str().unwrap()).unwrap();
            assert_eq!(uncovered(&document, &boundary, &tags), [""; 0], "{stack} {settings}: {}", policy["role"]);
        }
    }
}

#[test]
fn what_the_boundary_leaves_out_is_found() {
    let key = "arn:aws:kms:us-east-1:333333333333:key/1";
    let tags = |environment: &str| Tags::from([(key.to_owned(), [("e".to_owned(), environment.to_owned())].into())]);
    let boundary = json!({"Statement": [
        {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::shop-dev-*/*"},
        {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "arn:aws:kms:us-east-1:333333333333:key/*",
            "Condition": {"StringEquals": {"aws:ResourceTag/e": "dev"}}}]});
    let left_out = |action: &str, resource: &str, tags: &Tags| {
        let policy = json!({"Statement": [{"Sid": "S", "Effect": "Allow", "Action": action, "Resource": [resource]}]});
        uncovered(&policy, &boundary, tags)
    };
    assert_eq!(left_out("s3:GetObject", "arn:aws:s3:::shop-dev-in/raw/*", &tags("dev")), [""; 0]);
    assert_eq!(left_out("kms:Decrypt", key, &tags("dev")), [""; 0]);
    for (action, resource, of) in [
        ("s3:PutObject", "arn:aws:s3:::shop-dev-in/raw/*", "dev"),
        ("s3:GetObject", "arn:aws:s3:::shop-prod-in/raw/*", "dev"),
        ("s3:GetObject", "arn:aws:s3:::*", "dev"),
        ("kms:Decrypt", key, "prod"),
        ("kms:Decrypt", "arn:aws:kms:us-east-1:333333333333:key/2", "dev"),
    ] {
        assert_eq!(left_out(action, resource, &tags(of)), [format!("S: {action} on {resource}")]);
    }
}
