//! One run at work: begun or resumed by one process at a time, which holds its lock.

use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use claimctl_core::progress::Progress;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::failure::Explain;
use super::lock::HeldLock;
use super::{ItemState, Journal, JournalWriter, Outcome, Start, Summary, id, row};

/// A run that this process works on. Other processes see it as live until it is dropped or the process ends.
#[derive(Debug)]
pub struct Run {
    id: String,
    resumed: bool,
    writer: JournalWriter,
    _held: HeldLock,
}

impl Run {
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether it was begun by an earlier command, so that items of it may be known.
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }

    pub fn writer(&self) -> JournalWriter {
        self.writer.clone()
    }
}

impl Journal {
    /// Goes on with the last run of this work, if it left something to do, or begins one. Says so where another process
    /// is at work on the same queue.
    pub fn begin_or_resume(&self, start: &Start, progress: &dyn Progress) -> Result<Run> {
        let run = match self.resume(start)? {
            Some(run) => run,
            None => self.begin(start)?,
        };
        self.tell_of_others(start, &run, progress)?;
        Ok(run)
    }

    /// Begins a run whatever became of earlier ones, and says so where another process is at work on the same queue.
    pub fn begin_anew(&self, start: &Start, progress: &dyn Progress) -> Result<Run> {
        let run = self.begin(start)?;
        self.tell_of_others(start, &run, progress)?;
        Ok(run)
    }

    fn tell_of_others(&self, start: &Start, run: &Run, progress: &dyn Progress) -> Result<()> {
        let Some(queue_arn) = &start.queue_arn else { return Ok(()) };
        for other in self.others_at(queue_arn, run)? {
            let Summary { id, verb, target, .. } = other;
            progress.note(&format!("warning: run {id} ({verb} {target}) is at work on the same queue too"));
        }
        Ok(())
    }

    /// Begins a new run. Refused where another process is at work with the same key.
    pub fn begin(&self, start: &Start) -> Result<Run> {
        self.change(|change| {
            let open = format!("SELECT {} FROM runs WHERE key = ?1 AND outcome IS NULL", row::COLUMNS);
            let mut open = change.prepare(&open).on_journal("read", &self.file)?;
            let open = open.query_map([&start.key], row::summary).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            for (other, _) in open.on_journal("read", &self.file)? {
                if self.locks.is_held(&other.id)? {
                    return Err(busy(&other));
                }
            }
            let id = self.unused_id(change)?;
            let held = self.locks.take(&id)?.ok_or_else(|| Error::unexpected(format!("run {id} is locked")))?;
            let number = row::insert(change, &id, start).on_journal("write to", &self.file)?;
            Ok((number, id, held))
        })
        .and_then(|(number, id, held)| self.at_work(number, id, held, false))
    }

    /// Takes up the last run with the same key, if it left something to do or there is more by now; none where it is done
    /// or there was none.
    /// Refused where another process is at work on it.
    pub fn resume(&self, start: &Start) -> Result<Option<Run>> {
        let taken = self.change(|change| {
            let last = format!("SELECT {} FROM runs WHERE key = ?1 ORDER BY number DESC LIMIT 1", row::COLUMNS);
            let last = change.query_row(&last, [&start.key], row::summary).optional();
            let Some((run, outcome)) = last.on_journal("read", &self.file)? else { return Ok(None) };
            if outcome == Some(Outcome::Done) && !start.has_more {
                return Ok(None);
            }
            let Some(held) = self.locks.take(&run.id)? else { return Err(busy(&run)) };
            row::take_over(change, run.number, start)
                .and_then(|()| row::resumed_now(change, run.number))
                .on_journal("write to", &self.file)?;
            Ok(Some((run.number, run.id, held)))
        })?;
        taken.map(|(number, id, held)| self.at_work(number, id, held, true)).transpose()
    }

    /// Forgets the items of a run at work, where something else tells better how far each has come.
    pub fn forget_items(&self, run: &Run) -> Result<()> {
        let items = "DELETE FROM items WHERE run = (SELECT number FROM runs WHERE id = ?1)";
        self.change(|change| change.execute(items, [&run.id]).map(drop).on_journal("write to", &self.file))
    }

    /// Forgets what a look found out, so that a later one finds it out anew. What is undecided stays so.
    pub fn forget_verdicts(&self, run: &Run) -> Result<()> {
        let verdicts: Vec<_> = ItemState::ALL.into_iter().filter(|state| state.is_verdict()).collect();
        let [of_run, and_state] = ["run = (SELECT number FROM runs WHERE id = ?1)", "AND state = ?2"];
        let undecided = format!("UPDATE items SET state = {} WHERE {of_run} {and_state}", ItemState::Intent.number());
        let forgotten = format!("DELETE FROM items WHERE {of_run} {and_state}");
        self.change(|change| {
            for state in verdicts {
                let statement = if state.is_undecided() { &undecided } else { &forgotten };
                change.execute(statement, params![run.id, state.number()]).on_journal("write to", &self.file)?;
            }
            Ok(())
        })
    }

    /// Forgets a run and its items. Refused where it is live, and, unless `force`, where it leaves something undone.
    pub fn remove(&self, run: &Summary, force: bool) -> Result<()> {
        self.change(|change| {
            let Some(_held) = self.locks.take(&run.id)? else { return Err(busy(run)) };
            if !force {
                self.nothing_is_left(change, run)?;
            }
            change
                .execute("DELETE FROM items WHERE run = ?1", [run.number])
                .and_then(|_| change.execute("DELETE FROM runs WHERE number = ?1", [run.number]))
                .on_journal("write to", &self.file)?;
            self.locks.remove(&run.id)
        })?;
        // Gives the room back to the disk, a page with each row of the answer.
        self.rows("PRAGMA incremental_vacuum", [], |_| Ok(())).map(drop)
    }

    /// Whether [`remove`](Self::remove) would be refused now.
    pub fn removable(&self, run: &Summary, force: bool) -> Result<()> {
        match (self.locks.is_held(&run.id)?, force) {
            (true, _) => Err(busy(run)),
            (false, true) => Ok(()),
            (false, false) => self.nothing_is_left(&self.connection(), run),
        }
    }

    fn nothing_is_left(&self, connection: &Connection, run: &Summary) -> Result<()> {
        let left = "SELECT EXISTS (SELECT 1 FROM runs WHERE number = ?1 AND outcome IS NOT ?2)
                    OR EXISTS (SELECT 1 FROM items WHERE run = ?1 AND state IN (?3, ?4))";
        let (intent, again) = (ItemState::Intent.number(), ItemState::ToSendAgain.number());
        let values = params![run.number, Outcome::Done.number(), intent, again];
        match connection.query_row(left, values, |row| row.get(0)).on_journal("read", &self.file)? {
            false => Ok(()),
            true => Err(Error::refused(format!("run {} is not done, and without it nothing can go on", run.id))
                .hint(format!("to go on: {}", run.resume))
                .next("what is left", Next::verb("runs show").word(&run.id))
                .next("to forget it all the same", Next::again().word("--force"))),
        }
    }

    fn at_work(&self, number: i64, id: String, held: HeldLock, resumed: bool) -> Result<Run> {
        Ok(Run { writer: JournalWriter::start(self.file.clone(), number)?, id, resumed, _held: held })
    }

    fn unused_id(&self, change: &Transaction<'_>) -> Result<String> {
        loop {
            let id = id::new(Timestamp::now());
            let used = change.query_row("SELECT EXISTS (SELECT 1 FROM runs WHERE id = ?1)", [&id], |row| row.get(0));
            if !used.on_journal("read", &self.file)? {
                return Ok(id);
            }
        }
    }

    /// Changes the runs, one process at a time, all or nothing.
    fn change<T>(&self, make: impl FnOnce(&Transaction<'_>) -> Result<T>) -> Result<T> {
        let mut connection = self.connection();
        let change = connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let change = change.on_journal("write to", &self.file)?;
        let made = make(&change)?;
        change.commit().on_journal("write to", &self.file)?;
        Ok(made)
    }
}

fn busy(run: &Summary) -> Error {
    let Summary { id, process, verb, target, .. } = run;
    Error::refused(format!("process {process} is at work on this: run {id}, {verb} {target}"))
        .next("how far it is", Next::verb("runs show").word(id))
        .hint("let it finish, or stop it (Ctrl-C where it runs) and run the same command again")
}
