//! What has to be agreed to before a plan is applied: what would be lost, named; the plan, seen; the environment, typed.

use claimctl_aws::target::{Change, Intent};
use claimctl_core::error::{Error, Result};
use claimctl_deploy::terraform::{self, Holding, Mode, Planned, Terraform};

use super::{StackPlan, Typed, flag};
use crate::context::Ctx;
use crate::output::{Page, Table, write_stderr};
use crate::session::{ConfirmArgs, Session};

#[derive(Debug, Clone, Default, clap::Args)]
pub struct ConsentArgs {
    /// Let this be replaced or destroyed although it holds data
    #[arg(long, value_name = "ADDRESS")]
    pub allow_destroy: Vec<String>,
    #[command(flatten)]
    confirm: ConfirmArgs,
}

/// What the operator agreed to lose.
pub struct Losses {
    pub agreed: Change,
    pub holdings: Vec<Holding>,
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

    /// Looks at what would be lost, shows the plan, and asks.
    pub async fn ask(
        &self,
        ctx: &Ctx,
        target: &Session,
        terraform: &Terraform,
        planned: &Planned,
        typed: &Typed<'_>,
    ) -> Result<Losses> {
        let summary = &planned.summary;
        let holdings = match planned.mode() {
            // Only the state changes.
            Mode::RefreshOnly => Vec::new(),
            Mode::Deploy | Mode::Destroy => {
                terraform::holdings(target, &summary.changes, &ctx.cancel, &*ctx.progress).await?
            }
        };
        let root = &terraform.root;
        terraform::check_made(root, summary)?;
        let naming = |addresses: &[&str]| {
            let addresses = self.allow_destroy.iter().map(String::as_str).chain(addresses.iter().copied());
            let named = addresses.flat_map(|address| ["--allow-destroy".to_owned(), address.to_owned()]);
            typed.command(ctx, &root.stack, &[named.collect(), flag("--confirm", self.confirm.name.as_ref())].concat())
        };
        terraform.check_protection(planned)?;
        terraform::check_holdings(target.is_protected(), &holdings, &self.allow_destroy, naming)?;
        if !self.confirm.is_answered(ctx, target) {
            let plan = StackPlan { stack: root.stack.clone(), summary: summary.clone() };
            write_stderr(plan.add_to(lost(&holdings)).render(&ctx.terminal).trim_end());
        }
        let verb = if planned.mode() == Mode::Destroy { "destroy" } else { "deploy" };
        let destroys = summary.counts.replace + summary.counts.destroy > 0;
        let intent = Intent { what: format!("{verb} {} ({})", root.stack, summary.sentence()), destroys };
        let agreed = self.confirm.authorize(ctx, target, &intent).await?;
        Ok(Losses { agreed, holdings })
    }
}

fn lost(holdings: &[Holding]) -> Page {
    let mut table = Table::new(["WILL BE LOST", "NAME", "HOLDS"]);
    for holding in holdings {
        table.row([holding.address.clone(), holding.name.clone(), holding.holds.to_string()]);
    }
    Page::new().table(table)
}
