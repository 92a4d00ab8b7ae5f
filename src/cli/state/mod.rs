//! `claimctl state`: the states that Terraform keeps, their versions and locks, and the way back to an older one.

pub mod diff;
pub mod import;
pub mod ls;
pub mod pull;
pub mod restore;
pub mod show;
mod shown;
pub mod unlock;
pub mod versions;

use claimctl_core::error::Result;
use clap::Subcommand;

use crate::context::Ctx;
use crate::output::Outcome;
use crate::session::Session;

#[derive(Debug, Subcommand)]
pub enum Verb {
    Ls(ls::Args),
    Show(show::Args),
    Pull(pull::Args),
    Versions(versions::Args),
    Diff(diff::Args),
    Restore(restore::Args),
    Unlock(unlock::Args),
    Import(import::Args),
}

pub async fn run(verb: Verb, ctx: &Ctx) -> Result<Outcome> {
    match verb {
        Verb::Ls(args) => ls::run(&args, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Show(args) => show::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Pull(args) => pull::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Versions(args) => versions::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Diff(args) => diff::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Restore(args) => restore::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Unlock(args) => unlock::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Import(args) => import::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
    }
}
