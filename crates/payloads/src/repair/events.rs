//! Announces objects again: into the queue that their events come by, or to the function that S3 calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use claimctl_aws::target::{Change, Target};
use claimctl_claim::events;
use claimctl_claim::{claim_id, synthetic};
use claimctl_core::context::Context;
use claimctl_core::error::{Error, Result};
use claimctl_core::progress::Unit;
use claimctl_core::spool::Spool;
use claimctl_queues::consumers::invoke::Manner;
use claimctl_queues::depth;
use claimctl_queues::journal::Run;
use claimctl_queues::recipients::{self, Clients, Recipient};
use claimctl_queues::send::deliver::{Delivered, Lane};
use claimctl_queues::send::engine::{self, Task};
use claimctl_queues::send::feed::Chunk;
use claimctl_queues::send::limits;
use claimctl_queues::send::outgoing::{EntryOptions, Origin, Outgoing};
use claimctl_queues::send::queue::SendQueue;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::RepairReport;
use super::plan::{Announcement, Place};
use crate::flow::BucketFlow;

/// Messages that are made ahead of being sent.
const CHUNK: usize = 200;
/// Calls of the function at once. Lambda queues the events by itself.
const CALLS: usize = 16;

#[expect(clippy::too_many_arguments, reason = "the parts of one step")]
pub(super) async fn announce(
    ctx: &Context,
    target: &Target,
    flow: &BucketFlow,
    run: &Run,
    place: &Place,
    events: Spool<Announcement>,
    change: &Change,
    report: &mut RepairReport,
) -> Result<()> {
    let writer = Announcer::of(target, flow);
    match place {
        Place::Queue(url) => {
            let to = SendQueue::of(target, depth::read(&target.sqs(), url).await?);
            let total = events.len();
            let entry_options = EntryOptions { deduplicate: to.depth.fifo.then(|| run.id().into()), delay: None };
            let lane = Lane { queue: to.queue.clone(), entry_options, writer: run.writer(), moves: false };
            let input = feed(writer, events, to.depth.fifo);
            let task = Task { lane, input, total: Some(total), limit: None, rate_limit: None, run, known: None };
            let sent = engine::send_part(task, change, &ctx.cancel, ctx.progress.as_ref()).await?;
            report.sent += sent.sent;
            report.undecided += sent.undecided;
            // Of many failures the first are told.
            report.failed += sent.failed - sent.failures.len() as u64;
            let failures = sent.failures.into_iter();
            failures.for_each(|failure| report.fail(failure.message_id, failure.why));
            report.run.take_over(sent.run);
            Ok(())
        }
        Place::Function { name, alias } => {
            let manner = Manner::Asynchronous;
            let recipient = Arc::new(Recipient::Function { name: name.clone(), qualifier: alias.clone(), manner });
            let clients = Clients::new(target);
            ctx.progress.start("calling the function", Some(events.len()), Unit::Items);
            let stopped = AtomicBool::new(false);
            let goes_on = || !stopped.load(Ordering::Relaxed) && !ctx.cancel.is_cancelled();
            let calls = events.drain().take_while(|_| goes_on()).map(|event| {
                let message =
                    event.map(|event| Outgoing { recipient: Some(recipient.clone()), ..writer.message(event, false) });
                let (clients, journal) = (&clients, run.writer());
                async move { Ok::<_, Error>(recipients::give(clients, &journal, run.id(), vec![message?]).await) }
            });
            let mut calls = stream::iter(calls).buffer_unordered(CALLS);
            while let Some(delivered) = calls.next().await {
                ctx.progress.advance(1);
                let Delivered { sent, failed, undecided, untouched, error } = delivered?;
                report.sent += sent.len() as u64;
                report.undecided += undecided.len() as u64;
                let untouched = untouched.into_iter();
                untouched.for_each(|message| report.fail(message.name(), "not tried: the journal failed".to_owned()));
                failed.into_iter().for_each(|(message, why)| report.fail(message.name(), why));
                if let Some(error) = error {
                    report.run.fail(&error);
                    // What is in flight is finished.
                    stopped.store(true, Ordering::Relaxed);
                }
            }
            ctx.progress.finish();
            Ok(())
        }
    }
}

/// Writes the events of a flow.
struct Announcer {
    region: String,
    bucket: String,
    /// Some handlers do not look at the object: they are told what S3 would have told them, as far as that is known.
    tells_all: bool,
    time: String,
}

impl Announcer {
    fn of(target: &Target, flow: &BucketFlow) -> Announcer {
        Announcer {
            region: target.region.clone(),
            bucket: flow.bucket.clone(),
            tells_all: !flow.looks_at_objects(),
            time: Timestamp::now().to_string(),
        }
    }

    fn message(&self, event: Announcement, is_fifo: bool) -> Outgoing {
        let Announcement { key, etag } = event;
        let mut body = synthetic::event(&self.region, &self.time, &self.bucket, &key);
        if let Some(etag) = etag.filter(|_| self.tells_all) {
            body["Records"][0]["eventName"] = events::likely(&etag).into();
            body["Records"][0]["s3"]["object"]["eTag"] = etag.into();
        }
        let id = claim_id(&self.bucket, &key);
        Outgoing {
            item: format!("s3://{id}").into(),
            origin: Origin { file: "repair".into(), line: 0 },
            group: is_fifo.then(|| group_of(&id)),
            ..Outgoing::of_body(&body.to_string())
        }
    }
}

/// Messages of one object keep their order. A key that is no name of a group gives one that is.
fn group_of(id: &str) -> Box<str> {
    match limits::check_group(id) {
        Ok(()) => id.into(),
        Err(_) => Sha256::digest(id).iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
    }
}

/// On a thread of its own, because the events may be on disk.
fn feed(writer: Announcer, events: Spool<Announcement>, is_fifo: bool) -> mpsc::Receiver<Chunk> {
    let (chunks, input) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        let mut chunk = Chunk::default();
        for event in events.drain() {
            match event {
                Ok(event) => chunk.messages.push(writer.message(event, is_fifo)),
                Err(error) => {
                    chunk.end = Some(Err(error));
                    break;
                }
            }
            if chunk.messages.len() >= CHUNK && chunks.blocking_send(std::mem::take(&mut chunk)).is_err() {
                return;
            }
        }
        chunk.end.get_or_insert(Ok(()));
        // Who no longer listens has said why.
        let _ = chunks.blocking_send(chunk);
    });
    input
}
