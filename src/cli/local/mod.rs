//! `claimctl local`: the sandbox, a real AWS-compatible server on this machine.

pub mod down;
pub mod logs;
pub mod reset;
pub mod status;
pub mod up;

use claimctl_core::change_log::{ChangeOrigin, ChangeStart};
use claimctl_core::error::Result;
use clap::Subcommand;

use crate::config::LOCAL;
use crate::context::Ctx;
use crate::output::Outcome;
use crate::sandbox::REGION;

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

/// What is in the sandbox is about to be lost: the change log knows of it.
fn log_loss(ctx: &Ctx, what: &str) -> Result<()> {
    let origin = ChangeOrigin {
        environment: Some(LOCAL.to_owned()),
        region: REGION.to_owned(),
        user: ctx.variable("USER").map(str::to_owned),
        ..ChangeOrigin::default()
    };
    ctx.change_log.begin(ChangeStart { origin, what: what.to_owned() })
}
