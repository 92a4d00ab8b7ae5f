//! Deletion protection: what has it stays, and the way to lose it all the same is told.

use claimctl_core::error::{Error, Result};
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
        let artifact = if self.source.artifacts.is_empty() { "" } else { " --artifact deployed" };
        let off = format!("claimctl deploy {}{artifact}", root.typed());
        Err(match (self.source.variables.contains_key(VARIABLE), planned.mode()) {
            (true, Mode::Destroy) => error.hint(format!("switch it off first: {off} --var {VARIABLE}=false")),
            (true, _) => error
                .hint(format!("undo the change in {}, then switch it off: {off} --var {VARIABLE}=false", root.stack))
                .hint(format!("then make the change again, and deploy it with --var {VARIABLE}=false as well")),
            (false, Mode::Destroy) => {
                error.hint(format!("switch it off in {}, and deploy that first: {off}", root.folder.display()))
            }
            (false, _) => error
                .hint(format!("undo the change, switch protection off in {}: {off}", root.folder.display()))
                .hint("then make the change again, and deploy it"),
        })
    }
}

fn is_protected(change: &Change) -> bool {
    ["deletion_protection_enabled", "deletion_protection"]
        .iter()
        .any(|key| change.before.get(key) == Some(&Value::Bool(true)))
}
