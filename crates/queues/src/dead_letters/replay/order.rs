//! What is replayed, where to, and how carefully: the names that the operator typed, and what they were found to mean.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::target::{Intent, Target};
use claimctl_core::context::Context;
use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::next::Next;

use super::destination::{self, Destination};
use super::watch::{self, EVERY, Gauges};
use crate::consumers::mapping;
use crate::dead_letters::preflight::{self, Preflight};
use crate::dead_letters::{drain_command, inspect};
use crate::depth::{self, QueueDepth};
use crate::drained::Lines;
use crate::policy::PolicyQueue;
use crate::rate::Rate;
use crate::resolve::{self, Only};
use crate::select::Selection;
use crate::{Queue, batch, peek, receive};

/// What becomes of a dead letter whose record is there already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnRecorded {
    /// Leave it in the dead-letter queue
    #[default]
    Skip,
    /// Delete it: nothing is left to do for it
    Delete,
    /// Send it all the same; a handler that works as promised changes nothing
    Send,
}

/// How carefully messages are sent.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The most messages that are taken.
    pub limit: Option<u64>,
    pub on_recorded: OnRecorded,
    /// Takes what must not be sent.
    pub quarantine: Option<PathBuf>,
    pub max_replays: u32,
    /// The most messages that may come back while it sends.
    pub max_returns: u64,
    /// How many are sent first and waited for.
    pub canary: u64,
    /// How long.
    pub canary_wait: Duration,
    pub rate: Option<Rate>,
    /// A verdict that is older is made anew before its message is sent.
    pub recheck: Duration,
    /// How long received messages are hidden at a time. Whole seconds.
    pub visibility: Duration,
}

/// What the operator asked for.
pub struct Request {
    /// The dead-letter queue by any name. None: that of the file, or the only one.
    pub queue: Option<String>,
    /// A queue or a function by any name. None: where the messages came from.
    pub to: Option<String>,
    /// A drained file, instead of what is in the queue now.
    pub file: Option<PathBuf>,
    /// Although an earlier run has replayed all of the file.
    pub again: bool,
    /// Receive although a receive may move messages on.
    pub force: bool,
    pub selection: Selection,
    /// None: neither payloads nor records are looked at.
    pub preflight: Option<preflight::Options>,
    pub settings: Settings,
}

/// What to replay.
pub struct Order {
    /// The dead-letter queue.
    pub queue: Queue,
    pub depth: QueueDepth,
    pub to: Destination,
    pub selection: Arc<Selection>,
    /// A drained file, instead of what is in the queue now.
    pub file: Option<PathBuf>,
    /// Although an earlier run has replayed all of the file.
    pub again: bool,
    pub gauges: Gauges,
    /// None: neither payloads nor records are looked at, and every message that is selected is sent.
    pub preflight: Option<Arc<Preflight>>,
    pub settings: Settings,
    /// What the operator should know of it.
    pub notes: Vec<String>,
    /// The queue, or the file as it was named.
    pub name: String,
}

impl Order {
    /// Finds what the names mean, and refuses what cannot be replayed so.
    pub async fn find(ctx: &Context, target: &Target, request: Request) -> Result<Order> {
        let name = match (&request.queue, &request.file) {
            (None, Some(file)) => drained_from(target, file).await?,
            (queue, _) => resolve::named_or(target, queue.as_deref(), Only::DeadLetterQueue).await?,
        };
        let depth = depth::find(target, &name).await?;
        let (to, notes) = Destination::find(target, &depth, request.to.as_deref()).await?;
        request.check(&depth)?;
        let file = request.file.as_ref().map(|file| file.canonicalize().on("find", file)).transpose()?;
        let preflight = match &request.preflight {
            Some(options) => Some(Arc::new(Preflight::new(target, &depth.url, options).await?)),
            None => None,
        };
        let quarantine = request.settings.quarantine.as_ref().map(|file| ctx.working_directory.join(file));
        Ok(Order {
            queue: Queue::new(target.sqs(), &depth.url),
            name: request.file.as_ref().map_or_else(|| depth.name.clone(), |file| file.display().to_string()),
            gauges: gauges(target, &to).await,
            selection: Arc::new(request.selection),
            again: request.again,
            settings: Settings { quarantine, ..request.settings },
            depth,
            to,
            file,
            preflight,
            notes,
        })
    }

    /// What is to be agreed to. `what` reads like "12 dead letters".
    pub fn intent(&self, what: &str) -> Intent {
        Intent { what: format!("send {what} from {} to {}", self.name, self.to.name()), destroys: true }
    }

    /// Equal for the same messages: one replay of them at a time, and each goes on with what the last one left.
    pub(super) fn key(&self, verb: &str) -> String {
        let queue = if self.depth.arn.is_empty() { &self.depth.url } else { &self.depth.arn };
        match &self.file {
            Some(file) => format!("{verb} {} to {}", file.display(), self.to.name()),
            None => format!("{verb} {queue}"),
        }
    }
}

impl Request {
    fn check(&self, depth: &QueueDepth) -> Result<()> {
        if self.file.is_some() {
            return match self.settings.on_recorded {
                OnRecorded::Delete => {
                    Err(Error::usage("a message of a file cannot be deleted: the file stays as it is")
                        .hint("leave those out that are recorded already"))
                }
                OnRecorded::Skip | OnRecorded::Send => Ok(()),
            };
        }
        if depth.fifo {
            let name = &depth.name;
            return Err(Error::usage(format!("{name} is a FIFO queue, and what is left out would hold up its group"))
                .next("drain it", drain_command(name))
                .next("then replay the file", Next::verb("dlq replay").flag("--from", "FILE")));
        }
        if self.force { Ok(()) } else { inspect::allow(depth, true) }
    }
}

/// The queue that the first line of a drained file is of.
async fn drained_from(target: &Target, file: &Path) -> Result<String> {
    let opened = file.to_owned();
    let drain = || drain_command("QUEUE");
    let first = tokio::task::spawn_blocking(move || Lines::open(&opened)?.next().transpose()).await;
    let first = first.map_err(|error| Error::unexpected("reading the file ended early").caused_by(error))?;
    let first = first.map_err(|error| error.next("name a file that a drain has written", drain()))?;
    let first = first.ok_or_else(|| {
        Error::usage(format!("{} holds no message", file.display()))
            .next("name a file that a drain has written", drain())
    })?;
    resolve::resolve(target, &first.queue_arn).await.map_err(|error| {
        let send = Next::verb("queue send").word("QUEUE").word(file.display().to_string());
        error.next("if that queue is gone, send the file without looking at it", send)
    })
}

/// What is watched while messages are sent.
async fn gauges(target: &Target, to: &Destination) -> Gauges {
    let cloudwatch = target.cloudwatch();
    match to {
        Destination::Queue(to) => {
            // Who may not see the mappings can replay all the same.
            let functions = mapping::handlers(target, &to.depth).await.unwrap_or_default();
            Gauges { cloudwatch, queue: Some(to.depth.name.clone()), functions, every: EVERY }
        }
        Destination::Function(to) => Gauges { cloudwatch, queue: None, functions: vec![to.name.clone()], every: EVERY },
    }
}

/// What IAM has to allow for a replay; `rehearses`: nothing is to be sent.
pub async fn permissions(target: &Target, request: &Request, rehearses: bool) -> Result<Vec<Statement>> {
    let arns = ArnBuilder::of(target).await?;
    let name = resolve::named_or(target, request.queue.as_deref(), Only::DeadLetterQueue).await?;
    let queue = PolicyQueue::find(target, &arns, &name).await?;
    let mut statements = match &request.preflight {
        Some(options) => preflight::permissions(target, &arns, &name, options).await?,
        None => Vec::new(),
    };
    match rehearses {
        true => statements.extend(peek::permissions(&queue)),
        false => statements.extend([
            queue.permissions("ReplayDeadLetters", &[&receive::CALLS[..], &[batch::DELETE]].concat()),
            watch::permissions(),
            mapping::list_permission("FindHandlers"),
        ]),
    }
    statements.extend(destination::permissions(target, &arns, request.to.as_deref(), rehearses).await?);
    Ok(statements)
}
