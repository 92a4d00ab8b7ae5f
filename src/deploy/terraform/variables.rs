//! The variables that a run is given: the environment's file, what claimctl knows, and what the operator adds.

use std::collections::BTreeMap;

use super::root::Root;
use super::source::{self, Source};
use crate::error::{Error, Result};
use crate::target::Target;

/// What decides where a stack lands. It comes from claimctl.toml: set elsewhere, it would pass by the guards.
pub const PLACE: [&str; 5] = ["project", "environment", "region", "account", "state_bucket"];

/// The `-var-file` and `-var` arguments, in the order in which later ones win.
pub fn arguments(
    target: &Target,
    root: &Root,
    source: &Source,
    digests: &BTreeMap<String, String>,
    typed: &[String],
) -> Result<Vec<String>> {
    let file = root.values();
    let set = if file.is_file() { source::read_values(&file)? } else { BTreeMap::new() };
    let mut arguments = Vec::new();
    if file.is_file() {
        arguments.push(format!("-var-file={}", file.display()));
    }
    for (name, value) in known(target, root) {
        match set.get(name) {
            Some(Some(other)) if *other != value && name != "state_bucket" => {
                return Err(Error::refused(format!(
                    "{name} is {value} in claimctl.toml and {other} in {}",
                    file.display()
                ))
                .hint("nothing was done; make both say the same"));
            }
            Some(_) => {}
            None if source.variables.contains_key(name) => arguments.push(format!("-var={name}={value}")),
            None => {}
        }
    }
    arguments.extend(digests.iter().map(|(name, digest)| format!("-var={name}={digest}")));
    for assignment in typed {
        check(assignment, source, root)?;
        arguments.push(format!("-var={assignment}"));
    }
    Ok(arguments)
}

fn known(target: &Target, root: &Root) -> Vec<(&'static str, String)> {
    let mut known = vec![
        ("project", target.config.project.name.clone()),
        ("environment", root.environment.clone()),
        ("region", target.region.clone()),
        ("state_bucket", root.state.bucket.clone()),
    ];
    known.extend(target.expected_account().map(|account| ("account", account.to_owned())));
    known
}

fn check(assignment: &str, source: &Source, root: &Root) -> Result<()> {
    let Some((name, _)) = assignment.split_once('=') else {
        return Err(Error::usage(format!("--var {assignment:?} has no value")).hint("write --var NAME=VALUE"));
    };
    if PLACE.contains(&name) {
        return Err(Error::refused(format!(
            "--var {name} would lead past the checks of environment {}",
            root.environment
        ))
        .hint("an environment's place is in claimctl.toml: choose another --env"));
    }
    if source.variables.contains_key(name) {
        return Ok(());
    }
    let known: Vec<&str> = source.variables.keys().map(String::as_str).collect();
    let error = Error::usage(format!("stack {} has no variable {name:?}", root.stack));
    Err(match crate::names::nearest(name, known.iter().copied()) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None => error.hint(format!("known: {}", known.join(", "))),
    })
}

/// The value that a variable has by what was typed, the environment's file or its default.
pub fn value(root: &Root, source: &Source, typed: &[String], name: &str) -> Result<Option<String>> {
    let typed = typed.iter().rev().filter_map(|assignment| assignment.split_once('=')).find(|(key, _)| *key == name);
    if let Some((_, value)) = typed {
        return Ok(Some(value.to_owned()));
    }
    let file = root.values();
    let set = if file.is_file() { source::read_values(&file)? } else { BTreeMap::new() };
    Ok(set.get(name).cloned().flatten().or_else(|| source.variables.get(name).cloned().flatten()))
}
