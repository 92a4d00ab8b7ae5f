//! `claimctl api`: the APIs of stacks.

mod answer;
mod call;

use claimctl_core::error::Result;
use clap::Subcommand;

use crate::context::Ctx;
use crate::output::Outcome;
use crate::session::Session;

#[derive(Debug, Subcommand)]
pub enum Verb {
    Call(Box<call::Args>),
}

pub async fn run(verb: Verb, ctx: &Ctx) -> Result<Outcome> {
    match verb {
        Verb::Call(args) => call::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
    }
}
