//! The order of stacks: what a stack depends on comes before it.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::error::{Error, Result};

/// The chosen stacks in the order in which they are deployed; destroying goes the other way.
pub fn ordered(config: &Config, chosen: Vec<String>) -> Result<Vec<String>> {
    let mut left: BTreeSet<String> = chosen.into_iter().collect();
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let waits = |stack: &str| depends_on(config, stack).iter().any(|other| left.contains(other));
        let Some(next) = left.iter().find(|stack| !waits(stack)).cloned() else {
            let names: Vec<&str> = left.iter().map(String::as_str).collect();
            return Err(Error::usage(format!("these stacks depend on each other in a circle: {}", names.join(", ")))
                .hint("see depends_on under [stacks] in claimctl.toml"));
        };
        left.remove(&next);
        ordered.push(next);
    }
    Ok(ordered)
}

/// The stacks that this one names in claimctl.toml.
pub fn depends_on<'a>(config: &'a Config, stack: &str) -> &'a [String] {
    config.stacks.get(stack).map_or(&[], |stack| &stack.depends_on)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Stack;

    fn config(edges: &[(&str, &str)]) -> Config {
        let mut config = Config::default();
        for (stack, needs) in edges {
            let stack: &mut Stack = config.stacks.entry((*stack).to_owned()).or_default();
            stack.depends_on.push((*needs).to_owned());
        }
        config
    }

    fn order(edges: &[(&str, &str)], chosen: &[&str]) -> Result<Vec<String>> {
        ordered(&config(edges), chosen.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn what_is_needed_comes_first_and_else_the_name_decides() {
        assert_eq!(order(&[("a", "c"), ("c", "b")], &["a", "b", "c", "d"]).unwrap(), ["b", "c", "a", "d"]);
        // What was not chosen is not waited for.
        assert_eq!(order(&[("a", "c")], &["b", "a"]).unwrap(), ["a", "b"]);
    }

    #[test]
    fn a_circle_is_told() {
        let error = order(&[("a", "b"), ("b", "a")], &["a", "b", "c"]).unwrap_err();
        assert!(error.to_string().contains("a, b"), "{error}");
    }
}
