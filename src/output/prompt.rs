//! Questions to the operator. Never a hang: without a terminal, `--yes` is the only answer, and a signal ends the wait.

use std::os::fd::AsFd;

use claimctl_core::error::{Error, Kind, Result};
use dialoguer::theme::SimpleTheme;
use dialoguer::{Confirm, Input, Select, console};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use tokio::sync::oneshot;

use crate::context::Ctx;

/// Asks yes or no; `--yes` answers.
pub fn confirm(ctx: &Ctx, question: &str) -> Result<()> {
    if ctx.options.yes {
        return Ok(());
    }
    on_a_terminal(ctx, question, "answer with --yes")?;
    let prompt = question.to_owned();
    match ask(ctx, move || Confirm::with_theme(&SimpleTheme).with_prompt(prompt).default(false).interact())? {
        true => Ok(()),
        false => Err(declined()),
    }
}

/// Asks for a name to be typed. `--yes` does not answer this one; `remedy` is what to do without a terminal.
pub fn type_the_name(ctx: &Ctx, what: &str, name: &str, remedy: &str) -> Result<()> {
    on_a_terminal(ctx, what, remedy)?;
    let question = format!("{what}: type {name} to go on");
    match text(ctx, &question, None, |_| Ok(()))?.trim() == name {
        true => Ok(()),
        false => Err(declined().hint(format!("what was typed is not {name}"))),
    }
}

/// Asks for the code that an MFA device shows.
pub fn mfa_code(ctx: &Ctx, serial: &str) -> Result<String> {
    if !has_terminal(ctx) {
        return Err(Error::denied(format!("MFA device {serial} wants a code, and there is no terminal to ask on"))
            .hint("run this on a terminal, or use an environment whose credentials need no code (mfa_serial)"));
    }
    text(ctx, &format!("Code of MFA device {serial}"), None, |code| match code.trim().parse::<u32>() {
        Ok(_) if code.trim().len() == 6 => Ok(()),
        _ => Err("a code is six digits".to_owned()),
    })
    .map(|code| code.trim().to_owned())
}

/// Asks for a line of text until `check` takes it; empty takes the default.
pub fn text(
    ctx: &Ctx,
    question: &str,
    default: Option<String>,
    check: impl Fn(&str) -> Result<(), String> + Send + 'static,
) -> Result<String> {
    let question = question.to_owned();
    ask(ctx, move || {
        let mut input = Input::<String>::with_theme(&SimpleTheme).with_prompt(question).allow_empty(true);
        if let Some(default) = default {
            input = input.default(default);
        }
        input.validate_with(|typed: &String| check(typed)).interact_text()
    })
}

pub fn yes_or_no(ctx: &Ctx, question: &str, default: bool) -> Result<bool> {
    let prompt = question.to_owned();
    ask(ctx, move || Confirm::with_theme(&SimpleTheme).with_prompt(prompt).default(default).interact())
}

/// Asks for one of several; the first is the default. The answer is its index.
pub fn choose(ctx: &Ctx, question: &str, choices: &[&str]) -> Result<usize> {
    let (prompt, items) = (question.to_owned(), choices.iter().map(ToString::to_string).collect::<Vec<_>>());
    ask(ctx, move || Select::with_theme(&SimpleTheme).with_prompt(prompt).items(items).default(0).interact())
}

/// Whether there is a terminal to ask and to answer on.
pub fn has_terminal(ctx: &Ctx) -> bool {
    ctx.terminal.stdin && ctx.terminal.stderr
}

/// Runs a question on a thread of its own, because a signal must end the wait and reading a key cannot be ended.
fn ask<T, Q>(ctx: &Ctx, question: Q) -> Result<T>
where
    T: Send + 'static,
    Q: FnOnce() -> dialoguer::Result<T> + Send + 'static,
{
    ctx.progress.finish();
    let before = tcgetattr(std::io::stdin().as_fd()).ok();
    let (sender, answer) = oneshot::channel();
    std::thread::spawn(move || sender.send(question()));
    let answer = tokio::task::block_in_place(|| {
        tokio::runtime::Handle::current().block_on(async {
            tokio::select! {
                answer = answer => answer.ok(),
                () = ctx.cancel.cancelled() => None,
            }
        })
    });
    match answer {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(dialoguer::Error::IO(error))) if error.kind() != std::io::ErrorKind::Interrupted => {
            restore(before);
            Err(Error::new(Kind::Refused, "no answer could be read, so nothing was done").caused_by(error))
        }
        Some(Err(_)) | None => {
            restore(before);
            Err(Error::interrupted("stopped at a question, so nothing was done"))
        }
    }
}

/// A question that was left early has hidden the cursor and may read keys unbuffered.
fn restore(before: Option<rustix::termios::Termios>) {
    if let Some(before) = before {
        // A terminal that is gone needs no repair.
        let _ = tcsetattr(std::io::stdin().as_fd(), OptionalActions::Now, &before);
    }
    let term = console::Term::stderr();
    let _ = term.show_cursor().and_then(|()| term.write_line(""));
}

/// Fails where a question could not be answered; `remedy` is what to do without a terminal.
pub fn on_a_terminal(ctx: &Ctx, what: &str, remedy: &str) -> Result<()> {
    match has_terminal(ctx) {
        true => Ok(()),
        false => Err(Error::refused(format!("{what} No terminal to ask on, so nothing was done")).hint(remedy)),
    }
}

fn declined() -> Error {
    Error::refused("not confirmed, so nothing was done")
}
