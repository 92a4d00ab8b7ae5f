//! `claimctl queue`: look into queues, empty them without a loss, and send again.

pub mod drain;
pub mod ls;
pub mod peek;
mod purge;
mod send;
mod stats;

use clap::Subcommand;

use crate::context::Ctx;
use crate::error::Result;
use crate::output::Outcome;
use crate::target::Target;

#[derive(Debug, Subcommand)]
pub enum Verb {
    Ls(ls::Args),
    Peek(peek::Args),
    Stats(stats::Args),
    Drain(Box<drain::Args>),
    Send(Box<send::Args>),
    Purge(purge::Args),
}

pub async fn run(verb: Verb, ctx: &Ctx) -> Result<Outcome> {
    match verb {
        Verb::Ls(args) => ls::run(&args, &Target::resolve(ctx, &args.target).await?).await,
        Verb::Peek(args) => peek::run(&args, ctx, &Target::resolve(ctx, &args.target).await?).await,
        Verb::Stats(args) => stats::run(&args, ctx, &Target::resolve(ctx, &args.target).await?).await,
        Verb::Drain(args) => drain::run(&args, ctx, &Target::resolve(ctx, &args.target).await?).await,
        Verb::Send(args) => send::run(&args, ctx, &Target::resolve(ctx, &args.target).await?).await,
        Verb::Purge(args) => purge::run(&args, ctx, &Target::resolve(ctx, &args.target).await?).await,
    }
}
