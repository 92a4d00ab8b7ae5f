//! `claimctl state diff`: what two versions of a state differ in.

use claimctl_core::error::Result;
use claimctl_core::units::local_time;
use claimctl_deploy::state::{self, Content, Difference, Header, Store};
use claimctl_deploy::terraform::{self, Terraform};
use jiff::Timestamp;
use serde::Serialize;

use super::shown;
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, report};
use crate::session::{Session, TargetArgs};

/// Compare two versions of a stack's state, resource by resource
///
/// Terraform reads both, because only it knows with the providers' schemas what is a secret: secrets are masked. Data
/// sources are left out, which every plan reads anew. Exit code 0, whether they differ or not.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Against the current one:
  claimctl state diff claim-check serial:41 --env dev
One older one against another:
  claimctl state diff claim-check serial:40 serial:41 --env dev")]
pub struct Args {
    /// A stack of terraform/stacks, or global
    #[arg(value_name = "STACK", value_parser = terraform::parse_name)]
    stack: String,
    /// The older one: a version id, the beginning of one, or serial:N
    #[arg(value_name = "VERSION")]
    old: String,
    /// The newer one [default: the current state]
    #[arg(value_name = "VERSION")]
    new: Option<String>,
    #[command(flatten)]
    pub target: TargetArgs,
}

/// Its JSON form is a contract.
#[derive(Debug, Serialize)]
struct Diff {
    stack: String,
    environment: String,
    old: Side,
    new: Side,
    #[serde(flatten)]
    difference: Difference,
}

#[derive(Debug, Serialize)]
struct Side {
    version_id: Option<String>,
    modified_at: Timestamp,
    #[serde(flatten)]
    header: Header,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    let store = Store::of(target, &target.project).await?;
    let stack = &args.stack;
    let (old, old_content) = version(&store, stack, &args.old).await?;
    let (new, new_content) = match &args.new {
        Some(typed) => version(&store, stack, typed).await?,
        None => current(&store, stack).await?,
    };
    let terraform = Terraform::open_for_repair(ctx, target, &target.project, stack).await?;
    let difference = Difference::between(
        terraform.show_state(old_content.bytes()).await?,
        terraform.show_state(new_content.bytes()).await?,
    );
    report(Diff { stack: stack.clone(), environment: store.environment, old, new, difference })
}

async fn version(store: &Store, stack: &str, typed: &str) -> Result<(Side, Content)> {
    let version = state::find(store, stack, typed).await?;
    let content = state::content(store, stack, &version).await?;
    let header = content.header.clone();
    Ok((Side { version_id: Some(version.version_id), modified_at: version.modified_at, header }, content))
}

async fn current(store: &Store, stack: &str) -> Result<(Side, Content)> {
    let Some(state::Before { content, version_id, modified_at }) = state::current(store, stack).await? else {
        return Err(state::gone(store, stack).await?.hint("or name two versions to compare"));
    };
    Ok((Side { version_id, modified_at, header: content.header.clone() }, content))
}

impl Side {
    fn line(&self, name: &str) -> String {
        let id = self.version_id.as_deref().unwrap_or("without an id");
        format!("{name}: version {id}, serial {}, {}", self.header.serial, local_time(self.modified_at))
    }
}

impl Report for Diff {
    fn page(&self) -> Page {
        let (old, new) = (&self.old.header.lineage, &self.new.header.lineage);
        let page = Page::new().line(self.old.line("old")).line(self.new.line("new")).line_if(old != new, || {
            format!("they are of different lineages, {old} and {new}: neither can be restored over the other")
        });
        shown::add_to(page, &self.difference, ["OLD", "NEW"])
    }

    fn list(&self) -> Option<&'static str> {
        Some("resources")
    }
}
