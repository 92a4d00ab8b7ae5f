//! A drain from the question to its end: agreed to, with the consumers paused where that is wished, as a run of the
//! journal that is begun or gone on with. The file is the truth of what is written.

use claimctl_aws::target::{Change, Intent, Target};
use claimctl_core::context::Context;
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use claimctl_core::progress::Unit;
use claimctl_core::units::count;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::report::DrainReport;
use super::{Order, drain};
use crate::consumers::pause::Pauser;
use crate::depth::QueueDepth;
use crate::drained::{Appender, Existing};
use crate::journal::{Entry, ItemState, Journal, JournalWriter, Outcome, Run, Start};
use crate::peek;

/// Items that go to the journal at once.
const GROUP: usize = 1000;

impl Order {
    /// Refuses what would hold up a FIFO queue, and, unless `force`, what could move messages to the dead-letter queue:
    /// a group comes in its order only if each head is deleted before the next one is received.
    pub fn check(&self, depth: &QueueDepth, force: bool) -> Result<()> {
        if !self.keep && self.selection.is_everything() {
            return Ok(());
        }
        if depth.fifo {
            return Err(fifo(depth));
        }
        if force { Ok(()) } else { peek::allow(depth) }
    }

    /// What is to be agreed to; `paused` are the event source mappings that are disabled meanwhile.
    pub fn intent(&self, depth: &QueueDepth, paused: usize) -> Intent {
        let number = match (self.limit, self.selection.is_everything()) {
            (Some(limit), _) => format!("up to {}", count(limit, "message")),
            (None, true) => format!("about {}", count(depth.visible, "message")),
            (None, false) => format!("what is selected of about {}", count(depth.visible, "message")),
        };
        let (name, file) = (&depth.name, self.file.display());
        let mut what = match self.keep {
            true => format!("write {number} of queue {name} to {file}, and give back"),
            false => format!("move {number} from queue {name} to {file}"),
        };
        if self.until_empty.is_some() {
            what += &format!(
                ", and about {} in flight and {} delayed, and whatever comes until the queue is empty",
                depth.in_flight, depth.delayed
            );
        }
        if paused > 0 {
            what += &format!("; disable {} meanwhile", count(paused as u64, "event source mapping"));
        }
        Intent { what, destroys: !self.keep }
    }
}

fn fifo(depth: &QueueDepth) -> Error {
    let text = format!("{} is a FIFO queue: what is left out or kept would hold up the rest of its group", depth.name);
    Error::usage(text)
        .hint("drain all of it, without a selection, and let it be deleted")
        .next("look at the heads of its groups", Next::verb("queue peek").word(&depth.name))
}

/// What a drain would meet: in the queue, and in the file.
pub async fn rehearse(depth: &QueueDepth, order: &Order) -> Result<DrainReport> {
    let (to, queue_arn) = (order.file.clone(), depth.arn.clone());
    let existing = spawn_blocking(move || Appender::look(&to, &queue_arn)).await;
    let existing = existing.map_err(|error| Error::unexpected("reading the file ended early").caused_by(error))??;
    Ok(DrainReport::rehearsal(depth, &order.file, existing))
}

/// Asks, drains, and goes on where an earlier run of the same work ended, however that was.
///
/// With a `pauser` the functions that the queue feeds are paused meanwhile. They are resumed however the drain ends; a
/// kill leaves them to the journal.
pub async fn run(
    ctx: &Context,
    target: &Target,
    order: &Order,
    intent: &Intent,
    pauser: Option<&Pauser<'_>>,
    consent: impl AsyncFnOnce(&Intent) -> Result<Change>,
) -> Result<DrainReport> {
    let change = consent(intent).await?;
    let mut report = match pauser {
        None => into_file(ctx, target, order).await?,
        Some(pauser) => undisturbed(ctx, target, order, pauser, &change).await?,
    };
    report.conclude();
    Ok(report)
}

async fn undisturbed(
    ctx: &Context,
    target: &Target,
    order: &Order,
    pauser: &Pauser<'_>,
    change: &Change,
) -> Result<DrainReport> {
    let progress = ctx.progress.as_ref();
    let paused = pauser.pause_consumers(&order.queue_arn, change, &ctx.cancel, progress).await?;
    let drained = into_file(ctx, target, order).await;
    let resumed = paused.resume(&ctx.cancel, progress).await;
    match (drained, resumed) {
        (Ok(mut report), Ok(mappings)) => {
            report.resumed = mappings.into_iter().map(|mapping| mapping.function).collect();
            Ok(report)
        }
        (Ok(mut report), Err(left)) => {
            report.fail(&left);
            Ok(report)
        }
        (Err(error), Err(left)) => Err(left.hints().iter().fold(error, |error, hint| error.hint(hint))),
        (Err(error), Ok(_)) => Err(error),
    }
}

async fn into_file(ctx: &Context, target: &Target, order: &Order) -> Result<DrainReport> {
    let journal = Journal::open(&ctx.paths, &target.project)?;
    let file = ctx.working_directory.join(&order.file);
    let start = Start {
        verb: "queue drain".to_owned(),
        who: target.change_origin(ctx).await?,
        queue_arn: Some(order.queue_arn.clone()),
        target: format!("{} to {}", order.queue.name(), order.file.display()),
        key: format!("queue drain {} {}", order.queue_arn, file.display()),
        has_more: false,
        arguments: ctx.change_log.arguments(),
        resume: ctx.change_log.command(),
    };
    let run = journal.begin_or_resume(&start, ctx.progress.as_ref())?;
    let drained = drain_as(&run, order, &journal, ctx).await;
    let (outcome, counts) = match &drained {
        Ok(report) => (report.outcome(), report.counts()),
        Err(_) => (Outcome::Failed, Default::default()),
    };
    let finished = run.writer().finish(outcome, counts).await;
    let mut report = drained?;
    report.run.id = Some(run.id().to_owned());
    if let Err(error) = finished {
        report.fail(&error);
    }
    Ok(report)
}

pub(super) async fn drain_as(run: &Run, order: &Order, journal: &Journal, ctx: &Context) -> Result<DrainReport> {
    let progress = ctx.progress.as_ref();
    // What an earlier run wrote down may be of a file that is no longer there.
    journal.forget_items(run)?;
    progress.start("reading what is in the file", None, Unit::Steps);
    let (file, existing) = open(order, &run.writer()).await?;
    progress.finish();
    if existing.messages > 0 || existing.torn > 0 {
        progress.note(&format!("going on behind {existing}"));
    }
    let mut report = drain(order, file, run.writer(), &ctx.cancel, progress).await?;
    report.set_existing(existing);
    // What an earlier run has moved is where it was to be.
    let states = run.writer().states(report.missing.iter().map(|id| id.as_str().into()).collect()).await?;
    let mut states = states.into_iter();
    report.missing.retain(|_| states.next().flatten().is_none());
    let failed = report.not_deleted.iter();
    let failed = failed.map(|left| Entry::new(left.message_id.as_str(), ItemState::Failed).with_detail(&left.why));
    if let Err(error) = run.writer().record(failed.collect()).await {
        report.fail(&error);
    }
    Ok(report)
}

/// Opens the file, and puts what is whole in it into the journal's items.
async fn open(order: &Order, writer: &JournalWriter) -> Result<(Appender, Existing)> {
    let (sender, mut found) = mpsc::channel::<Vec<Entry>>(4);
    let (file, rotate_size, queue_arn) = (order.file.clone(), order.rotate_size, order.queue_arn.clone());
    let opened = spawn_blocking(move || {
        let ended = || Error::unexpected("the journal takes nothing more");
        let mut group = Vec::with_capacity(GROUP);
        let opened = Appender::open(&file, &queue_arn, rotate_size, |id| {
            group.push(Entry::new(id, ItemState::Written));
            match group.len() {
                GROUP => sender.blocking_send(std::mem::take(&mut group)).map_err(|_| ended()),
                _ => Ok(()),
            }
        })?;
        sender.blocking_send(group).map_err(|_| ended())?;
        Ok(opened)
    });
    while let Some(entries) = found.recv().await {
        writer.note(entries).await?;
    }
    opened.await.map_err(|error| Error::unexpected("reading the file ended early").caused_by(error))?
}
