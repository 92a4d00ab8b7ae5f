//! Draining a queue: receive, append to a file, wait for the disk, delete. Nothing is ever deleted that is not whole in
//! the file, and nothing is deleted by a handle that may no longer hold its message.

pub mod report;
mod run;
mod store;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::Message as Received;
use claimctl_aws::policy::Statement;
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Result};
use claimctl_core::progress::{Progress, Unit};
use claimctl_core::run_report::RunEnd;
use tokio::sync::mpsc;

use self::report::DrainReport;
use self::store::{Store, Stored};
use super::deletes::{Deletes, Left};
use super::drained::Appender;
use super::message::Message;
use super::peek::Counts;
use super::policy::PolicyQueue;
use super::receive::{self, ReceiveOptions, Receiver, Until};
use super::select::{Selection, SoughtIds};
use super::{Queue, batch, depth};
use crate::journal::JournalWriter;

pub use self::run::{rehearse, run};

/// Bodies that are received and not yet on the disk, in bytes. Beyond it nothing is received.
const MOST_WAITING: usize = 4 << 20;
/// What a message takes in memory besides its body.
const OVERHEAD: usize = 1 << 10;

/// What to drain, and where to.
#[derive(Debug, Clone)]
pub struct Order {
    pub queue: Queue,
    pub queue_arn: String,
    pub selection: Arc<Selection>,
    /// The most messages that this run takes. None: all there are.
    pub limit: Option<u64>,
    /// Stops receiving after so long.
    pub max_time: Option<Duration>,
    /// Write, and give back instead of deleting.
    pub keep: bool,
    /// Waits until nothing came and nothing was counted for so long: not visible, not in flight, not delayed.
    pub until_empty: Option<Duration>,
    /// How long a message is hidden at a time. Whole seconds.
    pub visibility: Duration,
    /// The file to append to.
    pub file: PathBuf,
    /// Bytes after which the next file of the series is begun.
    pub rotate_size: Option<u64>,
}

impl Order {
    /// All that is in the queue, out of it and into the file.
    pub fn everything(queue: Queue, queue_arn: String, file: PathBuf) -> Order {
        Order {
            queue,
            queue_arn,
            selection: Arc::default(),
            limit: None,
            max_time: None,
            keep: false,
            until_empty: None,
            visibility: receive::HIDDEN,
            file,
            rotate_size: None,
        }
    }
}

/// What IAM has to allow for a drain.
pub fn permissions(queue: &PolicyQueue, keep: bool) -> Vec<Statement> {
    let delete: &[&'static str] = if keep { &[] } else { &[batch::DELETE] };
    vec![queue.permissions("DrainQueue", &[&receive::CALLS, delete].concat())]
}

/// Drains into the file. `scribe` knows every message that is whole in it already, and nothing else.
///
/// Everything that was received and is not deleted is given back, whatever happens. What went wrong on the way is in
/// the report, because so is what was done until then.
async fn drain(
    order: &Order,
    file: Appender,
    writer: JournalWriter,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<DrainReport> {
    let before = depth::read(&order.queue.sqs, &order.queue.url).await?;
    let began = Instant::now();
    progress.start("draining", order.limit.or((before.visible > 0).then_some(before.visible)), Unit::Items);
    let mut drain = Drain::new(order, before.visible, file, writer, cancel, progress);
    drain.work().await;
    // The file is closed, and may be written by another drain, when its task has ended.
    drop(drain.store);
    while drain.stored.recv().await.is_some() {}
    progress.start("giving back", None, Unit::Steps);
    let finished = drain.receiver.finish().await;
    progress.finish();
    let mut report = drain.report;
    report.missing = drain.sought.missing();
    report.run.finish(report.done(), began.elapsed());
    report.not_deleted = drain.deletes.not_deleted();
    report.before = Counts::from(&before);
    report.set_ended(finished.ended, drain.stopped);
    report.given_back = finished.returned;
    report.altered = finished.altered;
    // The counts are a help, and what was done is told without them too.
    report.after = depth::read(&order.queue.sqs, &order.queue.url).await.ok().map(|depth| Counts::from(&depth));
    Ok(report)
}

struct Drain<'a> {
    order: &'a Order,
    receiver: Receiver<'a>,
    /// Nothing more will be received.
    received_all: bool,
    store: Store,
    stored: mpsc::UnboundedReceiver<Result<Stored>>,
    /// Messages on their way to the disk, and about how many bytes they take.
    waiting: (usize, usize),
    deletes: Deletes,
    taken: u64,
    sought: SoughtIds,
    stopped: Option<RunEnd>,
    progress: &'a dyn Progress,
    report: DrainReport,
}

impl<'a> Drain<'a> {
    fn new(
        order: &'a Order,
        expected: u64,
        file: Appender,
        writer: JournalWriter,
        cancel: &'a Cancel,
        progress: &'a dyn Progress,
    ) -> Self {
        let until = order.until_empty.map_or(Until::Gone, Until::EmptyFor);
        // What is selected is known once it is received, so that only a drain of everything can ask for so many.
        let limit = order.limit.filter(|_| order.selection.is_everything());
        let limit = limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let options = ReceiveOptions { limit, expected, visibility: order.visibility, until };
        let report = DrainReport::of(order, &file);
        let (store, stored) = Store::start(file, order.queue_arn.clone(), writer.clone());
        Drain {
            receiver: Receiver::new(order.queue.clone(), options, cancel),
            received_all: false,
            store,
            stored,
            waiting: (0, 0),
            deletes: Deletes::new(order.queue.clone(), writer),
            taken: 0,
            sought: order.selection.sought(),
            stopped: None,
            progress,
            report,
            order,
        }
    }

    /// Until nothing more is received and everything that was is on the disk and settled.
    async fn work(&mut self) {
        let deadline = self.order.max_time.map(|time| Instant::now() + time);
        loop {
            self.set_limits();
            if self.received_all && self.waiting.0 == 0 && self.deletes.are_done() {
                return;
            }
            let time = async {
                match deadline.filter(|_| self.stopped.is_none()) {
                    Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                received = self.receiver.next(), if !self.received_all => match received {
                    Some(messages) => self.take(messages),
                    None => self.received_all = true,
                },
                stored = self.stored.recv(), if self.waiting.0 > 0 => {
                    self.count_stored(stored.unwrap_or_else(|| Err(Error::unexpected("writing ended early"))));
                }
                Some(outcome) = self.deletes.next() => {
                    let taken = self.deletes.take(outcome, &mut self.receiver).await;
                    self.report.deleted += taken.deleted.len() as u64;
                    if let Some(error) = taken.error {
                        self.fail(error);
                    }
                }
                () = time => self.stop(RunEnd::MaxTime),
            }
        }
    }

    /// Deletes what is on the disk, and receives as much as memory and the proof that deleting works allow.
    fn set_limits(&mut self) {
        self.receiver.expect_more(self.waiting.0 > 0 || !self.deletes.are_done());
        if self.order.keep {
            return self.receiver.pause(self.waiting.1 > MOST_WAITING);
        }
        // Part of a batch waits for the rest, as long as more is on its way.
        let whole_batches = self.waiting.0 > 0;
        self.deletes.start(&mut self.receiver, whole_batches);
        let works = self.deletes.have_worked();
        self.receiver.one_at_a_time(!works);
        let unproven = !works && (self.waiting.0 > 0 || !self.deletes.are_done());
        self.receiver.pause(unproven || self.waiting.1 > MOST_WAITING);
    }

    fn take(&mut self, mut messages: Vec<Received>) {
        if !self.order.selection.is_everything() {
            messages.retain(|message| self.is_selected(message));
        }
        if messages.is_empty() || self.report.run.has_stopped() {
            return;
        }
        self.taken += messages.len() as u64;
        self.waiting.0 += messages.len();
        self.waiting.1 += weight(&messages);
        self.store.put(messages);
        let ids = self.order.selection.ids();
        if !ids.is_empty() && self.taken >= ids.len() as u64 {
            self.stop(RunEnd::Complete);
        } else if self.order.limit.is_some_and(|limit| self.taken >= limit) && !self.order.selection.is_everything() {
            self.stop(RunEnd::Limit);
        }
    }

    fn is_selected(&mut self, message: &Received) -> bool {
        self.sought.met(message.message_id.as_deref().unwrap_or_default());
        if self.order.limit.is_some_and(|limit| self.taken >= limit) {
            return false;
        }
        match self.order.selection.takes(&Message::from(message.clone())) {
            Ok(taken) => taken,
            Err(error) => {
                let message_id = message.message_id.clone().unwrap_or_default();
                self.report.undecided.push(Left { message_id, why: error.chain().join(": ") });
                false
            }
        }
    }

    /// Messages are on the disk: now they may be deleted.
    fn count_stored(&mut self, stored: Result<Stored>) {
        match stored {
            Ok(stored) => {
                self.waiting.0 -= stored.ids.len();
                self.waiting.1 -= stored.weight;
                self.progress.advance(stored.ids.len() as u64);
                self.report.count(&stored);
                match self.order.keep {
                    true => self.report.kept += stored.ids.len() as u64,
                    false => self.deletes.add(stored.ids),
                }
            }
            Err(error) => {
                self.waiting = (0, 0);
                self.fail(error);
            }
        }
    }

    fn fail(&mut self, error: Error) {
        self.report.fail(&error);
        self.deletes.give_up();
        self.stop(RunEnd::Failed);
    }

    fn stop(&mut self, why: RunEnd) {
        self.stopped.get_or_insert(why);
        self.receiver.stop();
    }
}

fn weight(messages: &[Received]) -> usize {
    messages.iter().map(|message| OVERHEAD + message.body.as_ref().map_or(0, String::len)).sum()
}
