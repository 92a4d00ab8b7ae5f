//! The role that Terraform renders for a function is enough, and each of its actions is needed: IAM is enforced.

mod claim_check;
mod csv_aurora;
mod csv_table;
mod fan_out;
mod payments;

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

/// The environment local: terraform/environments/local.tfvars.
const ACCOUNT: &str = "000000000000";
const REGION: &str = "us-east-1";

fn unpacked(artifact: &Path) -> TempDir {
    let place = tempfile::tempdir().unwrap();
    zip::ZipArchive::new(std::fs::File::open(artifact).unwrap()).unwrap().extract(&place).unwrap();
    place
}

/// Every statement's actions as a list.
fn with_lists(policy: &Value) -> Value {
    let mut policy = policy.clone();
    for statement in policy["Statement"].as_array_mut().unwrap() {
        if statement["Action"].is_string() {
            statement["Action"] = json!([statement["Action"]]);
        }
    }
    policy
}
