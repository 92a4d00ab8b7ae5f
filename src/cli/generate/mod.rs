//! `claimctl generate`: sample files.

mod csv;
mod payloads;

use claimctl_core::error::Result;
use clap::Subcommand;

use crate::context::Ctx;
use crate::output::Outcome;

#[derive(Debug, Subcommand)]
pub enum Verb {
    Csv(csv::Args),
    Payloads(payloads::Args),
}

pub fn run(verb: Verb, ctx: &Ctx) -> Result<Outcome> {
    match verb {
        Verb::Csv(args) => csv::run(&args, ctx),
        Verb::Payloads(args) => payloads::run(&args, ctx),
    }
}
