//! What a rule gives its target of an event: all of it, a part, or a text of its own.

use aws_sdk_eventbridge::types::Target;
use serde_json::Value;

/// Without input transformers: a replay would have to write what EventBridge writes, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    Event,
    /// `InputPath`.
    Part(String),
    /// `Input`.
    Text(String),
}

impl Input {
    /// An error says why a replay cannot give the target what the rule does.
    pub fn of(target: &Target) -> Result<Input, String> {
        match (&target.input_transformer, &target.input, &target.input_path) {
            (Some(_), ..) => {
                Err("the rule transforms its events (InputTransformer), which a replay does not do".into())
            }
            (None, Some(text), _) => Ok(Input::Text(text.clone())),
            (None, None, Some(path)) => match path.as_str() {
                "$" => Ok(Input::Event),
                _ => steps(path).map(|_| Input::Part(path.clone())),
            },
            (None, None, None) => Ok(Input::Event),
        }
    }

    /// An error says why there is nothing to give.
    pub fn apply(&self, event: &str) -> Result<String, String> {
        match self {
            Input::Event => Ok(event.to_owned()),
            Input::Text(text) => Ok(text.clone()),
            Input::Part(path) => {
                let event: Value = serde_json::from_str(event).map_err(|error| format!("it is no event ({error})"))?;
                let part = steps(path)?.into_iter().try_fold(&event, |value, step| match value {
                    Value::Array(values) => values.get(step.parse::<usize>().ok()?),
                    value => value.get(step),
                });
                part.map(Value::to_string).ok_or_else(|| format!("its rule's InputPath {path} finds nothing in it"))
            }
        }
    }
}

/// The fields of a path such as `$.detail.payment`, `$['detail']` or `$.resources[0]` (Amazon EventBridge User Guide,
/// "Amazon EventBridge input transformation").
fn steps(path: &str) -> Result<Vec<&str>, String> {
    let unknown = || format!("the rule's InputPath {path} is of a form that a replay does not know");
    let mut rest = path.strip_prefix('$').ok_or_else(unknown)?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, after) = match rest.strip_prefix('[') {
            Some(inside) => {
                let (step, after) = inside.split_once(']').ok_or_else(unknown)?;
                (step.trim_matches(['\'', '"']), after)
            }
            None => {
                let name = rest.strip_prefix('.').ok_or_else(unknown)?;
                name.split_at(name.find(['.', '[']).unwrap_or(name.len()))
            }
        };
        if step.is_empty() || step.contains(['*', '?', '@', ',']) {
            return Err(unknown());
        }
        steps.push(step);
        rest = after;
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_eventbridge::types::InputTransformer;

    fn target() -> aws_sdk_eventbridge::types::builders::TargetBuilder {
        Target::builder().id("t").arn("a")
    }

    #[test]
    fn a_target_gets_what_its_rule_gives_it() {
        const EVENT: &str = r#"{"detail":{"a b":[1,{"c":"d"}]},"resources":["r"]}"#;
        let given = |target: Target| Input::of(&target).and_then(|input| input.apply(EVENT));
        assert_eq!(given(target().build().unwrap()).as_deref(), Ok(EVENT));
        assert_eq!(given(target().input("{}").build().unwrap()).as_deref(), Ok("{}"));
        for (path, part) in [
            ("$", EVENT),
            ("$.resources[0]", r#""r""#),
            ("$.detail['a b'][1].c", r#""d""#),
            ("$.detail", r#"{"a b":[1,{"c":"d"}]}"#),
        ] {
            assert_eq!(given(target().input_path(path).build().unwrap()).as_deref(), Ok(part), "{path}");
        }
    }

    #[test]
    fn what_a_replay_cannot_give_is_refused_by_its_name() {
        let refused = |target: Target| Input::of(&target).unwrap_err();
        for path in ["detail", "$..a", "$.a[*]", "$.a[", "$a", "$.a[?(@.b)]", "$."] {
            assert!(refused(target().input_path(path).build().unwrap()).contains(path), "{path}");
        }
        let transformer = InputTransformer::builder().input_template("<x>").build().unwrap();
        assert!(refused(target().input_transformer(transformer).build().unwrap()).contains("InputTransformer"));
        let missing = Input::Part("$.detail.x".into()).apply(r#"{"detail":{}}"#).unwrap_err();
        assert_eq!(missing, "its rule's InputPath $.detail.x finds nothing in it");
    }
}
