//! `claimctl package build`: handlers, ready for Lambda.

use std::collections::BTreeSet;
use std::path::PathBuf;

use claimctl_core::error::{Error, Result};
use claimctl_core::units;
use claimctl_deploy::artifact::{self, Artifact, Repository};
use claimctl_deploy::project::Architecture;
use serde::Serialize;

use crate::cli::values;
use crate::config::Config;
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, Table, report};
use crate::sandbox;

/// Build handlers for Lambda, each into a zip named by its digest
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Every handler, for this machine:
  claimctl package build
One, for the processor that Lambda runs it on:
  claimctl package build claim-recorder --arch arm64")]
pub struct Args {
    /// Binaries, or functions of claimctl.toml; all of them by default
    #[arg(value_name = "HANDLER")]
    handlers: Vec<String>,
    /// The processor to build for; this machine's by default
    #[arg(long, value_name = "ARCH", value_parser = values::architecture())]
    arch: Option<Architecture>,
    /// For the sandbox and not for Lambda: for this machine, at once, and just what local up deploys
    #[arg(long, conflicts_with = "arch")]
    sandbox: bool,
    /// Where to put the zips; target/artifacts of the repository by default, target/sandbox with --sandbox
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Built {
    artifacts: Vec<Artifact>,
}

pub async fn run(args: &Args, ctx: &Ctx) -> Result<Outcome> {
    let repository = Repository::find(ctx, &Config::find(ctx)?.project()).await?;
    let architecture = args.arch.or_else(Architecture::host).ok_or_else(|| {
        Error::usage("Lambda does not have this machine's processor").hint("name one: --arch arm64 or --arch x86_64")
    })?;
    // Every name is looked up before the first build: a typing error should not cost a minute.
    let named = args.handlers.iter().map(|name| repository.handler(name)).collect::<Result<Vec<_>>>()?;
    let chosen = if named.is_empty() { repository.handlers().iter().collect() } else { named };
    let handlers: BTreeSet<&str> = chosen.into_iter().map(|handler| handler.name.as_str()).collect();
    let usual = if args.sandbox { repository.sandbox_artifacts() } else { repository.artifacts() };
    let out = args.out.as_ref().map_or(usual, |out| ctx.working_directory.join(out));
    if args.sandbox {
        let handlers: Vec<_> = handlers.into_iter().collect();
        return report(Built { artifacts: sandbox::build(ctx, &repository, &handlers, &out).await? });
    }
    let mut artifacts = Vec::new();
    for handler in handlers {
        let artifact = artifact::build(&repository, handler, architecture, &out, &ctx.cancel, ctx.progress.as_ref());
        artifacts.push(artifact.await?);
    }
    report(Built { artifacts })
}

impl Report for Built {
    fn page(&self) -> Page {
        let mut table = Table::new(["HANDLER", "ARCH", ">SIZE", "GLIBC", "DIGEST", "PATH"]);
        for artifact in &self.artifacts {
            table.row([
                artifact.handler.clone(),
                artifact.architecture.to_string(),
                units::bytes(artifact.size),
                artifact.glibc.clone().unwrap_or_else(|| "-".to_owned()),
                format!("sha256:{}", &artifact.sha256[..12]),
                artifact.path.display().to_string(),
            ]);
        }
        Page::new().table(table)
    }

    fn list(&self) -> Option<&'static str> {
        Some("artifacts")
    }
}
