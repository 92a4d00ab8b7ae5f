//! The whole story of a stack, once, in a sandbox of its own. What it tells of is in `stacks`; here is what all have.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use claimctl_claim::surface::Surface;
use claimctl_core::error::{Error, Result};
use claimctl_core::units::{bytes, duration};
use claimctl_deploy::artifact::{Artifact, Repository};
use serde::Serialize;

use crate::config::Config;
use crate::context::Ctx;
use crate::sandbox::{self, Artifacts, Request, Sandbox};
use crate::session::{Session, TargetArgs};
use crate::stacks::{self, Stack};

/// The first part of every name.
const PROJECT: &str = "demo";

/// One step of the story.
#[derive(Debug, Serialize)]
pub struct Step {
    pub step: &'static str,
    pub result: String,
    pub elapsed_ms: u64,
}

/// Where the story of a stack plays: tells the steps as they end, so that the operator can follow.
pub struct Stage<'a> {
    pub ctx: &'a Ctx,
    pub target: Session,
    stack: &'a Stack,
    sandbox: Sandbox,
    endpoint: String,
    artifacts: Artifacts,
    folder: &'a Path,
    steps: Steps<'a>,
}

struct Steps<'a> {
    ctx: &'a Ctx,
    told: Vec<Step>,
    began: Instant,
}

impl Steps<'_> {
    fn ended(&mut self, step: &'static str, result: String) -> Result<()> {
        let elapsed = self.began.elapsed();
        self.ctx.progress.finish();
        self.ctx.progress.note(&format!("{step:<9} {:>6}  {result}", duration(elapsed)));
        self.told.push(Step { step, result, elapsed_ms: milliseconds(elapsed) });
        self.began = Instant::now();
        match self.ctx.cancel.is_cancelled() {
            false => Ok(()),
            true => Err(Error::interrupted("stopped in the middle of the story; everything of it is removed")),
        }
    }
}

impl Stage<'_> {
    /// Brings the stack up, or to other values: `NAME=VALUE`, as `local up --var` takes them.
    pub async fn deploy(&self, variables: &[&str]) -> Result<Surface> {
        let values = stacks::assign(&[self.stack], variables)?.pop().unwrap_or_default();
        let request = Request { stack: self.stack, project: PROJECT, values: &values, artifacts: &self.artifacts };
        Ok(self.sandbox.deploy(self.ctx, &self.target, &request).await?.surface)
    }

    pub fn ended(&mut self, step: &'static str, result: String) -> Result<()> {
        self.steps.ended(step, result)
    }

    pub fn stack_name(&self) -> &'static str {
        self.stack.name
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A folder for the work that the stack is given. It goes away with the story.
    pub fn payloads(&self) -> PathBuf {
        self.folder.join("payloads")
    }
}

/// Plays the story of a stack in the sandbox of `ctx`, with its payloads below `folder`.
pub async fn play(ctx: &Ctx, stack: &Stack, folder: &Path) -> Result<Vec<Step>> {
    let mut steps = Steps { ctx, told: Vec::new(), began: Instant::now() };
    let repository = Repository::find(ctx, &Config::find(ctx)?.project()).await?;
    let out = repository.sandbox_artifacts();
    let built = sandbox::build(ctx, &repository, &sandbox::handlers(&[stack]), &out).await?;
    steps.ended("package", built.iter().map(packaged).collect::<Vec<_>>().join("; "))?;

    let sandbox = Sandbox::at(&ctx.paths);
    let endpoint = sandbox.start(ctx).await?.server.endpoint;
    let target = Session::resolve(ctx, &TargetArgs::default()).await?;
    let artifacts = built.into_iter().map(|artifact| (artifact.handler, artifact.path)).collect();
    let mut stage = Stage { ctx, target, stack, sandbox, endpoint, artifacts, folder, steps };
    (stack.play)(&mut stage).await?;
    Ok(stage.steps.told)
}

fn packaged(artifact: &Artifact) -> String {
    format!("{}, {}, sha256:{}", artifact.handler, bytes(artifact.size), &artifact.sha256[..12])
}

pub fn milliseconds(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}
