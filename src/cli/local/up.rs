//! `claimctl local up`: the server, and stacks in it.

use std::collections::BTreeMap;

use claimctl_claim::surface::Surface;
use claimctl_core::error::{Error, Result};
use claimctl_deploy::artifact::Repository;
use serde::Serialize;

use super::status::parts;
use crate::cli::values;
use crate::config::Config;
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, report};
use crate::sandbox::{self, Artifacts, Request, Sandbox};
use crate::session::{Session, TargetArgs};
use crate::stacks::{self, Stack};

/// Start the sandbox and bring up stacks in it, side by side
///
/// Run again with other variables, a stack changes to what is asked for and keeps what it holds.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
With the handler of this repository:
  claimctl local up
Failures are tried again after a second:
  claimctl local up --var visibility_timeout=1")]
pub struct Args {
    /// The stacks to bring up
    #[arg(value_name = "STACK", default_value = stacks::DEFAULT, value_parser = values::stack())]
    stacks: Vec<&'static Stack>,
    /// A variable of a stack, by its name in Terraform; may be repeated
    #[arg(long, value_name = "NAME=VALUE", long_help = stacks::help())]
    var: Vec<String>,
    /// A handler to deploy, as a zip for this machine; may be repeated
    ///
    /// Without it, it is built from the repository you are in. With the handler's name in front where there are several.
    #[arg(long, value_name = "[HANDLER=]FILE")]
    artifact: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Up {
    endpoint: String,
    pid: i32,
    /// False when the sandbox was up already.
    started: bool,
    /// The stacks that were not already what was asked for.
    changed: Vec<&'static str>,
    stacks: BTreeMap<&'static str, Surface>,
}

pub async fn run(args: &Args, ctx: &Ctx) -> Result<Outcome> {
    let mut chosen: Vec<&Stack> = Vec::new();
    for stack in &args.stacks {
        if !chosen.iter().any(|other| other.name == stack.name) {
            chosen.push(*stack);
        }
    }
    let values = stacks::assign(&chosen, &args.var)?;
    let config = Config::find(ctx)?;
    let artifacts = artifacts(args, ctx, &config, &chosen).await?;
    let sandbox = Sandbox::at(&ctx.paths);
    let started = sandbox.start(ctx).await?;
    let target = Session::resolve(ctx, &TargetArgs::default()).await?;
    let (mut changed, mut surfaces) = (Vec::new(), BTreeMap::new());
    for (stack, values) in chosen.iter().zip(&values) {
        let request = Request { stack, project: &config.project.name, values, artifacts: &artifacts };
        let deployed = sandbox.deploy(ctx, &target, &request).await?;
        changed.extend(deployed.changed.then_some(stack.name));
        surfaces.insert(stack.name, deployed.surface);
    }
    // Read back, so that a shell can complete the names of what was just deployed.
    target.surfaces().await?;
    let (endpoint, pid) = (started.server.endpoint, started.server.pid);
    report(Up { endpoint, pid, started: started.new, changed, stacks: surfaces })
}

/// The zips that are named, and those that have to be built. Sources in reach are what the operator works on; without
/// them every handler has to be given.
async fn artifacts(args: &Args, ctx: &Ctx, config: &Config, chosen: &[&Stack]) -> Result<Artifacts> {
    let handlers = sandbox::handlers(chosen);
    let mut artifacts = named(&args.artifact, &handlers)?;
    artifacts.values_mut().for_each(|zip| *zip = ctx.working_directory.join(&zip));
    let missing: Vec<_> = handlers.into_iter().filter(|handler| !artifacts.contains_key(*handler)).collect();
    if !missing.is_empty() {
        let no_handler = |error: Error| error.hint("or give the handler as a zip: claimctl local up --artifact FILE");
        let repository = Repository::find(ctx, &config.project()).await.map_err(no_handler)?;
        let built = sandbox::build(ctx, &repository, &missing, &repository.sandbox_artifacts()).await?;
        artifacts.extend(built.into_iter().map(|artifact| (artifact.handler, artifact.path)));
    }
    Ok(artifacts)
}

/// What was typed as `[HANDLER=]FILE`. A path may hold an equals sign too.
fn named(typed: &[String], handlers: &[&str]) -> Result<Artifacts> {
    let mut artifacts = Artifacts::new();
    for text in typed {
        let (handler, zip) = match (text.split_once('='), handlers) {
            (Some((name, zip)), _) if handlers.contains(&name) => (name, zip),
            (_, [only]) => (*only, text.as_str()),
            _ => {
                return Err(Error::usage(format!("--artifact {text:?} does not say which handler it is"))
                    .hint(format!("name it, --artifact HANDLER=FILE: {}", handlers.join(", "))));
            }
        };
        artifacts.insert(handler.to_owned(), zip.into());
    }
    Ok(artifacts)
}

impl Report for Up {
    fn page(&self) -> Page {
        let server = if self.started { "started" } else { "was up" };
        let stack = |name: &&str| match self.changed.contains(name) {
            true => format!("stack {name} deployed"),
            false => format!("stack {name} is unchanged"),
        };
        let stacks: Vec<_> = self.stacks.keys().map(stack).collect();
        Page::new()
            .line(format!("the sandbox {server} at {} (pid {}); {}", self.endpoint, self.pid, stacks.join(", ")))
            .table(parts(self.stacks.values()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zip_is_of_the_handler_that_it_names_or_of_the_only_one() {
        let zips = |typed: &[&str], handlers: &[&str]| {
            let typed: Vec<_> = typed.iter().map(|text| (*text).to_owned()).collect();
            named(&typed, handlers).map(|found| {
                found.into_iter().map(|(handler, zip)| format!("{handler} {}", zip.display())).collect::<Vec<_>>()
            })
        };
        assert_eq!(zips(&["a.zip"], &["one"]).unwrap(), ["one a.zip"]);
        assert_eq!(zips(&["one=a.zip"], &["one"]).unwrap(), ["one a.zip"]);
        assert_eq!(zips(&["x=1/a.zip"], &["one"]).unwrap(), ["one x=1/a.zip"]);
        assert_eq!(zips(&["two=b.zip", "one=a.zip"], &["one", "two"]).unwrap(), ["one a.zip", "two b.zip"]);
        assert!(zips(&["a.zip"], &["one", "two"]).unwrap_err().advice().contains("one, two"));
    }
}
