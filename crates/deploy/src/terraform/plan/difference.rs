//! What changes within a resource, attribute by attribute; secrets are masked before anything else sees them.

use std::collections::BTreeSet;

use claimctl_core::redact::is_secret_name;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::terraform::plan::json::ChangeOf;

/// One attribute: what it is and what it is to be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attribute {
    /// As in `tags.team` or `rule[0].id`.
    pub path: String,
    /// None: not there, or masked.
    pub old: Option<Value>,
    pub new: Option<Value>,
    pub sensitive: bool,
    pub known_after_apply: bool,
    /// Whether it is why the resource is replaced.
    pub forces_replacement: bool,
}

/// What a planned change changes.
pub fn planned(change: &ChangeOf) -> Vec<Attribute> {
    let forced: Vec<String> = change.replace_paths.iter().map(|path| spelled(path)).collect();
    let mut found = Vec::new();
    let sides = Sides {
        old: &change.before,
        new: &change.after,
        unknown: &change.after_unknown,
        old_secret: &change.before_sensitive,
        new_secret: &change.after_sensitive,
    };
    compare("", &sides, &mut found);
    for attribute in &mut found {
        attribute.forces_replacement = forced.iter().any(|forced| is_within(&attribute.path, forced));
    }
    found
}

/// The same without what differs only as nothing and an empty value do: whoever reads back what was never set finds the
/// one or the other.
pub fn settled(change: &ChangeOf) -> Vec<Attribute> {
    planned(&ChangeOf { after: settle(&change.before, &change.after), ..change.clone() })
}

/// The new value, with the old one wherever both are nothing.
fn settle(old: &Value, new: &Value) -> Value {
    match (old, new) {
        _ if is_nothing(old) && is_nothing(new) => old.clone(),
        (Value::Object(was), Value::Object(is)) => {
            let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
            let at = |side: &Map<String, Value>, name: &String| side.get(name).cloned().unwrap_or_default();
            names.into_iter().map(|name| (name.clone(), settle(&at(was, name), &at(is, name)))).collect()
        }
        (Value::Array(was), Value::Array(is)) if was.len() == is.len() => {
            was.iter().zip(is).map(|(was, is)| settle(was, is)).collect()
        }
        _ => new.clone(),
    }
}

/// Absent, empty, or a block in which nothing is set.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.iter().all(|item| item.is_object() && is_nothing(item)),
        Value::Object(members) => members.values().all(is_nothing),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// In what two sides that are both known differ. A mark of `true` stands for a secret, and for all below it.
pub fn attributes(old: &Value, old_secret: &Value, new: &Value, new_secret: &Value) -> Vec<Attribute> {
    let mut found = Vec::new();
    compare("", &Sides { old, new, unknown: NULL, old_secret, new_secret }, &mut found);
    found
}

/// One value within a resource.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Leaf {
    /// As in `tags.team` or `rule[0].id`.
    pub path: String,
    /// None: masked.
    pub value: Option<Value>,
    pub sensitive: bool,
}

/// Every value that is set, one by one, and those that are marked masked as a whole.
pub fn leaves(value: &Value, secret: &Value) -> Vec<Leaf> {
    let mut found = Vec::new();
    descend("", value, secret, &mut found);
    found
}

fn descend(path: &str, value: &Value, secret: &Value, found: &mut Vec<Leaf>) {
    let sensitive = *secret == Value::Bool(true) || is_of_secret(path);
    let steps: Vec<Step> = match value {
        Value::Null => return,
        Value::Object(members) if !sensitive => members.keys().cloned().map(Step::Key).collect(),
        Value::Array(items) if !sensitive => (0..items.len()).map(Step::Index).collect(),
        _ => Vec::new(),
    };
    if steps.is_empty() {
        let value = (!sensitive).then(|| value.clone());
        return found.push(Leaf { path: path.to_owned(), value, sensitive });
    }
    for step in steps {
        descend(&step.after(path), step.of(value), inherited(secret, &step), found);
    }
}

/// `["rule", 0, "id"]` as `rule[0].id`.
pub fn spelled(path: &[Value]) -> String {
    path.iter().fold(String::new(), |path, step| match step {
        Value::String(name) => below(&path, name),
        other => format!("{path}[{other}]"),
    })
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Whether one of the two is a part of the other.
pub fn is_within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        || outer.strip_prefix(path).is_some_and(|rest| rest.starts_with(['.', '[']))
}

struct Sides<'a> {
    old: &'a Value,
    new: &'a Value,
    unknown: &'a Value,
    old_secret: &'a Value,
    new_secret: &'a Value,
}

const NULL: &Value = &Value::Null;

impl Sides<'_> {
    fn at(&self, step: &Step) -> Sides<'_> {
        Sides {
            old: step.of(self.old),
            new: step.of(self.new),
            unknown: step.of(self.unknown),
            old_secret: inherited(self.old_secret, step),
            new_secret: inherited(self.new_secret, step),
        }
    }
}

/// `true` holds for everything below.
fn inherited<'a>(mark: &'a Value, step: &Step) -> &'a Value {
    if *mark == Value::Bool(true) { mark } else { step.of(mark) }
}

enum Step {
    Key(String),
    Index(usize),
}

impl Step {
    fn of<'a>(&self, value: &'a Value) -> &'a Value {
        match self {
            Step::Key(key) => value.get(key).unwrap_or(NULL),
            Step::Index(index) => value.get(index).unwrap_or(NULL),
        }
    }

    fn after(&self, path: &str) -> String {
        match self {
            Step::Key(key) => below(path, key),
            Step::Index(index) => format!("{path}[{index}]"),
        }
    }
}

fn compare(path: &str, sides: &Sides<'_>, found: &mut Vec<Attribute>) {
    let is_unknown = *sides.unknown == Value::Bool(true);
    if sides.old == sides.new && !is_unknown && !has_true(sides.unknown) {
        return;
    }
    let is_marked = |mark: &Value| *mark == Value::Bool(true);
    let sensitive = is_marked(sides.old_secret) || is_marked(sides.new_secret) || is_of_secret(path);
    if !sensitive && !is_unknown {
        if let Some(steps) = steps(sides.old, sides.new, sides.unknown) {
            return steps.iter().for_each(|step| compare(&step.after(path), &sides.at(step), found));
        }
        if let Some((old, new)) = documents(sides.old, sides.new) {
            let sides = Sides { old: &old, new: &new, unknown: NULL, old_secret: NULL, new_secret: NULL };
            return compare(path, &sides, found);
        }
    }
    // A part of what is told as a whole may be a secret.
    let has_secret = |value, mark| has_true(mark) || names_secret(value);
    let sensitive = sensitive || has_secret(sides.old, sides.old_secret) || has_secret(sides.new, sides.new_secret);
    let shown = |value: &Value| (!sensitive && !value.is_null()).then(|| value.clone());
    found.push(Attribute {
        path: path.to_owned(),
        old: shown(sides.old),
        new: shown(sides.new),
        sensitive,
        known_after_apply: is_unknown,
        forces_replacement: false,
    });
}

/// Where both sides have parts that can be told one by one; what comes or goes as a whole is told as a whole.
fn steps(old: &Value, new: &Value, unknown: &Value) -> Option<Vec<Step>> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let unknown = unknown.as_object().into_iter().flat_map(Map::keys);
            let mut keys: Vec<&String> = old.keys().chain(new.keys()).chain(unknown).collect();
            keys.sort();
            keys.dedup();
            Some(keys.into_iter().cloned().map(Step::Key).collect())
        }
        // The parts of a list that grows or shrinks do not stand beside their own old values.
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            Some((0..new.len()).map(Step::Index).collect())
        }
        _ => None,
    }
}

/// Policies and patterns: JSON within a string.
fn documents(old: &Value, new: &Value) -> Option<(Value, Value)> {
    let read = |value: &Value| {
        let document: Value = serde_json::from_str(value.as_str()?).ok()?;
        document.is_object().then_some(document)
    };
    Some((read(old)?, read(new)?))
}

/// Terraform marks what a provider or a variable says is secret; the password in a function's environment is a string as
/// any other to it.
fn is_of_secret(path: &str) -> bool {
    is_secret_name(path.rsplit('.').next().unwrap_or_default())
}

fn names_secret(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(names_secret),
        Value::Object(members) => members.iter().any(|(name, value)| is_secret_name(name) || names_secret(value)),
        _ => false,
    }
}

fn has_true(marks: &Value) -> bool {
    match marks {
        Value::Bool(mark) => *mark,
        Value::Array(marks) => marks.iter().any(has_true),
        Value::Object(marks) => marks.values().any(has_true),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(change: Value) -> Vec<String> {
        let change: ChangeOf = serde_json::from_value(change).unwrap();
        let side = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_string);
        let told = planned(&change).into_iter().map(|attribute| {
            let Attribute { path, old, new, sensitive, known_after_apply, forces_replacement } = attribute;
            let marks = [(sensitive, " secret"), (known_after_apply, " later"), (forces_replacement, " forces")];
            let marks: String = marks.into_iter().filter(|(is, _)| *is).map(|(_, mark)| mark).collect();
            format!("{path}: {} -> {}{marks}", side(&old), side(&new))
        });
        told.collect()
    }

    #[test]
    fn parts_are_told_one_by_one_and_what_stays_is_not_told() {
        let change = json!({"actions": ["update"], "before": {"a": 1, "tags": {"x": "1", "y": "2"}, "l": [{"id": 1}], "m": [1]},
            "after": {"a": 1, "tags": {"x": "1", "z": "3"}, "l": [{"id": 2}], "m": [1, 2]}});
        assert_eq!(told(change), ["l[0].id: 1 -> 2", "m: [1] -> [1,2]", "tags.y: \"2\" -> -", "tags.z: - -> \"3\""]);
    }

    #[test]
    fn nothing_and_an_empty_value_are_the_same_and_nothing_else_is() {
        let same = [
            (json!(null), json!({})),
            (json!(null), json!([])),
            (json!(""), json!(null)),
            (json!([]), json!([{"a": null, "b": []}])),
            (json!({"x": null}), json!({})),
            (json!([{"a": null, "b": 1}]), json!([{"a": [], "b": 1}])),
            (json!("{\"a\":1,\"b\":2}"), json!("{\"b\": 2, \"a\": 1}")),
        ];
        let different = [
            (json!(null), json!(false)),
            (json!(null), json!(0)),
            (json!([]), json!([""])),
            (json!({}), json!({"x": "1"})),
            (json!([{"b": 1}]), json!([{"b": 2}])),
            (json!("a"), json!("")),
        ];
        let changed = |before: &Value, after: &Value| {
            let change = json!({"actions": ["update"], "before": {"v": before}, "after": {"v": after}});
            settled(&serde_json::from_value(change).unwrap()).len()
        };
        for (one, other) in same {
            assert_eq!((changed(&one, &other), changed(&other, &one)), (0, 0), "{one} {other}");
        }
        for (one, other) in different {
            assert_eq!((changed(&one, &other), changed(&other, &one)), (1, 1), "{one} {other}");
        }
    }

    #[test]
    fn a_secret_is_masked_on_both_sides_whichever_side_says_so() {
        for (before, after) in
            [(json!({"s": true}), json!({})), (json!({}), json!({"s": true})), (json!(true), json!({}))]
        {
            let change = json!({"actions": ["update"], "before": {"s": {"deep": "old"}}, "after": {"s": {"deep": "new"}},
                "before_sensitive": before, "after_sensitive": after});
            let told = told(change);
            assert!(told[0].ends_with("- -> - secret") && told.len() == 1, "{told:?}");
        }
    }

    #[test]
    fn a_secret_within_what_comes_goes_or_grows_as_a_whole_is_masked() {
        for (before, after) in [(json!([]), json!([{"key": "hunter2"}])), (json!(null), json!([{"key": "hunter2"}]))] {
            let change = json!({"actions": ["update"], "before": {"l": before}, "after": {"l": after},
                "before_sensitive": {}, "after_sensitive": {"l": [{"key": true}]}});
            assert_eq!(told(change), ["l: - -> - secret"]);
        }
    }

    #[test]
    fn what_is_named_like_a_secret_is_masked_although_nobody_marks_it() {
        let change = json!({"actions": ["update"],
            "before": {"environment": [{"variables": {"DB_PASSWORD": "hunter1", "LEVEL": "info"}}], "auth": null},
            "after": {"environment": [{"variables": {"DB_PASSWORD": "hunter2", "LEVEL": "warn"}}], "auth": {"api_key": "hunter3"}}});
        let expected = [
            "auth: - -> - secret",
            "environment[0].variables.DB_PASSWORD: - -> - secret",
            "environment[0].variables.LEVEL: \"info\" -> \"warn\"",
        ];
        assert_eq!(told(change), expected);
        let leaf = &leaves(&json!({"DB_PASSWORD": "hunter2"}), &json!({}))[0];
        assert!(leaf.sensitive && leaf.value.is_none());
    }

    #[test]
    fn what_is_known_later_and_what_forces_are_marked() {
        let change = json!({"actions": ["delete", "create"], "before": {"name": "a", "id": "1"}, "after": {"name": "b"},
            "after_unknown": {"id": true}, "replace_paths": [["name"]]});
        assert_eq!(told(change), ["id: \"1\" -> - later", "name: \"a\" -> \"b\" forces"]);
        assert_eq!(spelled(&[json!("rule"), json!(0), json!("id")]), "rule[0].id");
    }

    #[test]
    fn every_value_is_told_by_its_path_and_secrets_are_masked() {
        let value =
            json!({"a": 1, "none": null, "tags": {"x": "1"}, "l": [{"id": 2}], "e": {}, "s": {"deep": "hunter2"}});
        let told: Vec<String> = leaves(&value, &json!({"s": true, "l": [{}]}))
            .into_iter()
            .map(|leaf| format!("{} {}", leaf.path, leaf.value.map_or("secret".to_owned(), |value| value.to_string())))
            .collect();
        assert_eq!(told, ["a 1", "e {}", "l[0].id 2", "s secret", "tags.x \"1\""]);
    }

    #[test]
    fn json_in_a_string_is_looked_into() {
        let change = json!({"actions": ["update"], "before": {"policy": "{\"a\":1,\"b\":2}"}, "after": {"policy": "{\"a\":1,\"b\":3}"}});
        assert_eq!(told(change), ["policy.b: 2 -> 3"]);
    }
}
