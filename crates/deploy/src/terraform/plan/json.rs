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
    /// What providers are asked to do besides, since Terraform 1.14.
    #[serde(default)]
    pub action_invocations: Vec<Invocation>,
    #[serde(default)]
    pub deferred_action_invocations: Vec<Value>,
}

#[derive(Debug, Deserialize)]
pub struct Invocation {
    #[serde(default)]
    pub address: String,
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
    /// Where the state has it so far, when it is to be moved.
    pub previous_address: Option<String>,
    pub mode: String,
    pub r#type: String,
    pub change: ChangeOf,
    pub action_reason: Option<String>,
    /// Set for what an earlier replacement could not destroy.
    pub deposed: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
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
    /// Set where it exists and is to be taken into the state.
    pub importing: Option<Importing>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Importing {
    /// Absent where it is named by an identity of several parts, or not known yet.
    pub id: Option<String>,
}
