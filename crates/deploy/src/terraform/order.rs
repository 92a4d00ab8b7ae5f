//! The order of stacks: what a stack depends on comes before it. It depends on what claimctl.toml says, and on the stacks
//! whose surfaces its Terraform reads.

use std::collections::{BTreeMap, BTreeSet};

use claimctl_core::error::{Error, Result};

use super::reads::surfaces_read;
use super::root::{parts_of, stacks_folder, stacks_of};
use crate::project::Project;

/// Which stacks each stack of a project depends on.
#[derive(Debug, Default)]
pub struct Dependencies(BTreeMap<String, BTreeSet<String>>);

impl Dependencies {
    pub fn of(project: &Project) -> Result<Dependencies> {
        let known = stacks_of(project)?;
        let folder = stacks_folder(project.folder()?);
        let mut all = Dependencies::default();
        for stack in &known {
            for name in surfaces_read(&folder.join(stack)) {
                let named = all.add(&known, stack, &name);
                named.map_err(|error| error.hint(format!("see the modules of {}", folder.join(stack).display())))?;
            }
        }
        for (name, declared) in &project.stacks {
            for stack in meant(&known, name) {
                for other in &declared.depends_on {
                    let named = all.add(&known, &stack, other);
                    named.map_err(|error| error.hint("see depends_on under [stacks] in claimctl.toml"))?;
                }
            }
        }
        Ok(all)
    }

    /// That a stack depends on another, or on all parts of a system.
    fn add(&mut self, known: &[String], stack: &str, other: &str) -> Result<()> {
        let others = meant(known, other);
        if others.is_empty() {
            return Err(Error::usage(format!("{stack} depends on a stack {other:?}, which is not there"))
                .hint(format!("known: {}", known.join(", "))));
        }
        self.0.entry(stack.to_owned()).or_default().extend(others);
        Ok(())
    }

    /// The chosen stacks in the order in which they are deployed; destroying goes the other way.
    pub fn ordered(&self, chosen: Vec<String>) -> Result<Vec<String>> {
        let mut left: BTreeSet<String> = chosen.into_iter().collect();
        let mut ordered = Vec::new();
        while !left.is_empty() {
            let waits = |stack: &str| self.needed(stack).iter().any(|other| *other != stack && left.contains(*other));
            let Some(next) = left.iter().find(|stack| !waits(stack)).cloned() else {
                let names: Vec<&str> = left.iter().map(String::as_str).collect();
                let circle = format!("these stacks depend on each other in a circle: {}", names.join(", "));
                return Err(Error::usage(circle)
                    .hint("see depends_on under [stacks] in claimctl.toml, and whose surfaces their modules read"));
            };
            left.remove(&next);
            ordered.push(next);
        }
        Ok(ordered)
    }

    /// Whether a stack depends on another, be it by way of stacks that are not chosen.
    pub fn needs(&self, stack: &str, other: &str) -> bool {
        self.needed(stack).contains(other)
    }

    /// The stacks that depend on this one, and not by way of another.
    pub fn dependents(&self, stack: &str) -> Vec<&str> {
        let others = self.0.iter().filter(|(other, needed)| *other != stack && needed.contains(stack));
        others.map(|(other, _)| other.as_str()).collect()
    }

    /// Everything that a stack depends on; itself as well where that is a circle.
    fn needed(&self, stack: &str) -> BTreeSet<&str> {
        let of = |name: &str| self.0.get(name).into_iter().flatten().map(String::as_str);
        let mut needed = BTreeSet::new();
        let mut names: Vec<&str> = of(stack).collect();
        while let Some(name) = names.pop() {
            if needed.insert(name) {
                names.extend(of(name));
            }
        }
        needed
    }
}

/// The stack of this name, or all parts of the system. Empty: there is none.
fn meant(known: &[String], name: &str) -> Vec<String> {
    match known.iter().any(|stack| stack == name) {
        true => vec![name.to_owned()],
        false => parts_of(known, name),
    }
}

/// The chosen stacks, in the place of a system all its parts. What is no stack stays, for whoever opens it to tell.
pub fn with_parts(known: &[String], chosen: &[String]) -> Vec<String> {
    let each = chosen.iter().flat_map(|name| match meant(known, name) {
        none if none.is_empty() => vec![name.clone()],
        stacks => stacks,
    });
    each.collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    use super::*;
    use crate::project::Stack;

    /// By pairs: the first depends on the second.
    pub fn dependencies(edges: &[(&str, &str)]) -> Dependencies {
        let mut all = Dependencies::default();
        for (stack, needs) in edges {
            all.0.entry((*stack).to_owned()).or_default().insert((*needs).to_owned());
        }
        all
    }

    fn order(edges: &[(&str, &str)], chosen: &[&str]) -> Result<Vec<String>> {
        dependencies(edges).ordered(chosen.iter().map(|name| (*name).to_owned()).collect())
    }

    fn project(folder: &Path, files: &[(&str, &str)], declared: &[(&str, &str)]) -> Project {
        for (stack, text) in files {
            let root = stacks_folder(folder).join(stack);
            std::fs::create_dir_all(&root).unwrap();
            std::fs::write(root.join("main.tf"), text).unwrap();
        }
        let mut project = Project { folder: Some(folder.to_owned()), ..Project::default() };
        for (stack, needs) in declared {
            let stack: &mut Stack = project.stacks.entry((*stack).to_owned()).or_default();
            stack.depends_on.push((*needs).to_owned());
        }
        project
    }

    fn reads(stack: &str) -> String {
        format!("module \"it\" {{\n  source = \"../../../modules/surface\"\n  stack = \"{stack}\"\n}}\n")
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
        let all = dependencies(&edges);
        assert!(all.needs("a", "c") && !all.needs("c", "a"));
        assert_eq!(all.dependents("c"), ["b"]);
    }

    #[test]
    fn a_circle_is_told() {
        // Of one alone, the order is no question.
        assert_eq!(order(&[("a", "b"), ("b", "a")], &["a"]).unwrap(), ["a"]);
        let error = order(&[("a", "b"), ("b", "a")], &["a", "b", "c"]).unwrap_err();
        assert!(error.to_string().contains("a, b"), "{error}");
    }

    #[test]
    fn a_part_comes_after_those_whose_surfaces_it_reads() {
        let folder = tempfile::tempdir().unwrap();
        let files = [("pay/a", reads("pay/z")), ("pay/z", String::new()), ("web", String::new()), ("x", String::new())];
        let files: Vec<_> = files.iter().map(|(stack, text)| (*stack, text.as_str())).collect();
        let project = project(folder.path(), &files, &[("web", "pay"), ("pay", "x")]);
        let all = Dependencies::of(&project).unwrap();
        let known = stacks_of(&project).unwrap();
        // A system that is declared to depend, or to be depended on, means all its parts.
        assert_eq!(all.ordered(known.clone()).unwrap(), ["x", "pay/z", "pay/a", "web"]);
        let chosen = ["pay", "web", "nothing"].map(str::to_owned);
        assert_eq!(with_parts(&known, &chosen), ["pay/a", "pay/z", "web", "nothing"]);
    }

    #[test]
    fn a_dependency_that_is_no_stack_is_told_with_the_place_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let declared = project(folder.path(), &[("a", "")], &[("a", "b")]);
        let error = Dependencies::of(&declared).unwrap_err();
        assert!(error.advice().contains("claimctl.toml"), "{}", error.advice());
        let reading = project(folder.path(), &[("a", &reads("pay/b"))], &[]);
        let error = Dependencies::of(&reading).unwrap_err();
        assert_eq!(error.to_string(), "a depends on a stack \"pay/b\", which is not there");
        assert!(error.advice().contains("terraform/stacks/a"), "{}", error.advice());
    }
}
