//! What stands before a change: the account that is meant, the operator's word, and a line in the change log.

use std::sync::atomic::Ordering;

use claimctl_core::change_log::ChangeStart;
use claimctl_core::context::Context;
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;

use super::Target;
use crate::account::StsAnswer;

/// Proof that the account was checked and the operator agreed. Engines that change anything ask for it.
pub struct Change(());

/// Proof that the target's account is the one that was meant, as far as that can be told.
pub struct AccountChecked<'a>(&'a Target);

/// What a change would do, in the words that the operator is asked with.
pub struct Intent {
    /// Reads like "upload 12 files to bucket b".
    pub what: String,
    /// Whether something is lost when it was a mistake.
    pub destroys: bool,
}

impl Target {
    /// The account guard: before a change, and before a look that changes visibility.
    pub async fn guard(&self) -> Result<AccountChecked<'_>> {
        if self.is_local() {
            return Ok(AccountChecked(self));
        }
        let Some(expected) = &self.expected_account else {
            self.note_unchecked(match self.environment {
                Some(_) => "no account is declared for this environment",
                None => "AWS without an environment",
            });
            return Ok(AccountChecked(self));
        };
        match self.identity().await? {
            StsAnswer::Caller(caller) if caller.account == *expected => Ok(AccountChecked(self)),
            StsAnswer::Caller(caller) => Err(Error::refused(format!(
                "environment {} is account {expected}, and these credentials are of account {} ({})",
                self.name(),
                caller.account,
                caller.arn
            ))
            .hint("nothing was done; choose another environment or profile")
            .next("what is meant and what is there", show(self.name()))),
            StsAnswer::NoSts(why) if self.protected => Err(Error::refused(format!(
                "the account of protected environment {} cannot be checked, so nothing was done",
                self.name()
            ))
            .caused_by(why.as_str())
            .hint("use an endpoint with an STS, or none")),
            StsAnswer::NoSts(_) => {
                self.note_unchecked("no STS answers at this endpoint");
                Ok(AccountChecked(self))
            }
        }
    }

    /// Said once, however often the guard stands before something.
    fn note_unchecked(&self, because: &str) {
        if !self.noted_unchecked.swap(true, Ordering::Relaxed) {
            self.progress.note(&format!("note: {because}, so the account is not checked"));
        }
    }

    /// What is protected has to say whose it is, before anything there is changed.
    pub fn check_declared(&self) -> Result<()> {
        if !self.protected || self.expected_account.is_some() {
            return Ok(());
        }
        let name = self.name();
        let message = format!("protected environment {name} declares no account to check, so nothing was done");
        Err(Error::refused(message)
            .hint(format!("declare it in claimctl.toml: account = \"…\" under [environments.{name}]"))
            .next("whose the credentials are", show(name)))
    }
}

impl AccountChecked<'_> {
    /// From here on it is a change, and the change log knows of it. Only who has asked the operator may call this.
    pub async fn begin(self, ctx: &Context, intent: &Intent) -> Result<Change> {
        let AccountChecked(target) = self;
        target.check_declared()?;
        let origin = target.change_origin(ctx).await?;
        ctx.change_log.begin(ChangeStart { origin, what: intent.what.clone() })?;
        Ok(Change(()))
    }
}

fn show(environment: &str) -> Next {
    Next::verb("env show").in_environment(environment)
}
