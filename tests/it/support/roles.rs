//! Roles of an account with a policy of the test's choice, where the sandbox enforces IAM.

use std::collections::BTreeMap;

use claimctl::sandbox::cloudformation;
use serde_json::{Value, json};

use crate::run::eventually;
use crate::server::Server;
use crate::world::wait_for;

/// Access key, secret, session token.
pub type Credentials = (String, String, String);

/// A role of the account with exactly this policy, assumed.
pub fn assume_in(server: &Server, account: &str, name: &str, policy: &Value) -> Credentials {
    let template = json!({"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": {
        "RoleName": name,
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
            "Principal": {"AWS": format!("arn:aws:iam::{account}:root")}, "Action": "sts:AssumeRole"}]},
        "Policies": [{"PolicyName": "printed", "PolicyDocument": policy}],
    }}}});
    let sdk = server.sdk(account, "us-east-1");
    let cloudformation = wait_for(cloudformation::Client::of(&sdk)).unwrap().unwrap();
    wait_for(cloudformation.create(name, &template.to_string(), &BTreeMap::new())).unwrap();
    let role = format!("arn:aws:iam::{account}:role/{name}");
    let assume = aws_sdk_sts::Client::new(&sdk).assume_role().role_arn(role).role_session_name("test");
    eventually("the role", || {
        let credentials = wait_for(assume.clone().send()).ok()?.credentials?;
        Some((credentials.access_key_id, credentials.secret_access_key, credentials.session_token))
    })
}

/// The policy without one action of one statement, for each: statement, action, what is left.
pub fn each_without(policy: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (index, statement) in policy["Statement"].as_array().unwrap().iter().enumerate() {
        for action in statement["Action"].as_array().unwrap() {
            let mut less = policy.clone();
            less["Statement"][index]["Action"].as_array_mut().unwrap().retain(|allowed| allowed != action);
            less["Statement"].as_array_mut().unwrap().retain(|statement| statement["Action"] != json!([]));
            all.push((statement["Sid"].as_str().unwrap().to_owned(), action.as_str().unwrap().to_owned(), less));
        }
    }
    // What is not given back is hidden from those that come after it.
    all.sort_by_key(|(sid, action, _)| (action == "sqs:ChangeMessageVisibility").then(|| sid.clone()));
    all
}
