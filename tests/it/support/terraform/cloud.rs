//! The folder that stands for AWS: what is there, and what a test plants.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

/// `ACCOUNT/REGION/TYPE/KEY.json`, as `tests/terraform-provider/src/world.rs` writes it.
pub struct Cloud {
    folder: TempDir,
}

impl Cloud {
    pub fn empty() -> Cloud {
        Cloud { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The attributes of everything of a type, by file name.
    pub fn all(&self, kind: &str) -> Vec<Value> {
        self.files(kind).iter().map(|path| read(path)).collect()
    }

    /// The one resource of a type whose key contains the name.
    #[track_caller]
    pub fn one(&self, kind: &str, name: &str) -> Value {
        read(&self.file(kind, name))
    }

    /// Somebody changes a resource behind Terraform's back.
    #[track_caller]
    pub fn change(&self, kind: &str, name: &str, attribute: &str, value: impl Into<Value>) {
        let file = self.file(kind, name);
        let mut resource = read(&file);
        let place = resource.get_mut(attribute).unwrap_or_else(|| panic!("{kind} has no {attribute}"));
        *place = value.into();
        std::fs::write(file, resource.to_string()).unwrap();
    }

    /// Somebody removes a resource behind Terraform's back.
    #[track_caller]
    pub fn remove(&self, kind: &str, name: &str) {
        std::fs::remove_file(self.file(kind, name)).unwrap();
    }

    pub fn remove_all(&self, kind: &str) {
        self.files(kind).iter().for_each(|file| std::fs::remove_file(file).unwrap());
    }

    /// Calls that fail or take long: see `tests/terraform-provider/src/faults.rs`. Replaces what was planted before.
    pub fn plant(&self, faults: &Value) {
        // A provider may be reading.
        let draft = self.path().join("faults.draft");
        std::fs::write(&draft, faults.to_string()).unwrap();
        std::fs::rename(draft, self.path().join("faults.json")).unwrap();
    }

    /// Every call that Terraform made: `{action, type, key, account, region}`.
    pub fn calls(&self) -> Vec<Value> {
        let lines = std::fs::read_to_string(self.path().join("calls.jsonl")).unwrap_or_default();
        // A killed provider may have left half a line.
        lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Whether Terraform asked for this.
    pub fn was_asked(&self, action: &str, kind: &str) -> bool {
        self.calls().iter().any(|call| call["action"] == action && call["type"] == kind)
    }

    pub fn is_empty(&self) -> bool {
        self.everything().next().is_none()
    }

    #[track_caller]
    fn file(&self, kind: &str, name: &str) -> PathBuf {
        let mut found = self.files(kind);
        found.retain(|path| path.file_name().unwrap().to_str().unwrap().contains(name));
        assert_eq!(found.len(), 1, "{kind} {name}: {found:?}");
        found.remove(0)
    }

    fn files(&self, kind: &str) -> Vec<PathBuf> {
        self.everything().filter(|file| file.parent().unwrap().ends_with(kind)).collect()
    }

    /// Drafts are none yet: the provider may be writing one, and a killed one leaves it.
    fn everything(&self) -> impl Iterator<Item = PathBuf> {
        let entries = walkdir::WalkDir::new(self.path()).min_depth(4).sort_by_file_name().into_iter().flatten();
        entries.map(walkdir::DirEntry::into_path).filter(|file| file.extension() == Some("json".as_ref()))
    }
}

#[track_caller]
fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}
