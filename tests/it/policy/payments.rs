//! The policies of the verbs that look at the payments system.

use serde_json::json;

use super::{assume, run_as, with_batches};
use crate::payments_table::{ACCOUNT, Payments};
use crate::server::Server;

/// Whose surface is to be read is told beside the policy: every verb needs it.
fn with_surfaces(policy: &serde_json::Value) -> serde_json::Value {
    let mut policy = with_batches(policy);
    let read =
        json!({"Sid": "Surfaces", "Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": ["*"]});
    policy["Statement"].as_array_mut().unwrap().push(read);
    policy
}

#[test]
fn the_printed_policy_is_enough_to_verify_payments() {
    let server = Server::enforcing();
    let payments = Payments::of(&server);
    payments.put("running", "pending", &[]);
    payments.start("running", "run");
    payments.put("by-stream", "pending", &[]);
    payments.send("payment-stream-dlq", &payments.position_of("by-stream"));
    payments.put("missing", "pending", &[]);
    let line = "verify payments --look --settle 0s --env dev";
    let project = &payments.project;
    let policy = project.run(ACCOUNT, &format!("{line} --print-policy -o json")).exits(0).json();
    let role = assume(&server, "enough", &with_surfaces(&policy));
    run_as(&role, project, line).exits(8).says("missing").says("its execution running is running").says("by-stream");
}

#[test]
fn the_printed_policy_is_enough_to_read_the_items() {
    let server = Server::enforcing();
    let payments = Payments::of(&server);
    payments.put("pay", "settled", &[]);
    let project = &payments.project;
    for line in ["records ls payments --env dev", "records get pay --flow payments --env dev"] {
        let policy = project.run(ACCOUNT, &format!("{line} --print-policy -o json")).exits(0).json();
        let name = line.split(' ').nth(1).unwrap();
        run_as(&assume(&server, name, &with_surfaces(&policy)), project, line).exits(0).says("settled");
    }
}
