//! The engine: reads ahead, packs, and keeps several batches on their way, in bounded memory.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use claimctl_aws::limiter::Limiter;
use claimctl_aws::target::Change;
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Result};
use claimctl_core::progress::{Progress, Unit};
use claimctl_core::run_report::RunEnd;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::check::WINDOW;
use super::deliver::{Delivered, Lane, deliver};
use super::feed::Chunk;
use super::limits::ENTRIES;
use super::outgoing::Outgoing;
use super::pack::Packer;
use super::report::SendReport;
use crate::journal::{Entry, ItemState, Journal, Run, Summary};
use crate::rate::RateLimit;

/// Batches on their way at once, at most.
const LANES: usize = 128;
/// Bytes of the messages on their way; each is in memory about four times while its call lasts.
const ON_THEIR_WAY: usize = 4 << 20;
/// How long a batch that is not full waits for more of a slow input.
const LINGER: Duration = Duration::from_millis(20);

/// What a run is to do.
pub struct Task<'a> {
    pub lane: Lane,
    pub input: mpsc::Receiver<Chunk>,
    /// Messages in the input, where they were counted.
    pub total: Option<u64>,
    /// Messages to send at most.
    pub limit: Option<u64>,
    pub rate_limit: Option<RateLimit>,
    pub run: &'a Run,
    /// Another run, of which all that it knows is taken over.
    pub known: Option<(&'a Journal, Summary)>,
}

/// Sends until the input ends, the limit is reached, the operator stops it, or a call fails that no other would
/// survive; and says in the journal how the run ended.
pub async fn send(task: Task<'_>, _change: &Change, cancel: &Cancel, progress: &dyn Progress) -> Result<SendReport> {
    whole(task, cancel, progress).await
}

/// Sends as much, and leaves the run open: more of it follows, and who knows how it ended says so in the journal.
pub async fn send_part(
    task: Task<'_>,
    _change: &Change,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<SendReport> {
    let (report, error) = work(task, cancel, progress).await;
    told(report, error)
}

pub(super) async fn whole(task: Task<'_>, cancel: &Cancel, progress: &dyn Progress) -> Result<SendReport> {
    let writer = task.run.writer();
    let (report, error) = work(task, cancel, progress).await;
    writer.finish(report.outcome(), report.counts()).await?;
    told(report, error)
}

async fn work(task: Task<'_>, cancel: &Cancel, progress: &dyn Progress) -> (SendReport, Option<Error>) {
    let started = Instant::now();
    progress.start("sending", task.total, Unit::Items);
    let mut engine = Engine {
        ordered: task.lane.entry_options.deduplicate.is_some(),
        packer: Packer::new(task.lane.entry_options.deduplicate.is_some()),
        lane: Arc::new(task.lane),
        input: Some(task.input),
        limit: task.limit,
        rate_limit: task.rate_limit,
        run: task.run,
        known: task.known,
        calls: JoinSet::new(),
        limiter: Limiter::adaptive(LANES),
        on_their_way: 0,
        patient_until: None,
        begin_at: None,
        taken: 0,
        blocked: HashSet::new(),
        error: None,
        report: SendReport::default(),
        progress,
    };
    engine.work(cancel).await;
    progress.finish();
    let Engine { mut report, error, lane, .. } = engine;
    report.run.id = Some(task.run.id().to_owned());
    report.queue = lane.queue.name().to_owned();
    if let Some(error) = &error {
        report.run.fail(error);
    }
    report.finish(task.total, started.elapsed());
    (report, error)
}

/// With nothing to report, the error says it all.
fn told(report: SendReport, error: Option<Error>) -> Result<SendReport> {
    match error {
        Some(error) if report.sent + report.undecided == 0 => Err(error),
        _ => Ok(report),
    }
}

struct Engine<'a> {
    lane: Arc<Lane>,
    ordered: bool,
    /// None: no more is taken.
    input: Option<mpsc::Receiver<Chunk>>,
    packer: Packer,
    limit: Option<u64>,
    rate_limit: Option<RateLimit>,
    run: &'a Run,
    known: Option<(&'a Journal, Summary)>,
    calls: JoinSet<(usize, Delivered)>,
    limiter: Limiter,
    /// Bytes.
    on_their_way: usize,
    /// Until then, a batch that is not full waits. None: it has waited, or there is none.
    patient_until: Option<Instant>,
    /// The rate allows no batch before that.
    begin_at: Option<Instant>,
    /// Messages that count against the limit.
    taken: u64,
    /// FIFO groups of which a message failed.
    blocked: HashSet<Box<str>>,
    error: Option<Error>,
    report: SendReport,
    progress: &'a dyn Progress,
}

impl Engine<'_> {
    async fn work(&mut self, cancel: &Cancel) {
        loop {
            if cancel.is_cancelled() && self.report.run.ended != RunEnd::Interrupted {
                self.stop(RunEnd::Interrupted);
            }
            while self.begin_batch() {}
            let more = self.input.is_some() && self.packer.weight() < WINDOW;
            if self.calls.is_empty() && !more && self.packer.weight() == 0 {
                return;
            }
            let begin_at = self.begin_at.take();
            tokio::select! {
                Some(ended) = self.calls.join_next() => self.take(ended),
                chunk = next(&mut self.input), if more => self.arrived(chunk).await,
                () = until(self.patient_until), if self.patient_until.is_some() => self.patient_until = None,
                () = until(begin_at), if begin_at.is_some() => {}
                () = cancel.cancelled(), if self.report.run.ended != RunEnd::Interrupted => {}
            }
        }
    }

    /// Takes no more; what is on its way is waited for.
    fn stop(&mut self, why: RunEnd) {
        self.report.run.ended = why;
        self.input = None;
        self.packer = Packer::new(self.ordered);
    }

    fn fail(&mut self, error: Error) {
        if self.error.is_none() {
            self.error = Some(error);
            self.stop(RunEnd::Failed);
        }
    }

    /// Sends a batch, if there is one worth sending, a lane for it, and leave to send now.
    fn begin_batch(&mut self) -> bool {
        if self.on_their_way >= ON_THEIR_WAY {
            return false;
        }
        let most = self.rate_limit.as_ref().map_or(ENTRIES, |rate_limit| rate_limit.batch.get() as usize);
        let (number, full) = self.packer.next_batch(most);
        let waits = self.input.is_some() && self.packer.weight() < WINDOW && self.patient_until.is_some();
        if number == 0 || (!full && waits) {
            return false;
        }
        let Some(turn) = self.limiter.begin() else { return false };
        if let Some(Err(wait)) = self.rate_limit.as_ref().map(|rate_limit| rate_limit.go(number)) {
            self.begin_at = Some(Instant::now() + wait);
            return false;
        }
        let batch = self.packer.take(most);
        let weight = batch.iter().map(Outgoing::weight).sum();
        self.on_their_way += weight;
        let lane = self.lane.clone();
        self.calls.spawn(turn.run(async move { (weight, deliver(lane, batch).await) }));
        true
    }

    fn take(&mut self, ended: Result<(usize, Delivered), tokio::task::JoinError>) {
        let delivered = match ended {
            Ok((weight, delivered)) => {
                self.on_their_way -= weight;
                delivered
            }
            Err(error) => return self.fail(Error::unexpected("a batch ended early").caused_by(error)),
        };
        let settled = delivered.sent.len() + delivered.failed.len() + delivered.undecided.len();
        self.progress.advance(settled as u64);
        for (message, _) in &delivered.sent {
            self.report.sent(message);
            message.group.iter().for_each(|group| self.packer.group_answered(group));
        }
        for (message, why) in delivered.failed {
            self.report.failed(&message, why);
            self.block(message.group);
        }
        for message in delivered.undecided {
            self.report.undecided(&message);
            self.block(message.group);
        }
        if let Some(error) = delivered.error {
            self.fail(error);
        }
    }

    /// The rest of a FIFO group stays behind a message that was not sent.
    fn block(&mut self, group: Option<Box<str>>) {
        if let Some(group) = group.filter(|_| self.ordered) {
            self.report.held_back += self.packer.abandon(&group).count() as u64;
            self.blocked.insert(group);
        }
    }

    async fn arrived(&mut self, chunk: Option<Chunk>) {
        let chunk = chunk.unwrap_or_else(|| Chunk { end: Some(Ok(())), ..Chunk::default() });
        self.report.left_out += chunk.left_out;
        self.report.missing.extend(chunk.missing);
        chunk.bad.iter().for_each(|error| self.report.bad_line(error));
        match self.without_known(chunk.messages).await {
            Ok(messages) => messages.into_iter().for_each(|message| self.push(message)),
            Err(error) => return self.fail(error),
        }
        if self.input.is_some() {
            self.patient_until = Some(Instant::now() + LINGER);
        }
        if let Some(end) = chunk.end {
            // The messages before the end are fit to be sent, and are.
            self.input = None;
            if let Err(error) = end {
                self.report.run.ended = RunEnd::Failed;
                self.error.get_or_insert(error);
            }
        }
    }

    fn push(&mut self, message: Outgoing) {
        if self.input.is_none() {
            return;
        }
        if self.limit.is_some_and(|limit| self.taken >= limit) {
            self.input = None;
            self.report.run.ended = RunEnd::Limit;
            return;
        }
        self.taken += 1;
        match &message.group {
            Some(group) if self.blocked.contains(group) => self.report.held_back += 1,
            _ => self.packer.push(message),
        }
    }

    /// Leaves out what an earlier command has sent, and marks what it may have sent.
    async fn without_known(&mut self, mut messages: Vec<Outgoing>) -> Result<Vec<Outgoing>> {
        if !self.run.is_resumed() && self.known.is_none() {
            return Ok(messages);
        }
        let items: Vec<Box<str>> = messages.iter().map(|message| message.item.clone()).collect();
        let earlier = match &self.known {
            Some((journal, run)) => journal.states(run, &items)?,
            None => vec![None; items.len()],
        };
        let own = self.lane.writer.states(items).await?;
        let before = messages.len() as u64;
        let mut taken_over = Vec::new();
        let mut states = own.into_iter().zip(earlier);
        messages.retain_mut(|message| {
            let (own, earlier) = states.next().unwrap_or_default();
            if own != Some(ItemState::Sent) && earlier == Some(ItemState::Sent) {
                taken_over.push(Entry::new(message.item.clone(), ItemState::Sent).with_detail("by an earlier run"));
            }
            message.again |= own.or(earlier).is_some_and(ItemState::is_undecided);
            own != Some(ItemState::Sent) && earlier != Some(ItemState::Sent)
        });
        let already = before - messages.len() as u64;
        self.report.already_sent += already;
        self.progress.advance(already);
        self.lane.writer.note(taken_over).await?;
        Ok(messages)
    }
}

async fn next(input: &mut Option<mpsc::Receiver<Chunk>>) -> Option<Chunk> {
    match input {
        Some(input) => input.recv().await,
        None => None,
    }
}

pub async fn until(moment: Option<Instant>) {
    if let Some(moment) = moment {
        tokio::time::sleep_until(moment.into()).await;
    }
}
