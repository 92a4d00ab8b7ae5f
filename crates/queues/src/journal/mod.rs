//! The journal: which runs of drain, send and replay there were on this machine, and how far each item came.
//!
//! One SQLite file a project, safe for several processes at a time. A [`Run`] is begun, or resumed after whatever ended
//! it; its [`Scribe`] writes items down durably, many callers to a commit. Message bodies are never stored.

mod failure;
mod id;
mod item;
mod lock;
mod row;
mod run;
mod schema;
mod summary;
mod writer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use claimctl_core::context::Paths;
use claimctl_core::error::{IoContext, Result};
use rusqlite::{Connection, OptionalExtension, params};

use failure::{Explain, damaged};
pub use item::{Entry, Item, ItemState, PERHAPS_TWICE};
use lock::Locks;
pub use run::Run;
pub use summary::{Outcome, Standing, Start, Summary};
pub use writer::JournalWriter;

/// The journal of one project. Calls take milliseconds; items are written by a [`Scribe`].
pub struct Journal {
    file: PathBuf,
    locks: Locks,
    connection: Mutex<Connection>,
}

impl Journal {
    /// Opens the journal; makes it where there is none.
    pub fn open(paths: &Paths, project: &str) -> Result<Journal> {
        Journal::at(&place(paths, project))
    }

    /// Opens the journal where there is one.
    pub fn existing(paths: &Paths, project: &str) -> Result<Option<Journal>> {
        let file = place(paths, project);
        let exists = file.try_exists().on("look for", &file).map_err(|error| {
            error.hint("the journal's folder must be yours; or point CLAIMCTL_HOME at another folder")
        })?;
        exists.then(|| Journal::at(&file)).transpose()
    }

    fn at(file: &Path) -> Result<Journal> {
        let connection = Mutex::new(schema::open(file)?);
        Ok(Journal { file: file.to_owned(), locks: Locks::beside(file), connection })
    }

    /// All runs, oldest first.
    pub fn runs(&self) -> Result<Vec<Summary>> {
        self.select("ORDER BY number", [])
    }

    /// The run that was typed: its id, a beginning that no other has, or its last part.
    pub fn run(&self, typed: &str) -> Result<Summary> {
        id::find(&self.runs()?, typed).cloned()
    }

    /// The last run of this work, however it ended.
    pub fn last(&self, key: &str) -> Result<Option<Summary>> {
        Ok(self.select("WHERE key = ?1 ORDER BY number DESC LIMIT 1", [key])?.pop())
    }

    /// The last run of this work that left nothing to do: "sent already, by run X".
    pub fn finished(&self, key: &str) -> Result<Option<Summary>> {
        let done = Outcome::Done.number();
        Ok(self.select("WHERE key = ?1 AND outcome = ?2 ORDER BY number DESC LIMIT 1", params![key, done])?.pop())
    }

    /// The runs of a verb that are not done: live ones, and those that left something to do. Oldest first.
    pub fn unfinished(&self, verb: &str) -> Result<Vec<Summary>> {
        let open = "WHERE verb = ?1 AND (outcome IS NULL OR outcome <> ?2) ORDER BY number";
        self.select(open, params![verb, Outcome::Done.number()])
    }

    /// The runs that other processes are at work on at the same queue.
    pub fn others_at(&self, queue_arn: &str, run: &Run) -> Result<Vec<Summary>> {
        let open = "WHERE queue_arn = ?1 AND id <> ?2 AND outcome IS NULL ORDER BY number";
        let mut others = self.select(open, [queue_arn, run.id()])?;
        others.retain(|other| other.standing == Standing::Live);
        Ok(others)
    }

    /// How many items of a run are in which state.
    pub fn tally(&self, run: &Summary) -> Result<BTreeMap<ItemState, u64>> {
        let counted = "SELECT state, count(*) FROM items WHERE run = ?1 GROUP BY state";
        let rows = self.rows(counted, [run.number], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
        rows.into_iter().map(|(state, count)| Ok((self.state(state)?, count.unsigned_abs()))).collect()
    }

    /// A page of a run's items in the order of their names: at most `limit` behind `after`, of one state or of all.
    pub fn items(&self, run: &Summary, state: Option<ItemState>, after: Option<&str>, limit: u32) -> Result<Vec<Item>> {
        let page = "SELECT item, state, detail FROM items
                    WHERE run = ?1 AND (?2 IS NULL OR state = ?2) AND (?3 IS NULL OR item > ?3) ORDER BY item LIMIT ?4";
        let rows = self.rows(page, params![run.number, state.map(ItemState::number), after, limit], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
        rows.into_iter().map(|(item, state, detail)| Ok(Item { item, state: self.state(state)?, detail })).collect()
    }

    /// Items of a run that SQS may have taken twice, in the order of their names: at most `limit`.
    pub fn doubles(&self, run: &Summary, limit: u32) -> Result<Vec<String>> {
        let doubles = "SELECT item FROM items WHERE run = ?1 AND detail LIKE '%' || ?2 ORDER BY item LIMIT ?3";
        self.rows(doubles, params![run.number, PERHAPS_TWICE, limit], |row| row.get(0))
    }

    /// The items in a state, with their details, of all runs of this work.
    pub fn details(&self, key: &str, state: ItemState) -> Result<Vec<(String, String)>> {
        let details = "SELECT item, detail FROM items JOIN runs ON run = number
                       WHERE key = ?1 AND state = ?2 AND detail IS NOT NULL ORDER BY number";
        self.rows(details, params![key, state.number()], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// What a run knows of these items, in their order. Of the run at work, ask its [`Scribe`].
    pub fn states(&self, run: &Summary, items: &[Box<str>]) -> Result<Vec<Option<ItemState>>> {
        let connection = self.connection();
        let known = "SELECT state FROM items WHERE run = ?1 AND item = ?2";
        let mut known = connection.prepare(known).on_journal("read", &self.file)?;
        let mut state = |item: &str| {
            let number = known.query_row(params![run.number, item], |row| row.get(0)).optional();
            number.on_journal("read", &self.file)?.map(|number| self.state(number)).transpose()
        };
        items.iter().map(|item| state(item)).collect()
    }

    fn state(&self, number: i64) -> Result<ItemState> {
        ItemState::of(number).ok_or_else(|| damaged(&self.file))
    }

    /// Runs that a condition selects, each with where it stands now.
    fn select(&self, condition: &str, values: impl rusqlite::Params) -> Result<Vec<Summary>> {
        let rows = self.rows(&format!("SELECT {} FROM runs {condition}", row::COLUMNS), values, row::summary)?;
        rows.into_iter().map(|row| self.stand(row)).collect()
    }

    fn stand(&self, (mut run, outcome): (Summary, Option<Outcome>)) -> Result<Summary> {
        run.standing = Standing::of(outcome.is_none() && self.locks.is_held(&run.id)?, outcome);
        Ok(run)
    }

    fn rows<T>(
        &self,
        query: &str,
        values: impl rusqlite::Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let connection = self.connection();
        let mut statement = connection.prepare(query).on_journal("read", &self.file)?;
        let rows = statement.query_map(values, read).and_then(Iterator::collect);
        rows.on_journal("read", &self.file)
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A folder for each project, because a project may be called like something else that is kept.
fn place(paths: &Paths, project: &str) -> PathBuf {
    paths.state.join("projects").join(project).join("journal.sqlite")
}

#[cfg(test)]
mod tests;
