//! Questions to the operator. Never a hang: without a terminal, `--yes` is the only answer.

use dialoguer::theme::SimpleTheme;
use dialoguer::{Confirm, Input};

use crate::context::Ctx;
use crate::error::{Error, Result};

/// Asks yes or no; `--yes` answers.
pub fn confirm(ctx: &Ctx, question: &str) -> Result<()> {
    if ctx.manners.yes {
        return Ok(());
    }
    on_a_terminal(ctx, question, "answer with --yes")?;
    ctx.progress.finish();
    match Confirm::with_theme(&SimpleTheme).with_prompt(question).default(false).interact() {
        Ok(true) => Ok(()),
        Ok(false) => Err(declined()),
        Err(error) => Err(declined().caused_by(error)),
    }
}

/// Asks for a name to be typed. `--yes` does not answer this one; `remedy` is what to do without a terminal.
pub fn type_the_name(ctx: &Ctx, what: &str, name: &str, remedy: &str) -> Result<()> {
    on_a_terminal(ctx, what, remedy)?;
    ctx.progress.finish();
    let question = format!("{what}: type {name} to go on");
    match Input::<String>::with_theme(&SimpleTheme).with_prompt(question).allow_empty(true).interact_text() {
        Ok(typed) if typed.trim() == name => Ok(()),
        Ok(_) => Err(declined()),
        Err(error) => Err(declined().caused_by(error)),
    }
}

fn on_a_terminal(ctx: &Ctx, what: &str, remedy: &str) -> Result<()> {
    if ctx.terminal.stdin && ctx.terminal.stderr {
        return Ok(());
    }
    Err(Error::refused(format!("{what} No terminal to ask on, so nothing was done")).hint(remedy))
}

fn declined() -> Error {
    Error::refused("not confirmed, so nothing was done")
}
