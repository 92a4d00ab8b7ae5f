//! A load, from the look at its file to its end.
//!
//! Rows of a load count only once all of them are there: the record then names the load as the one whose rows they are,
//! which is what readers go by. Until then they see those of the load before, and afterwards these are removed.
//!
//! Whether the rows count or the file is refused is decided once, in the record, under its lock. What is removed then
//! follows from that, whichever invocation goes on with it.

use std::sync::Arc;

use claimctl_claim::Status;
use sqlx::Connection as _;

use super::Importer;
use super::batch::{Batch, Rejected};
use super::database::{Patience, Session, quoted};
use super::failure::Failure;
use super::record;
use super::shape::{OURS, Shape, text};
use super::write::{Excess, Insert, Written, write};
use crate::csv::{Reason, Refusal, Rules, Tally};
use crate::csv_load::{File, Load, Progress, Stop, Task, Upload, count};

/// Of a row: more than that the core does not keep.
const LARGEST_ROW: usize = 1 << 20;
/// Rows that are removed with one statement: few enough to be done in a moment, and to hold up nobody.
const REMOVED_AT_ONCE: u64 = 5000;
/// Rejected rows that are read at a time.
const REJECTED_AT_ONCE: u64 = 500;
/// Bytes of a column's name: 64 characters (MySQL 8.0 Reference Manual, "Identifier Length Limits").
const LONGEST_NAME: usize = 256;

impl Load {
    /// How far this load has come by the record, where that is of this load and not of a finished one.
    pub fn under_way(&self, record: Option<&Load>) -> Option<Progress> {
        let record = record.filter(|record| record.number == self.number && !record.is_finished())?;
        record.progress.clone()
    }
}

impl Importer {
    /// Goes on to the end: the rows are there, or the file is refused.
    pub async fn go(&self, task: &mut Task<'_>) -> Result<Load, Stop> {
        match self.rows(task).await {
            Ok(()) => {}
            Err(Stop::Refused(why, tally)) => self.refuse(task, why, tally.as_deref()).await?,
            Err(other) => return Err(other),
        }
        let refused = task.load.progress.as_ref().and_then(|progress| progress.refusing.clone());
        self.remove(task, refused.is_none()).await?;
        self.finish(task, refused.as_deref()).await
    }

    async fn rows(&self, task: &mut Task<'_>) -> Result<(), Stop> {
        let shape = self.shape(task).await?;
        let rules = Arc::new(self.rules(&shape));
        if task.load.progress.is_none() {
            let tally = count(task, &rules).await?;
            self.start(task, &tally).await?;
        }
        if !is_decided(task) {
            self.write(task, &shape, &rules).await?;
        }
        // Another invocation may have decided meanwhile.
        if !is_decided(task) {
            self.publish(task, &rules).await?;
        }
        Ok(())
    }

    /// Of the table as it is now: a file is refused for good by what it says.
    async fn shape(&self, task: &Task<'_>) -> Result<Shape, Failure> {
        let table = &self.database.config.table;
        let read = async |session: &mut Session| super::shape::read(&mut session.connection, table).await;
        self.database.call(task.invocation, Patience::Failover, read).await
    }

    /// Any two rows may have the same id: a row is told from another by its place in its file.
    fn rules(&self, shape: &Shape) -> Rules {
        let config = &self.database.config;
        Rules {
            columns: Default::default(),
            delimiter: config.delimiter,
            key: None,
            table: Some(shape.table.clone()),
            reserved: OURS.map(str::to_owned).into(),
            max_rejected: config.max_rejected,
            largest_row: LARGEST_ROW,
            longest_key: LARGEST_ROW,
            longest_name: LONGEST_NAME,
        }
    }

    /// Notes how many rows there are, before the first one is written. Another invocation may have been faster.
    async fn start(&self, task: &mut Task<'_>, tally: &Tally) -> Result<(), Stop> {
        let progress = Progress { rejected: 0, ..Progress::of(tally) };
        let started = self
            .locked(task, async |connection, record| {
                if let Some(progress) = &record.progress {
                    return Ok(progress.clone());
                }
                record::put_progress(connection, &record.claim.id().into_bytes(), &progress).await?;
                Ok(progress.clone())
            })
            .await?;
        task.load.progress = Some(started);
        Ok(())
    }

    async fn write(&self, task: &mut Task<'_>, shape: &Shape, rules: &Arc<Rules>) -> Result<(), Stop> {
        let written =
            |task: &Task<'_>| task.load.progress.as_ref().map(|progress| progress.written).unwrap_or_default();
        let mut file = File::open_at(task, rules, written(task)).await?;
        let mut batch = Batch::read(&mut file, rules.delimiter).await?;
        let insert = Insert::new(shape, file.columns());
        loop {
            task.is_in_time()?;
            let begin = written(task).rows;
            let writing = self.database.call(task.invocation, Patience::Failover, async |session: &mut Session| {
                write(session, &insert, &task.load, begin, &batch, rules.max_rejected).await
            });
            // The next rows are read while the server is busy with these.
            let reading = async {
                if batch.is_last { Ok(None) } else { Batch::read(&mut file, rules.delimiter).await.map(Some) }
            };
            let (outcome, following) = tokio::join!(writing, reading);
            match outcome? {
                Written::Done(progress) => {
                    task.load.progress = Some(progress);
                    match following? {
                        Some(following) => batch = following,
                        None => return Ok(()),
                    }
                }
                Written::Elsewhere(progress) => {
                    task.load.progress = Some(progress);
                    if is_decided(task) {
                        return Ok(());
                    }
                    file = File::open_at(task, rules, written(task)).await?;
                    batch = Batch::read(&mut file, rules.delimiter).await?;
                }
                Written::TooManyRejected(excess) => return Err(self.too_many_rejected(task, rules, excess).await?),
                Written::Overtaken(record) => return Err(overtaken(&task.load, record.as_deref())),
            }
        }
    }

    async fn too_many_rejected(&self, task: &Task<'_>, rules: &Rules, excess: Excess) -> Result<Stop, Failure> {
        let Excess { rejected, at_least, first } = excess;
        let first = self.rejected_after(task, 0, 1).await?.pop().or(first);
        let first = first.map(|first| (first.line, Reason::Refused(first.reason)));
        let rows = task.load.progress.as_ref().map_or(0, |progress| progress.rows);
        let max_percent = rules.max_rejected.to_string();
        let refusal = Refusal::TooManyRejected { rejected, at_least, rows, max_percent, first };
        Ok(Stop::Refused(refusal.to_string(), Some(Box::new(Tally { rejected, ..Tally::default() }))))
    }

    /// Writes down that the file is refused, unless its rows count already.
    async fn refuse(&self, task: &mut Task<'_>, why: String, tally: Option<&Tally>) -> Result<(), Stop> {
        let decided = self
            .locked(task, async |connection, record| {
                let known = record.progress.clone().unwrap_or_default();
                if known.removing.is_some() {
                    return Ok(known);
                }
                let rejected = tally.map_or(known.rejected, |tally| tally.rejected);
                let (removing, refusing) = (Some(String::new()), Some(why.clone()));
                let refused = Progress { rejected, removing, refusing, ..known };
                record::put_progress(connection, &record.claim.id().into_bytes(), &refused).await?;
                Ok(refused)
            })
            .await?;
        task.load.progress = Some(decided);
        Ok(())
    }

    /// All rows are written: the file of those that are left out is made, and from then on these count.
    async fn publish(&self, task: &mut Task<'_>, rules: &Rules) -> Result<(), Stop> {
        let Some(progress) = task.load.progress.clone() else { return Ok(()) };
        let rejected_key = match progress.rejected {
            0 => None,
            rejected => self.write_rejected(task, rules, rejected).await?,
        };
        let published = Progress { removing: Some(String::new()), ..progress };
        let decided = self
            .locked(task, async |connection, record| {
                let known = record.progress.clone().unwrap_or_default();
                if known.removing.is_some() {
                    return Ok(known);
                }
                if rejected_key.is_none() && published.rejected > 0 {
                    let id = record.claim.id();
                    return Err(Failure::SchemaDiffers(format!(
                        "rejected rows of {id} are gone from the table rejected"
                    )));
                }
                record::publish(connection, record, &published, rejected_key.as_deref()).await?;
                Ok(published.clone())
            })
            .await?;
        task.load.progress = Some(decided);
        Ok(())
    }

    /// Makes the file of the rejected rows, so many of them. None where they are gone: another invocation has made it, and
    /// removes the rows that it was made of.
    async fn write_rejected(&self, task: &Task<'_>, rules: &Rules, rejected: u64) -> Result<Option<String>, Stop> {
        let mut upload = Upload::new(task, rules.delimiter);
        let collected = self.collect(task, &mut upload).await;
        if matches!(collected, Ok(collected) if collected == rejected) {
            return upload.end(task).await.map(Some);
        }
        upload.give_up(task).await?;
        collected.map(|_| None)
    }

    /// Puts the rejected rows into their file, and counts them.
    async fn collect(&self, task: &Task<'_>, upload: &mut Upload) -> Result<u64, Stop> {
        let (mut after, mut collected) = (0, 0);
        loop {
            let page = self.rejected_after(task, after, REJECTED_AT_ONCE).await?;
            let Some(last) = page.last() else { return Ok(collected) };
            (after, collected) = (last.row, collected + page.len() as u64);
            for Rejected { row, line, reason, content } in &page {
                upload.rejects.add_row(*line, *row, reason, content.as_deref());
            }
            if upload.is_part() {
                upload.send_part(task).await?;
            }
            task.is_in_time()?;
        }
    }

    async fn rejected_after(&self, task: &Task<'_>, row: u64, limit: u64) -> Result<Vec<Rejected>, Failure> {
        let (id, load) = (task.load.claim.id(), task.load.number);
        self.database
            .call(task.invocation, Patience::Failover, async |session: &mut Session| {
                let rows = sqlx::query(
                    "SELECT CAST(`row` AS CHAR), CAST(`line` AS CHAR), `reason`, `content` FROM `rejected` \
                     WHERE `import_file` = ? AND `load` = ? AND `row` > ? ORDER BY `row` LIMIT ?",
                )
                .bind(id.as_bytes())
                .bind(load)
                .bind(row)
                .bind(limit)
                .fetch_all(&mut session.connection)
                .await?;
                let read = |row: &sqlx::mysql::MySqlRow| {
                    let number =
                        |at: usize| Ok::<_, Failure>(text(row, at)?.and_then(|text| text.parse().ok()).unwrap_or(0));
                    Ok(Rejected {
                        row: number(0)?,
                        line: number(1)?,
                        reason: text(row, 2)?.unwrap_or_default(),
                        content: sqlx::Row::try_get_unchecked(row, 3)?,
                    })
                };
                rows.iter().map(read).collect()
            })
            .await
    }

    /// Removes what does not count: rows of the loads before this one and rejected rows that are in their file; or, of a
    /// file that is refused, everything but the rows that did count before.
    async fn remove(&self, task: &mut Task<'_>, loaded: bool) -> Result<(), Stop> {
        let (id, number) = (task.load.claim.id(), task.load.number);
        let keep = self.locked(task, async |_, record| Ok(record.rows_of)).await?.unwrap_or(0);
        for (table, before) in
            [(quoted(&self.database.config.table), number + u64::from(!loaded)), ("`rejected`".to_owned(), number + 1)]
        {
            let keep = if table == "`rejected`" { 0 } else { keep };
            let sql = format!(
                "DELETE FROM {table} WHERE `import_file` = ? AND `load` < ? AND `load` <> ? \
                 ORDER BY `import_file`, `load`, `row` LIMIT {REMOVED_AT_ONCE}"
            );
            loop {
                task.is_in_time()?;
                let delete = async |session: &mut Session| {
                    let query =
                        sqlx::query(sqlx::AssertSqlSafe(sql.clone())).bind(id.as_bytes()).bind(before).bind(keep);
                    Ok(query.execute(&mut session.connection).await?.rows_affected())
                };
                let removed = self.database.call(task.invocation, Patience::Failover, delete).await?;
                // How far it is, so that one that goes on in another invocation is seen to.
                if let Some(removing) = task.load.progress.as_mut().and_then(|progress| progress.removing.as_mut()) {
                    *removing = (removing.parse().unwrap_or(0) + removed).to_string();
                }
                if removed < REMOVED_AT_ONCE {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn finish(&self, task: &Task<'_>, refused: Option<&str>) -> Result<Load, Stop> {
        self.locked(task, async |connection, record| {
            record::finish(connection, record, refused).await?;
            let id = record.claim.id();
            record::get(connection, &id)
                .await?
                .ok_or_else(|| Failure::SchemaDiffers(format!("the record of {id} is gone")))
        })
        .await
    }

    /// Does something in a transaction, with the record locked, which is of this load, and not finished.
    async fn locked<T>(
        &self,
        task: &Task<'_>,
        work: impl AsyncFn(&mut sqlx::MySqlConnection, &Load) -> Result<T, Failure>,
    ) -> Result<T, Stop> {
        let (id, number) = (task.load.claim.id(), task.load.number);
        let done = self
            .database
            .call(task.invocation, Patience::Failover, async |session: &mut Session| {
                let mut transaction = session.connection.begin().await?;
                match record::lock(&mut transaction, &id).await? {
                    Some(record) if record.number == number && !record.is_finished() => {
                        let done = work(&mut transaction, &record).await?;
                        transaction.commit().await?;
                        Ok(Ok(done))
                    }
                    other => {
                        // At once: the lock would be held for as long as the connection is kept.
                        transaction.rollback().await?;
                        Ok(Err(other))
                    }
                }
            })
            .await?;
        done.map_err(|record| overtaken(&task.load, record.as_ref()))
    }
}

/// Whether the rows count, or the file is refused: nothing is written any more.
fn is_decided(task: &Task<'_>) -> bool {
    task.load.progress.as_ref().is_some_and(|progress| progress.removing.is_some())
}

/// Why a load does not go on, by the record that is there.
fn overtaken(load: &Load, record: Option<&Load>) -> Stop {
    let same = record.is_some_and(|record| record.number == load.number && record.status != Status::Removed);
    if same { Stop::Finished } else { Stop::Superseded }
}
