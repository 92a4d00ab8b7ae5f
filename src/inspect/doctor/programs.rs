//! Programs that claimctl runs: cargo, Python, Terraform or OpenTofu.

use claimctl_core::child;
use claimctl_core::error::{Error, Kind};
use claimctl_core::units::duration;
use claimctl_deploy::project::Locking;
use claimctl_deploy::terraform::{version_command, version_in};
use tokio::process::Command;

use super::{Check, Chosen, Finding, PATIENCE, Status, within};
use crate::sandbox::python as sandbox_python;

/// The oldest Terraform that locks by a file in S3 (Terraform documentation, "Backend Type: s3", `use_lockfile`).
const OLDEST_TERRAFORM: Version = (1, 10);

type Version = (u32, u32);

pub async fn cargo(chosen: &Chosen<'_>) -> Finding {
    const CHECK: Check = Check { name: "cargo", why: "package build compiles the Lambda handlers" };
    const FIX: &str = "install Rust, or a newer one: rustup update stable";
    let program = chosen.ctx.variable("CARGO").unwrap_or("cargo");
    let mut command = Command::new(program);
    // A question must not set off a download.
    command.arg("--version").env("RUSTUP_AUTO_INSTALL", "0").current_dir(&chosen.ctx.working_directory);
    let said = match ask(command).await {
        Ok(said) => said,
        Err(error) => return CHECK.error(Status::Warning, &error).fix(FIX),
    };
    let needed = version(env!("CARGO_PKG_RUST_VERSION"));
    match version(&said) {
        None => CHECK.not_checked(format!("{program} says {said:?}, which is no version")),
        found if found < needed => {
            CHECK.finding(Status::Warning, format!("{said}, older than {}", env!("CARGO_PKG_RUST_VERSION"))).fix(FIX)
        }
        Some(_) => CHECK.ok(said),
    }
}

pub async fn python(chosen: &Chosen<'_>) -> Finding {
    const CHECK: Check = Check { name: "python", why: "the sandbox runs in a virtual environment of Python" };
    match within(sandbox_python::find(chosen.ctx)).await {
        None => CHECK.not_checked(silent("python3")),
        Some(Err(error)) => CHECK.error(Status::Problem, &error),
        Some(Ok(python)) => {
            let found = format!("Python {}.{}, {}", python.version.0, python.version.1, python.program.display());
            if python.has_venv {
                return CHECK.ok(format!("{found}, with venv"));
            }
            let mut uv = Command::new("uv");
            uv.arg("--version");
            match ask(uv).await {
                Ok(said) => CHECK.ok(format!("{found}, without venv, and {said}")),
                Err(_) => CHECK.error(Status::Problem, &sandbox_python::without_venv(&python)),
            }
        }
    }
}

pub async fn terraform(chosen: &Chosen<'_>) -> Finding {
    const CHECK: Check =
        Check { name: "terraform", why: "the stacks of every environment but local are deployed by it" };
    let settings = &chosen.config.terraform;
    let fix = "install Terraform 1.10 or newer, or OpenTofu 1.10 or newer with binary = \"tofu\" below [terraform] in \
               claimctl.toml";
    // Looking at queues needs no Terraform, and neither does the sandbox.
    let missing = if chosen.is_local() { Status::Warning } else { Status::Problem };
    let command = version_command(chosen.ctx, &settings.binary, &chosen.ctx.working_directory);
    let said = match ask_all(command).await {
        Ok(said) => said,
        Err(error) => return CHECK.error(missing, &error).fix(fix),
    };
    let named = version_in(&said).and_then(|text| Some((version(&text)?, text)));
    let Some((number, text)) = named else {
        return CHECK.not_checked(format!("{} version -json names no version", settings.binary));
    };
    let found = format!("{} {text}", settings.binary);
    if number >= OLDEST_TERRAFORM {
        return CHECK.ok(found);
    }
    let status = if settings.locking == Locking::Table { Status::Warning } else { missing };
    CHECK.finding(status, format!("{found}, older than 1.10, cannot lock by a file in S3")).fix(fix)
}

/// The first line that a program says.
async fn ask(command: Command) -> Result<String, Error> {
    Ok(ask_all(command).await?.lines().next().unwrap_or_default().to_owned())
}

async fn ask_all(mut command: Command) -> Result<String, Error> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let output = within(child::output(&mut command)).await.ok_or_else(|| Error::unexpected(silent(&program)))??;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rfind(|line| !line.trim().is_empty()).map(str::trim).unwrap_or("nothing");
        return Err(Error::new(Kind::Unexpected, format!("{program} does not work: it says {last:?}")));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn silent(program: &str) -> String {
    format!("{program} did not answer within {}", duration(PATIENCE))
}

/// Major and minor number of the first word that looks like a version.
fn version(text: &str) -> Option<Version> {
    text.split_whitespace().find_map(|word| {
        let mut numbers = word.trim_start_matches('v').split('.').map(|number| number.parse().ok());
        Some((numbers.next()??, numbers.next()??))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_what_a_program_says() {
        assert_eq!(version("cargo 1.94.0 (0123abc 2026-01-01)"), Some((1, 94)));
        assert_eq!(version("v1.10.5"), Some((1, 10)));
        assert_eq!(version("command not found"), None);
        assert!(Some((1, 9)) < version("1.10"));
    }
}
