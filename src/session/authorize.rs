//! The operator's word before a change: asked for on the terminal, once the account is checked.

use claimctl_aws::target::{Change, Intent};
use claimctl_core::error::{Error, Result};

use super::Session;
use crate::context::Ctx;
use crate::output::prompt;

impl Session {
    /// Fails where [`authorize`](Self::authorize) would for want of somebody to ask: for what comes long before it.
    pub fn check_answerable(&self, ctx: &Ctx, intent: &Intent) -> Result<()> {
        self.check_declared()?;
        if self.is_protected() {
            let name = self.name();
            let remedy = format!("environment {name} is protected: its name must be typed on a terminal");
            return prompt::on_a_terminal(ctx, &intent.what, &remedy);
        }
        match ctx.options.yes || (!intent.destroys && self.is_local()) {
            true => Ok(()),
            false => prompt::on_a_terminal(ctx, &format!("{}?", intent.what), "answer with --yes"),
        }
    }

    /// Checks the account and asks the operator; what comes back opens the engines that change things.
    pub async fn authorize(&self, ctx: &Ctx, intent: &Intent) -> Result<Change> {
        self.check_declared()?;
        let checked = self.guard().await?;
        if self.is_protected() {
            let name = self.name();
            let remedy = format!("environment {name} is protected: its name must be typed on a terminal");
            prompt::type_the_name(ctx, &intent.what, name, &remedy)?;
        } else if intent.destroys || !self.is_local() {
            prompt::confirm(ctx, &format!("{} in environment {}?", intent.what, self.name()))?;
        }
        checked.begin(ctx, intent).await
    }

    /// The same for what the operator has typed out whole, so that there is nothing to ask but in a protected environment.
    /// `typed` is its name where that was given on the command line.
    pub async fn authorize_as_typed(&self, ctx: &Ctx, intent: &Intent, typed: Option<&str>) -> Result<Change> {
        match self.is_protected() {
            true => self.authorize_by_name(ctx, intent, self.name(), typed).await,
            false => self.guard().await?.begin(ctx, intent).await,
        }
    }

    /// The same for what cannot be undone: the operator types the name of what is lost, and `--yes` is no answer.
    /// `typed` is that name where it was given on the command line.
    pub async fn authorize_by_name(
        &self,
        ctx: &Ctx,
        intent: &Intent,
        name: &str,
        typed: Option<&str>,
    ) -> Result<Change> {
        self.check_declared()?;
        let checked = self.guard().await?;
        match typed {
            None => {
                let remedy = format!("type it on the command line: --confirm {name}");
                prompt::type_the_name(ctx, &intent.what, name, &remedy)?;
            }
            Some(typed) if typed == name => {}
            Some(typed) => {
                return Err(Error::refused(format!("{typed:?} was typed and {name} is meant, so nothing was done"))
                    .hint(format!("to go on: --confirm {name}")));
            }
        }
        checked.begin(ctx, intent).await
    }
}
