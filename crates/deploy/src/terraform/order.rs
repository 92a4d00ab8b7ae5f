//! The order of stacks: what a stack depends on comes before it.

use std::collections::BTreeSet;

use claimctl_core::error::{Error, Result};

use crate::project::Project;

/// The chosen stacks in the order in which they are deployed; destroying goes the other way.
pub fn ordered(project: &Project, chosen: Vec<String>) -> Result<Vec<String>> {
    let mut left: BTreeSet<String> = chosen.into_iter().collect();
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let waits = |stack: &str| needed(project, stack).iter().any(|other| *other != stack && left.contains(*other));
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

/// Whether a stack depends on another, be it by way of stacks that are not chosen.
pub fn needs(project: &Project, stack: &str, other: &str) -> bool {
    needed(project, stack).contains(other)
}

/// Everything that a stack depends on; itself as well where that is a circle.
fn needed<'a>(project: &'a Project, stack: &str) -> BTreeSet<&'a str> {
    let mut needed = BTreeSet::new();
    let mut names: Vec<&str> = depends_on(project, stack).iter().map(String::as_str).collect();
    while let Some(name) = names.pop() {
        if needed.insert(name) {
            names.extend(depends_on(project, name).iter().map(String::as_str));
        }
    }
    needed
}

/// The stacks that this one names in claimctl.toml.
pub fn depends_on<'a>(project: &'a Project, stack: &str) -> &'a [String] {
    project.stacks.get(stack).map_or(&[], |stack| &stack.depends_on)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::Stack;

    fn project(edges: &[(&str, &str)]) -> Project {
        let mut project = Project::default();
        for (stack, needs) in edges {
            let stack: &mut Stack = project.stacks.entry((*stack).to_owned()).or_default();
            stack.depends_on.push((*needs).to_owned());
        }
        project
    }

    fn order(edges: &[(&str, &str)], chosen: &[&str]) -> Result<Vec<String>> {
        ordered(&project(edges), chosen.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn what_is_needed_comes_first_and_else_the_name_decides() {
        assert_eq!(order(&[("a", "c"), ("c", "b")], &["a", "b", "c", "d"]).unwrap(), ["b", "c", "a", "d"]);
        // What was not chosen is not waited for.
        assert_eq!(order(&[("a", "c")], &["b", "a"]).unwrap(), ["a", "b"]);
    }

    #[test]
    fn what_is_needed_by_way_of_another_comes_first_as_well() {
        let edges = [("a", "b"), ("b", "c")];
        assert_eq!(order(&edges, &["a", "c"]).unwrap(), ["c", "a"]);
        assert!(needs(&project(&edges), "a", "c") && !needs(&project(&edges), "c", "a"));
    }

    #[test]
    fn a_circle_is_told() {
        // Of one alone, the order is no question.
        assert_eq!(order(&[("a", "b"), ("b", "a")], &["a"]).unwrap(), ["a"]);
        let error = order(&[("a", "b"), ("b", "a")], &["a", "b", "c"]).unwrap_err();
        assert!(error.to_string().contains("a, b"), "{error}");
    }
}
