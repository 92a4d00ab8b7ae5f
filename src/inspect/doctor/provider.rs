//! The AWS provider that Terraform has chosen for the stacks.

use std::path::Path;

use claimctl_deploy::terraform::lock_file::{ChosenProvider, chosen_providers};

use super::{Check, Chosen, Finding, Status};

pub fn check(chosen: &Chosen<'_>) -> Finding {
    const CHECK: Check = Check { name: "AWS provider", why: "some versions plan a change of every bucket for ever" };
    let Some(project) = chosen.config.path.as_deref().and_then(Path::parent) else {
        return CHECK.ok("no claimctl.toml here or above, so no stacks");
    };
    let providers = match chosen_providers(project) {
        Ok(providers) if providers.is_empty() => return CHECK.ok("none is chosen yet: no stack has a lock file"),
        Ok(providers) => providers,
        Err(error) => return CHECK.error(Status::Problem, &error),
    };
    let say = |found: &ChosenProvider| format!("{} for {}", found.version, found.stack);
    let bad: Vec<_> = providers.iter().filter(|found| found.plans_for_ever()).map(say).collect();
    match bad.is_empty() {
        true => CHECK.ok(providers.iter().map(say).collect::<Vec<_>>().join(", ")),
        false => CHECK
            .finding(Status::Warning, format!("{} (6.22 to 6.39)", bad.join(", ")))
            .fix("terraform init -upgrade in the stack's folder, and commit its .terraform.lock.hcl"),
    }
}
