//! `claimctl config`: what claimctl.toml says, and what holds.

pub mod check;
pub mod show;

use claimctl_core::error::Result;
use clap::Subcommand;

use crate::context::Ctx;
use crate::output::Outcome;

#[derive(Debug, Subcommand)]
pub enum Verb {
    Show(show::Args),
    Check(check::Args),
}

pub async fn run(verb: Verb, ctx: &Ctx) -> Result<Outcome> {
    match verb {
        Verb::Show(args) => show::run(&args, ctx),
        Verb::Check(_) => check::run(ctx).await,
    }
}
