//! Deletion protection: what has it stays, and the way to lose it all the same is told.

use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use serde_json::Value;

use crate::terraform::plan::make::{Mode, Planned};
use crate::terraform::plan::summary::Change;
use crate::terraform::run::driver::Terraform;

/// What the stacks that have a switch for it call the variable.
const VARIABLE: &str = "deletion_protection";

impl Terraform {
    /// Refuses a plan that takes away what is protected from it.
    pub fn check_protection(&self, planned: &Planned) -> Result<()> {
        let changes = &planned.summary.changes;
        let kept = changes.iter().find(|change| change.action.destroys() && is_protected(change));
        // Where only the state changes, what it takes for destroyed is gone already.
        let Some(kept) = kept.filter(|_| planned.mode() != Mode::RefreshOnly) else { return Ok(()) };
        let error = Error::refused(format!("{} is protected from deletion, so nothing was done", kept.address));
        let root = &self.root;
        // What runs stays as it is, whatever the repository would build now.
        let deploy = match self.source.artifacts.is_empty() {
            true => root.next("deploy"),
            false => root.next("deploy").flag("--artifact", "deployed"),
        };
        let off = |next: Next| next.flag("--var", format!("{VARIABLE}=false"));
        let folder = root.folder.display();
        Err(match (self.source.variables.contains_key(VARIABLE), planned.mode()) {
            (true, Mode::Destroy) => error.next("switch it off first", off(deploy)),
            (true, _) => error
                .next(format!("undo the change in {}, then switch it off", root.stack), off(deploy))
                .next("then make the change again, and deploy it without protection as well", off(Next::again())),
            (false, Mode::Destroy) => error.next(format!("switch it off in {folder}, and deploy that first"), deploy),
            (false, _) => error
                .next(format!("undo the change, and switch protection off in {folder}"), deploy)
                .hint("then make the change again, and deploy it"),
        })
    }
}

fn is_protected(change: &Change) -> bool {
    ["deletion_protection_enabled", "deletion_protection"]
        .iter()
        .any(|key| change.before.get(key) == Some(&Value::Bool(true)))
}
