//! `claimctl dlq`: dead letters.

pub mod inspect;
pub mod ls;
pub mod replay;
pub mod rescue;

use claimctl_core::error::Result;
use clap::Subcommand;

use crate::context::Ctx;
use crate::output::Outcome;
use crate::session::Session;

#[derive(Debug, Subcommand)]
pub enum Verb {
    Ls(ls::Args),
    Inspect(Box<inspect::Args>),
    Replay(Box<replay::Args>),
    Rescue(rescue::Args),
}

pub async fn run(verb: Verb, ctx: &Ctx) -> Result<Outcome> {
    match verb {
        Verb::Replay(args) => replay::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Ls(args) => ls::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Rescue(args) => rescue::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Inspect(args) => inspect::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
    }
}
