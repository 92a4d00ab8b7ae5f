//! The answer to a question, given beforehand: `--yes`, or the name of a protected environment.

use claimctl_aws::target::{Change, Intent};
use claimctl_core::error::Result;

use super::Session;
use crate::context::Ctx;
use crate::output::{Page, write_stderr};

/// Shared by the verbs that a workflow runs behind an approval.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ConfirmArgs {
    /// A protected environment's name, if no terminal asks for it
    #[arg(long = "confirm", value_name = "ENV")]
    pub name: Option<String>,
}

impl ConfirmArgs {
    /// Whether nobody will be asked, so that nothing has to be shown first.
    pub fn is_answered(&self, ctx: &Ctx, target: &Session) -> bool {
        if target.is_protected() { self.name.is_some() } else { ctx.options.yes }
    }

    /// Checks the account, and asks what is not answered yet.
    pub async fn authorize(&self, ctx: &Ctx, target: &Session, intent: &Intent) -> Result<Change> {
        match target.is_protected() {
            true => target.authorize_by_name(ctx, intent, target.name(), self.name.as_deref()).await,
            false => target.authorize(ctx, intent).await,
        }
    }

    /// The same, with what is asked about shown to whoever is asked.
    pub async fn show_and_authorize(
        &self,
        ctx: &Ctx,
        target: &Session,
        intent: &Intent,
        page: impl FnOnce() -> Page,
    ) -> Result<Change> {
        if !self.is_answered(ctx, target) {
            write_stderr(page().render(&ctx.terminal).trim_end());
        }
        self.authorize(ctx, target, intent).await
    }
}
