//! `claimctl function resume`: a paused function is fed from its queue again.

use claimctl_aws::policy::ArnBuilder;
use claimctl_aws::target::Intent;
use claimctl_core::error::{Kind, Result};
use claimctl_core::next::Next;
use claimctl_core::units::count;
use claimctl_queues::consumers::mapping::{self, ENABLED, Mapping};
use claimctl_queues::consumers::pause::Pauser;
use serde::Serialize;

use super::{FunctionArgs, table};
use crate::cli::policy::policy;
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, report};
use crate::session::Session;

/// Feed a paused function from its queue again
///
/// Its disabled event source mappings are enabled, whoever disabled them.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
What would be changed:
  claimctl function resume claim-recorder --dry-run
Go on:
  claimctl function resume claim-recorder")]
pub struct Args {
    #[command(flatten)]
    pub on: FunctionArgs,
}

#[derive(Debug, Serialize)]
struct Resuming {
    function: String,
    mappings: Vec<Mapping>,
    /// Mappings that were disabled before.
    resumed: u64,
    /// Runs of mappings that do not exist any more.
    closed: Vec<String>,
    dry_run: bool,
}

pub async fn run(Args { on: args }: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    if args.policy.print_policy {
        return policy(mapping::permissions(&ArnBuilder::of(target).await?));
    }
    let found = mapping::of_function(target, &args.function).await;
    let written = |next: &Next| ctx.command(next);
    let pauser = Pauser::of(ctx, target, &written).await?;
    let name = mapping::real_name(target, &args.function).await?;
    let mappings = match found {
        // What was paused may be gone for good: then the journal need not keep it in mind.
        Err(error) if error.kind() == Kind::NotFound && !args.dry_run => {
            let closed = pauser.close_gone(&name).await?;
            if closed.is_empty() {
                return Err(error);
            }
            let function = args.function.clone();
            return report(Resuming { function, mappings: Vec::new(), resumed: 0, closed, dry_run: false });
        }
        found => found?,
    };
    let disabled = mappings.iter().filter(|mapping| !mapping.is_enabled()).count() as u64;
    let mut resuming = Resuming {
        function: args.function.clone(),
        mappings,
        resumed: disabled,
        closed: Vec::new(),
        dry_run: args.dry_run,
    };
    if !args.dry_run {
        let what = format!("resume function {} ({})", args.function, count(disabled, "event source mapping"));
        let change = target.authorize(ctx, &Intent { what, destroys: false }).await?;
        let mappings = std::mem::take(&mut resuming.mappings);
        let resumed = pauser.resume(mappings, &name, &change, &ctx.cancel, ctx.progress.as_ref()).await?;
        (resuming.mappings, resuming.closed) = (resumed.enabled, resumed.closed);
    }
    report(resuming)
}

impl Report for Resuming {
    fn page(&self) -> Page {
        let page = Page::new().table(table(self.mappings.iter()));
        if self.dry_run {
            return page.line(format!("{} would be enabled; nothing was changed", count(self.resumed, "mapping")));
        }
        let is_on_its_way = self.mappings.iter().any(|mapping| mapping.state != ENABLED);
        page.line_if(self.resumed == 0 && !self.mappings.is_empty(), || {
            format!("{} was not paused: nothing was changed", self.function)
        })
        .line_if(is_on_its_way, || "it is on its way: it takes messages once it is enabled".to_owned())
        .line_if(!self.closed.is_empty(), || {
            format!("closed {} of mappings that do not exist any more", count(self.closed.len() as u64, "run"))
        })
    }

    fn list(&self) -> Option<&'static str> {
        Some("mappings")
    }
}
