//! What two states differ in, resource by resource; secrets are masked by what either state says of them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::content::Content;
use super::shown_state::{Output, Resource, ShownState};
use crate::terraform::{Attribute, attributes};

/// Data sources are left out: every plan reads them anew.
#[derive(Debug, Default, Serialize)]
pub struct Difference {
    /// In the order of their addresses.
    pub resources: Vec<Differs>,
    /// By name, with what differs within.
    pub outputs: Vec<Attribute>,
    /// Resources that are the same.
    pub unchanged: u64,
}

/// One instance of a resource.
#[derive(Debug, Serialize)]
pub struct Differs {
    pub address: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub how: How,
    /// Of those that are in both.
    pub attributes: Vec<Attribute>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// In the second state only.
    Added,
    /// In the first state only.
    Removed,
    Changed,
}

impl How {
    pub fn name(self) -> &'static str {
        match self {
            How::Added => "added",
            How::Removed => "removed",
            How::Changed => "changed",
        }
    }
}

impl Difference {
    pub fn between(old: ShownState, new: ShownState) -> Difference {
        let ((old, old_outputs), (new, new_outputs)) = (old.parts(), new.parts());
        let (old, mut new) = (by_name(old), by_name(new));
        let mut difference = Difference { outputs: outputs(&old_outputs, &new_outputs), ..Difference::default() };
        for (name, old) in old {
            match new.remove(&name) {
                None => difference.resources.push(Differs::whole(name, old.kind, How::Removed)),
                Some(new) => match changed(&old, &new) {
                    attributes if attributes.is_empty() => difference.unchanged += 1,
                    attributes => {
                        let whole = Differs::whole(name, new.kind, How::Changed);
                        difference.resources.push(Differs { attributes, ..whole });
                    }
                },
            }
        }
        difference.resources.extend(new.into_iter().map(|(name, new)| Differs::whole(name, new.kind, How::Added)));
        difference.resources.sort_by(|a, b| a.address.cmp(&b.address));
        difference
    }

    /// Where Terraform cannot tell them: by resource only, because what within is a secret is not known.
    pub fn by_resource(old: Option<&Content>, new: &Content) -> Difference {
        let mut difference = Difference::default();
        let mut old = old.map(Content::instances).unwrap_or_default();
        for (address, instance) in new.instances() {
            match old.remove(&address) {
                Some(before) if before == instance => difference.unchanged += 1,
                Some(_) => difference.resources.push(Differs::whole(address, instance.kind, How::Changed)),
                None => difference.resources.push(Differs::whole(address, instance.kind, How::Added)),
            }
        }
        let removed = old.into_iter().map(|(address, instance)| Differs::whole(address, instance.kind, How::Removed));
        difference.resources.extend(removed);
        difference.resources.sort_by(|a, b| a.address.cmp(&b.address));
        difference
    }

    pub fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.outputs.is_empty()
    }

    pub fn count(&self, how: How) -> u64 {
        self.resources.iter().filter(|resource| resource.how == how).count() as u64
    }
}

impl Differs {
    fn whole(address: String, kind: String, how: How) -> Differs {
        Differs { address, kind, how, attributes: Vec::new() }
    }
}

fn by_name(resources: Vec<Resource>) -> BTreeMap<String, Resource> {
    let managed = resources.into_iter().filter(|resource| resource.mode == "managed");
    managed.map(|resource| (resource.name(), resource)).collect()
}

fn changed(old: &Resource, new: &Resource) -> Vec<Attribute> {
    let mut found = attributes(&old.values, &old.sensitive_values, &new.values, &new.sensitive_values);
    // Terraform replaces what is tainted: that is no attribute of the provider's, and as good as one.
    if old.tainted != new.tainted {
        let (old, new) = (Value::from(old.tainted), Value::from(new.tainted));
        found.extend(attributes(&tainted(old), &Value::Null, &tainted(new), &Value::Null));
    }
    found
}

fn tainted(is: Value) -> Value {
    Value::from(Map::from_iter([("(tainted)".to_owned(), is)]))
}

fn outputs(old: &BTreeMap<String, Output>, new: &BTreeMap<String, Output>) -> Vec<Attribute> {
    let side = |outputs: &BTreeMap<String, Output>, of: fn(&Output) -> Value| {
        Value::from(outputs.iter().map(|(name, output)| (name.clone(), of(output))).collect::<Map<_, _>>())
    };
    let values = |outputs| side(outputs, |output| output.value.clone());
    let marks = |outputs| side(outputs, |output| Value::from(output.sensitive));
    attributes(&values(old), &marks(old), &values(new), &marks(new))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(resources: Value, outputs: Value) -> ShownState {
        serde_json::from_value(json!({"values": {"outputs": outputs, "root_module": {"resources": resources}}}))
            .unwrap()
    }

    #[test]
    fn what_comes_goes_and_changes_is_told_and_secrets_are_not() {
        let resource = |address: &str, values: Value, secret: Value| json!({"address": address, "mode": "managed", "type": "t", "values": values, "sensitive_values": secret});
        let mut data = resource("data.t.x", json!({"at": 1}), json!({}));
        data["mode"] = json!("data");
        let old = told(
            json!([
                resource("t.a", json!({"n": 1, "p": "hunter2"}), json!({"p": true})),
                resource("t.b", json!({}), json!({})),
                resource("t.s", json!({"n": 1}), json!({})),
                data
            ]),
            json!({"o": {"value": {"url": "x"}}, "secret": {"value": "hunter2", "sensitive": true}}),
        );
        let mut tainted = resource("t.s", json!({"n": 1}), json!({}));
        tainted["tainted"] = json!(true);
        let new = told(
            json!([
                resource("t.a", json!({"n": 2, "p": "hunter3"}), json!({})),
                resource("t.c", json!({}), json!({})),
                tainted
            ]),
            json!({"o": {"value": {"url": "y"}}, "secret": {"value": "hunter3"}}),
        );
        let difference = Difference::between(old, new);
        let told: Vec<String> = difference
            .resources
            .iter()
            .map(|resource| {
                let paths: Vec<&str> = resource.attributes.iter().map(|attribute| attribute.path.as_str()).collect();
                format!("{} {} {}", resource.how.name(), resource.address, paths.join(","))
            })
            .collect();
        assert_eq!(told, ["changed t.a n,p", "removed t.b ", "added t.c ", "changed t.s (tainted)"]);
        let outputs: Vec<&str> = difference.outputs.iter().map(|output| output.path.as_str()).collect();
        assert_eq!(outputs, ["o.url", "secret"]);
        assert!(!serde_json::to_string(&difference).unwrap().contains("hunter"));
    }

    #[test]
    fn without_terraform_resources_are_compared_as_a_whole() {
        let state = |resources: Value| {
            let state =
                json!({"version": 4, "terraform_version": "1", "serial": 1, "lineage": "l", "resources": resources});
            Content::parse(state.to_string().into_bytes(), "it").unwrap()
        };
        let resource = |name: &str, secret: &str| json!({"mode": "managed", "type": "t", "name": name, "instances": [{"attributes": {"s": secret}}]});
        let old = state(json!([resource("a", "x"), resource("b", "x"), resource("c", "x")]));
        let new = state(json!([resource("b", "x"), resource("c", "y"), resource("d", "x")]));
        let told = |difference: Difference| {
            let told = difference.resources.iter().map(|one| format!("{} {}", one.how.name(), one.address));
            (told.collect::<Vec<_>>(), difference.unchanged)
        };
        let (all, unchanged) = told(Difference::by_resource(Some(&old), &new));
        assert_eq!(
            (all.as_slice(), unchanged),
            (["removed t.a", "changed t.c", "added t.d"].map(str::to_owned).as_slice(), 1)
        );
        assert_eq!(told(Difference::by_resource(None, &old)).0, ["added t.a", "added t.b", "added t.c"]);
    }

    #[test]
    fn the_same_states_differ_in_nothing() {
        let state = || told(json!([{"address": "t.a", "mode": "managed", "type": "t", "values": {"n": 1}}]), json!({}));
        let difference = Difference::between(state(), state());
        assert!(difference.is_empty() && difference.unchanged == 1);
    }
}
