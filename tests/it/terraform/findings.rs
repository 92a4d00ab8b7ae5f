//! What trivy says of the Terraform: nothing above low, but for what a comment `trivy:ignore` beside it explains. And
//! what tflint says, where it is installed.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::run::Running;
use crate::support::terraform::tools;

/// `stacks/fan-out: AWS-0132 …`; trivy looks at roots, and at modules where nothing calls them.
fn findings(trivy: &Path, folder: &Path) -> (usize, Vec<String>) {
    let cache = tempfile::tempdir().unwrap();
    let mut command = Command::new(trivy);
    // The checks are in the program; newer ones would come from a registry.
    command.args(["config", "--quiet", "--skip-check-update", "--skip-version-check", "--format", "json"]);
    command.args(["--severity", "UNKNOWN,MEDIUM,HIGH,CRITICAL", "--cache-dir"]).arg(cache.path()).arg(folder);
    let report = command.run().exits(0).json();
    let mut looked_at = 0;
    let mut found = Vec::new();
    for result in report["Results"].as_array().into_iter().flatten() {
        looked_at += result["MisconfSummary"]["Successes"].as_u64().unwrap_or_default() as usize;
        for finding in result["Misconfigurations"].as_array().into_iter().flatten() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            found.push(format!("{}: {} {}", text(&result["Target"]), text(&finding["ID"]), text(&finding["Title"])));
        }
    }
    (looked_at, found)
}

#[test]
fn trivy_finds_nothing_above_low() {
    let Some(trivy) = tools::trivy() else {
        eprintln!("left out: trivy is not packaged for this machine");
        return;
    };
    let (looked_at, found) = findings(&trivy, &Path::new(env!("CARGO_MANIFEST_DIR")).join("terraform"));
    assert_eq!(found, [""; 0]);
    assert!(looked_at > 100, "{looked_at} checks passed: the stacks were not looked at");

    let open = tempfile::tempdir().unwrap();
    std::fs::write(open.path().join("main.tf"), "resource \"aws_s3_bucket\" \"open\" {\n  bucket = \"open\"\n}\n")
        .unwrap();
    let (_, found) = findings(&trivy, open.path());
    assert!(found.iter().any(|finding| finding.contains("encrypt")), "an open bucket is not found: {found:?}");
}

#[test]
fn tflint_finds_nothing() {
    let mut tflint = Command::new("tflint");
    // environment.tf is the same in every stack, and not every stack uses all of it.
    tflint.args(["--recursive", "--format=compact", "--disable-rule=terraform_unused_declarations"]);
    tflint.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("terraform"));
    if Command::new("tflint").arg("--version").output().is_err() {
        eprintln!("left out: tflint is not installed");
        return;
    }
    tflint.run().exits(0);
}

/// An exception says why, on the line above it.
#[test]
fn every_exception_has_its_reason() {
    let terraform = Path::new(env!("CARGO_MANIFEST_DIR")).join("terraform");
    let files = walkdir::WalkDir::new(terraform).into_iter().flatten();
    for file in files.filter(|file| file.path().extension().is_some_and(|extension| extension == "tf")) {
        let text = std::fs::read_to_string(file.path()).unwrap();
        let mut before = "";
        for line in text.lines() {
            if line.contains("trivy:ignore") && !before.contains("trivy:ignore") {
                assert!(before.trim_start().starts_with("# "), "{}: {line}", file.path().display());
            }
            before = line;
        }
    }
}
