//! Every policy that Terraform renders: it parses, names what exists, and nothing that it does not mean.
//!
//! What exists is in the Service Authorization Reference: actions, the resources that each works on, condition keys.

use std::collections::BTreeSet;

use globset::Glob;
use serde_json::{Value, json};

use super::stacks::{PAYMENTS, variables, variables_of};
use crate::support::terraform::root::Root;
use crate::support::terraform::tools;

/// Buckets and tables that `claimctl bootstrap` makes: no stack has them.
const BOOTSTRAPPED: [&str; 3] = ["-tfstate-", "-artifacts-", "-tflock"];
/// What RDS makes by itself: the secret of a cluster, who signs in to it, and its own role in an account.
const OF_RDS: [&str; 3] = [":secret:rds!cluster-", ":dbuser:cluster-", "/AWSServiceRoleForRDS"];
/// Where APIs are made.
const OF_API_GATEWAY: [&str; 1] = ["::/restapis"];
/// Condition keys of a service that are in the calls to any other (AWS Lambda Developer Guide, "Working with Lambda
/// execution environment credentials").
const IN_EVERY_CALL: [&str; 1] = ["lambda:SourceFunctionArn"];

/// What AWS asks for only with features that no stack has: an action's dependence, and which feature that is.
const OF_OTHER_FEATURES: [(&str, &str); 8] = [
    ("ec2:CreateFlowLogs needs ecs:", "flow logs with fields of ECS"),
    ("ec2:RunInstances needs ssm:GetParameters", "an image that EC2 itself looks up: here Terraform does"),
    ("lambda:CreateFunction needs lambda:PassCapacityProvider", "managed instances"),
    ("rds:CreateDBInstance needs rds:CreateTenantDatabase", "Oracle's and SQL Server's tenants, here and below"),
    ("rds:ModifyDBInstance needs rds:CreateTenantDatabase", ""),
    ("rds:DeleteDBInstance needs rds:", "a snapshot of an instance: the data is the cluster's"),
    (
        "states:CreateStateMachine needs states:PublishStateMachineVersion",
        "versions, which nobody publishes; also below",
    ),
    ("states:UpdateStateMachine needs states:PublishStateMachineVersion", ""),
];

struct Policies {
    /// `{prefix: {privileges, resources}}`
    known: Value,
    /// ARNs of everything that was made.
    arns: BTreeSet<String>,
    problems: Vec<String>,
    statements: usize,
    /// What is allowed in all documents together: an action, and one of its resources.
    allowed: Vec<(String, String)>,
}

impl Policies {
    fn of(state: &Value) -> Policies {
        let mut policies = Policies {
            known: tools::actions(),
            arns: BTreeSet::new(),
            problems: Vec::new(),
            statements: 0,
            allowed: Vec::new(),
        };
        let mut documents = Vec::new();
        gather(&state["values"]["root_module"], &mut |resource| {
            let address = resource["address"].as_str().unwrap();
            for (name, value) in resource["values"].as_object().unwrap() {
                let Some(text) = value.as_str() else { continue };
                if name.ends_with("arn") {
                    policies.arns.insert(text.to_owned());
                }
                if text.trim_start().starts_with('{') && text.contains("\"Statement\"") && name != "minified_json" {
                    documents.push((format!("{address}.{name}"), serde_json::from_str::<Value>(text).unwrap()));
                }
            }
        });
        for (place, document) in documents {
            policies.check(&place, &document);
        }
        policies
    }

    fn check(&mut self, place: &str, document: &Value) {
        if document["Version"] != "2012-10-17" {
            self.problems.push(format!("{place}: version {}", document["Version"]));
        }
        let mut seen = BTreeSet::new();
        for statement in document["Statement"].as_array().unwrap() {
            self.statements += 1;
            let sid = statement["Sid"].as_str().unwrap_or_default();
            if !sid.is_empty() && !seen.insert(sid) {
                self.problems.push(format!("{place}: two statements {sid}"));
            }
            if statement["Effect"] == "Allow" {
                let pairs = texts(&statement["Action"]).into_iter().flat_map(|action| {
                    let on = texts(&statement["Resource"]).into_iter();
                    on.map(move |resource| (action.to_owned(), resource.to_owned()))
                });
                self.allowed.extend(pairs);
            }
            if let Err(problem) = self.statement(statement) {
                self.problems.push(format!("{place} {sid}: {problem}"));
            }
        }
    }

    fn statement(&self, statement: &Value) -> Result<(), String> {
        self.conditions(statement)?;
        let mut patterns = Vec::new();
        let mut without_resource = false;
        for action in texts(&statement["Action"]) {
            let (service, privileges) = self.privileges(action)?;
            let resources =
                privileges.iter().flat_map(|privilege| privilege["resource_types"].as_object().unwrap().keys());
            let mut names: BTreeSet<&String> = resources.filter(|name| !name.is_empty()).collect();
            // The list has the actions of both generations of API Gateway, and with them only the second one's resources.
            if action.starts_with("apigateway:") {
                names.extend(service["resources"].as_object().unwrap().keys());
            }
            without_resource |= names.is_empty();
            patterns.extend(names.iter().map(|name| {
                let arn = service["resources"][name.as_str()]["arn"].as_str().unwrap_or_default();
                (action, pattern(arn))
            }));
        }
        for resource in texts(&statement["Resource"]).into_iter().filter(|resource| *resource != "*") {
            if !patterns.iter().any(|(_, pattern)| meet(pattern, resource)) {
                return Err(format!("none of its actions works on {resource}"));
            }
            self.is_there(resource)?;
        }
        let resources = texts(&statement["Resource"]);
        // In the policy of a key, a star is the key.
        let all = resources.contains(&"*") && !statement["Principal"].is_null();
        let trust = resources.is_empty() && !statement["Principal"].is_null();
        if all || trust || without_resource {
            return Ok(());
        }
        if resources.contains(&"*") && statement["Effect"] == "Allow" {
            return Err(format!("{} on everything", statement["Action"]));
        }
        for action in texts(&statement["Action"]) {
            let mut of_it = patterns.iter().filter(|(of, _)| *of == action);
            if !of_it.any(|(_, pattern)| resources.iter().any(|resource| meet(pattern, resource))) {
                return Err(format!("{action} works on none of {resources:?}"));
            }
        }
        Ok(())
    }

    /// What AWS asks for beside what is allowed, so that a call would be denied: a kind of resource that an action cannot
    /// do without, or another action that it brings along.
    fn lacking(&self) -> BTreeSet<String> {
        let mut lacking = BTreeSet::new();
        for (action, _) in &self.allowed {
            let Ok((service, privileges)) = self.privileges(action) else { continue };
            let on = || self.allowed.iter().filter(|(of, _)| of == action).map(|(_, resource)| resource);
            for (name, on_it) in privileges.iter().flat_map(|one| one["resource_types"].as_object().unwrap()) {
                let arn = pattern(service["resources"][name.as_str()]["arn"].as_str().unwrap_or_default());
                if on_it["required"] == true && !name.is_empty() && !on().any(|resource| meet(&arn, resource)) {
                    lacking.insert(format!("{action} on {name}"));
                }
                for needed in texts(&on_it["dependent_actions"]) {
                    if !self.allowed.iter().any(|(action, _)| meet(&action.to_lowercase(), &needed.to_lowercase())) {
                        lacking.insert(format!("{action} needs {needed}"));
                    }
                }
            }
        }
        lacking
    }

    /// The service, and the actions that the name or pattern means.
    fn privileges(&self, action: &str) -> Result<(&Value, Vec<&Value>), String> {
        let (prefix, name) = action.split_once(':').ok_or_else(|| format!("{action} is no action"))?;
        let service = self.known.get(prefix).ok_or_else(|| format!("there is no service {prefix}"))?;
        let pattern = Glob::new(name).unwrap().compile_matcher();
        let all = service["privileges"].as_object().unwrap().iter();
        let meant: Vec<&Value> =
            all.filter(|(known, _)| pattern.is_match(known)).map(|(_, privilege)| privilege).collect();
        if meant.is_empty() { Err(format!("there is no action {action}")) } else { Ok((service, meant)) }
    }

    /// A resource that is named, and not by a pattern, is one that was made, or part of one.
    fn is_there(&self, arn: &str) -> Result<(), String> {
        // An object is part of its bucket, a stream of its log group, an index of its table.
        let whole = match arn.strip_prefix("arn:aws:s3:::") {
            Some(object) => format!("arn:aws:s3:::{}", object.split('/').next().unwrap()),
            None if arn.contains(":log-group:") => arn.trim_end_matches(":*").to_owned(),
            None if arn.contains("/index/") => arn.split("/index/").next().unwrap().to_owned(),
            None => arn.to_owned(),
        };
        let elsewhere = BOOTSTRAPPED.iter().chain(&OF_RDS).chain(&OF_API_GATEWAY).any(|name| whole.contains(name));
        let made = self.arns.contains(&whole) || elsewhere;
        if made || whole.contains('*') { Ok(()) } else { Err(format!("there is no {whole}")) }
    }

    /// Each action knows the keys of its service that are asked of it: what it does not know is equal to nothing, so that
    /// it would never be allowed. `aws:` is everybody's.
    fn conditions(&self, statement: &Value) -> Result<(), String> {
        let tests = statement["Condition"].as_object().into_iter().flatten();
        for key in tests.flat_map(|(_, keys)| keys.as_object().unwrap().keys()) {
            if self.known.get(key.split(':').next().unwrap()).is_none() || IN_EVERY_CALL.contains(&key.as_str()) {
                continue;
            }
            for action in texts(&statement["Action"]) {
                let (_, privileges) = self.privileges(action)?;
                let knows = |privilege: &&Value| {
                    let on = privilege["resource_types"].as_object().unwrap().values();
                    on.flat_map(|on| texts(&on["condition_keys"])).any(|known| meet(&pattern(known), key))
                };
                if !privileges.iter().all(knows) {
                    return Err(format!("{action} has no condition key {key}"));
                }
            }
        }
        Ok(())
    }
}

/// `${Name}` and `<name>` stand for anything.
fn pattern(template: &str) -> String {
    let mut pattern = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['$', '<']) {
        pattern.push_str(&rest[..at]);
        pattern.push('*');
        rest = rest[at..].split_once(['}', '>']).map_or("", |(_, rest)| rest);
    }
    pattern + rest
}

/// Whether there is a text that both patterns match.
fn meet(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    // met[i][j]: what is left of one from i and of the other from j.
    let mut met = vec![vec![false; other.len() + 1]; one.len() + 1];
    for i in (0..=one.len()).rev() {
        for j in (0..=other.len()).rev() {
            met[i][j] = match (one.get(i), other.get(j)) {
                (None, None) => true,
                (Some(b'*'), _) if met[i + 1][j] => true,
                (_, Some(b'*')) if met[i][j + 1] => true,
                (Some(b'*'), Some(_)) => met[i][j + 1],
                (Some(_), Some(b'*')) => met[i + 1][j],
                (Some(a), Some(b)) => a == b && met[i + 1][j + 1],
                _ => false,
            };
        }
    }
    met[0][0]
}

pub fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    }
}

fn gather(module: &Value, visit: &mut dyn FnMut(&Value)) {
    for resource in module["resources"].as_array().into_iter().flatten() {
        if resource["mode"] == "managed" {
            visit(resource);
        }
    }
    module["child_modules"].as_array().into_iter().flatten().for_each(|child| gather(child, visit));
}

/// What all parts of payments are once each is applied: their policies name what earlier ones have.
fn payments(settings: &str) -> Value {
    let mut root = Root::named(PAYMENTS[0]).account("333333333333");
    let mut parts = Vec::new();
    for part in PAYMENTS {
        root = root.at(part);
        root.init().run("workspace new prod").exits(0);
        root.apply(&format!("{} {settings}", variables_of(part, "prod")));
        parts.push(root.show()["values"]["root_module"].clone());
    }
    json!({"values": {"root_module": {"child_modules": parts}}})
}

/// The state of a root once it is applied in the workspace prod.
fn applied(root: &str, args: &str) -> Value {
    let root = Root::named(root).account("333333333333");
    root.init().run("workspace new prod").exits(0);
    root.apply(args);
    root.show()
}

#[track_caller]
fn is_sound(root: &str, args: &str, at_least: usize) -> Policies {
    let policies = Policies::of(&applied(root, args));
    assert_eq!(policies.problems, [""; 0], "{root} {args}");
    assert!(policies.statements >= at_least, "{root}: {} statements", policies.statements);
    policies
}

#[test]
fn the_policies_of_claim_check() {
    let variables = variables("prod");
    let key = "-var kms_key_arn=arn:aws:kms:us-east-1:333333333333:key/11111111-2222-3333-4444-555555555555";
    is_sound("stacks/claim-check", &format!("{variables} -var trigger=schedule -var after_processing=tag"), 12);
    let policies =
        Policies::of(&applied("stacks/claim-check", &format!("{variables} -var after_processing=delete {key}")));
    // The key is not the stack's.
    let foreign = policies.problems.iter().all(|problem| problem.contains("there is no arn:aws:kms"));
    assert!(foreign, "{:?}", policies.problems);
}

#[test]
fn the_policies_of_payments() {
    let policies = Policies::of(&payments(""));
    assert_eq!(policies.problems, [""; 0]);
    assert!(policies.statements >= 60, "{} statements", policies.statements);
    let key = "-var kms_key_arn=arn:aws:kms:us-east-1:333333333333:key/11111111-2222-3333-4444-555555555555";
    // The key is not the stack's.
    let with_a_key = Policies::of(&payments(key));
    let foreign = with_a_key.problems.iter().all(|problem| problem.contains("there is no arn:aws:kms"));
    assert!(foreign, "{:?}", with_a_key.problems);
}

#[test]
fn the_policies_of_the_other_stacks() {
    is_sound("stacks/fan-out", &variables("prod"), 10);
    is_sound("stacks/csv-table", &variables("prod"), 10);
    is_sound("stacks/csv-aurora", &variables("prod"), 20);
}

#[test]
fn the_policies_of_the_roles_that_deploy() {
    let repository = "-var repository=example/claim-check";
    let variables = format!("-var-file=../environments/prod.tfvars {repository}");
    let mut lacking = is_sound("global", &variables, 20).lacking();
    lacking.retain(|one| !OF_OTHER_FEATURES.iter().any(|(begin, _)| one.starts_with(begin)));
    assert_eq!(lacking, BTreeSet::new());
}

#[test]
fn what_does_not_exist_is_found() {
    let mut policies = Policies::of(&serde_json::json!({"values": {"root_module": {}}}));
    policies.arns.insert("arn:aws:sqs:us-east-1:333333333333:claims".to_owned());
    let refused = |action: &str, resource: &str, told: &str| {
        let statement = serde_json::json!({"Effect": "Allow", "Action": action, "Resource": resource});
        let problem = policies.statement(&statement).unwrap_err();
        assert!(problem.contains(told), "{action} on {resource}: {problem}");
    };
    let queue = "arn:aws:sqs:us-east-1:333333333333:claims";
    refused("sqs:RecieveMessage", queue, "there is no action sqs:RecieveMessage");
    refused("sqs:DeleteMessageBatch", queue, "there is no action");
    refused("sqss:SendMessage", queue, "there is no service sqss");
    refused("sqs:SendMessage", "arn:aws:sqs:us-east-1:333333333333:other", "there is no arn:aws:sqs");
    refused("s3:GetObject", "arn:aws:s3:::payload-tfstate-", "works on");
    refused("sqs:SendMessage", "*", "on everything");
    let asked = serde_json::json!({"Effect": "Allow", "Action": "iam:TagRole", "Resource": "*",
        "Condition": {"StringEquals": {"iam:PermissionsBoundary": queue}}});
    assert!(policies.statement(&asked).unwrap_err().contains("iam:TagRole has no condition key"));
}
