//! Which earlier replay a command may go on with, and what the journal is told of one that begins.

use std::sync::Arc;

use claimctl_aws::target::Target;
use claimctl_core::context::Context;
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;

use super::from_file;
use super::order::Order;
use crate::journal::{Journal, Standing, Start, Summary};
use crate::send::input::{Found, Reader};

/// Messages that the journal is asked for at once.
const ASKED_AT_ONCE: usize = 500;

/// By which the journal knows these runs.
pub const VERB: &str = "dlq replay";

/// The run that was typed, if a replay may go on with it: only the last run of a queue knows what is still to be done
/// there, and only in its own environment.
pub async fn resumable(ctx: &Context, target: &Target, typed: &str) -> Result<Summary> {
    let journal = Journal::open(&ctx.paths, &target.project)?;
    let run = journal.run(typed)?;
    if run.verb != VERB {
        return Err(Error::usage(format!("run {} is no replay of dead letters, it is: {}", run.id, run.verb))
            .hint(format!("to go on with it: {}", run.resume)));
    }
    let here = target.change_origin(ctx).await?;
    if (&run.who.environment, &run.who.region, &run.who.account) != (&here.environment, &here.region, &here.account) {
        let there = run.who.environment.as_deref().unwrap_or("none");
        let account = run.who.account.as_ref().map_or_else(String::new, |account| format!(", account {account}"));
        return Err(Error::refused(format!(
            "run {} is of another environment: {there}, region {}{account}",
            run.id, run.who.region
        ))
        .hint(format!("to go on with it: {}", run.resume)));
    }
    if let Some(last) = journal.last(&run.key)?.filter(|last| last.id != run.id) {
        return Err(Error::refused(format!("run {} was followed by run {} on the same queue", run.id, last.id))
            .next("go on with that one", Next::verb(VERB).flag("--resume", &last.id)));
    }
    match run.standing {
        Standing::Done => Err(Error::refused(format!("run {} is done: nothing is left to do", run.id))
            .hint(format!("to replay what came since: {}", run.resume))),
        _ => Ok(run),
    }
}

/// A file that was replayed to its end is not replayed again by accident. True: it was, and holds more by now, so that
/// its run is to be gone on with.
pub(super) async fn has_more(order: &Order, journal: &Arc<Journal>) -> Result<bool> {
    let Some(file) = order.file.as_ref().filter(|_| !order.again) else { return Ok(false) };
    let last = journal.last(&order.key(VERB))?.filter(|last| last.standing == Standing::Done);
    let Some(run) = last else { return Ok(false) };
    let (reader, known, of) = (from_file::reader(order, file)?, journal.clone(), run.clone());
    let looked = tokio::task::spawn_blocking(move || holds_unknown(reader, &known, &of)).await;
    match looked.map_err(|error| Error::unexpected("reading the file ended early").caused_by(error))?? {
        true => Ok(true),
        false => Err(Error::refused(format!("run {} has replayed all of this file ({})", run.id, run.target))
            .next("to replay it once more", Next::again().word("--again"))),
    }
}

/// Whether the file has a message that the run never met.
fn holds_unknown(mut reader: Reader, journal: &Journal, run: &Summary) -> Result<bool> {
    let mut items = Vec::with_capacity(ASKED_AT_ONCE);
    loop {
        let found = reader.find()?;
        let ended = found.is_none();
        if let Some(Found::Message(message)) = found {
            items.push(message.item);
        }
        if ended || items.len() == ASKED_AT_ONCE {
            if journal.states(run, &items)?.iter().any(Option::is_none) {
                return Ok(true);
            }
            items.clear();
        }
        if ended {
            return Ok(false);
        }
    }
}

/// What the journal is told. A run that is gone on with keeps the command that it was begun by.
pub(super) async fn start(
    ctx: &Context,
    target: &Target,
    order: &Order,
    resumed: Option<&Summary>,
    has_more: bool,
) -> Result<Start> {
    let (arguments, resume) = match resumed {
        Some(run) => (run.arguments.clone(), run.resume.clone()),
        None => (ctx.change_log.arguments(), ctx.change_log.command()),
    };
    Ok(Start {
        verb: VERB.to_owned(),
        who: target.change_origin(ctx).await?,
        queue_arn: Some(order.depth.arn.clone()),
        target: format!("{} to {}", order.name, order.to.name()),
        key: order.key(VERB),
        has_more,
        arguments,
        resume,
    })
}
