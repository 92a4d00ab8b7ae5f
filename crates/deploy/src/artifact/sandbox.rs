//! Handlers for the sandbox: built for this machine, as the tool itself was, so that what both use is compiled once.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::progress::{Progress, Unit};

use super::bundle::{self, Content};
use super::cargo::Way;
use super::repository::{Handler, Repository};
use super::runtime::Needs;
use super::{Artifact, sha256};
use crate::project::Architecture;

impl Repository {
    /// Where zips for the sandbox go unless the operator says otherwise.
    pub fn sandbox_artifacts(&self) -> PathBuf {
        self.target_directory.join("sandbox")
    }
}

/// Builds handlers, named as [`Repository::handler`] takes them, and leaves a zip of each in the folder `out`.
///
/// `tool` is the program that asks for them, without symbolic links. Other than on AWS, the binaries start here with the GLIBC of this machine.
pub async fn build_for_sandbox(
    repository: &Repository,
    names: &[&str],
    tool: &Path,
    out: &Path,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<Vec<Artifact>> {
    let started = Instant::now();
    let handlers = names.iter().map(|name| repository.handler(name)).collect::<Result<Vec<_>>>()?;
    let architecture = Architecture::host()
        .ok_or_else(|| Error::usage("Lambda does not have this machine's processor, so no handler can run here"))?;
    let packages = handlers.iter().map(|handler| handler.package.as_str());
    let way = Way::of(&repository.target_directory, &repository.members, packages, tool);
    let binaries = repository.cargo.build_here(repository, &handlers, &way, cancel, progress).await?;
    let mut artifacts = Vec::new();
    for (handler, binary) in handlers.iter().zip(binaries) {
        progress.start(&format!("packing {}", handler.name), None, Unit::Steps);
        // What AWS needs beside it the sandbox does not, but what is there is taken.
        let files = repository.files(handler)?;
        artifacts.push(pack(handler, files, &binary, architecture, out, started)?);
    }
    progress.finish();
    Ok(artifacts)
}

fn pack(
    handler: &Handler,
    files: BTreeMap<String, Vec<u8>>,
    binary: &Path,
    architecture: Architecture,
    out: &Path,
    started: Instant,
) -> Result<Artifact> {
    let binary = std::fs::read(binary).on("read", binary)?;
    // Only ELF tells; elsewhere than on Linux a binary is something else.
    let needs = Needs::of(&binary).ok();
    needs.iter().try_for_each(|needs| needs.check_architecture(architecture))?;
    let content = Content { binary, files };
    let zip = bundle::zip_fast(&content)?;
    Ok(Artifact {
        path: bundle::save(&zip, out, &handler.name)?,
        handler: handler.name.clone(),
        architecture,
        sha256: sha256(&zip),
        size: zip.len() as u64,
        binary_size: content.binary.len() as u64,
        glibc: needs.and_then(|needs| needs.glibc).map(|version| version.to_string()),
        built_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

impl Way {
    /// In the repository that the tool was built in, as the tool: its profile, and its features united with the
    /// handlers', as they are in a build of both. Elsewhere there is nothing to share.
    fn of<'a>(
        target_directory: &Path,
        members: &'a [String],
        packages: impl Iterator<Item = &'a str>,
        tool: &Path,
    ) -> Way {
        let mut packages: BTreeSet<_> = packages.collect();
        let its_own = target_directory.canonicalize().is_ok_and(|folder| tool.starts_with(folder));
        if its_own {
            packages.extend(members.iter().map(String::as_str));
        }
        let folder = tool.parent().and_then(Path::file_name).filter(|_| its_own);
        let profile = match folder.and_then(OsStr::to_str) {
            // The one profile whose folder has another name (The Cargo Book, "Build cache").
            Some("debug") => "dev",
            Some(profile) => profile,
            None => "release",
        };
        Way { profile: profile.to_owned(), packages: packages.into_iter().map(str::to_owned).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_the_tool_handlers_are_built_as_it_was_and_elsewhere_by_themselves() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().canonicalize().unwrap();
        let members = ["tool".to_owned(), "handlers".to_owned()];
        let way = |tool: &Path| Way::of(&target, &members, ["handlers"].into_iter(), tool);
        let of = |profile: &str, packages: &[&str]| Way {
            profile: profile.to_owned(),
            packages: packages.iter().map(|package| (*package).to_owned()).collect(),
        };
        assert_eq!(way(&target.join("debug/claimctl")), of("dev", &["handlers", "tool"]));
        assert_eq!(way(&target.join("dist/claimctl")), of("dist", &["handlers", "tool"]));
        assert_eq!(way(Path::new("/usr/bin/claimctl")), of("release", &["handlers"]));
        assert_eq!(way(Path::new("/elsewhere/target/debug/claimctl")), of("release", &["handlers"]));
    }
}
