//! What the provider refuses in a configuration, as far as it is documented: see `documented`.

use rmpv::Value;
use serde_json::Value as Json;

use crate::documented::Facts;
use crate::schema::Block;
use crate::value::{get, is_unknown, to_json};
use crate::wire::Problem;

pub fn validate(block: &Block, facts: &Facts, config: &mut Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    for group in &facts.conflicts {
        let is_set = |name: &&str| match get(config, name) {
            Value::Nil => false,
            Value::Array(blocks) => !blocks.is_empty(),
            // What is not known yet may turn out to be null.
            value => !is_unknown(value),
        };
        let set: Vec<&str> = group.iter().map(String::as_str).filter(is_set).collect();
        if let [first, second, ..] = set.as_slice() {
            problems.push(Problem::at(first, format!("\"{first}\": conflicts with {second}")));
        }
    }
    block.visit(config, &mut |path, attribute, value| {
        if value.is_nil() {
            return;
        }
        if attribute.computed && !attribute.optional {
            problems.push(Problem::at(path, format!("\"{path}\": this attribute is decided by the provider alone")));
        }
        if is_unknown(value) {
            return;
        }
        if let Some(allowed) = facts.one_of.get(path) {
            problems.extend(not_one_of(path, allowed, value));
        }
        if let Some((least, most)) = facts.range.get(path)
            && let Some(number) = value.as_f64().filter(|number| number < least || number > most)
        {
            problems.push(Problem::at(
                path,
                format!("expected {path} to be in the range ({least} - {most}), got {number}"),
            ));
        }
        if facts.json.iter().any(|json| json == path)
            && let Some(text) = value.as_str()
            && let Err(error) = serde_json::from_str::<Json>(text)
        {
            problems.push(Problem::at(path, format!("\"{path}\" contains an invalid JSON: {error}")));
        }
    });
    problems
}

fn not_one_of(path: &str, allowed: &[Json], value: &Value) -> Option<Problem> {
    let given = to_json(value);
    let wrong = given.as_array().map_or(std::slice::from_ref(&given), Vec::as_slice);
    let wrong = wrong.iter().find(|given| !given.is_null() && !allowed.contains(given))?;
    Some(Problem::at(path, format!("expected {path} to be one of {}, got {wrong}", Json::from(allowed))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::value::from_json;

    fn refused(config: serde_json::Value) -> Vec<String> {
        let attribute = |kind: &str| json!({"type": kind, "optional": true});
        let block = json!({"attributes": {"name": attribute("string"), "name_prefix": attribute("string"),
            "delay": attribute("number"), "policy": attribute("string"), "mode": attribute("string"),
            "days": attribute("number"), "arn": {"type": "string", "computed": true}}});
        let facts = json!({"conflicts": [["name", "name_prefix"]], "range": {"delay": [0, 900]}, "json": ["policy"],
            "one_of": {"mode": ["on", "off"], "days": [1, 3]}});
        let block: Block = serde_json::from_value(block).unwrap();
        let facts: Facts = serde_json::from_value(facts).unwrap();
        let problems = validate(&block, &facts, &mut from_json(&config));
        problems.iter().map(|problem| problem.summary().to_owned()).collect()
    }

    #[test]
    fn each_documented_limit_is_held() {
        assert_eq!(refused(json!({"name": "n", "delay": 900, "policy": "{}", "mode": "on"})), [""; 0]);
        assert_eq!(refused(json!({"name": "n", "name_prefix": "p"})), ["\"name\": conflicts with name_prefix"]);
        assert_eq!(refused(json!({"delay": 901})), ["expected delay to be in the range (0 - 900), got 901"]);
        assert_eq!(refused(json!({"arn": "a"})), ["\"arn\": this attribute is decided by the provider alone"]);
        assert!(refused(json!({"policy": "{"}))[0].starts_with("\"policy\" contains an invalid JSON"));
        assert_eq!(refused(json!({"mode": "auto"})), [r#"expected mode to be one of ["on","off"], got "auto""#]);
        assert_eq!(refused(json!({"days": 2})), ["expected days to be one of [1,3], got 2"]);
    }
}
