//! `claimctl state ls`: the states in an environment's bucket.

use std::path::Path;

use claimctl_aws::policy::ArnBuilder;
use claimctl_core::error::Result;
use claimctl_core::units::{bytes, local_time};
use claimctl_deploy::backend::BackendFile;
use claimctl_deploy::state::{self, Listed, Lock, Store};
use claimctl_deploy::terraform::{self, since};
use serde::Serialize;

use crate::cli::policy::{PolicyArgs, policy};
use crate::output::{Outcome, Page, Report, Table, report};
use crate::session::{Session, TargetArgs};

/// List the states in the environment's state bucket
///
/// Of every workspace, because environments may share a bucket: also of workspaces that are no environment of
/// claimctl.toml, and of stacks that the repository does not have, and says so. Only the first bytes of each are read.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
What Terraform keeps there:
  claimctl state ls --env dev
As JSON:
  claimctl state ls --env dev --output json")]
pub struct Args {
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

/// Its JSON form is a contract.
#[derive(Debug, Serialize)]
struct States {
    environment: String,
    bucket: String,
    /// The keys begin so.
    prefix: String,
    states: Vec<State>,
}

#[derive(Debug, Serialize)]
struct State {
    #[serde(flatten)]
    listed: Listed,
    /// Whether the workspace is an environment of claimctl.toml that keeps its states here.
    is_environment: bool,
    /// Whether the stack is in the repository.
    is_stack: bool,
}

pub async fn run(args: &Args, target: &Session) -> Result<Outcome> {
    let store = Store::of(target, &target.project).await?;
    if args.policy.print_policy {
        return policy(state::permissions_to_list(&store, &ArnBuilder::of(target).await?));
    }
    let stacks = terraform::stacks_of(&target.project).unwrap_or_default();
    let mut states = Vec::new();
    for listed in state::list(target, &store).await? {
        let is_environment = keeps_states_here(target, &listed.workspace, &store)?;
        // Applied once per account, and no stack of a pipeline.
        let is_stack = stacks.contains(&listed.stack) || listed.stack == terraform::GLOBAL;
        states.push(State { listed, is_environment, is_stack });
    }
    report(States { environment: store.environment, bucket: store.bucket, prefix: store.prefix, states })
}

fn keeps_states_here(target: &Session, workspace: &str, store: &Store) -> Result<bool> {
    if workspace == store.environment {
        return Ok(true);
    }
    let Some(project) = target.config.path.as_deref().and_then(Path::parent) else { return Ok(false) };
    let is_declared = target.config.environments.contains_key(workspace);
    Ok(is_declared && BackendFile::read(project, workspace)?.get("bucket").as_deref() == Some(&store.bucket))
}

impl State {
    fn remark(&self) -> &'static str {
        if !self.listed.may_be_read {
            return "may not be read";
        }
        match (self.listed.header.is_some(), self.is_environment, self.is_stack) {
            (false, ..) if self.listed.bytes == 0 => "empty: the state is lost",
            (false, ..) => "not a state that can be read",
            (_, true, true) => "",
            (_, true, false) => "no such stack in the repository",
            (_, false, true) => "no environment that is kept here",
            (_, false, false) => "neither environment nor stack is known here",
        }
    }
}

/// `eve@host, apply, since 2026-01-02 03:04:05 (5m 12s ago)`
fn held_by(lock: &Lock) -> String {
    let who = lock.who.clone().unwrap_or_else(|| "held by somebody".to_owned());
    let since = lock.created.map(|created| format!("since {}", since(created)));
    [Some(who), lock.operation.clone(), since].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

impl Report for States {
    fn page(&self) -> Page {
        let mut table =
            Table::new(["STACK", "ENVIRONMENT", ">SIZE", "MODIFIED", ">SERIAL", "TERRAFORM", "LOCK", "REMARK"]);
        for state in &self.states {
            let Listed { stack, workspace, bytes: size, modified_at, header, locks, .. } = &state.listed;
            let header = header.as_ref();
            table.row([
                stack.clone(),
                workspace.clone(),
                bytes(*size),
                local_time(*modified_at),
                header.map_or_else(|| "-".to_owned(), |header| header.serial.to_string()),
                header.map_or_else(|| "-".to_owned(), |header| header.terraform_version.clone()),
                match locks.as_slice() {
                    _ if !state.listed.may_be_read => "?".to_owned(),
                    [] => "-".to_owned(),
                    locks => locks.iter().map(held_by).collect::<Vec<_>>().join("; "),
                },
                state.remark().to_owned(),
            ]);
        }
        Page::new()
            .table(table)
            .line_if(self.states.is_empty(), || format!("no states below s3://{}/{}/", self.bucket, self.prefix))
    }

    fn list(&self) -> Option<&'static str> {
        Some("states")
    }
}
