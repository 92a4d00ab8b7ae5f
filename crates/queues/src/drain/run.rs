//! A drain as a run of the journal: begun or gone on with, with the file as the truth of what is written.

use std::path::PathBuf;

use claimctl_aws::target::Change;
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Result};
use claimctl_core::progress::{Progress, Unit};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::report::Report;
use super::{Order, drain};
use crate::drained::{Appender, Existing};
use crate::journal::{Entry, Journal, Outcome, Run, Scribe, Start, State};

/// The file to drain into.
#[derive(Debug, Clone)]
pub struct Destination {
    pub file: PathBuf,
    /// Bytes after which the next file of the series is begun.
    pub rotate_size: Option<u64>,
}

/// Items that go to the journal at once.
const GROUP: usize = 1000;

/// Drains into the file, and goes on where an earlier run of the same work ended, however that was.
pub async fn run(
    order: &Order,
    to: &Destination,
    journal: &Journal,
    start: &Start,
    _: &Change,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<Report> {
    let run = match journal.resume(start)? {
        Some(run) => run,
        None => journal.begin(start)?,
    };
    for other in journal.others_at(&order.queue_arn, &run)? {
        progress.note(&format!(
            "warning: run {} ({} {}) is at work on the same queue: each of the two sees only part of it",
            other.id, other.verb, other.target
        ));
    }
    let drained = drain_as(&run, order, to, journal, cancel, progress).await;
    let (outcome, counts) = match &drained {
        Ok(report) => (report.outcome(), report.counts()),
        Err(_) => (Outcome::Failed, Default::default()),
    };
    let finished = run.scribe().finish(outcome, counts).await;
    let mut report = drained?;
    if let Err(error) = finished {
        report.fail(error);
    }
    Ok(report)
}

pub(super) async fn drain_as(
    run: &Run,
    order: &Order,
    to: &Destination,
    journal: &Journal,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<Report> {
    // What an earlier run wrote down may be of a file that is no longer there.
    journal.forget_items(run)?;
    progress.start("reading what is in the file", None, Unit::Steps);
    let (file, existing) = open(order, to, &run.scribe()).await?;
    progress.finish();
    if existing.messages > 0 || existing.torn > 0 {
        progress.note(&format!("going on behind {existing}"));
    }
    let mut report = drain(order, file, run.scribe(), cancel, progress).await?;
    report.set_existing(existing);
    let failed = report.not_deleted.iter();
    let failed = failed.map(|left| Entry::new(left.message_id.as_str(), State::Failed).with_detail(&left.why));
    if let Err(error) = run.scribe().record(failed.collect()).await {
        report.fail(error);
    }
    Ok(report)
}

/// Opens the file, and puts what is whole in it into the journal's items.
async fn open(order: &Order, to: &Destination, scribe: &Scribe) -> Result<(Appender, Existing)> {
    let (sender, mut found) = mpsc::channel::<Vec<Entry>>(4);
    let (to, queue_arn) = (to.clone(), order.queue_arn.clone());
    let opened = spawn_blocking(move || {
        let ended = || Error::unexpected("the journal takes nothing more");
        let mut group = Vec::with_capacity(GROUP);
        let opened = Appender::open(&to.file, &queue_arn, to.rotate_size, |id| {
            group.push(Entry::new(id, State::Written));
            match group.len() {
                GROUP => sender.blocking_send(std::mem::take(&mut group)).map_err(|_| ended()),
                _ => Ok(()),
            }
        })?;
        sender.blocking_send(group).map_err(|_| ended())?;
        Ok(opened)
    });
    while let Some(entries) = found.recv().await {
        scribe.note(entries).await?;
    }
    opened.await.map_err(|error| Error::unexpected("reading the file ended early").caused_by(error))?
}
