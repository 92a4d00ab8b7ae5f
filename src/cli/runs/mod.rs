//! `claimctl runs`: what the journal knows of the runs on this machine.

pub mod ls;
pub mod rm;
pub mod show;

use std::collections::BTreeMap;

use claimctl_core::change_log::ChangeOrigin;
use claimctl_core::error::{Error, Result};
use claimctl_queues::journal::Journal;
use clap::Subcommand;

use crate::config::Config;
use crate::context::Ctx;
use crate::output::Outcome;

#[derive(Debug, Subcommand)]
pub enum Verb {
    Ls(ls::Args),
    Show(show::Args),
    Rm(rm::Args),
}

pub fn run(verb: Verb, ctx: &Ctx) -> Result<Outcome> {
    match verb {
        Verb::Ls(args) => ls::run(&args, ctx),
        Verb::Show(args) => show::run(&args, ctx),
        Verb::Rm(args) => rm::run(&args, ctx),
    }
}

/// The project's journal, where a run has made one.
fn journal(ctx: &Ctx) -> Result<(Option<Journal>, String)> {
    let project = Config::find(ctx)?.project.name;
    Ok((Journal::existing(&ctx.paths, &project)?, project))
}

/// The project's journal, which has the run that was typed.
fn journal_with(ctx: &Ctx, typed: &str) -> Result<Journal> {
    let (journal, project) = journal(ctx)?;
    journal.ok_or_else(|| {
        Error::not_found(format!("no run {typed}: project {project} has no journal on this machine"))
            .hint("the journal is per machine and project: see claimctl config show, and CLAIMCTL_HOME")
    })
}

/// The ARN that STS gave, or the user's name on this machine.
fn who(who: &ChangeOrigin) -> &str {
    who.caller.as_deref().or(who.user.as_deref()).unwrap_or("-")
}

/// Counts in words: "failed 1, sent 200".
fn words(counts: &BTreeMap<String, u64>) -> String {
    match counts.is_empty() {
        true => "-".to_owned(),
        false => counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", "),
    }
}
