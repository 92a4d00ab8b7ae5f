//! What stands before a change: the account that is meant, the operator's word, and a line in the change log.

use super::Target;
use crate::account::Answer;
use crate::changes::Begun;
use crate::context::Ctx;
use crate::error::{Error, Result};
use crate::output::prompt;

/// Proof that the account was checked and the operator agreed. Engines that change anything ask for it.
pub struct Change(());

/// What a change would do, in the words that the operator is asked with.
pub struct Intent {
    /// Reads like "upload 12 files to bucket b".
    pub what: String,
    /// Whether something is lost when it was a mistake.
    pub destroys: bool,
}

impl Target {
    /// The account guard: before a change, and before a look that changes visibility.
    pub async fn guard(&self, ctx: &Ctx) -> Result<()> {
        if self.is_local() {
            return Ok(());
        }
        let Some(expected) = &self.expected_account else {
            ctx.progress.note(match self.environment {
                Some(_) => "note: no account is declared for this environment, so the account is not checked",
                None => "note: AWS without an environment, so the account is not checked",
            });
            return Ok(());
        };
        match self.identity().await? {
            Answer::Caller(caller) if caller.account == *expected => Ok(()),
            Answer::Caller(caller) => Err(Error::refused(format!(
                "environment {} is account {expected}, and these credentials are of account {} ({})",
                self.name(),
                caller.account,
                caller.arn
            ))
            .hint("nothing was done; choose another --env or --profile")
            .hint(format!("what is meant and what is there: claimctl env show {}", self.name()))),
            Answer::NoSts(why) if self.protected => Err(Error::refused(format!(
                "the account of protected environment {} cannot be checked, so nothing was done",
                self.name()
            ))
            .caused_by(why.as_str())
            .hint("use an endpoint with an STS, or none")),
            Answer::NoSts(_) => {
                ctx.progress.note("note: no STS answers at this endpoint, so the account is not checked");
                Ok(())
            }
        }
    }

    /// What is protected has to say whose it is, before anything there is changed.
    fn check_declared(&self) -> Result<()> {
        if !self.protected || self.expected_account.is_some() {
            return Ok(());
        }
        let name = self.name();
        let message = format!("protected environment {name} declares no account to check, so nothing was done");
        Err(Error::refused(message)
            .hint(format!("declare it in claimctl.toml: account = \"…\" under [environments.{name}]"))
            .hint(format!("whose the credentials are: claimctl env show {name}")))
    }

    /// Fails where [`authorize`](Self::authorize) would for want of somebody to ask: for what comes long before it.
    pub fn check_answerable(&self, ctx: &Ctx, intent: &Intent) -> Result<()> {
        self.check_declared()?;
        if self.protected {
            let name = self.name();
            let remedy = format!("environment {name} is protected: its name must be typed on a terminal");
            return prompt::on_a_terminal(ctx, &intent.what, &remedy);
        }
        match ctx.manners.yes || (!intent.destroys && self.is_local()) {
            true => Ok(()),
            false => prompt::on_a_terminal(ctx, &format!("{}?", intent.what), "answer with --yes"),
        }
    }

    /// Checks the account and asks the operator; what comes back opens the engines that change things.
    pub async fn authorize(&self, ctx: &Ctx, intent: &Intent) -> Result<Change> {
        self.check_declared()?;
        self.guard(ctx).await?;
        if self.protected {
            let name = self.name();
            let remedy = format!("environment {name} is protected: its name must be typed on a terminal");
            prompt::type_the_name(ctx, &intent.what, name, &remedy)?;
        } else if intent.destroys || !self.is_local() {
            prompt::confirm(ctx, &format!("{} in environment {}?", intent.what, self.name()))?;
        }
        self.agreed(ctx, intent).await
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
        self.guard(ctx).await?;
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
        self.agreed(ctx, intent).await
    }

    /// From here on it is a change, and the change log knows of it.
    async fn agreed(&self, ctx: &Ctx, intent: &Intent) -> Result<Change> {
        ctx.changes.begin(Begun { who: self.who(ctx).await?, what: intent.what.clone() })?;
        Ok(Change(()))
    }
}
