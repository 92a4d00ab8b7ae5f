//! `claimctl function`: the handlers of flows.

pub mod pause;
pub mod resume;

use clap::Subcommand;

use crate::context::Ctx;
use crate::error::Result;
use crate::output::Outcome;
use crate::target::Target;

#[derive(Debug, Subcommand)]
pub enum Verb {
    Pause(pause::Args),
    Resume(resume::Args),
}

pub async fn run(verb: Verb, ctx: &Ctx) -> Result<Outcome> {
    match verb {
        Verb::Pause(args) => pause::run(&args, ctx, &Target::unreminded(ctx, &args.target).await?).await,
        Verb::Resume(args) => resume::run(&args, ctx, &Target::unreminded(ctx, &args.target).await?).await,
    }
}
