//! `claimctl records`: what the sinks of a flow hold.

pub mod get;
pub mod ls;

use claimctl_core::error::Result;
use clap::Subcommand;

use crate::context::Ctx;
use crate::output::Outcome;
use crate::session::Session;

#[derive(Debug, Subcommand)]
pub enum Verb {
    Ls(ls::Args),
    Get(get::Args),
}

pub async fn run(verb: Verb, ctx: &Ctx) -> Result<Outcome> {
    match verb {
        Verb::Ls(args) => ls::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Get(args) => get::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
    }
}
