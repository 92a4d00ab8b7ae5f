//! Where the handlers' sources are: the Cargo packages that say that their binaries are handlers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use claimctl_core::context::Context;
use claimctl_core::error::{Error, Result};
use claimctl_core::nearest;
use serde::Deserialize;

use super::cargo::Cargo;
use crate::project::{Function, Project};

/// What marks a package whose binaries are handlers, in its `Cargo.toml`.
const MARK: &str = "[package.metadata.claimctl] handlers = true";

pub struct Repository {
    pub root: PathBuf,
    /// Cargo's own target directory; builds of handlers and artifacts go below it.
    pub target_directory: PathBuf,
    pub cargo: Cargo,
    /// The packages that a plain `cargo build` builds.
    pub members: Vec<String>,
    /// Sorted by name.
    handlers: Vec<Handler>,
    /// The functions of claimctl.toml.
    functions: BTreeMap<String, Function>,
    /// What the paths of their files begin at.
    project_folder: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handler {
    /// Name of the binary.
    pub name: String,
    pub package: String,
    /// Files that it has to have beside it on AWS, and where each is to be had.
    pub needs: BTreeMap<String, String>,
}

impl Repository {
    /// The repository that the working directory is in, else the one that `claimctl.toml` lies in.
    pub async fn find(ctx: &Context, project: &Project) -> Result<Repository> {
        let beside_config = project.folder.as_deref();
        let starts = [Some(ctx.working_directory.as_path()), beside_config];
        let mut packages: Vec<&Path> = starts.into_iter().flatten().filter_map(nearest_package).collect();
        packages.dedup();
        if packages.is_empty() {
            return Err(nothing_to_build(format!(
                "there is no Cargo package in {} or above",
                ctx.working_directory.display()
            )));
        }
        let cargo = Cargo::new(ctx);
        for folder in &packages {
            let metadata: Metadata = cargo.metadata(folder).await?;
            let repository = Repository {
                handlers: metadata.handlers(),
                members: metadata.members(),
                root: metadata.workspace_root,
                target_directory: metadata.target_directory,
                cargo: cargo.clone(),
                functions: project.functions.clone(),
                project_folder: project.folder.clone(),
            };
            if !repository.handlers.is_empty() {
                return Ok(repository);
            }
        }
        Err(nothing_to_build(format!("no binary of the package in {} is a handler", packages[0].display())))
    }

    pub fn handlers(&self) -> &[Handler] {
        &self.handlers
    }

    /// A handler by the name of its binary, or of a function in claimctl.toml.
    pub fn handler(&self, name: &str) -> Result<&Handler> {
        let binary = self.functions.get(name).map_or(name, |function| function.binary.as_str());
        self.handlers.iter().find(|handler| handler.name == binary).ok_or_else(|| {
            let known: Vec<&str> = self.handlers.iter().map(|handler| handler.name.as_str()).collect();
            let error = match binary == name {
                true => Error::not_found(format!("there is no handler {name:?} in {}", self.root.display())),
                false => Error::usage(format!("function {name:?} names binary {binary:?}, which is no handler here")),
            };
            let functions = self.functions.keys().map(String::as_str).filter(|function| *function != name);
            match nearest::name(binary, known.iter().copied().chain(functions)) {
                Some(near) => error.hint(format!("did you mean {near}?")),
                None => error.hint(format!("known: {}", known.join(", "))),
            }
        })
    }
}

impl Repository {
    /// The files that the functions of claimctl.toml want beside this handler, read.
    pub(super) fn files(&self, handler: &Handler) -> Result<BTreeMap<String, Vec<u8>>> {
        let mut files = BTreeMap::new();
        for (function, name, path) in self.named_files(handler) {
            let path = self.project_folder.as_deref().unwrap_or(&self.root).join(path);
            let content = std::fs::read(&path).map_err(|error| {
                let what = format!("cannot read {}, the file {name} of function {function}", path.display());
                let error = Error::not_found(what).caused_by(error);
                match handler.needs.get(name) {
                    Some(source) => error.hint(format!("it is {source}")),
                    None => error.hint(format!("put it there, or correct functions.{function}.files in claimctl.toml")),
                }
            })?;
            if files.insert(name.to_owned(), content).is_some() {
                return Err(Error::usage(format!(
                    "two functions name a file {name} beside the binary {}",
                    handler.name
                ))
                .hint("name it once in claimctl.toml: functions with one binary have one zip"));
            }
        }
        Ok(files)
    }

    /// Refuses a handler without what it has to have beside it on AWS.
    pub fn has_what_aws_needs(&self, name: &str) -> Result<()> {
        let handler = self.handler(name)?;
        let named: Vec<_> = self.named_files(handler).map(|(_, name, _)| name).collect();
        let Some((lacking, source)) = handler.needs.iter().find(|(name, _)| !named.contains(&name.as_str())) else {
            return Ok(());
        };
        Err(Error::usage(format!("handler {} has no {lacking} beside it, which it needs on AWS", handler.name))
            .hint(format!("it is {source}"))
            .hint(format!("then name it in claimctl.toml: [functions.{name}] files = {{ {lacking:?} = \"PATH\" }}")))
    }

    /// Function, name and path.
    fn named_files(&self, handler: &Handler) -> impl Iterator<Item = (&str, &str, &Path)> {
        let its = self.functions.iter().filter(|(_, function)| function.binary == handler.name);
        its.flat_map(|(function, one)| {
            one.files.iter().map(|(name, path)| (function.as_str(), name.as_str(), path.as_path()))
        })
    }
}

fn nothing_to_build(message: String) -> Error {
    Error::usage(message)
        .hint("run this inside the repository that holds the handlers' sources (git clone it first)")
        .hint(format!("a handler is a binary of a package whose Cargo.toml has {MARK}"))
}

fn nearest_package(start: &Path) -> Option<&Path> {
    start.ancestors().find(|folder| folder.join("Cargo.toml").is_file())
}

/// What `cargo metadata` says (The Cargo Book, "cargo metadata", JSON format).
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    /// By id.
    workspace_default_members: Vec<String>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    targets: Vec<Target>,
    /// `[package.metadata]`, where anybody may keep anything.
    metadata: serde_json::Value,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Metadata {
    fn members(&self) -> Vec<String> {
        let is_one = |package: &&Package| self.workspace_default_members.contains(&package.id);
        self.packages.iter().filter(is_one).map(|package| package.name.clone()).collect()
    }

    fn handlers(&self) -> Vec<Handler> {
        let is_marked = |package: &&Package| package.metadata.pointer("/claimctl/handlers") == Some(&true.into());
        let is_binary = |target: &&Target| target.kind.iter().any(|kind| kind == "bin");
        let mut handlers: Vec<Handler> = self
            .packages
            .iter()
            .filter(is_marked)
            .flat_map(|package| {
                let needs = |handler: &str| {
                    let files = package.metadata.pointer(&format!("/claimctl/files/{handler}"));
                    files.and_then(|files| serde_json::from_value(files.clone()).ok()).unwrap_or_default()
                };
                let named = move |target: &Target| Handler {
                    needs: needs(&target.name),
                    name: target.name.clone(),
                    package: package.name.clone(),
                };
                package.targets.iter().filter(is_binary).map(named)
            })
            .collect();
        handlers.sort_by(|a, b| a.name.cmp(&b.name));
        handlers
    }
}
