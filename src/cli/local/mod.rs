//! `claimctl local`: the sandbox, a real AWS-compatible server on this machine.

pub mod down;
pub mod logs;
pub mod reset;
pub mod status;
pub mod up;

use clap::Subcommand;

use crate::context::Ctx;
use crate::error::Result;
use crate::output::Outcome;

#[derive(Debug, Subcommand)]
pub enum Verb {
    Up(up::Args),
    Status(status::Args),
    Down(down::Args),
    Reset(reset::Args),
    Logs(logs::Args),
}

pub async fn run(verb: Verb, ctx: &Ctx) -> Result<Outcome> {
    match verb {
        Verb::Up(args) => up::run(&args, ctx).await,
        Verb::Status(args) => status::run(&args, ctx).await,
        Verb::Down(args) => down::run(&args, ctx).await,
        Verb::Reset(args) => reset::run(&args, ctx).await,
        Verb::Logs(args) => logs::run(&args, ctx).await,
    }
}
