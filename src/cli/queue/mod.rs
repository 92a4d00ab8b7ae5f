//! `claimctl queue`: look into queues, empty them without a loss, and send again.

pub mod drain;
pub mod ls;
pub mod peek;
mod purge;
mod send;
mod stats;

use claimctl_core::error::Result;
use clap::Subcommand;

use crate::context::Ctx;
use crate::output::Outcome;
use crate::session::Session;

/// The one queue of a verb that takes messages away, which is never guessed.
#[derive(Debug, clap::Args)]
struct QueueArgs {
    /// The queue: a logical name, a real name, a URL or an ARN
    #[arg(value_name = "QUEUE", required_unless_present = "queue_url")]
    queue: Option<String>,
    /// The queue by its URL
    #[arg(long, value_name = "URL", conflicts_with = "queue")]
    queue_url: Option<String>,
}

impl QueueArgs {
    fn name(&self) -> &str {
        self.queue_url.as_ref().or(self.queue.as_ref()).map_or("", String::as_str)
    }
}

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
        Verb::Ls(args) => ls::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Peek(args) => peek::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Stats(args) => stats::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Drain(args) => drain::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Send(args) => send::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
        Verb::Purge(args) => purge::run(&args, ctx, &Session::resolve(ctx, &args.target).await?).await,
    }
}
