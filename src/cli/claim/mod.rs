//! `claimctl claim`: from a claim to its payload.

pub mod get;
mod report;

use claimctl_core::error::Result;
use clap::Subcommand;

use crate::context::Ctx;
use crate::output::Outcome;
use crate::session::Session;

#[derive(Debug, Subcommand)]
pub enum Verb {
    Get(Box<get::Args>),
}

pub async fn run(verb: Verb, ctx: &Ctx) -> Result<Outcome> {
    match verb {
        Verb::Get(args) => get::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
    }
}
