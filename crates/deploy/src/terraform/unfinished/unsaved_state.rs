//! A state that Terraform could not save. It writes it beside the root, which all environments share: it is taken to the
//! environment's own folder at once, and nothing else is done before it is saved.

use std::path::{Path, PathBuf};

use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::next::Next;
use claimctl_core::private_files::{Existing, write_private};

use crate::next::of_stack;
use crate::state::{Content, Owner};
use crate::terraform::root::Root;
use crate::terraform::run::init;

/// What Terraform calls it, and names where it has written one.
pub const ERRORED: &str = "errored.tfstate";

/// Where Terraform writes it.
fn beside(root: &Root) -> PathBuf {
    root.folder.join(ERRORED)
}

/// `errored.tfstate`, `errored-2.tfstate` …
fn numbered(root: &Root, number: u32) -> PathBuf {
    root.data_dir.join(match number {
        1 => ERRORED.to_owned(),
        number => format!("errored-{number}.tfstate"),
    })
}

/// Takes the one that a run of this environment has just left. None that is there already is replaced.
pub fn take(root: &Root) -> Result<Option<PathBuf>> {
    let from = beside(root);
    if !from.exists() {
        return Ok(None);
    }
    let content = std::fs::read(&from).on("read", &from)?;
    let free = (1..).map(|number| numbered(root, number)).find(|path| !path.exists());
    let to = free.ok_or_else(|| Error::unexpected("no name is free for a state that could not be saved"))?;
    write_private(&to, &content, Existing::Keep)?;
    std::fs::remove_file(&from).on("remove", &from)?;
    Ok(Some(to))
}

/// Those that were taken, the first one first.
fn taken(root: &Root) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(&root.data_dir).into_iter().flatten().flatten();
    let is_one = |name: &str| name.starts_with("errored") && name.ends_with(".tfstate");
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| is_one(name));
    names.sort_by_key(|name| (name.len(), name.clone()));
    names.into_iter().map(|name| root.data_dir.join(name)).collect()
}

/// Whether a file is one that is removed once its content is in the state.
pub fn is_one(root: &Root, file: &Path) -> bool {
    let Ok(file) = file.canonicalize() else { return false };
    taken(root).into_iter().chain([beside(root)]).any(|one| one.canonicalize().is_ok_and(|one| one == file))
}

/// Refuses to go on where there is one.
pub fn check(root: &Root) -> Result<()> {
    let taken = taken(root);
    if !taken.is_empty() {
        return Err(unsaved(root, &taken, Some(&root.environment)));
    }
    // Terraform outlived the claimctl that had started it, or somebody else did.
    let beside = beside(root);
    match beside.exists() {
        true => Err(unsaved(root, std::slice::from_ref(&beside), environment(root, &beside).as_deref())),
        false => Ok(()),
    }
}

/// The environment that a file's content is of.
fn environment(root: &Root, file: &Path) -> Option<String> {
    let content = Content::parse(std::fs::read(file).ok()?, ERRORED).ok()?;
    match Owner::of(&content) {
        Some(owner) => Some(owner.environment),
        None => (init::lineage(root).as_ref() == Some(&content.header.lineage)).then(|| root.environment.clone()),
    }
}

fn unsaved(root: &Root, files: &[PathBuf], environment: Option<&str>) -> Error {
    let stack = &root.stack;
    let named: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let whose = environment.map_or_else(String::new, |environment| format!(" in {environment}"));
    let error = Error::refused(format!(
        "an apply of {stack}{whose} could not save its state, which is in {}",
        named.join(", ")
    ));
    let why = match environment {
        Some(_) => "save it",
        None => "which environment it is of cannot be told; in the one of that apply",
    };
    let save = |file: &PathBuf| save(stack, environment.unwrap_or("ENV"), file);
    let error = files.iter().fold(error, |error, file| error.next(why, save(file)));
    error.hint("it is removed once its content is in the state")
}

/// The command that saves it.
fn save(stack: &str, environment: &str, file: &Path) -> Next {
    of_stack("state restore", stack, environment).flag("--file", file.display())
}

/// An error of a run that may have left such a state, with the command that saves each.
pub fn with_unsaved(error: Error, root: &Root) -> Error {
    let save = |file: &PathBuf| save(&root.stack, &root.environment, file);
    taken(root).iter().fold(error, |error, file| error.next("the state is not saved yet; save it", save(file)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terraform::root::tests::root;

    fn root_at(folder: &Path) -> Root {
        let (project, data_dir) = (folder.join("a project"), folder.join("data"));
        [&project, &data_dir].into_iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
        Root { folder: project, data_dir, ..root() }
    }

    fn state(outputs: &str) -> String {
        format!(
            "{{\"version\":4,\"terraform_version\":\"1\",\"serial\":1,\"lineage\":\"l\",\"outputs\":{outputs},\
             \"resources\":[]}}"
        )
    }

    #[test]
    fn what_is_taken_takes_the_place_of_nothing_and_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let root = root_at(folder.path());
        assert!(check(&root).is_ok());
        for text in ["first", "second"] {
            std::fs::write(beside(&root), text).unwrap();
            assert_eq!(std::fs::read_to_string(take(&root).unwrap().unwrap()).unwrap(), text);
        }
        assert!(take(&root).unwrap().is_none());
        let hints = check(&root).unwrap_err().advice();
        let (first, second) = (hints.find("data/errored.tfstate"), hints.find("data/errored-2.tfstate"));
        assert!(first.is_some() && first < second, "{hints}");
        assert!(is_one(&root, &root.data_dir.join("errored-2.tfstate")) && !is_one(&root, folder.path()));
    }

    #[test]
    fn the_environment_is_told_from_the_content_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let root = root_at(folder.path());
        let told = |content: &str| {
            std::fs::write(beside(&root), content).unwrap();
            let error = check(&root).unwrap_err();
            (error.to_string(), error.advice())
        };
        let of_prod = "{\"claimctl\":{\"value\":{\"stack\":\"s\",\"environment\":\"prod\",\"account\":\"1\"}}}";
        let (message, hints) = told(&state(of_prod));
        assert!(message.starts_with("an apply of claim-check in prod could not save its state"), "{message}");
        assert!(hints.contains("claim-check --file '/") && hints.contains(" --env prod"), "{hints}");
        for content in [state("{}"), "{}".to_owned()] {
            let (_, hints) = told(&content);
            assert!(hints.contains("cannot be told") && !hints.contains("--env dev"), "{hints}");
        }
    }
}
