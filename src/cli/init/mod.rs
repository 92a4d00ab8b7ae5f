//! `claimctl init`: the first claimctl.toml, by questions on a terminal or by flags; or a proposal for a flow in it.

mod from_table;
mod questions;

use std::path::PathBuf;

use claimctl_core::error::{Error, Result};
use claimctl_deploy::project::Locking;
use clap::builder::NonEmptyStringValueParser;
use serde::Serialize;

use crate::cli::values;
use crate::config::{self, Backend, Config, NewConfig, NewEnvironment, already_there};
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, prompt, report};

/// Write a claimctl.toml for this folder
///
/// On a terminal and without flags, asks. A Terraform backend that is found here can be adopted.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Be asked:
  claimctl init
Without questions:
  claimctl init --project claim-check --environment dev=eu-west-1:111111111111
How could verify read a table that claimctl does not know? Writes nothing:
  claimctl init --from-table order-files --region eu-west-1")]
pub struct Args {
    /// The first part of resource names; the folder's by default
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// An environment; may be repeated
    ///
    /// Its name and region and, for the account guard, its account.
    #[arg(long, value_name = "NAME=REGION[:ACCOUNT]", value_parser = environment)]
    environment: Vec<NewEnvironment>,
    /// The AWS profile of an environment; may be repeated
    #[arg(long, value_name = "ENV=PROFILE", value_parser = pair)]
    profile: Vec<(String, String)>,
    /// An environment whose name changes want typed; may be repeated
    #[arg(long, value_name = "ENV", value_parser = NonEmptyStringValueParser::new())]
    protected: Vec<String>,
    /// How Terraform's state is locked
    #[arg(long, value_name = "HOW", value_parser = values::locking())]
    locking: Option<Locking>,
    /// Adopt the Terraform backend found here, for this environment
    #[arg(long, value_name = "ENV", value_parser = NonEmptyStringValueParser::new())]
    adopt: Option<String>,
    #[command(flatten)]
    from_table: from_table::FromTableArgs,
}

#[derive(Debug, Serialize)]
struct Written {
    path: PathBuf,
    project: String,
    environments: Vec<String>,
    /// Buckets of Terraform's state that were there before.
    adopted: Vec<String>,
}

pub async fn run(args: &Args, ctx: &Ctx) -> Result<Outcome> {
    if let Some(table) = &args.from_table.from_table {
        return from_table::run(table, &args.from_table, ctx).await;
    }
    let named = ctx.variable(config::CONFIG).map(|path| ctx.working_directory.join(path));
    let path = named.unwrap_or_else(|| ctx.working_directory.join(config::FILE_NAME));
    if path.symlink_metadata().is_ok() {
        return Err(already_there(&path));
    }
    if let Some(above) = Config::locate(ctx).filter(|above| *above != path) {
        ctx.progress.note(&format!("note: until now {} holds here; the new file stands before it", above.display()));
    }
    let backends = config::backends(&ctx.working_directory);
    let new_config = match (args.say_anything() || ctx.options.yes, prompt::has_terminal(ctx)) {
        (true, _) => args.new_config(ctx, backends)?,
        (false, true) => questions::ask(ctx, backends)?,
        (false, false) => {
            return Err(Error::usage("there is no terminal to ask on")
                .hint("say it with flags: claimctl init --project NAME --environment dev=us-east-1:111111111111")
                .hint("or take the defaults: claimctl init --yes"));
        }
    };
    new_config.save(&path)?;
    let adopted = new_config.environments.iter().filter_map(|environment| environment.adopted.as_ref());
    report(Written {
        path,
        project: new_config.project,
        adopted: adopted.map(|backend| backend.bucket.clone()).collect(),
        environments: new_config.environments.iter().map(|environment| environment.name.clone()).collect(),
    })
}

impl Args {
    fn say_anything(&self) -> bool {
        let lists = [self.environment.is_empty(), self.profile.is_empty(), self.protected.is_empty()];
        self.project.is_some() || self.locking.is_some() || self.adopt.is_some() || lists.contains(&false)
    }

    fn new_config(&self, ctx: &Ctx, backends: Vec<Backend>) -> Result<NewConfig> {
        let mut new_config = NewConfig {
            project: self.project.clone().unwrap_or_else(|| default_project(ctx)),
            locking: self.locking.unwrap_or(Locking::Lockfile),
            environments: self.environment.clone(),
        };
        for (name, profile) in &self.profile {
            new_config.environment(name, "--profile")?.profile = Some(profile.clone());
        }
        for name in &self.protected {
            new_config.environment(name, "--protected")?.protected = true;
        }
        match (&self.adopt, backends.as_slice()) {
            (Some(name), [backend]) => {
                new_config.locking = self.locking.unwrap_or(backend.locking);
                new_config.environment(name, "--adopt")?.adopted = Some(backend.clone());
            }
            (Some(_), []) => {
                return Err(Error::not_found("there is no Terraform backend of type s3 here or below")
                    .hint("run terraform init first, or set state_bucket in claimctl.toml"));
            }
            (Some(_), several) => {
                return Err(Error::usage(format!("there are several Terraform backends here: {}", list(several)))
                    .hint("leave --adopt out, and set each environment's state_bucket in claimctl.toml"));
            }
            (None, []) => {}
            (None, found) => {
                ctx.progress.note(&format!("note: found and not adopted: {}; adopt it: --adopt ENV", list(found)));
            }
        }
        Ok(new_config)
    }
}

impl NewConfig {
    fn environment(&mut self, name: &str, flag: &str) -> Result<&mut NewEnvironment> {
        self.environments.iter_mut().find(|environment| environment.name == name).ok_or_else(|| {
            Error::usage(format!("{flag} names environment {name:?}, which is not one of the new ones"))
                .hint(format!("add it: --environment {name}=REGION:ACCOUNT"))
        })
    }
}

fn list(backends: &[Backend]) -> String {
    let each = backends.iter().map(|backend| format!("bucket {} ({})", backend.bucket, backend.path.display()));
    each.collect::<Vec<_>>().join(", ")
}

/// The folder's name as far as it can start resource names.
fn default_project(ctx: &Ctx) -> String {
    let folder = ctx.working_directory.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let kept: String = folder.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let kept: String = kept.trim_start_matches(|c: char| !c.is_ascii_lowercase()).chars().take(24).collect();
    match kept.trim_end_matches('-') {
        "" => Config::default().project.name,
        name => name.to_owned(),
    }
}

fn environment(text: &str) -> Result<NewEnvironment, String> {
    let (name, place) = pair(text)?;
    let (region, account) = match place.split_once(':') {
        Some((region, account)) => (region.to_owned(), Some(account.to_owned())),
        None => (place, None),
    };
    Ok(NewEnvironment { name, region, account, ..NewEnvironment::default() })
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("it reads NAME=VALUE, like dev=us-east-1".to_owned()),
    }
}

impl Report for Written {
    fn page(&self) -> Page {
        let mut page = Page::new().line(format!("wrote {}", self.path.display()));
        for bucket in &self.adopted {
            page = page.line(format!("adopted state bucket {bucket}"));
        }
        let next = match self.environments.first() {
            Some(environment) => format!("next: claimctl env show {environment}"),
            None => "next: claimctl local up".to_owned(),
        };
        page.line(next)
    }
}
