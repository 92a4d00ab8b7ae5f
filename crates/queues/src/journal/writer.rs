//! Writes items down: one thread with a connection of its own, whose every commit carries all that waits.

use std::collections::BTreeMap;
use std::path::PathBuf;

use claimctl_core::error::{Error, Result};
use claimctl_core::redact::redact;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Statement, Transaction, TransactionBehavior, params};
use tokio::sync::{mpsc, oneshot};

use super::failure::{Explain, again, damaged};
use super::{Entry, ItemState, Outcome, schema};

/// Hands entries of one run to the thread that writes them. Cheap to clone; the thread ends with the last clone.
#[derive(Debug, Clone)]
pub struct JournalWriter {
    inbox: mpsc::Sender<Message>,
}

/// Callers wait for their turn beyond that, so that a slow disk holds up the work and not memory.
const WAITING: usize = 256;
/// The most entries of one commit: a bound on memory and on what a full disk refuses at once.
const GROUP: usize = 20_000;

#[derive(Debug)]
enum Message {
    Entries { entries: Vec<Entry>, done: Option<oneshot::Sender<Result<()>>> },
    States { items: Vec<Box<str>>, answer: oneshot::Sender<Result<Vec<Option<ItemState>>>> },
    Finish { outcome: Outcome, counts: BTreeMap<String, u64>, done: oneshot::Sender<Result<()>> },
}

impl JournalWriter {
    pub(super) fn start(file: PathBuf, run: i64) -> Result<JournalWriter> {
        let connection = schema::open(&file)?;
        let (inbox, messages) = mpsc::channel(WAITING);
        let desk = Desk { connection, file, run, kept: Vec::new() };
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || desk.serve(messages))
            .map_err(|error| Error::unexpected("cannot start the journal's thread").caused_by(error))?;
        Ok(JournalWriter { inbox })
    }

    /// Returns once the entries are durable: they survive a kill and a power cut. Callers at the same time share a
    /// commit. On an error none of the entries may be relied on.
    pub async fn record(&self, entries: Vec<Entry>) -> Result<()> {
        self.ask(|done| Message::Entries { entries, done: Some(done) }).await
    }

    /// The same without waiting: what may be found out again. A kill may lose the last of them, a power cut more; once
    /// a later [`record`](Self::record) or [`finish`](Self::finish) has returned, they are durable too.
    pub async fn note(&self, entries: Vec<Entry>) -> Result<()> {
        self.inbox.send(Message::Entries { entries, done: None }).await.map_err(|_| gone())
    }

    /// What is known of these items, in their order, with all that was recorded or noted before.
    pub async fn states(&self, items: Vec<Box<str>>) -> Result<Vec<Option<ItemState>>> {
        self.ask(|answer| Message::States { items, answer }).await
    }

    /// Says how the run ended; `counts` are what the verb counted, by its own names.
    pub async fn finish(&self, outcome: Outcome, counts: BTreeMap<String, u64>) -> Result<()> {
        self.ask(|done| Message::Finish { outcome, counts, done }).await
    }

    async fn ask<T>(&self, message: impl FnOnce(oneshot::Sender<Result<T>>) -> Message) -> Result<T> {
        let (sender, answer) = oneshot::channel();
        self.inbox.send(message(sender)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

fn gone() -> Error {
    Error::unexpected("the journal's thread has ended").hint("run the same command again: it goes on where this ended")
}

/// The thread's side.
struct Desk {
    connection: Connection,
    file: PathBuf,
    run: i64,
    /// Notes of a commit that failed: nobody waits for them, and the next commit takes them along.
    kept: Vec<Entry>,
}

impl Desk {
    fn serve(mut self, mut messages: mpsc::Receiver<Message>) {
        while let Some(first) = messages.blocking_recv() {
            let mut size = first.size();
            let mut group = vec![first];
            while size < GROUP
                && let Ok(next) = messages.try_recv()
            {
                size += next.size();
                group.push(next);
            }
            self.work(group);
        }
    }

    /// Writes a group with one commit, and tells everyone who waits for it.
    fn work(&mut self, group: Vec<Message>) {
        let written = self.write(&group);
        for message in group {
            let answer = || written.as_ref().map(|_| ()).map_err(again);
            // Who has gone away in the meantime needs no answer.
            match message {
                Message::Entries { done: Some(done), .. } | Message::Finish { done, .. } => drop(done.send(answer())),
                Message::Entries { entries, done: None } if written.is_err() => self.kept.extend(entries),
                Message::Entries { done: None, .. } => {}
                Message::States { items, answer: to } => drop(to.send(answer().and_then(|()| self.states(&items)))),
            }
        }
        if written.is_ok() {
            self.kept.clear();
        }
    }

    fn write(&mut self, group: &[Message]) -> Result<()> {
        let waits =
            |message: &Message| !matches!(message, Message::Entries { done: None, .. } | Message::States { .. });
        let writes = |message: &Message| !matches!(message, Message::States { .. });
        if !group.iter().any(writes) {
            return Ok(());
        }
        // Notes alone are not worth an fsync: the next one carries them, because the log of writes is one file.
        let synchronous = if group.iter().any(waits) { "FULL" } else { "NORMAL" };
        let Desk { connection, file, run, kept } = self;
        connection.pragma_update(None, "synchronous", synchronous).on_journal("write to", file)?;
        let commit = |connection: &mut Connection| {
            let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            enter(&change, *run, kept, group)?;
            for message in group {
                if let Message::Finish { outcome, counts, .. } = message {
                    end(&change, *run, *outcome, counts)?;
                }
            }
            change.commit()
        };
        commit(connection).on_journal("write to", file)
    }

    fn states(&self, items: &[Box<str>]) -> Result<Vec<Option<ItemState>>> {
        let Desk { connection, file, run, .. } = self;
        let known = "SELECT state FROM items WHERE run = ?1 AND item = ?2";
        let mut known = connection.prepare(known).on_journal("read", file)?;
        let state = |item: &str| {
            let number = known.query_row(params![run, item], |row| row.get(0)).optional().on_journal("read", file)?;
            number.map(|number| ItemState::of(number).ok_or_else(|| damaged(file))).transpose()
        };
        items.iter().map(AsRef::as_ref).map(state).collect()
    }
}

impl Message {
    fn size(&self) -> usize {
        match self {
            Message::Entries { entries, .. } => entries.len(),
            Message::States { .. } | Message::Finish { .. } => 0,
        }
    }
}

fn enter(change: &Transaction<'_>, run: i64, kept: &[Entry], group: &[Message]) -> rusqlite::Result<()> {
    let mut statement = change.prepare(
        "INSERT INTO items (run, item, state, detail) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (run, item) DO UPDATE SET state = excluded.state,
         detail = coalesce(excluded.detail, CASE WHEN state = ?5 THEN NULL ELSE detail END)",
    )?;
    let mut write = |entry: &Entry| write(&mut statement, run, entry);
    kept.iter().try_for_each(&mut write)?;
    group.iter().try_for_each(|message| match message {
        Message::Entries { entries, .. } => entries.iter().try_for_each(&mut write),
        Message::States { .. } | Message::Finish { .. } => Ok(()),
    })
}

fn write(statement: &mut Statement<'_>, run: i64, entry: &Entry) -> rusqlite::Result<()> {
    // Why it failed is a service's own words, which may quote what was sent to it.
    let words = entry.detail.as_ref().filter(|_| entry.state == ItemState::Failed).map(|detail| redact(detail));
    let detail = words.as_ref().or(entry.detail.as_ref());
    statement.execute(params![run, entry.item, entry.state.number(), detail, ItemState::Failed.number()])?;
    Ok(())
}

fn end(change: &Transaction<'_>, run: i64, outcome: Outcome, counts: &BTreeMap<String, u64>) -> rusqlite::Result<()> {
    let counts =
        serde_json::to_string(counts).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let now = Timestamp::now().to_string();
    let ended = "UPDATE runs SET ended_at = ?2, outcome = ?3, counts = ?4 WHERE number = ?1";
    change.execute(ended, params![run, now, outcome.number(), counts])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(items: std::ops::Range<u32>) -> Vec<Entry> {
        items.map(|item| Entry::new(format!("m-{item:06}"), ItemState::Written).with_detail("x".repeat(100))).collect()
    }

    #[test]
    fn a_full_disk_fails_who_waits_and_loses_no_note() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal.sqlite");
        let connection = schema::open(&file).unwrap();
        connection.execute_batch("PRAGMA max_page_count = 12").unwrap();
        let mut desk = Desk { connection, file, run: 1, kept: Vec::new() };
        let (done, answer) = oneshot::channel();
        desk.work(vec![
            Message::Entries { entries: noted(0..200), done: None },
            Message::Entries { entries: noted(200..400), done: Some(done) },
        ]);
        let failed = answer.blocking_recv().unwrap().unwrap_err();
        assert!(failed.to_string().contains("no room"), "{failed}");
        assert!(failed.advice().contains("the disk is full"), "{:?}", failed.hints());
        assert_eq!(desk.states(&["m-000000".into()]).unwrap(), [None]);

        desk.connection.execute_batch("PRAGMA max_page_count = 1000").unwrap();
        let (done, answer) = oneshot::channel();
        desk.work(vec![Message::Entries { entries: noted(400..401), done: Some(done) }]);
        answer.blocking_recv().unwrap().unwrap();
        let known = desk.states(&["m-000199".into(), "m-000200".into(), "m-000400".into()]).unwrap();
        assert_eq!(known, [Some(ItemState::Written), None, Some(ItemState::Written)]);
    }
}
