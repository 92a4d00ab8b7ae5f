//! What is asked before a plan is applied: the plan and what would be lost with it are shown, the environment is typed.

use claimctl_aws::target::{Change, Intent};
use claimctl_core::error::{Error, Result};
use claimctl_deploy::deployment::ApplyRequest;
use claimctl_deploy::terraform::{StatefulResource, Summary};

use super::{PlanArgs, StackPlan, flag, for_stack};
use crate::context::Ctx;
use crate::output::{Page, Table};
use crate::session::{ConfirmArgs, Session};

#[derive(Debug, Clone, Default, clap::Args)]
pub struct ConsentArgs {
    /// Let this be replaced or destroyed although it holds data
    #[arg(long, value_name = "ADDRESS")]
    pub allow_destroy: Vec<String>,
    #[command(flatten)]
    confirm: ConfirmArgs,
}

impl ConsentArgs {
    /// A name is wanted only of what is protected, and is no answer elsewhere. Stacks have the same addresses: what is
    /// named to be lost has to be of one of them.
    pub fn check(&self, target: &Session, stacks: &[String]) -> Result<()> {
        if self.confirm.name.is_some() && !target.is_protected() {
            let name = target.name();
            return Err(Error::usage(format!("--confirm is for protected environments, and {name} is not protected"))
                .hint("nothing was done; answer with --yes")
                .hint(format!("where it should be: protected = true under [environments.{name}]")));
        }
        if self.allow_destroy.is_empty() || stacks.len() < 2 {
            return Ok(());
        }
        Err(Error::usage("--allow-destroy is for one stack: an address may be in each of several")
            .hint(format!("nothing was done; name one stack at a time: {}", stacks.join(", "))))
    }

    /// How the plan of a stack is to be carried out. `flags` are those of the verb alone.
    pub fn request(
        &self,
        ctx: &Ctx,
        verb: &str,
        stack: &str,
        flags: &[String],
        plan: &PlanArgs,
        dry_run: bool,
    ) -> ApplyRequest {
        let flags = [flags, &flag("--confirm", self.confirm.name.as_ref())].concat();
        ApplyRequest {
            allow_destroy: self.allow_destroy.clone(),
            arguments: plan.of_apply(),
            dry_run,
            command: for_stack(ctx, verb, stack, &flags, plan),
        }
    }

    /// Shows the plan and what would be lost with it, and asks.
    pub async fn ask(
        &self,
        ctx: &Ctx,
        target: &Session,
        stack: &str,
        (intent, summary, losses): (&Intent, &Summary, &[StatefulResource]),
    ) -> Result<Change> {
        let page = || StackPlan { stack: stack.to_owned(), summary: summary.clone() }.add_to(lost(losses));
        self.confirm.show_and_authorize(ctx, target, intent, page).await
    }
}

fn lost(losses: &[StatefulResource]) -> Page {
    let mut table = Table::new(["WILL BE LOST", "NAME", "HOLDS"]);
    for loss in losses {
        table.row([loss.address.clone(), loss.name.clone(), loss.contents.to_string()]);
    }
    Page::new().table(table)
}
