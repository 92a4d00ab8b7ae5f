//! The doctor: what on this machine would keep claimctl from working, found before it does.
//!
//! The checks are small functions that know nothing of each other and run at once. None waits longer than
//! [`PATIENCE`], and what one could not find out it does not call fine.

mod clock;
mod credentials;
mod folders;
mod programs;
mod provider;

use std::future::Future;
use std::time::Duration;

use claimctl_core::error::Error;
use serde::Serialize;

use crate::config::{ChosenEnvironment, Config};
use crate::context::Ctx;
use crate::sandbox::{Look, Sandbox};
use crate::session::TargetArgs;

/// The longest that a check waits for a program or a server.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Ok,
    /// Works, and will not for long, or not for everything.
    Warning,
    /// Something that was asked for cannot work.
    Problem,
    /// Not known; `found` says why.
    NotChecked,
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub check: &'static str,
    pub status: Status,
    pub found: String,
    /// What it is needed for.
    pub why: &'static str,
    /// What to do, where something is to be done.
    pub fix: Option<String>,
}

/// A check by name, before it has found anything.
#[derive(Debug, Clone, Copy)]
struct Check {
    name: &'static str,
    why: &'static str,
}

impl Check {
    fn finding(self, status: Status, found: impl Into<String>) -> Finding {
        Finding { check: self.name, status, found: found.into(), why: self.why, fix: None }
    }

    fn ok(self, found: impl Into<String>) -> Finding {
        self.finding(Status::Ok, found)
    }

    fn not_checked(self, because: impl Into<String>) -> Finding {
        self.finding(Status::NotChecked, because)
    }

    /// An error that another part of claimctl would end with, and its hints.
    fn error(self, status: Status, error: &Error) -> Finding {
        let hints: Vec<String> = error.hints().iter().map(ToString::to_string).collect();
        let fix = (!hints.is_empty()).then(|| hints.join("; "));
        Finding { fix, ..self.finding(status, error.chain().join(": ")) }
    }
}

impl Finding {
    fn fix(self, fix: impl Into<String>) -> Finding {
        Finding { fix: Some(fix.into()), ..self }
    }
}

/// What the checks know of the environment that was chosen.
struct Chosen<'a> {
    ctx: &'a Ctx,
    config: Config,
    /// None where the configuration is broken.
    choice: Option<ChosenEnvironment>,
    endpoint: Option<&'a str>,
}

impl Chosen<'_> {
    fn is_local(&self) -> bool {
        matches!(self.choice, None | Some(ChosenEnvironment::Local { .. }))
    }
}

/// Runs every check; the findings come in a fixed order.
pub async fn examine(ctx: &Ctx, args: &TargetArgs) -> Vec<Finding> {
    let (configuration, config, choice) = configuration(ctx, args);
    let chosen = Chosen { ctx, config, choice, endpoint: args.endpoint_url.as_deref() };
    let (cargo, python, terraform, credentials, clock, sandbox) = tokio::join!(
        programs::cargo(&chosen),
        programs::python(&chosen),
        programs::terraform(&chosen),
        credentials::check(&chosen),
        clock::check(&chosen),
        sandbox(ctx),
    );
    let provider = provider::check(&chosen);
    let mut findings = vec![configuration, cargo, python, terraform, provider, credentials, clock, sandbox];
    findings.extend(folders::check(ctx));
    findings
}

fn configuration(ctx: &Ctx, args: &TargetArgs) -> (Finding, Config, Option<ChosenEnvironment>) {
    const CHECK: Check = Check { name: "configuration", why: "says which environments there are, and their accounts" };
    let wrong = |error: &Error| {
        let finding = CHECK.error(Status::Problem, error);
        let fix = finding.fix.clone().unwrap_or_else(|| "correct the file at the place named".to_owned());
        finding.fix(fix)
    };
    let mut config = match Config::find(ctx) {
        Ok(config) => config,
        Err(error) => return (wrong(&error), Config::default(), None),
    };
    let choice = match args.choose(ctx, &mut config) {
        Ok(choice) => choice,
        Err(error) => return (wrong(&error), config, None),
    };
    let found = match &config.path {
        Some(path) => path.display().to_string(),
        None => "no claimctl.toml here or above: only the environment local".to_owned(),
    };
    (CHECK.ok(found), config, Some(choice))
}

async fn sandbox(ctx: &Ctx) -> Finding {
    const CHECK: Check = Check { name: "sandbox", why: "the environment local is a server on this machine" };
    const AGAIN: &str = "claimctl local down, then claimctl local up";
    let sandbox = Sandbox::at(&ctx.paths);
    match within(sandbox.ask()).await {
        None => CHECK.finding(Status::Problem, "it does not answer").fix(AGAIN),
        Some(Err(error)) => CHECK.error(Status::Problem, &error),
        Some(Ok(Look::Down)) => CHECK.ok("not running"),
        Some(Ok(Look::Starting(pid))) => CHECK
            .finding(Status::Warning, format!("starting (pid {})", pid.as_raw_nonzero()))
            .fix("wait, or look again"),
        Some(Ok(Look::Up(server))) => CHECK.ok(format!("running at {} (pid {})", server.endpoint, server.pid)),
        Some(Ok(Look::Stuck(server))) => {
            CHECK.finding(Status::Problem, format!("runs (pid {}) and does not answer", server.pid)).fix(AGAIN)
        }
        Some(Ok(Look::Died(server))) => CHECK
            .finding(Status::Warning, format!("died (pid {}, up since {})", server.pid, server.started_at))
            .fix("claimctl local up starts a new one, which is empty; claimctl local down removes what is left"),
    }
}

/// The answer, if it comes within [`PATIENCE`].
async fn within<T>(answer: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(PATIENCE, answer).await.ok()
}
