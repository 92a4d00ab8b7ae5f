//! The questions of `claimctl init`, for someone at a terminal.

use claimctl_aws::naming::{is_account, is_name, is_region};
use claimctl_core::error::Result;
use claimctl_deploy::project::Locking;

use super::default_project;
use crate::config::{Backend, LOCAL, NewConfig, NewEnvironment};
use crate::context::Ctx;
use crate::output::prompt;

pub fn ask(ctx: &Ctx, mut backends: Vec<Backend>) -> Result<NewConfig> {
    let project = prompt::text(ctx, "Project, the first part of resource names", Some(default_project(ctx)), name)?;
    let mut environments: Vec<NewEnvironment> = Vec::new();
    loop {
        let known: Vec<String> = environments.iter().map(|environment| environment.name.clone()).collect();
        let question = if known.is_empty() { "Environment (empty: only local)" } else { "Environment (empty: done)" };
        let name = prompt::text(ctx, question, None, move |typed| new_environment(typed, &known))?;
        if name.is_empty() {
            break;
        }
        environments.push(environment(ctx, name, &mut backends)?);
    }
    let found = environments.iter().find_map(|environment| Some(environment.adopted.as_ref()?.locking));
    let locking = locking(ctx, found.unwrap_or(Locking::Lockfile))?;
    Ok(NewConfig { project, locking, environments })
}

fn environment(ctx: &Ctx, name: String, backends: &mut Vec<Backend>) -> Result<NewEnvironment> {
    let usual = backends.first().and_then(|backend| backend.region.clone());
    let usual = usual.or_else(|| ctx.variable("AWS_REGION").map(ToOwned::to_owned));
    let region =
        prompt::text(ctx, "  Region", Some(usual.unwrap_or_else(|| crate::sandbox::REGION.to_owned())), region)?;
    let account = prompt::text(ctx, "  Account, checked before every change (empty: unchecked)", None, account)?;
    let profile = prompt::text(ctx, "  AWS profile (empty: the SDK's own chain)", None, |_| Ok(()))?;
    let protected = prompt::yes_or_no(ctx, "  Protected: changes want its name typed?", name.starts_with("prod"))?;
    let here = backends.iter().position(|backend| backend.region.as_ref().is_none_or(|there| *there == region));
    let adopted = match here {
        Some(index) => {
            let backend = &backends[index];
            let question = format!("  Adopt Terraform's state bucket {} ({})?", backend.bucket, backend.path.display());
            prompt::yes_or_no(ctx, &question, true)?.then(|| backends.remove(index))
        }
        None => None,
    };
    let filled = |text: String| Some(text).filter(|text| !text.is_empty());
    Ok(NewEnvironment { name, region, account: filled(account), profile: filled(profile), protected, adopted })
}

fn locking(ctx: &Ctx, first: Locking) -> Result<Locking> {
    let mut choices = vec![first];
    choices.extend([Locking::Lockfile, Locking::Table, Locking::Both].into_iter().filter(|other| *other != first));
    let names: Vec<&str> = choices.iter().map(|locking| locking.name()).collect();
    Ok(choices[prompt::choose(ctx, "How Terraform's state is locked", &names)?])
}

fn name(typed: &str) -> Result<(), String> {
    says(is_name(typed), "lower-case letters, digits and hyphens, at most 24, beginning with a letter")
}

fn new_environment(typed: &str, known: &[String]) -> Result<(), String> {
    if typed.is_empty() {
        return Ok(());
    }
    says(typed != LOCAL, "local is built in")?;
    says(!known.iter().any(|other| other == typed), "there is one of this name already")?;
    name(typed)
}

fn region(typed: &str) -> Result<(), String> {
    says(is_region(typed), "a region looks like us-east-1")
}

fn account(typed: &str) -> Result<(), String> {
    says(typed.is_empty() || is_account(typed), "an account id is 12 digits")
}

fn says(right: bool, otherwise: &str) -> Result<(), String> {
    if right { Ok(()) } else { Err(otherwise.to_owned()) }
}
