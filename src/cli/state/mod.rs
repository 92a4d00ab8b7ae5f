//! `claimctl state`: the states of stacks, and what mends them.

pub mod import;
pub mod unlock;

use clap::Subcommand;

use crate::context::Ctx;
use crate::error::Result;
use crate::output::Outcome;
use crate::target::Target;

#[derive(Debug, Subcommand)]
pub enum Verb {
    Unlock(unlock::Args),
    Import(import::Args),
}

pub async fn run(verb: Verb, ctx: &Ctx) -> Result<Outcome> {
    match verb {
        Verb::Unlock(args) => unlock::run(&args, ctx, &Target::resolve(ctx, &args.target).await?).await,
        Verb::Import(args) => import::run(&args, ctx, &Target::resolve(ctx, &args.target).await?).await,
    }
}
