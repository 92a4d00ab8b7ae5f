//! A Terraform backend that a folder already has: its bucket and table are adopted rather than made a second time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use claimctl_deploy::terraform::hcl;
use hcl_edit::expr::Expression;
use hcl_edit::structure::Block;
use serde::Deserialize;
use walkdir::{DirEntry, WalkDir};

use super::Locking;

/// How far below the folder a Terraform root is looked for: `terraform/stacks/SYSTEM/PART`.
const DEPTH: usize = 5;

/// An S3 backend (Terraform documentation, "Backend Type: s3").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    pub bucket: String,
    pub region: Option<String>,
    pub lock_table: Option<String>,
    pub kms_key: Option<String>,
    pub locking: Locking,
    /// The file that says so.
    pub path: PathBuf,
}

/// What `terraform init` has written down (Terraform's working directory, `.terraform/terraform.tfstate`).
#[derive(Debug, Deserialize)]
struct Initialized {
    backend: Settings,
}

#[derive(Debug, Deserialize)]
struct Settings {
    #[serde(rename = "type")]
    kind: String,
    config: BTreeMap<String, serde_json::Value>,
}

/// The backends of the Terraform roots in a folder and below, one per bucket. A file that cannot be read has none.
pub fn find(folder: &Path) -> Vec<Backend> {
    let entries = WalkDir::new(folder).max_depth(DEPTH).sort_by_file_name().into_iter().filter_entry(is_worth_a_look);
    let mut found: Vec<Backend> = Vec::new();
    for entry in entries.flatten() {
        let Some(backend) = read(entry.path()) else { continue };
        if !found.iter().any(|other| other.bucket == backend.bucket) {
            found.push(backend);
        }
    }
    found
}

fn is_worth_a_look(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    let hidden = name.starts_with('.') && name != ".terraform" && entry.depth() > 0;
    !hidden && !["node_modules", "target", "modules", "providers"].contains(&name.as_ref())
}

fn read(path: &Path) -> Option<Backend> {
    let written = path.file_name()? == "terraform.tfstate" && path.parent()?.file_name()? == ".terraform";
    if !written && path.extension()? != "tf" {
        return None;
    }
    let text = hcl::text(path).ok()?;
    if written { initialized(&text, path) } else { declared(&text, path) }
}

fn initialized(text: &str, path: &Path) -> Option<Backend> {
    let Initialized { backend } = serde_json::from_str(text).ok()?;
    if backend.kind != "s3" {
        return None;
    }
    let text = |key: &str| backend.config.get(key)?.as_str().map(ToOwned::to_owned);
    let is_set = |key: &str| backend.config.get(key).is_some_and(|value| value == true);
    Backend::new(text, is_set, path)
}

fn declared(text: &str, path: &Path) -> Option<Backend> {
    let body = hcl::parse(text).ok()?;
    let blocks = body.get_blocks("terraform").flat_map(|block| block.body.get_blocks("backend"));
    let backend = blocks.into_iter().find(|block: &&Block| block.labels.iter().any(|label| label.as_str() == "s3"))?;
    let value = |key: &str| -> Option<&Expression> { backend.body.get_attribute(key).map(|found| &found.value) };
    let text = |key: &str| value(key).and_then(Expression::as_str).map(ToOwned::to_owned);
    let is_set = |key: &str| value(key).and_then(Expression::as_bool) == Some(true);
    Backend::new(text, is_set, path)
}

impl Backend {
    /// None without a bucket: the rest is then given to `terraform init`, and only its own notes tell.
    fn new(text: impl Fn(&str) -> Option<String>, is_set: impl Fn(&str) -> bool, path: &Path) -> Option<Backend> {
        let filled = |key: &str| text(key).filter(|value| !value.is_empty());
        let lock_table = filled("dynamodb_table");
        Some(Backend {
            bucket: filled("bucket")?,
            region: filled("region"),
            kms_key: filled("kms_key_id"),
            locking: match (&lock_table, is_set("use_lockfile")) {
                (Some(_), true) => Locking::Both,
                (Some(_), false) => Locking::Table,
                (None, _) => Locking::Lockfile,
            },
            lock_table,
            path: path.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn a_backend_is_found_where_it_is_declared() {
        let text = "terraform {\n  required_version = \">= 1.6\"\n  backend \"s3\" {\n    bucket = \"state\"\n    \
                    key = \"k\"\n    region = \"eu-west-1\"\n    dynamodb_table = \"locks\"\n    use_lockfile = true\n  }\n}\n";
        let folder = folder(&[("terraform/stacks/one/main.tf", text), ("broken.tf", "terraform {")]);
        let [backend] = &find(folder.path())[..] else { panic!("one is there") };
        assert_eq!(backend.bucket, "state");
        assert_eq!(backend.region.as_deref(), Some("eu-west-1"));
        assert_eq!(backend.lock_table.as_deref(), Some("locks"));
        assert_eq!(backend.locking, Locking::Both);
        assert!(backend.path.ends_with("terraform/stacks/one/main.tf"));
    }

    #[test]
    fn a_partial_backend_is_completed_by_what_init_wrote_down() {
        let state = r#"{"version":3,"backend":{"type":"s3","config":{"bucket":"state","key":"k","region":"us-east-1",
            "dynamodb_table":null,"use_lockfile":null},"hash":1}}"#;
        let folder =
            folder(&[("main.tf", "terraform {\n  backend \"s3\" {}\n}\n"), (".terraform/terraform.tfstate", state)]);
        let found = find(folder.path());
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].bucket.as_str(), found[0].locking), ("state", Locking::Lockfile));
    }

    #[test]
    fn another_kind_of_backend_is_none() {
        let state = r#"{"version":3,"backend":{"type":"gcs","config":{"bucket":"state"}}}"#;
        let folder = folder(&[
            ("main.tf", "terraform {\n  backend \"local\" {}\n}\n"),
            (".terraform/terraform.tfstate", state),
            ("node_modules/x/main.tf", "terraform {\n  backend \"s3\" {\n bucket = \"b\"\n}\n}\n"),
        ]);
        assert_eq!(find(folder.path()), []);
    }
}
