//! `claimctl function pause`: a function is no longer fed from its queue, until it is resumed.

use claimctl_aws::policy::ArnBuilder;
use claimctl_aws::target::Intent;
use claimctl_core::error::Result;
use claimctl_core::next::Next;
use claimctl_core::units::count;
use claimctl_queues::consumers::mapping::{self, DISABLED, Mapping};
use claimctl_queues::consumers::pause::{Pauser, resume_command};
use serde::Serialize;

use super::{FunctionArgs, table};
use crate::cli::policy::policy;
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, report};
use crate::session::Session;

/// Stop feeding a function from its queue
///
/// Its event source mappings are disabled: messages wait in the queue, and are lost if they wait longer than its
/// retention. The journal keeps it in mind, and every command says so until function resume.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
What would be changed:
  claimctl function pause claim-recorder --dry-run
Let messages wait in the queue:
  claimctl function pause claim-recorder")]
pub struct Args {
    #[command(flatten)]
    pub on: FunctionArgs,
}

#[derive(Debug, Serialize)]
struct Pausing {
    function: String,
    mappings: Vec<Pause>,
    dry_run: bool,
    /// The command that undoes it.
    resume: String,
}

#[derive(Debug, Serialize)]
struct Pause {
    #[serde(flatten)]
    mapping: Mapping,
    /// Whether this command paused it.
    paused: bool,
    /// The run of the journal that keeps it in mind.
    run: Option<String>,
}

pub async fn run(Args { on: args }: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    if args.policy.print_policy {
        return policy(mapping::permissions(&ArnBuilder::of(target).await?));
    }
    let mappings = mapping::of_function(target, &args.function).await?;
    let resume = ctx.command(&resume_command(&args.function));
    let (enabled, others): (Vec<_>, Vec<_>) = mappings.into_iter().partition(Mapping::is_enabled);
    let mut paused: Vec<_> = others.into_iter().map(|mapping| Pause { mapping, paused: false, run: None }).collect();
    if args.dry_run || enabled.is_empty() {
        paused.extend(enabled.into_iter().map(|mapping| Pause { mapping, paused: false, run: None }));
    } else {
        let what =
            format!("pause function {} ({})", args.function, count(enabled.len() as u64, "event source mapping"));
        let change = target.authorize(ctx, &Intent { what, destroys: false }).await?;
        let written = |next: &Next| ctx.command(next);
        let pauser = Pauser::of(ctx, target, &written).await?;
        let left = pauser.pause(enabled, &change, &ctx.cancel, ctx.progress.as_ref()).await?.leave().await?;
        paused.extend(left.into_iter().map(|(mapping, run)| Pause { mapping, paused: true, run: Some(run) }));
    }
    report(Pausing { function: args.function.clone(), mappings: paused, dry_run: args.dry_run, resume })
}

impl Report for Pausing {
    fn page(&self) -> Page {
        let page = Page::new().table(table(self.mappings.iter().map(|pause| &pause.mapping)));
        if self.dry_run {
            let number = self.mappings.iter().filter(|pause| pause.mapping.is_enabled()).count();
            let would = format!("{} would be disabled; nothing was changed", count(number as u64, "mapping"));
            return page.line(would);
        }
        let is_on_its_way = self.mappings.iter().any(|pause| pause.paused && pause.mapping.state != DISABLED);
        let already = self.mappings.iter().all(|pause| !pause.paused);
        page.line_if(already, || format!("{} was paused already: nothing was changed", self.function))
            .line_if(is_on_its_way, || "it is not disabled yet: messages may still be taken".to_owned())
            .line(format!("to resume it: {}", self.resume))
    }

    fn list(&self) -> Option<&'static str> {
        Some("mappings")
    }
}
