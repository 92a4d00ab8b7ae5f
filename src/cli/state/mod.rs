//! `claimctl state`: the states that Terraform keeps, their versions, and the way back to an older one.

pub mod ls;

use clap::Subcommand;

use crate::context::Ctx;
use crate::error::Result;
use crate::output::Outcome;
use crate::target::Target;

#[derive(Debug, Subcommand)]
pub enum Verb {
    Ls(ls::Args),
}

pub async fn run(verb: Verb, ctx: &Ctx) -> Result<Outcome> {
    match verb {
        Verb::Ls(args) => ls::run(&args, &Target::resolve(ctx, &args.target).await?).await,
    }
}
