//! A plan as `terraform show -json` writes it (Terraform documentation, "JSON Output Format"), as far as it is read.

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
pub struct Plan {
    /// `MAJOR.MINOR`; a new major version may mean something else by the same names.
    pub format_version: String,
    #[serde(default)]
    pub resource_changes: Vec<ResourceChange>,
    #[serde(default)]
    pub resource_drift: Vec<ResourceChange>,
    #[serde(default)]
    pub output_changes: std::collections::BTreeMap<String, ChangeOf>,
}

impl Plan {
    /// Whether it does more than look.
    pub fn changes_resources(&self) -> bool {
        self.resource_changes
            .iter()
            .any(|resource| !matches!(resource.change.actions.as_slice(), [one] if one == "no-op" || one == "read"))
    }
}

#[derive(Debug, Deserialize)]
pub struct ResourceChange {
    pub address: String,
    pub mode: String,
    pub r#type: String,
    pub change: ChangeOf,
    pub action_reason: Option<String>,
    /// Set for what an earlier replacement could not destroy.
    pub deposed: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct ChangeOf {
    pub actions: Vec<String>,
    #[serde(default)]
    pub before: Value,
    #[serde(default)]
    pub after: Value,
    #[serde(default)]
    pub after_unknown: Value,
    #[serde(default)]
    pub before_sensitive: Value,
    #[serde(default)]
    pub after_sensitive: Value,
    #[serde(default)]
    pub replace_paths: Vec<Vec<Value>>,
}
