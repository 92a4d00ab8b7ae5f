//! The handlers of stacks, built for this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use claimctl_core::error::{Error, Result};
use claimctl_deploy::artifact::{self, Artifact, Repository};

use crate::context::Ctx;
use crate::stacks::Stack;

/// Handler → zip.
pub type Artifacts = BTreeMap<String, PathBuf>;

/// The handlers that the stacks run, each once.
pub fn handlers(stacks: &[&Stack]) -> Vec<&'static str> {
    let all: BTreeSet<_> = stacks.iter().flat_map(|stack| stack.handlers).map(|handler| handler.name).collect();
    all.into_iter().collect()
}

/// Builds handlers of the repository and leaves their zips in the folder `out`.
pub async fn build(ctx: &Ctx, repository: &Repository, handlers: &[&str], out: &Path) -> Result<Vec<Artifact>> {
    let tool = std::env::current_exe().and_then(|tool| tool.canonicalize());
    let tool = tool.map_err(|error| Error::unexpected("cannot tell where this program is").caused_by(error))?;
    artifact::build_for_sandbox(repository, handlers, &tool, out, &ctx.cancel, ctx.progress.as_ref()).await
}
