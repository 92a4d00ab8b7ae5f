//! A load, from the look at its file to its end.
//!
//! Rows of a load count only once all of them are there: the record then names the load as the one whose rows they are,
//! which is what readers go by. Until then they see those of the load before, and afterwards these are removed.

use std::sync::Arc;

use claimctl_claim::Status;
use sqlx::Connection as _;

use super::Importer;
use super::batch::{Batch, Rejected};
use super::database::{Patience, Session, quoted};
use super::failure::Failure;
use super::record;
use super::shape::{OURS, Shape, text};
use super::write::{Insert, Written, write};
use crate::csv::{Reason, Refusal, Rules, Tally};
use crate::csv_load::{File, Load, Progress, Stop, Task, Upload, count};

/// Of a row: more than that the core does not keep.
const LARGEST_ROW: usize = 1 << 20;
/// Rows that are removed with one statement: few enough to be done in a moment, and to hold up nobody.
const REMOVED_AT_ONCE: u64 = 5000;
/// Rejected rows that are read at a time.
const REJECTED_AT_ONCE: u64 = 500;

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
            Ok(()) => self.finish(task, None).await,
            Err(Stop::Refused(why, _)) => {
                self.remove(task, false).await?;
                self.finish(task, Some(&why)).await
            }
            Err(other) => Err(other),
        }
    }

    async fn rows(&self, task: &mut Task<'_>) -> Result<(), Stop> {
        let shape = self.shape(task).await?;
        let rules = Arc::new(self.rules(&shape));
        if task.load.progress.is_none() {
            let tally = count(task, &rules).await?;
            self.start(task, &tally).await?;
        }
        if task.load.progress.as_ref().is_some_and(|progress| progress.removing.is_none()) {
            self.write(task, &shape, &rules).await?;
            self.publish(task, &rules).await?;
        }
        self.remove(task, true).await
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
            longest_name: LARGEST_ROW,
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
                write(session, &insert, &task.load, begin, &batch).await
            });
            // The next rows are read while the server is busy with these.
            let reading = async {
                if batch.is_last { Ok(None) } else { Batch::read(&mut file, rules.delimiter).await.map(Some) }
            };
            let (outcome, following) = tokio::join!(writing, reading);
            match outcome? {
                Written::Done(progress) => {
                    task.load.progress = Some(progress);
                    self.check_share(task, rules).await?;
                    match following? {
                        Some(following) => batch = following,
                        None => return Ok(()),
                    }
                }
                Written::Elsewhere(progress) => {
                    if progress.removing.is_some() {
                        return Err(Stop::Finished);
                    }
                    task.load.progress = Some(progress);
                    file = File::open_at(task, rules, written(task)).await?;
                    batch = Batch::read(&mut file, rules.delimiter).await?;
                }
                Written::Overtaken(record) => return Err(overtaken(&task.load, record.as_deref())),
            }
        }
    }

    /// Refuses the file as soon as more of its rows are left out than may be.
    async fn check_share(&self, task: &Task<'_>, rules: &Rules) -> Result<(), Stop> {
        let Some(progress) = &task.load.progress else { return Ok(()) };
        if !rules.max_rejected.is_exceeded(progress.rejected, progress.rows) {
            return Ok(());
        }
        let first = self.rejected_after(task, 0, 1).await?.pop();
        let first = first.map(|first| (first.line, Reason::Refused(first.reason)));
        let max_percent = rules.max_rejected.to_string();
        Err(Refusal::TooManyRejected { rejected: progress.rejected, rows: progress.rows, max_percent, first }.into())
    }

    /// All rows are written: the file of those that are left out is made, and from then on these count.
    async fn publish(&self, task: &mut Task<'_>, rules: &Rules) -> Result<(), Stop> {
        let Some(progress) = task.load.progress.clone() else { return Ok(()) };
        let mut rejected_key = None;
        if progress.rejected > 0 {
            let mut upload = Upload::new(task, rules.delimiter);
            let mut after = 0;
            loop {
                let page = self.rejected_after(task, after, REJECTED_AT_ONCE).await?;
                let Some(last) = page.last() else { break };
                after = last.row;
                for Rejected { row, line, reason, content } in &page {
                    upload.rejects.add_row(*line, *row, reason, content.as_deref());
                }
                if upload.is_part() {
                    upload.send_part(task).await?;
                }
                task.is_in_time()?;
            }
            rejected_key = Some(upload.end(task).await?);
        }
        let progress = Progress { removing: Some(String::new()), ..progress };
        self.locked(task, async |connection, record| {
            record::publish(connection, record, &progress, rejected_key.as_deref()).await
        })
        .await?;
        task.load.progress = Some(progress);
        Ok(())
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
                    other => Ok(Err(other)),
                }
            })
            .await?;
        done.map_err(|record| overtaken(&task.load, record.as_ref()))
    }
}

/// Why a load does not go on, by the record that is there.
fn overtaken(load: &Load, record: Option<&Load>) -> Stop {
    let same = record.is_some_and(|record| record.number == load.number && record.status != Status::Removed);
    if same { Stop::Finished } else { Stop::Superseded }
}
