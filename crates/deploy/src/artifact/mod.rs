//! Handlers made ready for Lambda: built by cargo, checked against the runtime, packed into a zip named by its digest.

mod builder;
mod bundle;
mod cargo;
mod package;
mod repository;
mod runtime;
mod sandbox;

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use self::builder::Builder;
use self::bundle::Content;
pub use self::bundle::sha256;
use self::cargo::Order;
pub use self::package::{Package, is_published, publish};
pub use self::repository::{Handler, Repository};
pub use self::sandbox::build_for_sandbox;
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::progress::{Progress, Unit};

use self::runtime::Needs;
use crate::project::Architecture;

/// A zip that Lambda's `provided.al2023` runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Artifact {
    pub handler: String,
    pub architecture: Architecture,
    pub path: PathBuf,
    /// Of the zip, in hex.
    pub sha256: String,
    /// Bytes of the zip.
    pub size: u64,
    /// Bytes of the binary inside.
    pub binary_size: u64,
    /// The newest version of GLIBC that the binary asks for, such as `2.34`; None for a static one.
    pub glibc: Option<String>,
    /// Milliseconds from the order to the zip, building included.
    pub built_ms: u64,
}

impl Repository {
    /// Where artifacts go unless the operator says otherwise.
    pub fn artifacts(&self) -> PathBuf {
        self.target_directory.join("artifacts")
    }

    /// The last zip of each handler, because packing takes seconds and most builds change nothing.
    fn packed(&self) -> PathBuf {
        self.target_directory.join("handlers/packed")
    }
}

/// Builds a handler for Lambda, named as [`Repository::handler`] takes it, and leaves its zip in the folder `out`.
///
/// The same sources and the same compiler give the same bytes, wherever the repository lies. Nothing is left in `out`
/// unless all of it is there.
pub async fn build(
    repository: &Repository,
    name: &str,
    architecture: Architecture,
    out: &Path,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<Artifact> {
    let started = Instant::now();
    let handler = repository.handler(name)?;
    let files = repository.files(handler)?;
    let (binary, needs) = compile(repository, handler, architecture, cancel, progress).await?;
    progress.start(&format!("packing {}", handler.name), None, Unit::Steps);
    let (folder, packed, name) = (out.to_owned(), repository.packed(), handler.name.clone());
    let packing = tokio::task::spawn_blocking(move || pack(&Content { binary, files }, needs, &folder, &packed, name));
    let mut artifact = tokio::select! {
        packed = packing => packed.map_err(|error| Error::unexpected("cannot pack the handler").caused_by(error))??,
        () = cancel.cancelled() => return Err(Error::interrupted("stopped before the handler was packed")),
    };
    progress.finish();
    artifact.built_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(artifact)
}

/// The binary, checked. A build against this machine's own GLIBC that turns out too new for the runtime is done again
/// with a builder that links against the runtime's, where one is installed.
async fn compile(
    repository: &Repository,
    handler: &Handler,
    architecture: Architecture,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<(Vec<u8>, Needs)> {
    let (cargo, root) = (&repository.cargo, &repository.root);
    let compiler = &cargo.compiler(root).await?;
    let builder = Builder::choose(cargo, compiler, architecture, root).await?;
    let mut order = Order { repository, handler, architecture, compiler, builder };
    let (mut binary, mut needs) = built(&order, cancel, progress).await?;
    if !needs.starts()
        && builder == Builder::Cargo
        && let Some(cross) = Builder::cross(cargo, root).await?
    {
        progress.note("this machine's GLIBC is newer than the runtime's: building again with a linker for that one");
        order.builder = cross;
        (binary, needs) = built(&order, cancel, progress).await?;
    }
    needs.check(architecture)?;
    Ok((binary, needs))
}

async fn built(order: &Order<'_>, cancel: &Cancel, progress: &dyn Progress) -> Result<(Vec<u8>, Needs)> {
    let path = order.repository.cargo.build(order, cancel, progress).await?;
    let binary = std::fs::read(&path).on("read", &path)?;
    let needs = Needs::of(&binary)?;
    Ok((binary, needs))
}

fn pack(content: &Content, needs: Needs, folder: &Path, packed: &Path, handler: String) -> Result<Artifact> {
    let zip = bundle::zip_once(content, packed, &format!("{handler}-{}", needs.architecture))?;
    Ok(Artifact {
        path: bundle::save(&zip, folder, &handler)?,
        handler,
        architecture: needs.architecture,
        sha256: sha256(&zip),
        size: zip.len() as u64,
        binary_size: content.binary.len() as u64,
        glibc: needs.glibc.map(|version| version.to_string()),
        built_ms: 0,
    })
}
