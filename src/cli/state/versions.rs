//! `claimctl state versions`: what a state was, version by version.

use claimctl_aws::policy::ArnBuilder;
use claimctl_core::error::Result;
use claimctl_core::units::{bytes, count, local_time};
use claimctl_deploy::state::{self, Store, Version};
use claimctl_deploy::terraform;
use serde::Serialize;

use crate::cli::policy::{PolicyArgs, policy};
use crate::cli::values;
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, Table, report};
use crate::session::{Session, TargetArgs};

/// List the versions of a stack's state, newest first
///
/// Also of a state that was deleted. Which is current is marked, and where a lineage begins: states of different
/// lineages have nothing to do with each other. Only the first bytes of each are read.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The newest ones:
  claimctl state versions claim-check --env dev
Only three:
  claimctl state versions claim-check --env dev --limit 3")]
pub struct Args {
    /// A stack, also one that the repository no longer has
    #[arg(value_name = "STACK", value_parser = terraform::parse_name)]
    stack: String,
    /// At most so many, the newest
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = values::number::<u32>(1..))]
    limit: u32,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

/// Its JSON form is a contract.
#[derive(Debug, Serialize)]
struct Versions {
    stack: String,
    environment: String,
    bucket: String,
    key: String,
    versions: Vec<Version>,
    /// Older ones that --limit left out.
    left_out: usize,
    /// The command that brings a version back, where the state is gone.
    #[serde(skip)]
    restore: String,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let store = Store::of(target, &target.project).await?;
    let stack = &args.stack;
    if args.policy.print_policy {
        return policy(state::permissions_to_see_versions(&store, &ArnBuilder::of(target).await?, stack));
    }
    let limit = args.limit as usize;
    let key = store.key(stack);
    let mut versions = state::looked_into(&store, &key, Some(limit)).await?;
    if versions.is_empty() {
        return Err(state::no_state(&store, stack).await?);
    }
    let left_out = versions.len().saturating_sub(limit);
    versions.truncate(limit);
    let restore = ctx.command(&store.next("state restore", stack).word("VERSION"));
    let Store { environment, bucket, .. } = store;
    report(Versions { stack: stack.clone(), environment, bucket, key, versions, left_out, restore })
}

fn remark(version: &Version) -> String {
    let lineage = version.header.as_ref().map(|header| header.lineage.as_str()).unwrap_or_default();
    let remarks = [
        version.is_current.then(|| "current".to_owned()),
        version.is_deletion.then(|| "deleted".to_owned()),
        version.is_blank().then(|| "empty, which is no state".to_owned()),
        (!version.is_deletion && !version.is_blank() && version.header.is_none())
            .then(|| "not a state that can be read".to_owned()),
        version.begins_lineage.then(|| format!("begins lineage {lineage}")),
    ];
    remarks.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

impl Report for Versions {
    fn page(&self) -> Page {
        let mut table = Table::new(["VERSION", "MODIFIED", ">SIZE", ">SERIAL", "TERRAFORM", "REMARK"]);
        for version in &self.versions {
            let header = version.header.as_ref();
            table.row([
                version.version_id.clone(),
                local_time(version.modified_at),
                if version.is_deletion { "-".to_owned() } else { bytes(version.bytes) },
                header.map_or_else(|| "-".to_owned(), |header| header.serial.to_string()),
                header.map_or_else(|| "-".to_owned(), |header| header.terraform_version.clone()),
                remark(version),
            ]);
        }
        let is_gone = self
            .versions
            .first()
            .is_some_and(|version| version.is_current && (version.is_deletion || version.is_blank()));
        Page::new()
            .table(table)
            .line_if(self.left_out > 0, || {
                format!("{} older: --limit N shows more", count(self.left_out as u64, "version"))
            })
            .line_if(is_gone, || format!("the state is gone; to bring it back: {}", self.restore))
    }

    fn list(&self) -> Option<&'static str> {
        Some("versions")
    }
}
