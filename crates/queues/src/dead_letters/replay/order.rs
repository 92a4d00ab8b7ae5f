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
use crate::drained::RawLines;
use crate::policy::PolicyQueue;
use crate::rate::Rate;
use crate::resolve::{self, Only};
use crate::select::Selection;
use crate::send::line::Line;
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
    /// How long counts of zero have to last until they are believed.
    pub settle: Duration,
    /// None: neither payloads nor records are looked at, and every message that is selected is sent.
    pub preflight: Option<Arc<Preflight>>,
    pub settings: Settings,
    /// What the operator should know of it.
    pub notes: Vec<String>,
    /// The queue, or the file as it was named.
    pub name: String,
    /// By which a file is known wherever it is: the id of its first message.
    pub first_message: Option<String>,
}

impl Order {
    /// Finds what the names mean, and refuses what cannot be replayed so.
    pub async fn find(ctx: &Context, target: &Target, request: Request) -> Result<Order> {
        let first = match &request.file {
            Some(file) => Some(first_line(file).await?),
            None => None,
        };
        let name = match (&request.queue, &request.file, &first) {
            (None, Some(file), Some(first)) => drained_from(target, file, first).await?,
            (queue, ..) => resolve::named_or(target, queue.as_deref(), Only::DeadLetterQueue).await?,
        };
        let depth = depth::find(target, &name).await?;
        let (to, notes) = Destination::find(target, &depth, request.to.as_deref()).await?;
        request.check(&depth)?;
        let file = request.file.as_ref().map(|file| file.canonicalize().on("find", file)).transpose()?;
        let preflight = match &request.preflight {
            Some(options) => {
                let preflight = Preflight::new(target, &depth.url, options, &ctx.cancel).await?;
                Some(Arc::new(preflight.for_recipients(to.recipients.clone())))
            }
            None => None,
        };
        let quarantine = request.settings.quarantine.as_ref().map(|file| ctx.working_directory.join(file));
        Ok(Order {
            queue: Queue::new(target.sqs(), &depth.url),
            name: request.file.as_ref().map_or_else(|| depth.name.clone(), |file| file.display().to_string()),
            gauges: gauges(target, &to).await,
            settle: depth::settle_time(target),
            selection: Arc::new(request.selection),
            again: request.again,
            settings: Settings { quarantine, ..request.settings },
            depth,
            to,
            file,
            preflight,
            notes,
            first_message: first.and_then(|first| first.message_id),
        })
    }

    /// What will be asked, before a look has told how many it is about.
    pub fn intent(&self) -> Intent {
        Intent { what: self.sending("dead letters"), destroys: true }
    }

    /// Equal for the same messages: one replay of them at a time, and each goes on with what the last one left. A file is
    /// known by its first message, so that one that grew or moved is the same, and another one under its name is not.
    pub(super) fn key(&self, verb: &str) -> String {
        let (queue, to) = (self.depth.written(), self.to.name());
        match (&self.file, &self.first_message) {
            (Some(_), Some(id)) => format!("{verb} file of {queue} from message {id} to {to}"),
            (Some(file), None) => format!("{verb} {} to {to}", file.display()),
            (None, _) => format!("{verb} {queue}"),
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

async fn first_line(file: &Path) -> Result<Line> {
    let opened = file.to_owned();
    let drained = |error: Error| error.next("name a file that a drain has written", drain_command("QUEUE"));
    let first = tokio::task::spawn_blocking(move || {
        let mut line = Vec::new();
        let mut lines = RawLines::open(&opened)?;
        while line.trim_ascii().is_empty() && lines.next_into(&mut line)?.is_some() {}
        Ok((lines.number(), line))
    });
    let first = first.await.map_err(|error| Error::unexpected("reading the file ended early").caused_by(error))?;
    let (number, line) = first.map_err(drained)?;
    if line.trim_ascii().is_empty() {
        return Err(drained(Error::usage(format!("{} holds no message", file.display()))));
    }
    Line::decode(line.trim_ascii_end())
        .map_err(|why| drained(Error::usage(format!("{}, line {number}: {why}", file.display()))))
}

/// The queue that the first line of a drained file is of.
async fn drained_from(target: &Target, file: &Path, first: &Line) -> Result<String> {
    let Some(arn) = &first.queue_arn else {
        let error = Error::usage(format!("{} does not say which queue its messages are of", file.display()));
        return Err(error.next("name it", Next::again().word("QUEUE")));
    };
    resolve::resolve(target, arn).await.map_err(|error| {
        let send = Next::verb("queue send").word("QUEUE").word(file.display().to_string());
        error.next("if that queue is gone, send the file without looking at it", send)
    })
}

/// What is watched while messages are sent.
async fn gauges(target: &Target, to: &Destination) -> Gauges {
    let cloudwatch = target.cloudwatch();
    match to.queue() {
        Some(to) => {
            // Who may not see the mappings can replay all the same.
            let functions = mapping::handlers(target, &to.depth).await.unwrap_or_default();
            Gauges { cloudwatch, queue: Some(to.depth.name.clone()), functions, every: EVERY }
        }
        None => {
            let functions = to.function().into_iter().map(str::to_owned).collect();
            Gauges { cloudwatch, queue: None, functions, every: EVERY }
        }
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
    statements.extend(destination::permissions(target, &arns, &name, request.to.as_deref(), rehearses).await?);
    Ok(statements)
}
