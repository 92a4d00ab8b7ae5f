//! `claimctl queue ls`: every queue of the surface, or of the account, with its depth.

use claimctl_aws::policy::ArnBuilder;
use claimctl_core::error::Result;
use claimctl_core::exit::Exit;
use claimctl_queues::depth::{self, QueueDepth, QueueDepths, UnreadQueue};
use serde::Serialize;

use crate::cli::policy::{PolicyArgs, policy};
use crate::context::Ctx;
use crate::output::{Outcome, Page, Report, Table, beside_the_list, report};
use crate::session::{Session, TargetArgs};

/// List queues with their depth
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
The queues of the deployed stacks:
  claimctl queue ls
Every queue of the account whose name begins so:
  claimctl queue ls --prefix orders-")]
pub struct Args {
    /// Only these: logical names, real names, URLs or ARNs
    #[arg(value_name = "QUEUE", conflicts_with_all = ["all", "prefix"])]
    queues: Vec<String>,
    /// Every queue of the account, not only those of the deployed stacks
    #[arg(long)]
    all: bool,
    /// Every queue of the account whose name begins so
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    pub target: TargetArgs,
}

#[derive(Debug, Serialize)]
struct Queues {
    environment: String,
    queues: Vec<QueueDepth>,
    /// Those that are there, or are said to be, and could not be read.
    unread: Vec<UnreadQueue>,
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session) -> Result<Outcome> {
    if args.policy.print_policy {
        return policy(depth::permissions(&ArnBuilder::of(target).await?));
    }
    let QueueDepths { mut queues, mut unread } = match args.queues.as_slice() {
        [] => depth::list(target, args.all).await?,
        names => depth::named(target, names).await?,
    };
    if let Some(prefix) = &args.prefix {
        queues.retain(|queue| queue.name.starts_with(prefix));
        unread.retain(|queue| queue.name.starts_with(prefix));
    }
    beside_the_list(ctx, unread.iter().map(not_read));
    report(Queues { environment: target.name().to_owned(), queues, unread })
}

fn not_read(unread: &UnreadQueue) -> String {
    format!("not read: {}", unread.sentence())
}

impl Queues {
    /// The logical name of a queue that is in the list with one.
    fn short(&self, name: &str) -> String {
        let listed = self.queues.iter().find(|queue| queue.name == name);
        listed.and_then(|queue| queue.logical.clone()).unwrap_or_else(|| name.to_owned())
    }
}

impl Report for Queues {
    fn page(&self) -> Page {
        let mut table = Table::new(["QUEUE", ">VISIBLE", ">IN FLIGHT", ">DELAYED", "DEAD LETTERS TO", ">MAX RECEIVES"]);
        for queue in &self.queues {
            let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
            table.row([
                queue.logical.clone().unwrap_or_else(|| queue.name.clone()),
                queue.visible.to_string(),
                queue.in_flight.to_string(),
                queue.delayed.to_string(),
                or_dash(queue.dead_letter.as_ref().map(|name| self.short(name))),
                or_dash(queue.max_receive_count.map(|count| count.to_string())),
            ]);
        }
        Page::new()
            .table(table)
            .line_if(self.queues.is_empty(), || format!("no queues in environment {}", self.environment))
            .lines(self.unread.iter().map(not_read))
    }

    fn list(&self) -> Option<&'static str> {
        Some("queues")
    }

    fn exit(&self) -> Exit {
        if self.unread.is_empty() { Exit::Done } else { Exit::Partial }
    }
}
