//! The answer to a question, given beforehand: `--yes`, or the name of a protected environment.

use super::{Change, Intent, Target};
use crate::context::Ctx;
use crate::error::Result;

/// Shared by the verbs that a workflow runs behind an approval.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ConfirmArgs {
    /// The name of a protected environment, typed here where there is no terminal to type it on
    #[arg(long = "confirm", value_name = "ENV")]
    pub name: Option<String>,
}

impl ConfirmArgs {
    /// Whether nobody will be asked, so that nothing has to be shown first.
    pub fn is_answered(&self, ctx: &Ctx, target: &Target) -> bool {
        if target.is_protected() { self.name.is_some() } else { ctx.manners.yes }
    }

    /// Checks the account, and asks what is not answered yet.
    pub async fn authorize(&self, ctx: &Ctx, target: &Target, intent: &Intent) -> Result<Change> {
        match target.is_protected() {
            true => target.authorize_by_name(ctx, intent, target.name(), self.name.as_deref()).await,
            false => target.authorize(ctx, intent).await,
        }
    }
}
