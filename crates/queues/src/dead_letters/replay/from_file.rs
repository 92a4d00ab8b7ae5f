//! Dead letters from a drained file, in its order: the only way to replay those of a FIFO queue.
//!
//! The file stays as it is. What was sent is known by the journal, so that the same command goes on.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use aws_sdk_sqs::types::{Message as Received, MessageSystemAttributeName as System};
use claimctl_aws::target::Change;
use claimctl_core::cancel::Cancel;
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use claimctl_core::progress::{Progress, Unit};
use claimctl_core::run_report::RunEnd;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::canary::Sent;
use super::guard::Guard;
use super::plan::{Keeper, Plan};
use super::report::ReplayReport;
use super::sort::{Action, LeaveReason as Reason, Sorted, Sorter};
use super::watch::Alarm;
use super::{Order, Share};
use crate::dead_letters::preflight::CHUNK;
use crate::journal::Run;
use crate::message::Message;
use crate::rate::RateLimit;
use crate::send::deliver::Lane;
use crate::send::engine::{self, Task};
use crate::send::feed::{self, Chunk, ReadOptions};
use crate::send::input::{Reader, Rules};
use crate::send::outgoing::{EntryOptions, Outgoing};
use crate::send::report::SendReport;

/// What a file is read by.
pub fn reader(order: &Order, file: &Path) -> Result<Reader> {
    let Some(to) = order.to.queue() else {
        let back = Next::verb("queue send").word(&order.depth.name).word(file.display().to_string());
        return Err(Error::usage("a file is replayed into a queue, and not to whom its messages are for")
            .next("put them back into the dead-letter queue, and replay them from there", back)
            .next("or name a queue", Next::again().flag("--to", "QUEUE")));
    };
    let rules = Rules {
        queue_arn: to.depth.arn.clone(),
        fifo: to.depth.fifo,
        most_bytes: to.most_bytes(),
        group: None,
        drop_groups: false,
        other_environment: false,
        selection: order.selection.clone(),
    };
    Ok(Reader::of_files(&[file.to_owned()], Arc::new(rules)))
}

fn chunks(order: &Order, file: &Path) -> Result<mpsc::Receiver<Chunk>> {
    feed::start(reader(order, file)?, ReadOptions { skip_bad_lines: false, eager: false })
}

/// Judges every selected dead letter of the file.
pub async fn judge_all(
    order: &Order,
    file: &Path,
    mut keeper: Keeper<'_>,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<Plan> {
    progress.start("reading the file", None, Unit::Items);
    let mut chunks = chunks(order, file)?;
    let mut dead_letters = Vec::with_capacity(CHUNK);
    let (mut seen, mut enough) = (0, false);
    let mut missing = Vec::new();
    while let Some(chunk) = chunks.recv().await.filter(|_| !cancel.is_cancelled() && !enough) {
        seen += chunk.messages.len() as u64 + chunk.left_out;
        missing.extend(chunk.missing);
        progress.advance(chunk.messages.len() as u64 + chunk.left_out);
        dead_letters.extend(chunk.messages.iter().map(dead_letter));
        chunk.end.unwrap_or(Ok(()))?;
        if let Some(room) = order.settings.limit.map(|limit| limit.saturating_sub(keeper.selected())) {
            dead_letters.truncate(usize::try_from(room).unwrap_or(usize::MAX));
            enough = dead_letters.len() as u64 >= room;
        }
        if dead_letters.len() >= CHUNK {
            keeper.keep(order.judge(std::mem::take(&mut dead_letters)).await?).await?;
        }
    }
    keeper.keep(order.judge(dead_letters).await?).await?;
    keeper.keep_missing(missing).await?;
    progress.finish();
    Ok(Plan { seen, complete: !enough && !cancel.is_cancelled(), ..keeper.into_plan() })
}

/// What a pass is made with.
pub struct Means<'a> {
    pub order: &'a Arc<Order>,
    pub file: &'a Path,
    pub sorter: Arc<Sorter>,
    pub run: &'a Run,
    pub change: &'a Change,
    pub cancel: &'a Cancel,
    pub progress: &'a dyn Progress,
}

/// Sends a share of the dead letters in the file's order, until the alarm says why not to. Returns the canaries.
pub async fn pass(means: Means<'_>, share: Share, alarm: Alarm<'_>, report: &mut ReplayReport) -> Vec<Sent> {
    let sent = async {
        let (input, notes) = start(means.order, means.file, means.sorter.clone(), share)?;
        let sent = match share {
            // Somebody waits for what becomes of these.
            Share::Canary(_) => deliver(&means, input, means.cancel).await?,
            Share::UpTo(_) | Share::All => watched(&means, input, alarm, report).await?,
        };
        Ok((sent, notes))
    };
    match sent.await {
        Ok((sent, notes)) => count_sent(sent, notes, share, report),
        Err(error) => {
            report.run.fail(&error);
            Vec::new()
        }
    }
}

/// Counts what became of the dead letters.
fn count_sent(
    sent: SendReport,
    mut notes: mpsc::UnboundedReceiver<Note>,
    share: Share,
    report: &mut ReplayReport,
) -> Vec<Sent> {
    report.missing.retain(|id| sent.missing.contains(id));
    report.sent += sent.sent;
    report.perhaps_twice += sent.perhaps_twice;
    report.doubles.extend(sent.doubles);
    report.open.extend(sent.open);
    report.undecided += sent.undecided;
    report.failed += sent.failed;
    let failures = sent.failures.into_iter();
    report
        .failures
        .extend(failures.map(|failure| crate::deletes::Left { message_id: failure.message_id, why: failure.why }));
    if sent.held_back > 0 {
        *report.left.entry("behind_a_failed_one").or_default() += sent.held_back;
    }
    let is_over = sent.run.ended == RunEnd::Complete && !report.run.has_stopped();
    if is_over && matches!(share, Share::UpTo(most) if sent.sent >= most) {
        report.run.ended = RunEnd::Limit;
    }
    // Where it was stopped before, that was by the watch, and not by the operator.
    report.run.take_over(sent.run);
    if sent.left_out > 0 {
        *report.left.entry(Reason::NotSelected.as_str()).or_default() += sent.left_out;
    }
    let mut canaries = Vec::new();
    while let Ok(notes) = notes.try_recv() {
        match notes {
            Note::Canary(canary) => canaries.push(*canary),
            Note::Left(why) => report.leave(why),
            // The canaries of this command are met again by its main pass.
            Note::SentBefore(id) if !matches!(share, Share::Canary(_)) && !report.is_canary(&id) => {
                report.sent_before += 1;
            }
            Note::SentBefore(_) => {}
        }
    }
    canaries
}

/// What is told of a dead letter beside sending it.
enum Note {
    Canary(Box<Sent>),
    Left(Reason),
    SentBefore(String),
}

type Input = (mpsc::Receiver<Chunk>, mpsc::UnboundedReceiver<Note>);

/// The dead letters that may be sent, read ahead and marked.
fn start(order: &Arc<Order>, file: &Path, sorter: Arc<Sorter>, share: Share) -> Result<Input> {
    let chunks = chunks(order, file)?;
    let (sender, input) = mpsc::channel(1);
    let (teller, notes) = mpsc::unbounded_channel();
    let fit = Fit { sorter, notes: teller, share };
    tokio::spawn(fit.serve(chunks, sender));
    Ok((input, notes))
}

/// Leaves out what has no verdict to be sent.
struct Fit {
    sorter: Arc<Sorter>,
    notes: mpsc::UnboundedSender<Note>,
    /// What is left of it.
    share: Share,
}

impl Fit {
    async fn serve(mut self, mut chunks: mpsc::Receiver<Chunk>, sender: mpsc::Sender<Chunk>) {
        while let Some(chunk) = chunks.recv().await {
            let chunk = self.only_fit(chunk).await;
            let chunk = chunk.unwrap_or_else(|error| Chunk { end: Some(Err(error)), ..Chunk::default() });
            let ended = chunk.end.is_some();
            if sender.send(chunk).await.is_err() || ended {
                break;
            }
        }
    }

    async fn only_fit(&mut self, chunk: Chunk) -> Result<Chunk> {
        let dead_letters = chunk.messages.iter().map(dead_letter).collect();
        let sorted = self.sorter.clone().sort_messages(dead_letters).await?;
        let mut fates: HashMap<_, _> =
            sorted.into_iter().map(|sorted| (sorted.dead_letter.message_id.clone(), sorted)).collect();
        let mut fit = Vec::with_capacity(chunk.messages.len());
        for message in chunk.messages {
            let Some(Sorted { dead_letter, action, replays }) = fates.remove(message.item.as_ref()) else { continue };
            match action {
                Action::Send { .. } if self.share.room() == Some(0) => {}
                // Into the queue it does not belong.
                Action::Send { .. } if self.sorter.order.to.is_named_by(&dead_letter) => {
                    self.tell(Note::Left(Reason::Failed));
                }
                Action::Send { again } => {
                    // The reader has checked it without a mark.
                    match self.sorter.mark(Outgoing { again, ..message }, replays) {
                        Ok((message, _)) => {
                            self.take_one(dead_letter).await?;
                            fit.push(message);
                        }
                        Err(_) => self.tell(Note::Left(Reason::Failed)),
                    }
                }
                Action::DeleteSent => self.tell(Note::SentBefore(dead_letter.message_id)),
                Action::Leave(why) => self.tell(Note::Left(why)),
                Action::DeleteRecorded | Action::Quarantine | Action::Returned => {
                    self.tell(Note::Left(Reason::NotJudged))
                }
            }
        }
        let end = if self.share.room() == Some(0) { Some(Ok(())) } else { chunk.end };
        Ok(Chunk { messages: fit, end, ..chunk })
    }

    async fn take_one(&mut self, dead_letter: Message) -> Result<()> {
        match &mut self.share {
            Share::Canary(room) => {
                *room -= 1;
                self.tell(Note::Canary(Box::new(Sent::first(&self.sorter.order, dead_letter, None).await?)));
            }
            Share::UpTo(room) => *room -= 1,
            Share::All => {}
        }
        Ok(())
    }

    fn tell(&self, notes: Note) {
        // Who listened may have failed, and says why.
        drop(self.notes.send(notes));
    }
}

/// Sends until the input ends, or the guard says why not to: then what is on its way is waited for.
async fn watched(
    means: &Means<'_>,
    input: mpsc::Receiver<Chunk>,
    alarm: Alarm<'_>,
    report: &mut ReplayReport,
) -> Result<SendReport> {
    let mut guard = Guard::of(means.order, &means.sorter).await?;
    let (sending, over) = (means.cancel.child(), CancellationToken::new());
    let work = async {
        let sent = deliver(means, input, &sending).await;
        over.cancel();
        sent
    };
    let (sent, why) = tokio::join!(work, guard.watch(alarm, &over, &sending, means.cancel));
    guard.back.into_iter().for_each(|id| report.returned(id));
    match why {
        Ok(Some(why)) => report.run.stop(why),
        Ok(None) => {}
        Err(error) => report.run.fail(&error),
    }
    sent
}

async fn deliver(means: &Means<'_>, input: mpsc::Receiver<Chunk>, cancel: &Cancel) -> Result<SendReport> {
    let Means { order, run, .. } = *means;
    let Some(to) = order.to.queue() else { return Err(Error::unexpected("a file goes into a queue")) };
    let entry_options = EntryOptions { deduplicate: to.depth.fifo.then(|| run.id().into()), delay: None };
    let task = Task {
        lane: Lane { queue: to.queue.clone(), entry_options, writer: run.writer(), moves: true },
        input,
        total: None,
        limit: None,
        rate_limit: order.settings.rate.map(RateLimit::of),
        run,
        known: None,
    };
    engine::send_part(task, means.change, cancel, means.progress).await
}

/// As it was when it was received; named as the journal names it.
fn dead_letter(message: &Outgoing) -> Message {
    let attributes =
        message.attributes.iter().filter_map(|(name, attribute)| Some((name.clone(), attribute.to_value()?)));
    let group = message.group.iter().map(|group| (System::MessageGroupId, group.to_string()));
    let received = Received::builder()
        .message_id(&*message.item)
        .body(&message.body)
        .set_attributes(Some(group.collect()))
        .set_message_attributes(Some(attributes.collect()));
    Message::from(received.build())
}
