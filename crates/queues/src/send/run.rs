//! A send from its input to its end: checked whole, agreed to, and sent as a run of the journal, which a later command
//! goes on with.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use claimctl_aws::target::{Change, Intent, Target};
use claimctl_core::context::Context;
use claimctl_core::error::{Error, Result};
use claimctl_core::next::{Hint, Next};
use claimctl_core::progress::Unit;
use claimctl_core::units::count;
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::check::{Checked, Look, Rehearsal, SentBefore, check};
use super::deliver::Lane;
use super::engine::{self, Task};
use super::feed::{self, Chunk, ReadOptions};
use super::input::{Reader, Rules};
use super::outgoing::{EntryOptions, Outgoing};
use super::queue::SendQueue;
use super::report::SendReport;
use super::source::Source;
use crate::journal::{Journal, Outcome, Run, Standing, Start, Summary};
use crate::rate::{Rate, RateLimit};

/// How messages are sent.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub rate: Option<Rate>,
    /// Messages to send at most.
    pub limit: Option<u64>,
    /// Hides every message for so long after it is sent. Whole seconds.
    pub delay: Option<Duration>,
    /// Lines that cannot be sent are listed, and the others sent.
    pub skip_bad_lines: bool,
    /// Everything is sent, also what was sent before.
    pub again: bool,
    /// A run of which all that it has sent is left out.
    pub resume: Option<String>,
}

/// Reads and checks everything, and sends nothing.
pub async fn rehearse(
    ctx: &Context,
    target: &Target,
    to: &SendQueue,
    rules: Arc<Rules>,
    source: Source,
    options: &Options,
) -> Result<Rehearsal> {
    let earlier = earlier(ctx, target, options, source.key(&to.depth.arn)?.as_deref())?;
    let checked = read_through(ctx, target, to, options, source.into_reader(rules), &earlier).await?;
    refuse_finished(&earlier, checked.is_all_sent())?;
    Ok(Rehearsal::of(to.depth.name.clone(), checked))
}

/// Checks files to their end, asks, and sends what was not sent yet. A stream is sent as it comes.
pub async fn run(
    ctx: &Context,
    target: &Target,
    to: &SendQueue,
    rules: Arc<Rules>,
    source: Source,
    options: &Options,
    consent: impl AsyncFnOnce(&Intent) -> Result<Change>,
) -> Result<SendReport> {
    let (key, name) = (source.key(&to.depth.arn)?, source.name());
    let earlier = earlier(ctx, target, options, key.as_deref())?;
    let checked = match &source {
        Source::Files(files) => {
            let reader = Reader::of_files(files, rules.clone());
            Some(read_through(ctx, target, to, options, reader, &earlier).await?)
        }
        Source::Stream(_) => None,
    };
    refuse_finished(&earlier, checked.as_ref().is_some_and(Checked::is_all_sent))?;
    let messages = match &checked {
        Some(checked) => count(checked.messages, "message"),
        None => "the messages on stdin".to_owned(),
    };
    let change = consent(&intent(&messages, to)).await?;
    let journal = Journal::open(&ctx.paths, &target.project)?;
    let known = options.resume.as_deref().map(|run| journal.run(run)).transpose()?;
    let start = Start { has_more: !options.again, ..start(ctx, target, to, &name, key).await? };
    let run = match options.again {
        true => journal.begin_anew(&start, ctx.progress.as_ref())?,
        false => journal.begin_or_resume(&start, ctx.progress.as_ref())?,
    };
    if run.is_resumed() {
        ctx.progress.note(&format!("going on with run {}: what it has sent is left out", run.id()));
    }
    let read_options = ReadOptions { skip_bad_lines: options.skip_bad_lines, eager: checked.is_none() };
    let sending = Sending {
        known: known.filter(|known| known.id != run.id()),
        total: checked.as_ref().map(|checked| checked.messages + checked.beyond_limit + checked.already_sent),
        input: feed::start(source.into_reader(rules), read_options)?,
        journal: &journal,
        run: &run,
    };
    let report = sending.send(ctx, to, options, &change).await?;
    // What a stream holds is known at its end.
    let nothing_new = report.sent == 0 && report.already_sent > 0 && report.outcome() == Outcome::Done;
    refuse_finished(&earlier, checked.is_none() && nothing_new)?;
    Ok(report)
}

/// What is to be agreed to. `messages` reads like "12 messages".
pub fn intent(messages: &str, to: &SendQueue) -> Intent {
    Intent { what: format!("send {messages} to queue {}", to.depth.name), destroys: false }
}

/// A run that no later command goes on with: of one message by hand.
pub struct Single {
    journal: Journal,
    run: Run,
}

impl Single {
    /// `what` reads like "a message by hand".
    pub async fn begin(ctx: &Context, target: &Target, to: &SendQueue, what: &str) -> Result<Single> {
        let journal = Journal::open(&ctx.paths, &target.project)?;
        let run = journal.begin_anew(&start(ctx, target, to, what, None).await?, ctx.progress.as_ref())?;
        Ok(Single { journal, run })
    }

    pub fn run(&self) -> &Run {
        &self.run
    }

    pub async fn send(
        self,
        ctx: &Context,
        to: &SendQueue,
        message: Outgoing,
        options: &Options,
        change: &Change,
    ) -> Result<SendReport> {
        let (chunks, input) = mpsc::channel(1);
        let chunk = Chunk { messages: vec![message], end: Some(Ok(())), ..Chunk::default() };
        let lost = |error: mpsc::error::SendError<Chunk>| {
            Error::unexpected("the message got lost").caused_by(error.to_string())
        };
        chunks.send(chunk).await.map_err(lost)?;
        let sending = Sending { journal: &self.journal, run: &self.run, known: None, input, total: Some(1) };
        sending.send(ctx, to, options, change).await
    }
}

/// Sends what comes out of `input`, as a run of the journal.
struct Sending<'a> {
    journal: &'a Journal,
    run: &'a Run,
    /// A run that was named, of which all that it knows is taken over.
    known: Option<Summary>,
    input: mpsc::Receiver<Chunk>,
    total: Option<u64>,
}

impl Sending<'_> {
    async fn send(self, ctx: &Context, to: &SendQueue, options: &Options, change: &Change) -> Result<SendReport> {
        let entry_options = EntryOptions {
            deduplicate: to.depth.fifo.then(|| self.run.id().into()),
            delay: options.delay.and_then(|delay| i32::try_from(delay.as_secs()).ok()),
        };
        let lane = Lane { queue: to.queue.clone(), entry_options, writer: self.run.writer(), moves: false };
        let task = Task {
            lane,
            input: self.input,
            total: self.total,
            limit: options.limit,
            rate_limit: options.rate.map(RateLimit::of),
            run: self.run,
            known: self.known.map(|known| (self.journal, known)),
        };
        engine::send(task, change, &ctx.cancel, ctx.progress.as_ref()).await
    }
}

/// What the journal is told of a run before it begins. Without a key it is work that no later command goes on with.
async fn start(ctx: &Context, target: &Target, to: &SendQueue, what: &str, key: Option<String>) -> Result<Start> {
    let once = || format!("queue send, once: {} {}", Timestamp::now().as_nanosecond(), std::process::id());
    Ok(Start {
        verb: "queue send".to_owned(),
        who: target.change_origin(ctx).await?,
        queue_arn: Some(to.depth.arn.clone()),
        target: format!("{what} to {}", to.depth.name),
        key: key.unwrap_or_else(once),
        has_more: false,
        arguments: ctx.change_log.arguments(),
        resume: ctx.change_log.command(),
    })
}

/// The runs that have sent some of the input: the last one over it, and one that was named.
fn earlier(ctx: &Context, target: &Target, options: &Options, key: Option<&str>) -> Result<Vec<Summary>> {
    let Some(journal) = Journal::existing(&ctx.paths, &target.project)?.filter(|_| !options.again) else {
        return Ok(Vec::new());
    };
    let named = options.resume.as_deref().map(|run| journal.run(run)).transpose()?;
    let last = key.map(|key| journal.last(key)).transpose()?.flatten();
    Ok(last.into_iter().chain(named).collect())
}

/// What was sent to its end is not sent again by accident.
fn refuse_finished(earlier: &[Summary], is_all_sent: bool) -> Result<()> {
    match earlier.first().filter(|last| is_all_sent && last.standing == Standing::Done) {
        None => Ok(()),
        Some(run) => Err(Error::refused(format!("run {} has sent all of this ({})", run.id, run.target))
            .next("to send everything once more", Next::again().word("--again"))),
    }
}

async fn read_through(
    ctx: &Context,
    target: &Target,
    to: &SendQueue,
    options: &Options,
    reader: Reader,
    earlier: &[Summary],
) -> Result<Checked> {
    let look = Look {
        skip_bad_lines: options.skip_bad_lines,
        limit: options.limit,
        fifo: to.depth.fifo,
        sent_before: SentBefore {
            journal: Journal::existing(&ctx.paths, &target.project)?.filter(|_| !earlier.is_empty()),
            runs: earlier.to_vec(),
        },
    };
    let cancel = ctx.cancel.clone();
    ctx.progress.start("reading the input", None, Unit::Steps);
    let checked = tokio::task::spawn_blocking(move || check(reader, &look, &cancel));
    let stopped = || Error::interrupted("stopped while reading the input; nothing was sent");
    let checked = tokio::select! {
        checked = checked => {
            checked.map_err(|error| Error::unexpected("reading the input ended early").caused_by(error))?
        }
        // A pipe may give nothing for hours.
        () = ctx.cancel.cancelled() => Err(stopped()),
    };
    ctx.progress.finish();
    checked
}

/// How to send the rest where a line cannot be sent.
pub(super) fn without_bad_lines(why: &str) -> Hint {
    let why = format!("{why}; to send the rest and list such lines");
    Hint::Run { why, next: Next::again().word("--skip-bad-lines") }
}
