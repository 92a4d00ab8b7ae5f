//! `claimctl local up`: the server, and the claim-check stack in it.

use std::path::PathBuf;
use std::time::Duration;

use claimctl_claim::surface::Surface;
use claimctl_core::error::{Error, Result};
use claimctl_deploy::artifact::{self, Repository};
use claimctl_deploy::project::Architecture;
use serde::Serialize;

use super::status::parts;
use crate::config::Config;
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, report};
use crate::sandbox::{AfterProcessing, Sandbox, StackRequest, Trigger, VISIBILITY_TIMEOUT};
use crate::session::{Session, TargetArgs};

const HANDLER: &str = "claim-recorder";

/// Start the sandbox and bring up the claim-check stack
///
/// Run again with other flags, the stack changes to what is asked for and keeps what it holds.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What makes the handler run
    #[arg(long, value_name = "TRIGGER", default_value = "queue")]
    trigger: Trigger,
    /// What the handler does with a payload that is recorded
    #[arg(long, value_name = "STEP", default_value = "keep")]
    after_processing: AfterProcessing,
    /// The handler to deploy, as a zip for this machine; without it, it is built from the repository you are in
    #[arg(long, value_name = "ZIP")]
    artifact: Option<PathBuf>,
    /// How long after a failure a claim is tried again
    #[arg(long, value_name = "SECONDS", default_value_t = VISIBILITY_TIMEOUT.as_secs())]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=43_200))]
    visibility_timeout: u64,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Up {
    surface: Surface,
    #[serde(skip)]
    what: String,
}

pub async fn run(args: &Args, ctx: &Ctx) -> Result<Outcome> {
    let config = Config::find(ctx)?;
    let artifact = match &args.artifact {
        Some(artifact) => ctx.working_directory.join(artifact),
        None => build_handler(ctx, &config).await?,
    };
    let sandbox = Sandbox::at(&ctx.paths);
    let started = sandbox.start(ctx).await?;
    let target = Session::resolve(ctx, &TargetArgs::default()).await?;
    let request = StackRequest {
        project: &config.project.name,
        trigger: args.trigger,
        after_processing: args.after_processing,
        artifact: &artifact,
        visibility_timeout: Duration::from_secs(args.visibility_timeout),
    };
    let deployed = sandbox.deploy(ctx, &target, &request).await?;
    // Read back, so that a shell can complete the names of what was just deployed.
    target.surfaces().await?;
    let server = if started.new { "started" } else { "was up" };
    let stack = if deployed.changed { "deployed" } else { "is unchanged" };
    let what = format!(
        "the sandbox {server} at {} (pid {}); stack {} {stack}",
        started.server.endpoint, started.server.pid, deployed.surface.stack
    );
    report(Up { surface: deployed.surface, what })
}

/// Sources in reach are what the operator works on; without them the handler has to be given.
async fn build_handler(ctx: &Ctx, config: &Config) -> Result<PathBuf> {
    let no_handler = |error: Error| error.hint("or give the handler as a zip: claimctl local up --artifact ZIP");
    let repository = Repository::find(ctx, &config.project()).await.map_err(no_handler)?;
    let architecture = Architecture::host()
        .ok_or_else(|| Error::usage("Lambda does not have this machine's processor, so no handler can run here"))?;
    let (out, progress) = (repository.artifacts(), ctx.progress.as_ref());
    let built = artifact::build(&repository, HANDLER, architecture, &out, &ctx.cancel, progress).await?;
    Ok(built.path)
}

impl Report for Up {
    fn page(&self) -> Page {
        Page::new().line(self.what.as_str()).table(parts(std::iter::once(&self.surface)))
    }
}
