//! Where a stack's Terraform lies, and where its state and its working data are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use claimctl_aws::target::Target;
use claimctl_claim::surface::system_of;
use claimctl_core::context::Paths;
use claimctl_core::error::{Error, Result};
use claimctl_core::nearest;
use claimctl_core::next::Next;

use crate::backend::BackendFile;
use crate::next::{bootstrap, in_an_environment, of_stack};
use crate::project::Project;
use crate::state::state_key;
use crate::terraform::source;

/// Applied once per account, by an administrator, and no part of `--all`.
pub const GLOBAL: &str = "global";

/// One stack in one environment.
#[derive(Debug, Clone)]
pub struct Root {
    pub stack: String,
    /// The folder of claimctl.toml.
    pub project: PathBuf,
    /// The root module.
    pub folder: PathBuf,
    pub environment: String,
    /// `--var` and `NAME=VALUE` as commands to run next repeat them: without the values of secrets.
    pub variables: Vec<String>,
    /// Terraform's own folder for this root and environment, and claimctl's notes beside it. Private.
    pub data_dir: PathBuf,
    pub backend: BackendFile,
    /// Bucket and key of the state.
    pub state: StateAt,
}

/// Where a state is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StateAt {
    pub bucket: String,
    pub key: String,
}

impl Root {
    pub fn find(paths: &Paths, target: &Target, project: &Project, stack: &str) -> Result<Root> {
        let environment = target.environment.clone().ok_or_else(|| {
            Error::usage("a stack lives in an environment").next("name one of claimctl.toml", in_an_environment())
        })?;
        let data = paths.state.join(&project.name).join("terraform");
        let project = project.folder()?;
        let folder = folder(project, stack)?;
        let backend = BackendFile::read(project, &environment)?;
        let bucket = backend.get("bucket").ok_or_else(|| {
            Error::not_found(format!("nothing says where environment {environment} keeps its state"))
                .caused_by(format!("{} names no bucket", backend.path.display()))
                .next("make the state bucket", bootstrap(&environment))
                .hint("where it is made already, commit the file that bootstrap wrote")
        })?;
        Ok(Root {
            stack: stack.to_owned(),
            project: project.to_owned(),
            folder,
            data_dir: data.join(&environment).join(stack),
            state: StateAt { bucket, key: state_key(&backend.workspace_key_prefix(), &environment, stack) },
            backend,
            environment,
            variables: Vec::new(),
        })
    }

    /// The arguments of the environment, in a file that need not be there.
    pub fn values(&self) -> PathBuf {
        self.project.join("terraform/environments").join(format!("{}.tfvars", self.environment))
    }

    /// What that file sets: strings by name, and None for what is no plain string.
    pub fn set_values(&self) -> Result<BTreeMap<String, Option<String>>> {
        let file = self.values();
        if file.is_file() { source::read_values(&file) } else { Ok(BTreeMap::new()) }
    }

    /// Locked for as long as a Terraform that claimctl has started is at work here.
    pub fn running(&self) -> PathBuf {
        self.data_dir.join("running.lock")
    }

    /// A command about this stack in this environment.
    pub fn next(&self, verb: &str) -> Next {
        of_stack(verb, &self.stack, &self.environment)
    }

    /// The same for a verb that evaluates the configuration, with the variables of this run.
    pub fn next_run(&self, verb: &str) -> Next {
        self.next(verb).words(&self.variables)
    }

    /// The command that brings an older state back.
    pub fn restore(&self) -> Next {
        self.next("state restore").word("VERSION")
    }

    /// The stack and where it is, as the operator would say it.
    pub fn name(&self) -> String {
        format!("{} in {}", self.stack, self.environment)
    }
}

fn folder(project: &Path, stack: &str) -> Result<PathBuf> {
    let known = stacks(project);
    let is_global = stack == GLOBAL && project.join("terraform").join(GLOBAL).is_dir();
    if is_global {
        return Ok(project.join("terraform").join(GLOBAL));
    }
    if known.iter().any(|name| name == stack) {
        return Ok(stacks_folder(project).join(stack));
    }
    let parts = parts_of(&known, stack);
    if !parts.is_empty() {
        return Err(Error::usage(format!("{stack} is deployed in {} parts, and this is about one stack", parts.len()))
            .hint(format!("name one of them: {}", parts.join(", "))));
    }
    let error = Error::not_found(format!("there is no stack {stack:?} in {}", stacks_folder(project).display()));
    Err(match nearest::name(stack, known.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None if known.is_empty() => error.hint("a stack is a folder with Terraform files in terraform/stacks"),
        None => error.hint(format!("known: {}", known.join(", "))),
    })
}

/// The stacks of a project, by name. A folder without files of its own whose folders have some is a system, and these are
/// its parts: `SYSTEM/PART`.
pub fn stacks(project: &Path) -> Vec<String> {
    let mut stacks = Vec::new();
    for (name, folder) in folders(&stacks_folder(project)) {
        match has_files(&folder) {
            true => stacks.push(name),
            false => {
                let parts = folders(&folder).into_iter().filter(|(_, folder)| has_files(folder));
                stacks.extend(parts.map(|(part, _)| format!("{name}/{part}")));
            }
        }
    }
    stacks.sort();
    stacks
}

/// What lies in a folder and is not hidden, as `.terraform` is.
fn folders(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())));
    named.filter(|(name, path)| !name.starts_with('.') && path.is_dir()).collect()
}

fn has_files(folder: &Path) -> bool {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.map(|file| file.path()).any(|path| path.extension().is_some_and(|end| end == "tf"))
}

/// The parts of a system among these stacks; none where it is no system.
pub fn parts_of(stacks: &[String], system: &str) -> Vec<String> {
    let is_part = |stack: &&String| system_of(stack).is_some_and(|(of, _)| of == system);
    stacks.iter().filter(is_part).cloned().collect()
}

/// The systems that are deployed in parts.
pub fn systems(stacks: &[String]) -> Vec<String> {
    let mut systems: Vec<String> = stacks.iter().filter_map(|stack| Some(system_of(stack)?.0.to_owned())).collect();
    systems.dedup();
    systems
}

/// A name as a stack may have it: that of its folder below `terraform/stacks`.
pub fn parse_name(text: &str) -> Result<String, String> {
    let segments: Vec<&str> = text.split('/').collect();
    let is_name = |segment: &&str| !segment.is_empty() && !segment.starts_with('.');
    if (1..=2).contains(&segments.len()) && segments.iter().all(is_name) {
        return Ok(text.to_owned());
    }
    let meant: Vec<&str> = segments.into_iter().filter(is_name).collect();
    let why = "a stack is called by its folder below terraform/stacks: NAME, or SYSTEM/PART";
    Err(match meant.len() {
        1 | 2 if !text.contains("..") => format!("{why}; did you mean {}?", meant.join("/")),
        _ => why.to_owned(),
    })
}

/// The stacks of the project.
pub fn stacks_of(project: &Project) -> Result<Vec<String>> {
    Ok(stacks(project.folder()?))
}

pub(super) fn stacks_folder(project: &Path) -> PathBuf {
    project.join("terraform/stacks")
}

#[cfg(test)]
pub(in crate::terraform) mod tests {
    use super::*;

    /// A root of nowhere, for what only wants its names.
    pub fn root() -> Root {
        let project = PathBuf::from("/project");
        Root {
            stack: "claim-check".to_owned(),
            folder: project.join("terraform/stacks/claim-check"),
            environment: "dev".to_owned(),
            variables: Vec::new(),
            data_dir: project.join("data"),
            backend: BackendFile { path: project.join("backend"), content: None },
            state: StateAt { bucket: "state".to_owned(), key: "claim-check/dev/claim-check.tfstate".to_owned() },
            project,
        }
    }

    #[test]
    fn a_stack_is_a_folder_with_files_and_the_nearest_name_is_offered() {
        let project = tempfile::tempdir().unwrap();
        for stack in ["claim-check", "fan-out"] {
            let folder = stacks_folder(project.path()).join(stack);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("main.tf"), "").unwrap();
        }
        std::fs::create_dir_all(stacks_folder(project.path()).join("empty")).unwrap();
        assert_eq!(stacks(project.path()), ["claim-check", "fan-out"]);
        assert!(folder(project.path(), "fan-out").is_ok());
        let error = folder(project.path(), "claimcheck").unwrap_err();
        assert_eq!(error.advice(), "did you mean claim-check?");
    }

    #[test]
    fn a_folder_of_folders_with_files_is_a_system_and_these_are_its_parts() {
        let project = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = stacks_folder(project.path()).join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        };
        for path in ["pay/b/main.tf", "pay/a/main.tf", "pay/notes.md", "pay/.terraform/x.tf", "pay/schemas/a.json"] {
            write(path);
        }
        // With files of its own it is a stack, whatever lies below.
        for path in ["one/main.tf", "one/modules/main.tf", "deep/er/still/main.tf"] {
            write(path);
        }
        let known = stacks(project.path());
        assert_eq!(known, ["one", "pay/a", "pay/b"]);
        assert_eq!(
            (systems(&known), parts_of(&known, "pay").len(), parts_of(&known, "one").len()),
            (vec!["pay".to_owned()], 2, 0)
        );
        assert!(folder(project.path(), "pay/a").unwrap().ends_with("terraform/stacks/pay/a"));
        let error = folder(project.path(), "pay").unwrap_err();
        assert_eq!(error.advice(), "name one of them: pay/a, pay/b");
    }

    #[test]
    fn a_name_is_that_of_a_folder_and_leads_nowhere_else() {
        for name in ["claim-check", "payments/quote", "a b"] {
            assert_eq!(parse_name(name).as_deref(), Ok(name));
        }
        for name in ["", "/", "..", "payments/..", "../payments", "a/b/c", ".", "payments/.terraform"] {
            assert!(parse_name(name).is_err(), "{name}");
        }
        for (name, meant) in [("payments/", "payments?"), ("payments//quote", "payments/quote?"), ("/a", "a?")] {
            assert!(parse_name(name).unwrap_err().ends_with(meant), "{name}");
        }
    }
}
