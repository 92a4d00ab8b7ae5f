//! The variables that a run is given: the environment's file, what claimctl knows, and what the operator adds.

use std::collections::BTreeMap;
use std::path::Path;

use claimctl_aws::target::Target;
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;

use crate::terraform::root::Root;
use crate::terraform::source::{self, Source};

/// What decides where a stack lands. It comes from claimctl.toml: set elsewhere, it would pass by the guards.
pub const PLACE: [&str; 5] = ["project", "environment", "region", "account", "state_bucket"];

/// What begins the names of variables of a root (Terraform documentation, "Environment Variables", TF_VAR_name).
pub(in crate::terraform) const VARIABLE: &str = "TF_VAR_";

/// The `-var-file` and `-var` arguments, in the order in which later ones win.
pub fn arguments(
    target: &Target,
    root: &Root,
    source: &Source,
    digests: &BTreeMap<String, String>,
    assignments: &[String],
) -> Result<Vec<String>> {
    let file = root.values();
    let set = root.set_values()?;
    let mut arguments = Vec::new();
    if file.is_file() {
        arguments.push(format!("-var-file={}", file.display()));
    }
    for (name, value) in known(target, root) {
        match set.get(name) {
            Some(other) => compare(name, &value, other.as_deref(), &file)?,
            None if source.variables.contains_key(name) => arguments.push(format!("-var={name}={value}")),
            None => {}
        }
    }
    arguments.extend(digests.iter().map(|(name, digest)| format!("-var={name}={digest}")));
    for assignment in assignments {
        check(assignment, source, root)?;
        arguments.push(format!("-var={assignment}"));
    }
    Ok(arguments)
}

/// What the environment's file says of a place has to be what claimctl.toml says of it.
fn compare(name: &str, value: &str, other: Option<&str>, file: &Path) -> Result<()> {
    let says = match other {
        Some(other) if other == value || name == "state_bucket" => return Ok(()),
        Some(other) => format!("{name} is {value} in claimctl.toml and {other} in {}", file.display()),
        None => format!("{name} is {value} in claimctl.toml and no plain string in {}", file.display()),
    };
    Err(Error::refused(says).hint(format!("nothing was done; write {name} = \"{value}\", or leave it out")))
}

/// Refuses what only Terraform would hear: variables that decide where the stack lands, or what claimctl builds and
/// publishes for it, in the shell or in files that Terraform reads by itself (Terraform documentation, "Input
/// variables", Variable definition precedence).
pub fn check_unheard<'a>(root: &Root, source: &Source, shell: impl Iterator<Item = &'a str>) -> Result<()> {
    let decides = source.deciding();
    let refused = |name: &str, place: String| {
        Err(Error::refused(format!("{name} is set by {place}, where only Terraform would hear of it"))
            .hint(format!("nothing was done; set it in {}", root.values().display()))
            .next("or for this run", Next::again().flag("--var", format!("{name}=VALUE"))))
    };
    let mut shell = shell.filter_map(|name| name.strip_prefix(VARIABLE));
    if let Some(name) = shell.find(|name| decides.contains(name)) {
        return refused(name, format!("the shell's {VARIABLE}{name}"));
    }
    for file in source::own_values(&root.folder)? {
        let names = source::names_of_values(&file)?;
        if let Some(place) = names.iter().find(|name| PLACE.contains(&name.as_str())) {
            return Err(Error::refused(format!("{place} is set by {}", file.display()))
                .hint("nothing was done; an environment's place is in claimctl.toml: take it out"));
        }
        if let Some(name) = names.iter().find(|name| decides.contains(name.as_str())) {
            return refused(name, file.display().to_string());
        }
    }
    Ok(())
}

fn known(target: &Target, root: &Root) -> Vec<(&'static str, String)> {
    let mut known = vec![
        ("project", target.project.clone()),
        ("environment", root.environment.clone()),
        ("region", target.region.clone()),
        ("state_bucket", root.state.bucket.clone()),
    ];
    known.extend(target.expected_account().map(|account| ("account", account.to_owned())));
    known
}

fn check(assignment: &str, source: &Source, root: &Root) -> Result<()> {
    let Some((name, _)) = assignment.split_once('=') else {
        return Err(Error::usage(format!("variable {assignment:?} has no value")).hint("write NAME=VALUE"));
    };
    if PLACE.contains(&name) {
        let message = format!("variable {name} would lead past the checks of environment {}", root.environment);
        return Err(Error::refused(message)
            .hint("an environment's place is in claimctl.toml: choose another environment, or change it there"));
    }
    if source.variables.contains_key(name) {
        return Ok(());
    }
    let known: Vec<&str> = source.variables.keys().map(String::as_str).collect();
    let error = Error::usage(format!("stack {} has no variable {name:?}", root.stack));
    Err(match claimctl_core::nearest::name(name, known.iter().copied()) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None => error.hint(format!("known: {}", known.join(", "))),
    })
}

/// The value that a variable has by these assignments, the environment's file or its default.
pub fn value(root: &Root, source: &Source, assignments: &[String], name: &str) -> Result<Option<String>> {
    let assigned =
        assignments.iter().rev().filter_map(|assignment| assignment.split_once('=')).find(|(key, _)| *key == name);
    if let Some((_, value)) = assigned {
        return Ok(Some(value.to_owned()));
    }
    let set = root.set_values()?;
    Ok(set.get(name).cloned().flatten().or_else(|| source.variables.get(name).cloned().flatten()))
}
