//! A state as Terraform tells it (Terraform documentation, "JSON Output Format", values representation): only Terraform
//! with the provider's schemas knows what in it is a secret.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// `terraform show -json` of a state.
#[derive(Debug, Default, Deserialize)]
pub struct ShownState {
    /// None: there is no state, or nothing in it.
    values: Option<Values>,
}

#[derive(Debug, Default, Deserialize)]
struct Values {
    #[serde(default)]
    outputs: BTreeMap<String, Output>,
    #[serde(default)]
    root_module: Module,
}

#[derive(Debug, Default, Deserialize)]
struct Module {
    #[serde(default)]
    resources: Vec<Resource>,
    #[serde(default)]
    child_modules: Vec<Module>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Output {
    #[serde(default)]
    pub sensitive: bool,
    #[serde(default)]
    pub value: Value,
}

/// One instance of a resource.
#[derive(Debug, Clone, Deserialize)]
pub struct Resource {
    pub address: String,
    /// `managed` or `data`.
    pub mode: String,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub values: Value,
    #[serde(default)]
    pub sensitive_values: Value,
    /// Set for what a replacement could not destroy.
    pub deposed_key: Option<String>,
    #[serde(default)]
    pub tainted: bool,
}

impl ShownState {
    /// Of all modules, in the order of their addresses, and the outputs.
    pub fn parts(self) -> (Vec<Resource>, BTreeMap<String, Output>) {
        let Values { outputs, root_module } = self.values.unwrap_or_default();
        let (mut resources, mut modules) = (Vec::new(), vec![root_module]);
        while let Some(module) = modules.pop() {
            resources.extend(module.resources);
            modules.extend(module.child_modules);
        }
        resources.sort_by_key(Resource::name);
        (resources, outputs)
    }
}

impl Resource {
    /// The address; one that is to be destroyed yet has the same as the one in its place.
    pub fn name(&self) -> String {
        match &self.deposed_key {
            Some(key) => format!("{} (deposed {key})", self.address),
            None => self.address.clone(),
        }
    }

    /// Whether it is what an address names: a resource, an instance of one, or a module.
    pub fn is_within(&self, address: &str) -> bool {
        let rest = self.address.strip_prefix(address);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    }

    pub fn id(&self) -> Option<&str> {
        self.values.get("id")?.as_str()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn resources_of_all_modules_are_found_by_what_they_are_within() {
        let resource =
            |address: &str| json!({"address": address, "mode": "managed", "type": "t", "values": {"id": "i"}});
        let told = json!({"format_version": "1.0", "values": {"outputs": {"o": {"value": 1}}, "root_module": {
            "resources": [resource("t.b")],
            "child_modules": [{"resources": [resource("module.m[0].t.a[\"k\"]")], "child_modules": [{"resources":
                [resource("module.m[0].module.n.t.a")]}]}]}}});
        let (resources, outputs) = serde_json::from_value::<ShownState>(told).unwrap().parts();
        let within = |address: &str| resources.iter().filter(|resource| resource.is_within(address)).count();
        assert_eq!(
            ["module.m", "module.m[0].t.a", "module.m[0].module.n", "t.b", "t", "module"].map(within),
            [2, 1, 1, 1, 1, 2]
        );
        assert_eq!((outputs.len(), resources[0].id()), (1, Some("i")));
        let (none, _) = serde_json::from_str::<ShownState>("{\"format_version\":\"1.0\"}").unwrap().parts();
        assert!(none.is_empty());
    }
}
